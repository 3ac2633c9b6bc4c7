//! One self-contained page: no outside address, light and dark, for screens of all sizes and paper. Its one script sorts and
//! filters tables; everything is there without it.

mod charts;
mod cost;
mod histories;
mod latency;
mod overview;
mod page;
mod tables;
mod trust;

use super::answer;
use super::evidence::Evidence;
use super::{troubles, view};
use crate::model::{GateResult, Judgement, VerdictKind};
use maud::{Markup, html};

pub use page::{SCRIPT, STYLE};
pub(super) use page::{TOLL_IS, plain_document};
pub use tables::heat_step;

/// The page of a gate or sweep; with what stands behind it, also its histories, rounds and noise.
pub fn gate_html(result: &GateResult, evidence: Option<&Evidence>) -> String {
    page::document(&answer::of_gate(result).sentence, &gate_sections(result, evidence))
}

/// The sections of that page, for a page that has a frame of its own. They need [`STYLE`], and [`SCRIPT`] to be more pleasant.
pub fn gate_sections(result: &GateResult, evidence: Option<&Evidence>) -> Markup {
    let emulated = result.is_emulated();
    let tolls = view::toll_table(result);
    let warning = view::emulation(result);
    let warning = warning.as_deref();
    html! {
        (page::header(&answer::of_gate(result), answer::lead(result).as_deref(), &page::gate_facts(result), warning))
        (page::common(&result.judgement))
        (page::tiles(&result.judgement))
        (tables::changes(&result.changed))
        (overview::map(result, warning))
        (verdicts(&result.judgement, emulated, warning))
        (tables::drifts(&result.judgement.drifts, emulated))
        @if let Some(evidence) = evidence { (histories::section(result, evidence, warning)) }
        @if tolls.is_informative() { (tables::heat_map(&tolls, emulated, warning)) }
        (latency::section(result, evidence, warning))
        (cost::section(result, warning))
        (trust::section(result, evidence, warning))
        (tables::troubles(&troubles::of_gate(result), emulated))
        (tables::timing(result))
        (tables::fingerprint(&result.fingerprint))
        (page::reproduce(result, evidence))
    }
}

/// The page of verdicts without a sweep: two samples files.
pub fn judgement_html(judgement: &Judgement) -> String {
    let answer = answer::of_judgement(judgement);
    let body = html! {
        (page::header(&answer, None, &[], None))
        (page::common(judgement))
        (page::tiles(judgement))
        (verdicts(judgement, false, None))
        (tables::drifts(&judgement.drifts, false))
        (tables::troubles(&troubles::of_judgement(judgement), false))
    };
    page::document(&answer.sentence, &body)
}

fn verdicts(judgement: &Judgement, emulated: bool, warning: Option<&str>) -> Markup {
    let (proven, notable): (Vec<_>, Vec<_>) = view::JUDGED
        .into_iter()
        .flat_map(|kind| view::of_kind(judgement, kind))
        .partition(|v| v.verdict == VerdictKind::Unchanged);
    html! {
        @if !notable.is_empty() {
            section {
                h2 { "Verdicts other than unchanged" }
                (tables::verdicts(&notable, emulated, warning))
            }
        }
        @if !proven.is_empty() {
            section {
                details {
                    summary { h2 { "Unchanged, proven (" (proven.len()) ")" } }
                    (tables::verdicts(&proven, emulated, warning))
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    #[test]
    fn snapshots() {
        insta::assert_snapshot!(
            "small_regression",
            readable(&gate_html(&fixtures::small_regression(), None))
        );
        insta::assert_snapshot!("hostile", readable(&gate_html(&fixtures::hostile(), None)));
        insta::assert_snapshot!("not_measured", readable(&gate_html(&fixtures::not_measured(), None)));
        insta::assert_snapshot!("nothing_changed", readable(&gate_html(&fixtures::nothing_changed(), None)));
        let bare = judgement_html(&fixtures::small_regression().judgement);
        insta::assert_snapshot!("judgement", readable(&bare));
        // Whole results are long: what they show is the terminal's and Markdown's snapshots.
        for result in fixtures::all() {
            assert!(gate_html(&result, None).ends_with("</html>\n"));
        }
    }

    /// One element a line, without style sheet, script and its digest.
    fn readable(page: &str) -> String {
        let bare = page.replace(STYLE, "").replace(SCRIPT, "");
        let (before, rest) = bare.split_once("'sha256-").expect("a digest");
        let (_, after) = rest.split_once('\'').expect("its end");
        format!("{before}{after}").replace("><", ">\n<")
    }

    #[test]
    fn the_self_test_is_a_sentence_and_a_row_for_each_family() {
        let page = gate_html(&fixtures::unchanged(), None);
        assert!(page.contains("0 false alarms in 84 suites of 3 sweeps resampled from 9 accepted ones"));
        for row in ["whole suites", "cpu", "disk"] {
            assert!(page.contains(&format!("<th scope=\"row\">{row}</th>")), "{row}");
        }
        assert!(!gate_html(&fixtures::regression(), None).contains("Self-test"));
    }

    #[test]
    fn nothing_is_loaded_and_nothing_runs() {
        for result in fixtures::all() {
            let page = gate_html(&result, None);
            assert_eq!(page.matches("<script").count(), 1);
            let page = page.replace("<script>", "").replace(SCRIPT, "");
            for bad in
                ["<script", "src=", "href=", "url(", "@import", "onerror=\"", "<svg onload", "\u{202e}"]
            {
                let found = page.replace("src=x onerror=alert(1)", "").contains(bad);
                assert!(!found, "{bad}");
            }
        }
    }

    #[test]
    fn emulation_is_said_beside_every_table_of_numbers() {
        let page = gate_html(&fixtures::regression(), None);
        assert!(page.matches("ran under TCG emulation").count() >= 3);
        assert!(page.contains("(TCG)"));
        let without = gate_html(&fixtures::not_measured(), None);
        assert!(!without.contains("TCG"));
    }
}
