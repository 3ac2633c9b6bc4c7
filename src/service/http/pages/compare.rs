//! What differs between the fingerprints of two sweeps.

use super::super::index::Catalogue;
use super::{Frame, Tab, document, time, to_sweep};
use crate::model::{Component, Sweep, SweepId};
use crate::report::{clean, view};
use maud::{Markup, html};
use serde::Serialize;
use std::collections::BTreeSet;

/// Sweeps that can be chosen from.
const CHOICES: usize = 100;

/// One component or one part of the context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::service::http) struct Row {
    /// `component` or `context`.
    pub kind: &'static str,
    /// Which.
    pub name: String,
    /// What it was.
    pub from: Option<String>,
    /// What it is.
    pub to: Option<String>,
    /// Whether these differ.
    pub differs: bool,
}

/// Components first, in their order, then the context.
pub(in crate::service::http) fn rows(from: &Sweep, to: &Sweep) -> Vec<Row> {
    let (old, new) = (&from.fingerprint, &to.fingerprint);
    let row = |kind, name: String, from: Option<&String>, to: Option<&String>| Row {
        kind,
        name,
        differs: from != to,
        from: from.cloned(),
        to: to.cloned(),
    };
    let components = Component::ALL
        .into_iter()
        .filter(|c| old.components.contains_key(c) || new.components.contains_key(c))
        .map(|c| row("component", c.to_string(), old.components.get(&c), new.components.get(&c)));
    let keys: BTreeSet<&String> = old.context.keys().chain(new.context.keys()).collect();
    let context = keys.into_iter().map(|k| row("context", k.clone(), old.context.get(k), new.context.get(k)));
    components.chain(context).collect()
}

/// The page; without two sweeps only the choice.
pub(in crate::service::http) fn page(
    frame: Frame<'_>,
    catalogue: &Catalogue,
    pair: Option<(&Sweep, &Sweep)>,
) -> String {
    let body = html! {
        h1.title { "Compare" small { "what two sweeps were measured on" } }
        (choice(catalogue, pair.map(|(f, t)| (&f.sweep, &t.sweep))))
        @if let Some((from, to)) = pair { (table(from, to)) }
    };
    document(frame, Tab::Compare, "Compare", &body)
}

fn choice(catalogue: &Catalogue, chosen: Option<(&SweepId, &SweepId)>) -> Markup {
    let mut all: Vec<(&SweepId, String)> = catalogue
        .groups
        .iter()
        .flat_map(|(key, group)| group.heads.iter().map(move |h| (key, h)))
        .filter(|(_, head)| !head.partial)
        .map(|(key, head)| {
            (&head.sweep, format!("{} · {} {}", head.sweep, key.host_class, clean::name(&key.profile)))
        })
        .collect();
    all.sort_by(|a, b| b.0.cmp(a.0));
    all.truncate(CHOICES);
    // Without a choice the two newest.
    let newest = all.first().map(|(id, _)| *id);
    let second = all.get(1).map(|(id, _)| *id).or(newest);
    let (from, to) = chosen.map_or((second, newest), |(f, t)| (Some(f), Some(t)));
    html! {
        section {
            @if all.is_empty() { p.empty { "There is no sweep to compare." } }
            @else {
                form.pick method="get" action="/compare" {
                    (select("from", "Before", &all, from))
                    (select("to", "After", &all, to))
                    button type="submit" { "Compare" }
                }
            }
        }
    }
}

fn select(name: &str, title: &str, all: &[(&SweepId, String)], chosen: Option<&SweepId>) -> Markup {
    let listed = all.iter().any(|(id, _)| Some(*id) == chosen);
    html! {
        label {
            (title)
            select name=(name) {
                @if let Some(id) = chosen.filter(|_| !listed) { option value=(id) selected { (id) } }
                @for (id, text) in all {
                    option value=(id) selected[Some(*id) == chosen] { (text) }
                }
            }
        }
    }
}

fn table(from: &Sweep, to: &Sweep) -> Markup {
    let (differing, equal): (Vec<Row>, Vec<Row>) = rows(from, to).into_iter().partition(|r| r.differs);
    html! {
        @if from.host_class != to.host_class {
            p.warning role="note" { "These are of two host classes: their tolls are not compared with each other." }
        }
        section {
            h2 { @if differing.is_empty() { "Nothing differs" } @else { (differing.len()) " of " (differing.len() + equal.len()) " differ" } }
            div.scroll {
                table.diff {
                    thead {
                        tr {
                            th scope="col" { "" }
                            th scope="col" { a href=(to_sweep(&from.sweep)) { (from.sweep) } br; (time(from.started_at)) }
                            th scope="col" { a href=(to_sweep(&to.sweep)) { (to.sweep) } br; (time(to.started_at)) }
                        }
                    }
                    tbody {
                        @for row in &differing {
                            tr.differs { (name(row)) td { (value(row.from.as_deref())) } td { (value(row.to.as_deref())) } }
                        }
                    }
                }
            }
        }
        @if !equal.is_empty() {
            section {
                details open[differing.is_empty()] {
                    summary { h2 { "Equal (" (equal.len()) ")" } }
                    table.diff {
                        tbody { @for row in &equal { tr { (name(row)) td { (value(row.from.as_deref())) } } } }
                    }
                }
            }
        }
    }
}

fn name(row: &Row) -> Markup {
    html! {
        th scope="row" {
            @if row.kind == "component" { b { (row.name) } } @else { (clean::name(&row.name)) }
        }
    }
}

fn value(of: Option<&str>) -> Markup {
    html! { @match of { Some(text) => (view::version(text)), None => span.soft { "absent" } } }
}
