//! How trustworthy the page is: proofs, what disturbed the sweep, how much rounds scatter, the self-test.

use super::tables;
use crate::model::GateResult;
use crate::report::evidence::Evidence;
use crate::report::number;
use crate::report::trust::{Scatter, Trust};
use maud::{Markup, html};

/// The section; nothing where nothing was measured.
pub(super) fn section(result: &GateResult, evidence: Option<&Evidence>, warning: Option<&str>) -> Markup {
    let trust = evidence.map(Trust::of);
    let emulated = result.is_emulated();
    let failed = result.proofs.iter().filter(|p| !p.holds).count();
    html! {
        @if trust.is_some() || !result.proofs.is_empty() || result.self_test.is_some() {
            section {
                h2 { "How far this can be trusted" }
                dl.facts {
                    @if !result.proofs.is_empty() {
                        (fact("proofs", &if failed == 0 { format!("all {} hold", result.proofs.len()) }
                            else { format!("{failed} of {} failed", result.proofs.len()) }))
                    }
                    @if let Some(trust) = &trust { (facts(trust)) }
                    @if let Some(accelerator) = &result.accelerator {
                        (fact("virtual machines", if accelerator == "tcg" { "emulated (TCG)" } else { "KVM" }))
                    }
                }
                @if let Some(trust) = trust.filter(|t| !t.scatter.is_empty()) { (scatter(&trust.scatter, warning)) }
                (tables::self_test(result, warning))
                (tables::proofs(&result.proofs, emulated))
            }
        }
    }
}

fn fact(name: &str, value: &str) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

fn facts(trust: &Trust) -> Markup {
    let (ok, of) = trust.trials;
    let percent = |p: f64| format!("{} %", number::significant(p));
    html! {
        (fact("trials", &if ok == of { format!("all {of} gave a value") } else { format!("{} of {of} failed", of - ok) }))
        @if let Some(steal) = trust.steal_pct {
            (fact("processor time stolen by the hypervisor below", &percent(steal)))
        }
        @if let Some(waiting) = trust.waiting_pct {
            (fact("time in which a task waited for a processor", &percent(waiting)))
        }
    }
}

fn scatter(scatter: &[Scatter], warning: Option<&str>) -> Markup {
    html! {
        h3 { "Noise" }
        p.caption {
            "How much the toll of one round differs from that of another, as a standard deviation. A sweep averages its rounds; "
            "what is left between sweeps is the band in the histories."
            // Its rounds are pooled with those of the others.
            @if let Some(warning) = warning { " " b { (warning) "." } }
        }
        div.scroll {
            table data-sort="" data-filter="Show only families like …" {
                thead {
                    tr {
                        th scope="col" { "family" }
                        th.n scope="col" { "metrics" }
                        th.n scope="col" { "half of them below" }
                        th.n scope="col" { "nine in ten below" }
                    }
                }
                tbody {
                    @for s in scatter {
                        tr {
                            th scope="row" { (s.family.as_str()) }
                            td.n { (s.series) }
                            td.n data-v=(format!("{:.4}", s.median_pct)) { (number::significant(s.median_pct)) " %" }
                            td.n data-v=(format!("{:.4}", s.p90_pct)) { (number::significant(s.p90_pct)) " %" }
                        }
                    }
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
    fn captions_say_that_it_was_emulated() {
        let sweep = fixtures::recorded();
        let evidence = Evidence::alone(&sweep, crate::judge::Policy::default());
        let page = section(&fixtures::unchanged(), Some(&evidence), Some("said")).into_string();
        assert_eq!(page.matches("<b>said.</b>").count(), 2, "noise and self-test: {page}");
    }

    #[test]
    fn failed_proofs_are_counted_and_what_was_not_measured_has_no_section() {
        assert_eq!(section(&fixtures::nothing_changed(), None, None).into_string(), "");
        let mut result = fixtures::regression();
        let of = result.proofs.len();
        result.proofs.iter_mut().for_each(|p| p.holds = true);
        assert!(section(&result, None, None).into_string().contains(&format!("all {of} hold")));
        result.proofs[0].holds = false;
        assert!(section(&result, None, None).into_string().contains(&format!("1 of {of} failed")));
    }
}
