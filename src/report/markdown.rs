//! Markdown for job summaries, comments and issues: the answer, at most ten rows, and the rest folded.
//!
//! Everything that a host said goes through [`clean::markdown`]: there is no markup, mention, link or comment
//! in it, and no way out of a table.

use super::answer::{self, Answer, Tone};
use super::troubles::{self, Trouble};
use super::view::{self, Toll, TollTable};
use super::{again, clean, number, self_test};
use crate::model::{Change, EnvironmentName, GateResult, Judgement, Sweep, Verdict, VerdictKind};
use std::fmt::Write as _;

/// Rows above the fold.
const ABOVE_FOLD: usize = 10;
/// GitHub refuses bodies of more than 65,536 characters; what does not fit is left out, and that is said.
const BODY_MAX: usize = 60_000;

/// The result of a gate or sweep; with the sweep, also how to make the same again.
pub fn gate_markdown(result: &GateResult, sweep: Option<&Sweep>) -> String {
    let emulated = result.is_emulated();
    let judgement = &result.judgement;
    let mut page = Page::default();
    page.answer(&answer::of_gate(result));
    if let Some(lead) = answer::lead(result) {
        page.paragraph(&format!("{}.", clean::markdown(&lead)));
    }
    if let Some(warning) = view::emulation(result) {
        page.paragraph(&format!("> **Note:** {}", clean::markdown(&warning)));
    }
    page.common(judgement);
    page.changes(&result.changed);
    let notable = notable(judgement);
    let tolls = view::toll_table(result);
    if !notable.is_empty() {
        page.verdicts(&notable, emulated, ABOVE_FOLD);
    } else if judgement.verdicts.iter().all(|v| v.verdict == VerdictKind::NoBaseline)
        && tolls.is_informative()
    {
        page.tolls(&tolls, emulated, ABOVE_FOLD);
    }
    page.drifts(judgement, emulated, ABOVE_FOLD);
    page.facts(result);
    page.troubles(&troubles::of_gate(result), emulated);
    page.failed_proofs(result);
    if notable.len() > ABOVE_FOLD {
        page.folded(&format!("All {} verdicts other than unchanged", notable.len()), |page| {
            page.verdicts(&notable, emulated, usize::MAX);
        });
    }
    if tolls.is_informative() {
        page.folded(&format!("Tolls of {}", number::count(tolls.rows.len(), "metric")), |page| {
            page.tolls(&tolls, emulated, usize::MAX);
            page.legend(&tolls);
        });
    }
    page.self_test(result);
    page.fingerprint(result, sweep);
    page.finish()
}

/// Verdicts without a sweep.
pub fn judgement_markdown(judgement: &Judgement) -> String {
    let mut page = Page::default();
    page.answer(&answer::of_judgement(judgement));
    page.common(judgement);
    let notable = notable(judgement);
    if !notable.is_empty() {
        page.verdicts(&notable, false, ABOVE_FOLD);
    }
    page.drifts(judgement, false, ABOVE_FOLD);
    page.troubles(&troubles::of_judgement(judgement), false);
    if notable.len() > ABOVE_FOLD {
        page.folded(&format!("All {} verdicts other than unchanged", notable.len()), |page| {
            page.verdicts(&notable, false, usize::MAX);
        });
    }
    let proven = view::of_kind(judgement, VerdictKind::Unchanged);
    if !proven.is_empty() {
        page.folded(&format!("{} unchanged (proven)", proven.len()), |page| {
            page.verdicts(&proven, false, usize::MAX);
        });
    }
    page.finish()
}

/// The verdicts with numbers that are not "unchanged", worst first.
fn notable(judgement: &Judgement) -> Vec<&Verdict> {
    view::JUDGED
        .into_iter()
        .filter(|k| *k != VerdictKind::Unchanged)
        .flat_map(|k| view::of_kind(judgement, k))
        .collect()
}

fn environment(name: &EnvironmentName, emulated: bool) -> String {
    clean::markdown_code(&view::label(name, emulated))
}

