//! Chromium, axe-core and an HTML validator look at the reports: `tests/browser/report.mjs`, with what `packaging/browser.sh` installs.
//! The pictures are in `target/tmp/report`.

#[path = "common/browser.rs"]
mod browser;
#[path = "common/many.rs"]
mod many;

use chrono::Utc;
use many::Many;
use std::path::Path;
use tollgate::model::{Fingerprint, GateResult, Sweep};
use tollgate::report::{Evidence, gate_html, judgement_html, rc25482_html};
use tollgate::store;

/// Names that want to be more than names.
const HOSTILE: &str = "<script>alert(1)</script> | \"quoted\" 'single' \u{202e}thgir a-->";

fn examples() -> Vec<Sweep> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("baselines/amd-epyc-2c-24g/smoke");
    let mut files: Vec<_> =
        std::fs::read_dir(dir).expect("the examples").flatten().map(|e| e.path()).collect();
    files.sort();
    files.iter().map(|path| store::read(path).expect("a sweep")).collect()
}

/// The newest example, with tolls of docker+nat that rose by a fifth, one of them to the triple, and an engine that changed, against others
/// like it.
fn regressed(rename: impl Fn(&mut Sweep)) -> (GateResult, Evidence) {
    let newest = examples().pop().expect("one");
    let mut sweeps: Vec<Sweep> = (0..8_u32)
        .map(|day| {
            let mut sweep = newest.clone();
            sweep.started_at -= chrono::TimeDelta::days(i64::from(8 - day));
            sweep.sweep = format!("2026110{day}T000000Z-00000{day}").parse().expect("an id");
            scatter(&mut sweep, day);
            rename(&mut sweep);
            sweep
        })
        .collect();
    let last = sweeps.last_mut().expect("eight");
    last.accepted = None;
    let engine = last.fingerprint.components.get_mut(&tollgate::model::Component::DockerEngine);
    *engine.expect("an engine") = "99.1.0".into();
    let through_nat = last.series.iter_mut().filter(|s| s.environment.to_string() == "docker+nat");
    for (i, series) in through_nat.enumerate() {
        let rise = if i == 0 { 3.0_f64 } else { 1.2 };
        let factor = rise.powf(series.better.sign());
        series.values.iter_mut().flatten().for_each(|v| *v *= factor);
    }
    many::judged(&sweeps)
}

/// Half a percent around each median, the same each time.
fn scatter(sweep: &mut Sweep, day: u32) {
    for (i, series) in (0_u32..).zip(&mut sweep.series) {
        let mut known: Vec<f64> = series.values.iter().flatten().copied().collect();
        known.sort_by(f64::total_cmp);
        let Some(middle) = known.get(known.len() / 2).copied() else { continue };
        for (round, value) in (0_u32..).zip(&mut series.values) {
            let step = f64::from((i * 31 + day * 17 + round * 7) % 11) - 5.0;
            *value = value.map(|_| middle * (1.0 + step / 1000.0));
        }
    }
}

fn hostile(sweep: &mut Sweep) {
    for series in &mut sweep.series {
        series.case = format!("{} {HOSTILE}", series.case);
    }
    for cell in &mut sweep.cells {
        cell.case = format!("{} {HOSTILE}", cell.case);
        cell.reason = cell.reason.as_ref().map(|why| format!("{why} {HOSTILE}"));
    }
    for proof in &mut sweep.proofs {
        proof.observed = HOSTILE.into();
    }
    for version in sweep.fingerprint.components.values_mut() {
        version.push_str(HOSTILE);
    }
    sweep.fingerprint.context.insert(HOSTILE.into(), HOSTILE.into());
}

fn empty() -> GateResult {
    GateResult::unchanged("lab".parse().expect("a name"), "smoke", Fingerprint::default())
}

fn failed() -> GateResult {
    let reason = format!("the engine does not answer: {HOSTILE}");
    let class = "lab".parse().expect("a name");
    GateResult::not_measured(class, "smoke", Fingerprint::default(), reason, Utc::now())
}

#[test]
fn chromium_axe_and_the_validator_find_nothing() {
    let Some(tools) = browser::tools() else { return };
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
    std::fs::create_dir_all(&dir).expect("made");
    let (large, evidence) = many::judged(&Many::LARGE.sweeps(100));
    let large_page = gate_html(&large, Some(&evidence));
    assert!(large_page.len() < 3_000_000, "{} bytes", large_page.len());
    let (result, behind) = regressed(|_| ());
    let small = gate_html(&result, Some(&behind));
    let study = rc25482_html(&result, &behind.sweep);
    assert!(small.contains("may have risen") && small.contains("figure class=\"large\""));
    assert!(small.contains("<title>beyond the scale: +"));
    assert!(small.contains("    --rounds ") && small.contains("    --seed "), "its sweep can be made again");
    let (ugly, behind) = regressed(hostile);
    let pages = [
        ("small", small),
        ("hostile", gate_html(&ugly, Some(&behind))),
        ("large", large_page),
        ("empty", gate_html(&empty(), None)),
        ("failed", gate_html(&failed(), None)),
        ("judgement", judgement_html(&result.judgement)),
        ("study", study),
    ];
    for (name, page) in &pages {
        std::fs::write(dir.join(format!("{name}.html")), page).expect("written");
    }
    tools.run("report.mjs", |node| {
        node.arg(&dir).args(pages.iter().map(|(name, _)| *name));
    });
    assert!(dir.join("small-phone-dark.png").exists());
}
