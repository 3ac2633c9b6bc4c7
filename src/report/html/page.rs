//! The frame of the page: head, answer, facts, counts, and how to do it again.

use crate::model::{GateResult, Judgement, VerdictKind};
use crate::report::answer::{Answer, Tone};
use crate::report::evidence::Evidence;
use crate::report::{again, clean, view};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

/// The style sheet of every page.
pub const STYLE: &str = include_str!("style.css");
/// The script of every page: its tables sort and filter. The page is whole without it.
pub const SCRIPT: &str = include_str!("tables.js");

/// Forbids everything that the page does not need, whatever might slip into it: a script is known by its digest.
fn policy(scripted: &str) -> String {
    format!("default-src 'none'; style-src 'unsafe-inline'; {scripted}base-uri 'none'; form-action 'none'")
}

fn digest(script: &str) -> String {
    format!("sha256-{}", BASE64.encode(Sha256::digest(script)))
}

/// The whole document around a body.
pub(super) fn document(title: &str, body: &Markup) -> String {
    let footer = html! {
        p {
            (TOLL_IS)
            b { "Change" } ": the toll of the judged sweeps against the toll of the baseline, with its 95 % interval. "
            b { "Unchanged" } ": a rise by the threshold or more is excluded. "
            b { "Inconclusive" } ": neither shown; “would see” is the smallest rise found four times in five."
        }
    };
    let script = html! { script { (PreEscaped(SCRIPT)) } };
    let scripted = format!("script-src '{}'; ", digest(SCRIPT));
    frame(title, (&scripted, ""), body, &html! { footer { (footer) } (script) })
}

/// The same without the script, for a page with a style and a footer of its own.
pub(in crate::report) fn plain_document(title: &str, style: &str, body: &Markup, footer: &Markup) -> String {
    frame(title, ("", style), body, &html! { footer { (footer) } })
}

/// What a toll is, for footers.
pub(in crate::report) const TOLL_IS: PreEscaped<&str> = PreEscaped(
    "<b>Toll</b>: how much worse an environment is than the same work on the same host natively, in percent of the ratio, \
     whichever direction of the metric is better. Positive is worse. ",
);

fn frame(title: &str, (scripted, style): (&str, &str), body: &Markup, end: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy(scripted));
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " - Tollgate" }
                // Ours, and without anything from outside.
                style { (PreEscaped(STYLE)) (PreEscaped(style)) }
            }
            body {
                main { (body) }
                (end)
            }
        }
    };
    let mut text = page.into_string();
    text.push('\n');
    text
}

/// Sweeps in which whole environments moved.
pub(super) fn common(judgement: &Judgement) -> Markup {
    html! {
        @for line in view::common(judgement) {
            p.warning role="note" { b { "Suspect sweep. " } (line) "." }
        }
    }
}

/// The answer, what was measured, and the warning of an emulated machine.
pub(super) fn header(
    answer: &Answer,
    lead: Option<&str>,
    facts: &[(&str, String)],
    warning: Option<&str>,
) -> Markup {
    let (class, icon) = match answer.tone {
        Tone::Good => ("good", "✓"),
        Tone::Bad => ("bad", "▲"),
        Tone::Unsure => ("unsure", "?"),
        Tone::Neutral => ("neutral", "•"),
    };
    // The first clause is the answer, or what rose most; the counts after it are its proof.
    let (head, rest) = match lead {
        Some(lead) => (lead, Some(answer.sentence.as_str())),
        None => split(&answer.sentence),
    };
    html! {
        header class={ "answer " (class) } {
            p.brand { "Tollgate" }
            h1 { span.icon aria-hidden="true" { (icon) } " " (head) }
            @if let Some(rest) = rest { p.rest { (rest) } }
            @if !facts.is_empty() {
                dl.facts {
                    @for (name, value) in facts { div { dt { (name) } dd { (value) } } }
                }
            }
        }
        @if let Some(warning) = warning {
            p.warning role="note" { b { "Emulated. " } (warning) "." }
        }
    }
}

fn split(sentence: &str) -> (&str, Option<&str>) {
    match sentence.split_once("; ").or_else(|| sentence.split_once(": ")) {
        Some((head, rest)) => (head, Some(rest)),
        None => (sentence, None),
    }
}

/// What stands below the answer of a gate.
pub(super) fn gate_facts(result: &GateResult) -> Vec<(&'static str, String)> {
    let mut facts =
        vec![("host class", result.host_class.to_string()), ("profile", clean::name(&result.profile))];
    if let Some(at) = result.started_at {
        facts.push(("started", at.format("%Y-%m-%d %H:%M UTC").to_string()));
    }
    if let Some(sweep) = &result.sweep {
        facts.push(("sweep", sweep.to_string()));
    }
    if let Some(confirmation) = &result.confirmation {
        facts.push(("confirmation", clean::text(&confirmation.account)));
    }
    if let Some(baseline) = &result.baseline {
        facts.push(("baseline", clean::text(baseline)));
    }
    facts
}

/// How many of each verdict; those that do not occur are left out.
pub(super) fn tiles(judgement: &Judgement) -> Markup {
    use VerdictKind as K;
    let order = [
        K::Regressed,
        K::Suspected,
        K::Improved,
        K::Inconclusive,
        K::Unchanged,
        K::MeasurementFailed,
        K::Missing,
        K::NoBaseline,
    ];
    let counts: Vec<(VerdictKind, usize)> = order
        .into_iter()
        .map(|kind| (kind, view::of_kind(judgement, kind).len()))
        .filter(|(_, n)| *n > 0)
        .collect();
    // On a first run the answer has said it already.
    let told = matches!(counts.as_slice(), [] | [(K::NoBaseline, _)]);
    html! {
        @if !told {
            ul.tiles aria-label="Verdicts" {
                @for (kind, n) in &counts {
                    li class=(kind.as_str()) {
                        b { (n) }
                        span { span.mark aria-hidden="true" { (view::mark(*kind)) } " " (view::words(*kind)) }
                    }
                }
            }
        }
    }
}

/// The command: of the sweep, where it is at hand, else of its profile.
pub(super) fn reproduce(result: &GateResult, evidence: Option<&Evidence>) -> Markup {
    let again = evidence.map(|e| again::of_sweep(&e.sweep));
    html! {
        section {
            h2 { "Do it again" }
            @if let Some(again) = &again {
                p {
                    "On a host of this class"
                    @if again.but.is_empty() { ": the same cases in the same environments, with the same rounds in the same order" }
                    "; its sweep becomes no baseline."
                }
                pre { code { (again.command()) } }
                @for but in &again.but { p.caption { (but) } }
            } @else {
                p { "On a host of this class:" }
                pre { code { (view::reproduce(result)) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    #[test]
    fn the_command_promises_the_same_only_where_it_keeps_it() {
        let mut sweep = fixtures::recorded();
        let page = |sweep: &crate::model::Sweep| {
            let evidence = Evidence::alone(sweep, crate::judge::Policy::default());
            reproduce(&fixtures::small_regression(), Some(&evidence)).into_string()
        };
        sweep.series.clear();
        assert!(
            page(&sweep).contains("with the same rounds in the same order; its sweep becomes no baseline.")
        );
        sweep.series = fixtures::recorded().series;
        for series in sweep.series.iter_mut().filter(|s| s.workload == "rr") {
            series.values.push(None);
        }
        let other = page(&sweep);
        assert!(!other.contains("same rounds") && other.contains("other rounds"), "{other}");
        assert!(page(&sweep).contains("--no-record"));
    }
}