/// The text that grows, within GitHub's limit.
#[derive(Default)]
struct Page {
    text: String,
    /// Something did not fit.
    cut: bool,
}

impl Page {
    /// Adds a line if it fits; says whether it did.
    fn line(&mut self, line: &str) -> bool {
        // Room is kept for the end of what is open.
        if self.text.len() + line.len() > BODY_MAX {
            self.cut = true;
            return false;
        }
        self.text.push_str(line);
        self.text.push('\n');
        true
    }

    /// Sweeps in which whole environments moved.
    fn common(&mut self, judgement: &Judgement) {
        for line in view::common(judgement) {
            self.paragraph(&format!("> **Note:** {}", clean::markdown(&line)));
        }
    }

    fn paragraph(&mut self, text: &str) {
        self.line("");
        self.line(text);
    }

    fn answer(&mut self, answer: &Answer) {
        let icon = match answer.tone {
            Tone::Good => "✅",
            Tone::Bad => "❌",
            Tone::Unsure => "⚠️",
            Tone::Neutral => "📏",
        };
        self.line(&format!("{icon} **{}**", clean::markdown(&answer.sentence)));
    }

    fn changes(&mut self, changed: &[Change]) {
        if changed.is_empty() {
            return;
        }
        self.paragraph("What changed:");
        self.line("");
        for c in changed {
            let version = |v: &Option<String>| {
                v.as_deref().map_or_else(|| "absent".to_owned(), |v| clean::markdown_code(&clean::text(v)))
            };
            self.line(&format!("- **{}** {} → {}", c.component, version(&c.before), version(&c.after)));
        }
    }

    fn verdicts(&mut self, verdicts: &[&Verdict], emulated: bool, most: usize) {
        self.line("");
        self.line("| verdict | metric | environment | toll | change (95 %) | would see | origin |");
        self.line("|---|---|---|--:|--:|--:|---|");
        for v in verdicts.iter().take(most) {
            let row = format!(
                "| {} {} | {} | {} | {} | {} | {} | {} |",
                view::mark(v.verdict),
                view::words(v.verdict),
                clean::markdown_code(&view::metric_name(v)),
                environment(&v.environment, emulated),
                clean::markdown(&view::sides(v).join(" → ")),
                clean::markdown(&view::change_of(v)),
                v.mde80_pct
                    .filter(|_| v.verdict != VerdictKind::Unchanged)
                    .map(number::change)
                    .unwrap_or_default(),
                v.attribution.map(view::attribution).unwrap_or_default(),
            );
            if !self.line(&row) {
                break;
            }
        }
        if verdicts.len() > most {
            self.paragraph(&format!("{} more below.", verdicts.len() - most));
        }
    }

    /// Rises over many sweeps; nothing without any.
    fn drifts(&mut self, judgement: &Judgement, emulated: bool, most: usize) {
        if judgement.drifts.is_empty() {
            return;
        }
        self.paragraph("Slow drifts:");
        self.line("");
        for d in judgement.drifts.iter().take(most) {
            let line = format!(
                "- ↗ {} in {}: {}; {}",
                clean::markdown_code(&view::drift_name(d)),
                environment(&d.environment, emulated),
                number::change(d.change_pct),
                clean::markdown(&clean::text(&d.reason))
            );
            if !self.line(&line) {
                break;
            }
        }
        if judgement.drifts.len() > most {
            self.paragraph(&format!("{} more in the JSON and HTML reports.", judgement.drifts.len() - most));
        }
    }

