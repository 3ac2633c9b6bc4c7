//! One self-contained page: no script, no outside address, light and dark, for screens of all sizes and paper.

mod charts;
mod page;
mod tables;

use super::answer;
use super::{troubles, view};
use crate::model::{GateResult, Judgement, VerdictKind};
use maud::{Markup, html};

pub use page::STYLE;
pub use tables::heat_step;

/// The page of a gate or sweep.
pub fn gate_html(result: &GateResult) -> String {
    page::document(&answer::of_gate(result).sentence, &gate_sections(result))
}

/// The sections of that page, for a page that has a frame of its own. They need [`STYLE`].
pub fn gate_sections(result: &GateResult) -> Markup {
    let emulated = result.is_emulated();
    let tolls = view::toll_table(result);
    let warning = view::emulation(result);
    html! {
        (page::header(&answer::of_gate(result), &page::gate_facts(result), warning.as_deref()))
        (page::common(&result.judgement))
        (page::tiles(&result.judgement))
        (tables::changes(&result.changed))
        (verdicts(&result.judgement, emulated, warning.as_deref()))
        (tables::drifts(&result.judgement.drifts, emulated))
        @if tolls.is_informative() { (tables::heat_map(&tolls, emulated, warning.as_deref())) }
        (tables::troubles(&troubles::of_gate(result), emulated))
        (tables::proofs(&result.proofs, emulated))
        (tables::self_test(result))
        (tables::timing(result))
        (tables::fingerprint(&result.fingerprint))
        (page::reproduce(result))
    }
}

/// The page of verdicts without a sweep: two samples files.
pub fn judgement_html(judgement: &Judgement) -> String {
    let answer = answer::of_judgement(judgement);
    let body = html! {
        (page::header(&answer, &[], None))
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
        insta::assert_snapshot!("small_regression", readable(&gate_html(&fixtures::small_regression())));
        insta::assert_snapshot!("hostile", readable(&gate_html(&fixtures::hostile())));
        insta::assert_snapshot!("not_measured", readable(&gate_html(&fixtures::not_measured())));
        insta::assert_snapshot!("nothing_changed", readable(&gate_html(&fixtures::nothing_changed())));
        let bare = judgement_html(&fixtures::small_regression().judgement);
        insta::assert_snapshot!("judgement", readable(&bare));
        // Whole results are long: what they show is the terminal's and Markdown's snapshots.
        for result in fixtures::all() {
            assert!(gate_html(&result).ends_with("</html>\n"));
        }
    }

    /// One element a line, without the style sheet.
    fn readable(page: &str) -> String {
        let (before, rest) = page.split_once("<style>").expect("a style");
        let (_, after) = rest.split_once("</style>").expect("its end");
        format!("{before}{after}").replace("><", ">\n<")
    }

    #[test]
    fn the_self_test_is_a_sentence_and_a_row_for_each_family() {
        let page = gate_html(&fixtures::unchanged());
        assert!(page.contains("0 false alarms in 84 suites of 3 sweeps resampled from 9 accepted ones"));
        for row in ["whole suites", "cpu", "disk"] {
            assert!(page.contains(&format!("<th scope=\"row\">{row}</th>")), "{row}");
        }
        assert!(!gate_html(&fixtures::regression()).contains("Self-test"));
    }

    #[test]
    fn nothing_is_loaded_and_nothing_runs() {
        for result in fixtures::all() {
            let page = gate_html(&result);
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
        let page = gate_html(&fixtures::regression());
        assert!(page.matches("ran under TCG emulation").count() >= 3);
        assert!(page.contains("(TCG)"));
        let without = gate_html(&fixtures::not_measured());
        assert!(!without.contains("TCG"));
    }
}
