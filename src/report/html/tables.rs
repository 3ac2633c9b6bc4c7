//! The sections of the page that are tables.

use super::charts::{self, Scale};
use crate::model::{Change, Drift, EnvironmentName, Fingerprint, GateResult, Proof, Verdict, VerdictKind};
use crate::report::troubles::Trouble;
use crate::report::view::{self, Toll, TollRow, TollTable};
use crate::report::{clean, number, self_test as words};
use maud::{Markup, html};

/// Component, before and after.
pub(super) fn changes(changed: &[Change]) -> Markup {
    let version = |v: &Option<String>| v.as_deref().map(clean::text);
    html! {
        @if !changed.is_empty() {
            section {
                h2 { "What changed" }
                ul.changes {
                    @for c in changed {
                        li {
                            b { (c.component) } " "
                            @if let Some(v) = version(&c.before) { code.old { (v) } } @else { i { "absent" } }
                            " → "
                            @if let Some(v) = version(&c.after) { code { (v) } } @else { i { "absent" } }
                        }
                    }
                }
            }
        }
    }
}

/// Verdicts with intervals, worst first.
pub(super) fn verdicts(verdicts: &[&Verdict], emulated: bool, warning: Option<&str>) -> Markup {
    let scale = Scale::of(verdicts);
    let virtual_machines = verdicts.iter().any(|v| v.environment.base() == crate::model::Base::Kvm);
    html! {
        p.caption {
            "Change of the toll with its 95 % interval; the shaded side begins at the threshold."
            @if scale.cuts(verdicts) { " An arrow at the edge: beyond the scale." }
            @if let Some(warning) = warning.filter(|_| virtual_machines) { " " b { (warning) "." } }
        }
        div.scroll tabindex="0" role="group" aria-label="Verdicts" {
            table.verdicts data-sort="" data-filter="Show only verdicts like …" {
                thead {
                    tr {
                        th scope="col" { "verdict" }
                        th scope="col" { "metric" }
                        th scope="col" { "environment" }
                        th.n scope="col" { "toll" }
                        th.n scope="col" { "change" }
                        th scope="col" { span.unseen { "drawing" } (scale.axis()) }
                        th.n scope="col" { "would see" }
                    }
                }
                tbody {
                    @for v in verdicts {
                        tr {
                            td { (badge(v.verdict)) }
                            th scope="row" { (metric(v)) }
                            td data-l="in" { (breakable(&v.environment, emulated)) }
                            td.n data-l="toll" data-v=[v.toll_now_pct.map(|c| format!("{c:.4}"))] { (number::printed(&view::sides(v).join(" → "))) }
                            td.n data-l="change" data-v=[v.change_pct.map(|c| format!("{c:.4}"))] {
                                (number::printed(&view::change_of(v)))
                            }
                            td.drawing { (scale.forest(v)) }
                            td.n data-l="would see" data-v=[v.mde80_pct.map(|c| format!("{c:.4}"))] {
                                (v.mde80_pct
                                    .filter(|_| v.verdict != VerdictKind::Unchanged)
                                    .map(number::change)
                                    .unwrap_or_default())
                            }
                        }
                        @if v.verdict != VerdictKind::Unchanged { (why(v)) }
                    }
                }
            }
        }
    }
}

/// The sentence below a verdict: where the change comes from, and why this verdict.
fn why(v: &Verdict) -> Markup {
    let reason = clean::text(&v.reason);
    let origin = v.attribution.map(view::attribution);
    html! {
        @if !reason.is_empty() || origin.is_some() {
            tr.why {
                td {}
                td colspan="6" {
                    @if let Some(origin) = origin { b { (origin) } @if !reason.is_empty() { ": " } }
                    (reason)
                    @if let Some(q) = v.q { span.faint { " (q = " (number::probability(q)) ")" } }
                }
            }
        }
    }
}

pub(super) fn badge(kind: VerdictKind) -> Markup {
    html! { span class={ "badge " (kind.as_str()) } { (view::mark(kind)) " " (view::words(kind)) } }
}