    fn tolls(&mut self, tolls: &TollTable, emulated: bool, most: usize) {
        let names: Vec<String> = tolls.environments.iter().map(|e| environment(e, emulated)).collect();
        self.line("");
        self.line(&format!("| metric | native | {} |", names.join(" | ")));
        self.line(&format!("|---|--:|{}", "--:|".repeat(names.len())));
        for row in tolls.rows.iter().take(most) {
            let mut line = format!(
                "| {} | {} |",
                clean::markdown_code(&clean::name(&format!("{}/{}/{}", row.workload, row.case, row.metric))),
                clean::markdown(&row.native)
            );
            for (toll, kind) in &row.cells {
                let mark = kind.map(view::mark).unwrap_or_default();
                // Writing to a String cannot fail.
                let _ = write!(line, " {} |", format!("{} {mark}", toll_text(toll)).trim());
            }
            if !self.line(&line) {
                break;
            }
        }
        if tolls.rows.len() > most {
            self.paragraph(&format!("{} more below.", tolls.rows.len() - most));
        }
    }

    fn legend(&mut self, tolls: &TollTable) {
        let marks: Vec<String> =
            tolls.marks.iter().map(|k| format!("{} {}", view::mark(*k), view::words(*k))).collect();
        self.paragraph(&format!("Toll against native, positive is worse. {}", marks.join(", ")));
    }

    fn facts(&mut self, result: &GateResult) {
        let mut facts = Vec::new();
        if let Some(sweep) = &result.sweep {
            facts.push(format!("sweep {}", clean::markdown_code(sweep.as_str())));
        }
        facts.push(format!("host class {}", clean::markdown_code(result.host_class.as_str())));
        facts.push(format!("profile {}", clean::markdown_code(&clean::name(&result.profile))));
        if let Some(timing) = view::timing(result) {
            facts.push(clean::markdown(&timing));
        }
        self.paragraph(&format!("Measured: {}.", facts.join(", ")));
        if let Some(confirmation) = &result.confirmation {
            self.paragraph(&format!(
                "Confirmation: {}",
                clean::markdown(&clean::text(&confirmation.account))
            ));
        }
        if let Some(baseline) = &result.baseline {
            self.paragraph(&format!("Baseline: {}", clean::markdown(&clean::text(baseline))));
        }
    }

    fn troubles(&mut self, troubles: &[Trouble], emulated: bool) {
        if troubles.is_empty() {
            return;
        }
        self.folded("Not measured or not judged", |page| {
            page.line("| what | environment | cases | why, and what to do |");
            page.line("|---|---|---|---|");
            for t in troubles {
                let row = format!(
                    "| {} | {} | {} | {} |",
                    t.what,
                    clean::markdown_code(&t.places(emulated)),
                    clean::markdown_code(&t.scope),
                    clean::markdown(&t.reason)
                );
                if !page.line(&row) {
                    break;
                }
            }
        });
    }

    fn failed_proofs(&mut self, result: &GateResult) {
        let failed: Vec<_> = result.proofs.iter().filter(|p| !p.holds).collect();
        if failed.is_empty() {
            return;
        }
        self.paragraph("Failed proofs (the environment was not what its name says):");
        self.line("");
        for p in failed {
            self.line(&format!(
                "- ✗ {}: claim: {}; seen: {}",
                environment(&p.environment, result.is_emulated()),
                clean::markdown(&clean::text(&p.claim)),
                clean::markdown(&clean::text(&p.observed))
            ));
        }
    }

    fn self_test(&mut self, result: &GateResult) {
        let Some(test) = &result.self_test else { return };
        self.folded(&format!("Self-test: {}", self_test::sentence(test)), |page| {
            page.line("| | metrics | regressed | candidates of the screen |");
            page.line("|---|--:|---|---|");
            for row in self_test::rows(test) {
                let cells = [row.name, &row.metrics, &row.confirmed, &row.screened].map(clean::markdown);
                page.line(&format!("| {} |", cells.join(" | ")));
            }
            for text in self_test::EXPLANATION {
                page.paragraph(&clean::markdown(text));
            }
        });
    }

