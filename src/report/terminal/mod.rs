//! The table that `gate`, `sweep` and `judge` print: understood at a glance, from 80 columns upward.

mod baselines;
mod paint;
mod sheet;
mod spark;
mod tables;
mod tolls;

use super::past::Past;
use super::{answer, clean, self_test, troubles, view};
use crate::model::{GateResult, Judgement, VerdictKind};
pub use baselines::{power_table, self_test_table};
use paint::Ink;
use sheet::Sheet;
use tolls::Tolls;

/// How wide, and whether in colour. Both are the caller's to find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalStyle {
    /// Columns.
    pub width: u16,
    /// Whether to use ANSI colours.
    pub colour: bool,
}

impl Default for TerminalStyle {
    /// What is right for a file or a log.
    fn default() -> Self {
        Self { width: 100, colour: false }
    }
}

/// Verdicts without proof of a gate that are listed; the toll table marks the others.
const OPEN_SHOWN: usize = 8;

/// The result of a gate or sweep; `past` has the tolls of earlier sweeps, where they are known.
pub fn gate_table(result: &GateResult, past: Option<&Past>, style: TerminalStyle) -> String {
    let mut out = Sheet::new(style);
    beginning(&mut out, result);
    changes(&mut out, result);
    notable(&mut out, result, past);
    out.drifts(&result.judgement, result.is_emulated());
    tolls(&mut out, result, past);
    out.troubles(&troubles::of_gate(result), result.is_emulated());
    failed_proofs(&mut out, result);
    ending(&mut out, result);
    out.finish()
}

/// The answer, what it is of, and what makes it doubtful.
fn beginning(out: &mut Sheet, result: &GateResult) {
    out.answer(&answer::of_gate(result));
    if let Some(lead) = answer::lead(result) {
        out.wrapped("", &lead, Ink::Plain);
    }
    if let Some(sweep) = &result.sweep {
        let profile = clean::name(&result.profile);
        let of = format!("sweep {sweep}, profile {profile}, host class {}", result.host_class);
        out.wrapped("", &of, Ink::Faint);
    }
    if let Some(warning) = view::emulation(result) {
        out.wrapped("! ", &warning, Ink::Unsure);
    }
    for line in view::common(&result.judgement) {
        out.wrapped("! ", &line, Ink::Unsure);
    }
    if let Some(baseline) = &result.baseline {
        out.wrapped("Baseline: ", &clean::text(baseline), Ink::Plain);
    }
}

fn changes(out: &mut Sheet, result: &GateResult) {
    if !result.changed.is_empty() {
        out.heading("What changed");
        out.block(&tables::changes(&result.changed, out.style.width));
    }
}

/// The verdicts that somebody may want to do something about.
fn notable(out: &mut Sheet, result: &GateResult, past: Option<&Past>) {
    let kinds =
        [VerdictKind::Regressed, VerdictKind::Suspected, VerdictKind::Improved, VerdictKind::Inconclusive];
    let verdicts = tables::Verdicts {
        judgement: &result.judgement,
        kinds: &kinds,
        open: Some(OPEN_SHOWN),
        past,
        emulated: result.is_emulated(),
    };
    if let Some(laid) = verdicts.lay(out.style.width) {
        out.heading("Verdicts that are not \"unchanged\"");
        out.verdicts(&laid);
    }
}

/// What everything costs; with its history where nothing is judged, since verdicts show theirs themselves.
fn tolls(out: &mut Sheet, result: &GateResult, past: Option<&Past>) {
    let table = view::toll_table(result);
    if !table.is_informative() {
        return;
    }
    let past = past.filter(|_| result.judgement.verdicts.is_empty());
    let tolls = Tolls { table: &table, past, emulated: result.is_emulated() };
    let (text, history) = tolls.lay(out.style.width);
    out.heading("Tolls against native: positive is worse");
    out.block(&text);
    out.legend(&table.marks);
    if history {
        out.history_note();
    }
}

