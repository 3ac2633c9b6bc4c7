//! The table that `gate`, `sweep` and `judge` print: understood at a glance, from 80 columns upward.

mod baselines;
mod paint;
mod spark;
mod tables;

use super::answer::{self, Answer, Tone};
use super::past::Past;
use super::troubles::{self, Trouble};
use super::{clean, number, self_test, view};
use crate::model::{GateResult, Judgement, VerdictKind};
pub use baselines::{power_table, self_test_table};
use paint::Ink;
use tables::Laid;

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
    out.answer(&answer::of_gate(result));
    if let Some(lead) = answer::lead(result) {
        out.wrapped("", &lead, Ink::Plain);
    }
    if let Some(sweep) = &result.sweep {
        let profile = clean::name(&result.profile);
        out.wrapped(
            "",
            &format!("sweep {sweep}, profile {profile}, host class {}", result.host_class),
            Ink::Faint,
        );
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
    if !result.changed.is_empty() {
        out.heading("What changed");
        out.block(&tables::changes(&result.changed, style.width));
    }
    let notable =
        [VerdictKind::Regressed, VerdictKind::Suspected, VerdictKind::Improved, VerdictKind::Inconclusive];
    let verdicts = tables::Verdicts {
        judgement: &result.judgement,
        kinds: &notable,
        open: Some(OPEN_SHOWN),
        past,
        emulated: result.is_emulated(),
    };
    if let Some(laid) = verdicts.lay(style.width) {
        out.heading("Verdicts that are not \"unchanged\"");
        out.verdicts(&laid);
    }
    out.drifts(&result.judgement, result.is_emulated());
    let tolls = view::toll_table(result);
    if tolls.is_informative() {
        out.heading("Tolls against native: positive is worse");
        out.block(&tables::tolls(&tolls, result.is_emulated(), style.width));
        out.legend(&tolls.marks);
    }
    out.troubles(&troubles::of_gate(result), result.is_emulated());
    let failed: Vec<_> = result.proofs.iter().filter(|p| !p.holds).collect();
    if !failed.is_empty() {
        out.heading("Failed proofs: these environments were not what their names say");
        for p in failed {
            let text = format!("claim: {}; seen: {}", clean::text(&p.claim), clean::text(&p.observed));
            out.wrapped(
                &format!("  ✗ {}: ", view::label(&p.environment, result.is_emulated())),
                &text,
                Ink::Bad,
            );
        }
    }
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
    out.finish()
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

/// The text that grows, line by line.
struct Sheet {
    style: TerminalStyle,
    text: String,
}

impl Sheet {
    fn new(style: TerminalStyle) -> Self {
        Self { style, text: String::new() }
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn gap(&mut self) {
        self.line("");
    }

    fn block(&mut self, block: &str) {
        for line in block.lines() {
            self.line(line);
        }
    }

    fn heading(&mut self, text: &str) {
        self.gap();
        self.wrapped("", text, Ink::Head);
    }

    fn answer(&mut self, answer: &Answer) {
        let ink = match answer.tone {
            Tone::Good => Ink::Good,
            Tone::Bad => Ink::Bad,
            Tone::Unsure => Ink::Unsure,
            Tone::Neutral => Ink::Head,
        };
        self.wrapped("", &answer.sentence, ink);
    }

    /// Words that flow over lines, with a head before the first and an indent before the others.
    fn wrapped(&mut self, head: &str, text: &str, ink: Ink) {
        let indent = if head.chars().count() > 24 { 6 } else { head.chars().count() };
        let width = usize::from(self.style.width).max(20);
        let mut line = head.to_owned();
        let mut used = head.chars().count();
        let mut empty = true;
        for word in text.split(' ').flat_map(|w| pieces(w, width.saturating_sub(indent).max(10))) {
            let len = word.chars().count();
            if !empty && used + 1 + len > width || empty && used + len > width && used > indent {
                let full = std::mem::replace(&mut line, " ".repeat(indent));
                self.line(&paint::ink(ink, &full));
                used = indent;
                empty = true;
            }
            if !empty {
                line.push(' ');
                used += 1;
            }
            line.push_str(&word);
            used += len;
            empty = false;
        }
        self.line(&paint::ink(ink, &line));
    }

    /// The table of verdicts, and what its columns mean.
    fn verdicts(&mut self, laid: &Laid) {
        self.block(&laid.text);
        if laid.sees {
            let text = "would see: the smallest rise that is found four times in five";
            self.wrapped("", text, Ink::Faint);
        }
        if laid.history {
            let text =
                "history: the toll in each sweep compared, newest right; a threshold is two steps or less";
            self.wrapped("", text, Ink::Faint);
        }
    }

    /// Rises over many sweeps; nothing without any.
    fn drifts(&mut self, judgement: &Judgement, emulated: bool) {
        if judgement.drifts.is_empty() {
            return;
        }
        self.heading("Slow drifts");
        for d in &judgement.drifts {
            let head = format!(
                "{} in {}: {}",
                view::drift_name(d),
                view::label(&d.environment, emulated),
                number::change(d.change_pct)
            );
            self.wrapped("  ↗ ", &head, Ink::Unsure);
            self.wrapped("      ", &clean::text(&d.reason), Ink::Faint);
        }
    }

    fn legend(&mut self, marks: &std::collections::BTreeSet<VerdictKind>) {
        if !marks.is_empty() {
            let words: Vec<String> =
                marks.iter().map(|k| format!("{} {}", view::mark(*k), view::words(*k))).collect();
            self.wrapped("", &words.join("   ").replace("   ", " \u{a0} "), Ink::Faint);
        }
    }

    fn troubles(&mut self, troubles: &[Trouble], emulated: bool) {
        if troubles.is_empty() {
            return;
        }
        self.heading("Not measured or not judged");
        for t in troubles {
            self.wrapped("  ", &format!("{} in {}: {}", t.what, t.places(emulated), t.scope), Ink::Plain);
            self.wrapped("      ", &t.reason, Ink::Faint);
        }
    }

    fn finish(self) -> String {
        let text = self.text.replace('\u{a0}', " ");
        if self.style.colour { paint::to_ansi(&text) } else { paint::strip(&text) }
    }
}

/// A word in pieces of at most `max` characters: hostile names have no spaces.
fn pieces(word: &str, max: usize) -> Vec<String> {
    let chars: Vec<char> = word.chars().collect();
    if chars.len() <= max {
        return vec![word.to_owned()];
    }
    chars.chunks(max).map(|c| c.iter().collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
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

    #[test]
    fn snapshot_in_colour() {
        let style = TerminalStyle { width: 80, colour: true };
        let text = gate_table(&fixtures::small_regression(), None, style).replace('\u{1b}', "␛");
        insta::assert_snapshot!("small_regression_colour", text);
    }

    #[test]
    fn nothing_is_wider_than_the_terminal() {
        for result in fixtures::all() {
            let past = fixtures::past(&result.judgement);
            for (width, past) in [60, 80, 100, 140].into_iter().flat_map(|w| [(w, None), (w, Some(&past))]) {
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