    fn fingerprint(&mut self, result: &GateResult, sweep: Option<&Sweep>) {
        self.folded("Fingerprint of the host, and how to sweep again", |page| {
            page.line("| component | version |");
            page.line("|---|---|");
            let components = result.fingerprint.components.iter().map(|(c, v)| (c.to_string(), v));
            let context = result.fingerprint.context.iter().map(|(k, v)| (clean::name(k), v));
            for (key, value) in components.chain(context) {
                page.line(&format!(
                    "| {} | {} |",
                    clean::markdown(&key),
                    clean::markdown_code(&clean::text(value))
                ));
            }
            let again = sweep.map(again::of_sweep);
            let line = again.as_ref().map_or_else(|| view::reproduce(result), again::Again::line);
            page.paragraph(&format!("Again: {}", clean::markdown_code(&line)));
            for but in again.iter().flat_map(|a| &a.but) {
                page.paragraph(&clean::markdown(but));
            }
        });
    }

    fn folded(&mut self, summary: &str, body: impl FnOnce(&mut Self)) {
        if !self.line(&format!("\n<details><summary>{}</summary>\n", clean::markdown(summary))) {
            return;
        }
        body(self);
        // Always closed, also when the body was cut.
        self.text.push_str("\n</details>\n");
    }

    fn finish(mut self) -> String {
        if self.cut {
            self.text.push_str("\nShortened: the whole is in the JSON and HTML reports of this run.\n");
        }
        self.text
    }
}

fn toll_text(toll: &Toll) -> String {
    match toll {
        // The unit is not ours.
        Toll::Value(value) => clean::markdown(value),
        ours => ours.text(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    #[test]
    fn snapshots() {
        insta::assert_snapshot!("first_run", gate_markdown(&fixtures::first_run(), None));
        insta::assert_snapshot!("unchanged", gate_markdown(&fixtures::unchanged(), None));
        insta::assert_snapshot!("regression", gate_markdown(&fixtures::regression(), None));
        insta::assert_snapshot!("not_measured", gate_markdown(&fixtures::not_measured(), None));
        insta::assert_snapshot!("hostile", gate_markdown(&fixtures::hostile(), None));
        insta::assert_snapshot!("nothing_changed", gate_markdown(&fixtures::nothing_changed(), None));
        insta::assert_snapshot!("judgement", judgement_markdown(&fixtures::regression().judgement));
    }

    #[test]
    fn with_the_sweep_the_command_repeats_it() {
        let mut sweep = fixtures::recorded();
        sweep.cells.retain(|c| c.workload == "rr");
        let text = gate_markdown(&fixtures::small_regression(), Some(&sweep));
        let again = text.lines().find(|l| l.starts_with("Again: ")).expect("the command");
        insta::assert_snapshot!(again, @"Again: <code>tollgate gate --always --profile smoke --no-record --only rr --rounds 10 --seed 440627458</code>");
        assert!(!gate_markdown(&fixtures::small_regression(), None).contains("--seed"));
    }

    #[test]
    fn the_first_line_is_the_answer() {
        for result in fixtures::all() {
            let text = gate_markdown(&result, None);
            let sentence = clean::markdown(&answer::of_gate(&result).sentence);
            assert!(text.lines().next().is_some_and(|l| l.contains(&sentence)), "{text}");
        }
    }

    #[test]
    fn hostile_text_stays_text() {
        let text = gate_markdown(&fixtures::hostile(), None);
        for bad in
            ["<!--", "<script", "@everyone", "`", "<svg", "<b>", "http://", "www.", "\u{1b}", "\u{202e}"]
        {
            assert!(!text.contains(bad), "{bad:?}");
        }
        let table_row = text.lines().find(|l| l.starts_with("| ▲")).expect("a regressed row");
        assert_eq!(table_row.matches('|').count(), 8);
        assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
    }

    #[test]
    fn a_huge_result_fits_an_issue() {
        let mut result = fixtures::regression();
        let cells = result.cells.clone();
        for n in 0..40 {
            result.cells.extend(cells.iter().cloned().map(|mut c| {
                c.workload = format!("{}-{n}-{}", c.workload, "<&|".repeat(20));
                c
            }));
        }
        let text = gate_markdown(&result, None);
        assert!(text.chars().count() < 65_536, "{}", text.len());
        assert!(text.contains("Shortened:"));
        assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
    }
}