fn metric(v: &Verdict) -> Markup {
    html! {
        span.case { (clean::name(&v.workload)) " " (clean::name(&v.case)) } wbr; " " (clean::name(&v.metric))
    }
}

/// The name, with places to break it before its axes.
pub(super) fn breakable(environment: &EnvironmentName, emulated: bool) -> Markup {
    let name = view::label(environment, emulated);
    html! {
        @for (at, part) in name.split('+').enumerate() {
            @if at > 0 { wbr; "+" }
            (part)
        }
    }
}

/// Rows that are shown at once; longer lists are folded, since the map above them says where to look.
const UNFOLDED: usize = 40;

/// Tolls as numbers on colours: orange is worse, blue is better.
pub(super) fn heat_map(tolls: &TollTable, emulated: bool, warning: Option<&str>) -> Markup {
    html! {
        section {
            details open[tolls.rows.len() <= UNFOLDED] {
                summary { h2 { "All tolls (" (number::count(tolls.rows.len(), "metric")) ")" } }
                p.caption {
                    "Toll against native, positive is worse."
                    @for kind in &tolls.marks { " " span.nowrap { (view::mark(*kind)) " " (view::words(*kind)) "." } }
                    @if let Some(warning) = warning { " " b { (warning) "." } }
                }
                div.scroll tabindex="0" role="group" aria-label="Tolls by metric and environment" {
                    table.heat data-sort="" data-filter="Show only metrics like …" {
                        thead {
                            tr {
                                th scope="col" { "metric" }
                                th.n scope="col" { "native" }
                                @for e in &tolls.environments { th.n scope="col" { (breakable(e, emulated)) } }
                            }
                        }
                        @for group in tolls.groups() { (heat_group(group, tolls.environments.len())) }
                    }
                }
                p.key aria-hidden="true" {
                    span.b3 { "−10 %" } span.b2 { "−5" } span.b1 { "−2" } span.w0 { "0" } span.w1 { "+2" }
                    span.w2 { "+5" } span.w3 { "+10" } span.w4 { "+25" } span.w5 { "+100 %" }
                }
            }
        }
    }
}

