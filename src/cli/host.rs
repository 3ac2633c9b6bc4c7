//! `fingerprint`, `doctor`, `provision`, `clean`.

use super::args::{CleanArgs, DoctorArgs, FingerprintArgs, Format};
use super::{Failure, output};
use crate::config::Config;
use crate::exit::Outcome;
use crate::host::{Finding, FindingState, Noise, Preflight, Provision};
use crate::model::format::FINGERPRINT_FORMAT;
use crate::model::{Change, Fingerprint};
use crate::pipeline::{self, clean as cleaning, gate};
use crate::workload::Profile;
use crate::{report, wiring};
use serde_json::json;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

fn version(v: Option<&String>) -> &str {
    v.map_or("absent", String::as_str)
}

/// `fingerprint`.
pub async fn fingerprint(config: &Config, args: &FingerprintArgs) -> Result<Outcome, Failure> {
    let now = pipeline::fingerprint(config).await;
    let class = pipeline::host_class(config);
    let baselines =
        if args.diff { wiring::store(config).baselines(&class, args.profile.as_str())? } else { Vec::new() };
    if args.diff && baselines.is_empty() {
        eprintln!(
            "tollgate: there is no accepted {} baseline of {class} to compare with",
            args.profile.as_str()
        );
    }
    let changed = gate::changes(&baselines, &now);
    if args.format == Format::Json {
        let since = baselines.last().map(|b| &b.sweep);
        output::print_json(&json!({
            "version": FINGERPRINT_FORMAT, "host_class": class, "components": now.components,
            "context": now.context, "compared_with": since, "changed": changed,
        }))?;
    } else if args.diff {
        output::print(&diff_text(&changed))?;
    } else {
        output::print(&fingerprint_text(&now, class.as_str()))?;
    }
    Ok(if changed.is_empty() { Outcome::Done } else { Outcome::Changed })
}

fn diff_text(changed: &[Change]) -> String {
    if changed.is_empty() {
        return "no component changed\n".to_owned();
    }
    changed.iter().fold(String::new(), |mut text, c| {
        let _ = writeln!(
            text,
            "{:<15} {} -> {}",
            c.component,
            version(c.before.as_ref()),
            version(c.after.as_ref())
        );
        text
    })
}

fn fingerprint_text(now: &Fingerprint, class: &str) -> String {
    let mut text = format!("host class {class}\n\ncomponents\n");
    for component in crate::model::Component::ALL {
        let _ = writeln!(text, "  {:<24} {}", component, version(now.components.get(&component)));
    }
    text.push_str("\ncontext\n");
    for (key, value) in &now.context {
        let _ = writeln!(text, "  {key:<24} {}", report::clean::one_line(value, 400));
    }
    text
}

/// `doctor`.
pub async fn doctor(config: &Config, args: &DoctorArgs) -> Result<Outcome, Failure> {
    let mut findings = Preflight::new(Path::new("/"), &config.state).run().await;
    let mut seen = std::collections::BTreeSet::new();
    for case in wiring::all_cases(config, Profile::Full) {
        for name in case.environments.into_iter().filter(|e| seen.insert(e.clone())) {
            let label = format!("environment {name}");
            findings.push(match wiring::environment(&name, config, Profile::Full).check().await {
                Ok(()) => Finding::new(&label, FindingState::Ok, "can be run", ""),
                Err(why) => Finding::new(&label, FindingState::Fail, why.reason, &why.remedy),
            });
        }
    }
    if args.noise > 0 {
        eprintln!("measuring the noise of the processors for {} s ...", args.noise);
        let length = Duration::from_secs(args.noise);
        let noise = tokio::task::spawn_blocking(move || Noise::measure(length)).await.ok().flatten();
        if let Some(noise) = noise {
            findings.push(Finding::new("noise", FindingState::Ok, noise.meaning(), ""));
        }
    }
    if args.format == Format::Json {
        let rows: Vec<_> = findings
            .iter()
            .map(|f| json!({ "name": f.name, "state": state(f), "observed": f.observed, "remedy": f.remedy }))
            .collect();
        output::print_json(&json!({ "version": 1, "findings": rows }))?;
    } else {
        let mut text = String::new();
        for f in &findings {
            let _ = writeln!(
                text,
                "{:<4}  {:<24} {}",
                state(f),
                f.name,
                report::clean::one_line(&f.observed, 400)
            );
            if let Some(remedy) = f.remedy.as_ref().filter(|r| f.state != FindingState::Ok && !r.is_empty()) {
                let _ = writeln!(text, "{:<31}-> {remedy}", "");
            }
        }
        output::print(&text)?;
    }
    Ok(Outcome::Done)
}

fn state(finding: &Finding) -> &'static str {
    match finding.state {
        FindingState::Ok => "ok",
        FindingState::Warn => "warn",
        FindingState::Fail => "fail",
    }
}

/// `provision`.
pub async fn provision(config: &Config) -> Result<Outcome, Failure> {
    let mut provision = Provision::new(Path::new("/"), &config.state);
    provision.socket.clone_from(&config.docker_socket);
    let mut say = |line: &str| eprintln!("{line}");
    provision.provision(&mut say).await.map_err(Failure::host)?;
    Ok(Outcome::Done)
}

/// `clean`.
pub async fn clean(config: &Config, args: &CleanArgs) -> Result<Outcome, Failure> {
    let cleaned = cleaning::clean(config, args.dry_run).await?;
    if args.format == Format::Json {
        output::print_json(
            &json!({ "version": 1, "dry_run": args.dry_run, "removed": cleaned.removed, "failed": cleaned.failed }),
        )?;
    } else {
        let verb = if args.dry_run { "would remove" } else { "removed" };
        let mut text = String::new();
        for line in &cleaned.removed {
            let _ = writeln!(text, "{verb} {line}");
        }
        if cleaned.removed.is_empty() && cleaned.failed.is_empty() {
            text.push_str("nothing of ours is left on this host\n");
        }
        output::print(&text)?;
    }
    for line in &cleaned.told {
        eprintln!("tollgate: {line}");
    }
    for line in &cleaned.failed {
        eprintln!("tollgate: not removed: {line}");
    }
    Ok(if cleaned.failed.is_empty() { Outcome::Done } else { Outcome::NotMeasured })
}