fn failed_proofs(out: &mut Sheet, result: &GateResult) {
    let failed: Vec<_> = result.proofs.iter().filter(|p| !p.holds).collect();
    if failed.is_empty() {
        return;
    }
    out.heading("Failed proofs: these environments were not what their names say");
    for p in failed {
        let text = format!("claim: {}; seen: {}", clean::text(&p.claim), clean::text(&p.observed));
        let head = format!("  ✗ {}: ", view::label(&p.environment, result.is_emulated()));
        out.wrapped(&head, &text, Ink::Bad);
    }
}

/// How it came about: what the judge says of itself, what confirmed, how long it took.
fn ending(out: &mut Sheet, result: &GateResult) {
    if let Some(test) = &result.self_test {
        out.gap();
        out.wrapped("Self-test: ", &self_test::sentence(test), Ink::Plain);
    }
    let timing = view::timing(result);
    if timing.is_some() || result.confirmation.is_some() {
        out.gap();
    }
    if let Some(confirmation) = &result.confirmation {
        out.wrapped("Confirmation: ", &clean::text(&confirmation.account), Ink::Plain);
    }
    if let Some(timing) = timing {
        out.wrapped("Timing: ", &timing, Ink::Plain);
    }
}

/// Verdicts without a sweep: `judge` of two samples files; `past` has the tolls of all their sweeps.
pub fn judgement_table(judgement: &Judgement, past: Option<&Past>, style: TerminalStyle) -> String {
    let mut out = Sheet::new(style);
    out.answer(&answer::of_judgement(judgement));
    for line in view::common(judgement) {
        out.wrapped("! ", &line, Ink::Unsure);
    }
    let verdicts = tables::Verdicts { judgement, kinds: &view::JUDGED, open: None, past, emulated: false };
    if let Some(laid) = verdicts.lay(style.width) {
        out.gap();
        out.verdicts(&laid);
    }
    out.drifts(judgement, false);
    out.troubles(&troubles::of_judgement(judgement), false);
    out.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CellSummary, EnvironmentName};
    use crate::report::fixtures;

    fn plain(width: u16) -> TerminalStyle {
        TerminalStyle { width, colour: false }
    }

    #[test]
    fn snapshots_at_80_columns() {
        insta::assert_snapshot!("first_run_80", gate_table(&fixtures::first_run(), None, plain(80)));
        insta::assert_snapshot!("unchanged_80", gate_table(&fixtures::unchanged(), None, plain(80)));
        insta::assert_snapshot!("regression_80", gate_table(&fixtures::regression(), None, plain(80)));
        insta::assert_snapshot!("not_measured_80", gate_table(&fixtures::not_measured(), None, plain(80)));
        insta::assert_snapshot!("hostile_80", gate_table(&fixtures::hostile(), None, plain(80)));
        insta::assert_snapshot!(
            "nothing_changed_80",
            gate_table(&fixtures::nothing_changed(), None, plain(80))
        );
        insta::assert_snapshot!("only_swept_80", gate_table(&fixtures::only_swept(), None, plain(80)));
        insta::assert_snapshot!(
            "judgement_80",
            judgement_table(&fixtures::regression().judgement, None, plain(80))
        );
    }

    #[test]
    fn snapshots_at_other_widths() {
        insta::assert_snapshot!("regression_140", gate_table(&fixtures::regression(), None, plain(140)));
        insta::assert_snapshot!("regression_60", gate_table(&fixtures::regression(), None, plain(60)));
        insta::assert_snapshot!(
            "judgement_140",
            judgement_table(&fixtures::regression().judgement, None, plain(140))
        );
    }

    #[test]
    fn snapshots_with_a_history() {
        let result = fixtures::regression();
        let past = fixtures::past(&result.judgement);
        let verdicts = |width| {
            let text = gate_table(&result, Some(&past), plain(width));
            let from = text.find("Verdicts that").expect("verdicts");
            let to = text.find("Tolls against").expect("tolls");
            text[from..to].to_owned()
        };
        insta::assert_snapshot!("history", [80, 100, 140].map(verdicts).join("-----\n"));
        let text = judgement_table(&result.judgement, Some(&past), plain(100));
        insta::assert_snapshot!("judgement_history_100", text);
        let style = TerminalStyle { width: 100, colour: true };
        let small = fixtures::small_regression();
        let text = gate_table(&small, Some(&fixtures::past(&small.judgement)), style);
        assert!(
            text.contains("\u{1b}[1;31m▅\u{1b}[0m"),
            "the newest block has the ink of the verdict: {text}"
        );
    }

    /// More environments than there are columns for.
    fn many_environments() -> GateResult {
        let mut result = fixtures::only_swept();
        result.cells.retain(|c| c.workload == "redis" && c.case == "get-c1");
        let axes = ["docker+unconfined", "docker+nat+proxy", "docker+runtime=crun", "docker+runtime=runsc"];
        let docker: Vec<_> =
            result.cells.iter().filter(|c| c.environment.to_string() == "docker").cloned().collect();
        for name in axes {
            let environment: EnvironmentName = name.parse().expect("a name");
            let renamed = |c: &CellSummary| CellSummary { environment: environment.clone(), ..c.clone() };
            result.cells.extend(docker.iter().map(renamed));
        }
        result
    }

    #[test]
    fn snapshots_of_a_sweep_with_a_history() {
        let swept = fixtures::only_swept();
        let past = fixtures::past_of_tolls(&swept);
        let tolls = |width| {
            let text = gate_table(&swept, Some(&past), plain(width));
            let from = text.find("Tolls against").expect("tolls");
            let to = text.find("Timing").expect("the end");
            text[from..to].to_owned()
        };
        insta::assert_snapshot!("only_swept_history", [80, 140].map(tolls).join("-----\n"));
        let many = many_environments();
        let text = gate_table(&many, Some(&fixtures::past_of_tolls(&many)), plain(80));
        insta::assert_snapshot!(
            "only_swept_history_list",
            &text[text.find("Tolls against").expect("tolls")..]
        );
        let none = gate_table(&swept, Some(&Past::default()), plain(80));
        assert_eq!(
            none,
            gate_table(&swept, None, plain(80)),
            "nothing is said of a history that is not there"
        );
        let judged = fixtures::regression();
        let text = gate_table(&judged, Some(&fixtures::past_of_tolls(&judged)), plain(140));
        let tolls = &text[text.find("Tolls against").expect("tolls")..];
        assert!(!tolls.contains('▄'), "a verdict shows its own: {tolls}");
    }

    #[test]
    fn snapshot_in_colour() {
        let style = TerminalStyle { width: 80, colour: true };
        let text = gate_table(&fixtures::small_regression(), None, style).replace('\u{1b}', "␛");
        insta::assert_snapshot!("small_regression_colour", text);
    }

    #[test]
    fn nothing_is_wider_than_the_terminal() {
        for result in fixtures::all() {
            let pasts = [fixtures::past(&result.judgement), fixtures::past_of_tolls(&result)];
            let pasts = || pasts.iter().map(Some).chain([None]);
            for (width, past) in [60, 80, 100, 140].into_iter().flat_map(|w| pasts().map(move |p| (w, p))) {
                for line in gate_table(&result, past, plain(width)).lines() {
                    assert!(line.chars().count() <= usize::from(width), "{width}: {line}");
                }
                for line in judgement_table(&result.judgement, past, plain(width)).lines() {
                    assert!(line.chars().count() <= usize::from(width), "{width}: {line}");
                }
            }
        }
    }

    #[test]
    fn without_colour_there_are_no_control_characters() {
        for result in fixtures::all() {
            let text = gate_table(&result, None, plain(80));
            assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
            assert!(!text.contains('\u{202e}'));
        }
    }
}