fn heat_group(group: &[TollRow], columns: usize) -> Markup {
    html! {
        tbody {
            @if let Some(first) = group.first() {
                tr.group {
                    th scope="rowgroup" colspan=(columns + 2) { (first.workload) " " (first.case) }
                }
            }
            @for row in group {
                tr {
                    th scope="row" { (row.metric) }
                    td.n.native { (row.native) }
                    @for (toll, kind) in &row.cells {
                        td class={ "n " (heat(toll)) } data-v=[sorted(toll)] {
                            (minus_unless_value(toll))
                            @if let Some(kind) = kind {
                                span class={ "mark " (kind.as_str()) } title=(view::words(*kind)) { (view::mark(*kind)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What the column is sorted by; values without a toll by their text.
fn sorted(toll: &Toll) -> Option<String> {
    if let Toll::Percent(pct) = toll { Some(format!("{pct:.4}")) } else { None }
}

fn minus_unless_value(toll: &Toll) -> String {
    if matches!(toll, Toll::Percent(_)) { number::printed(&toll.text()) } else { toll.text() }
}

/// The step of the colour scale.
fn heat(toll: &Toll) -> &'static str {
    let Toll::Percent(pct) = toll else {
        return if *toll == Toll::Absent { "absent" } else { "none" };
    };
    heat_step(*pct)
}

/// The class of a toll's colour, percent; none of what is not a number.
pub fn heat_step(pct: f64) -> &'static str {
    match pct {
        p if p.is_nan() => "none",
        p if p >= 100.0 => "w5",
        p if p >= 25.0 => "w4",
        p if p >= 10.0 => "w3",
        p if p >= 5.0 => "w2",
        p if p >= 2.0 => "w1",
        p if p > -2.0 => "w0",
        p if p > -5.0 => "b1",
        p if p > -10.0 => "b2",
        _ => "b3",
    }
}

/// Rises over many sweeps that no single comparison shows.
pub(super) fn drifts(drifts: &[Drift], emulated: bool) -> Markup {
    html! {
        @if !drifts.is_empty() {
            section {
                h2 { "Slow drifts" }
                ul.troubles {
                    @for d in drifts {
                        li {
                            p {
                                b { (view::drift_name(d)) } " in " code { (view::label(&d.environment, emulated)) } ": "
                                (number::printed(&number::change(d.change_pct)))
                            }
                            p.reason { (clean::text(&d.reason)) }
                        }
                    }
                }
            }
        }
    }
}

/// What was not measured or not judged, and why.
pub(super) fn troubles(troubles: &[Trouble], emulated: bool) -> Markup {
    html! {
        @if !troubles.is_empty() {
            section {
                h2 { "Not measured or not judged" }
                ul.troubles {
                    @for t in troubles {
                        li {
                            p { b { (t.what) } " in " code { (t.places(emulated)) } ": " (t.scope) }
                            p.reason { (t.reason) }
                        }
                    }
                }
            }
        }
    }
}

/// Proofs that the environments were what they are called, failed ones first.
pub(super) fn proofs(proofs: &[Proof], emulated: bool) -> Markup {
    let mut proofs: Vec<&Proof> = proofs.iter().collect();
    proofs.sort_by_key(|p| p.holds);
    let failed = proofs.iter().any(|p| !p.holds);
    html! {
        @if !proofs.is_empty() {
            details open[failed] {
                summary { h3 { "Proofs that the environments were what they are called (" (proofs.len()) ")" } }
                div.scroll {
                    table.proofs data-sort="" data-filter="Show only proofs like …" {
                        thead {
                            tr {
                                th scope="col" { "proof" }
                                th scope="col" { "environment" }
                                th scope="col" { "claim" }
                                th scope="col" { "seen" }
                            }
                        }
                        tbody {
                            @for p in proofs {
                                tr {
                                    td {
                                        @if p.holds { span.badge.unchanged { "✓ holds" } }
                                        @else { span.badge.regressed { "✗ failed" } }
                                    }
                                    th scope="row" { (breakable(&p.environment, emulated)) }
                                    td { (clean::text(&p.claim)) }
                                    td { (clean::text(&p.observed)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What the judge says of the baselines themselves.
pub(super) fn self_test(result: &GateResult, warning: Option<&str>) -> Markup {
    html! {
        @if let Some(test) = &result.self_test {
            h3 { "Self-test" }
            p { (words::sentence(test)) "." }
            @if test.is_tested() {
                div.scroll {
                    table data-sort="" data-filter="Show only families of the self-test like …" {
                        thead {
                            tr {
                                th scope="col" { "baselines judged as if they were new" }
                                th.n scope="col" { "metrics" }
                                th.n scope="col" { "regressed" }
                                th.n scope="col" { "candidates of the screen" }
                            }
                        }
                        tbody {
                            @for row in words::rows(test) {
                                tr {
                                    th scope="row" { (row.name) }
                                    td.n { (row.metrics) }
                                    td.n { (row.confirmed) }
                                    td.n { (row.screened) }
                                }
                            }
                        }
                    }
                }
                @for text in words::EXPLANATION { p.caption { (text) } }
                @if let Some(warning) = warning { p.caption { b { (warning) "." } } }
            }
        }
    }
}

/// Where the time went.
pub(super) fn timing(result: &GateResult) -> Markup {
    let t = result.timing;
    html! {
        @if let Some(sentence) = view::timing(result) {
            section {
                h2 { "Timing" }
                (charts::share(t.harness_share))
                p {
                    (sentence) "; " (number::duration(t.in_trials_s)) " were spent in trials."
                }
            }
        }
    }
}

/// What the host is made of.
pub(super) fn fingerprint(fingerprint: &Fingerprint) -> Markup {
    html! {
        @if !fingerprint.components.is_empty() || !fingerprint.context.is_empty() {
            section {
                h2 { "Fingerprint" }
                dl.fingerprint {
                    @for (component, version) in &fingerprint.components {
                        div { dt { b { (component) } } dd { (clean::text(version)) } }
                    }
                    @for (key, value) in &fingerprint.context {
                        div { dt { (clean::name(key)) } dd { (clean::text(value)) } }
                    }
                }
            }
        }
    }
}
