//! A sweep beside RC25482 as a page: the study's two tables, and its figures of network, fio, Redis and `MySQL` as bars of tolls
//! with their numbers below. 2014 and today stand side by side everywhere; their hosts differ, so that only tolls compare.

use super::bars::{self, Bar, Group, Row};
use super::old::Old;
use super::today::Today;
use super::{Fact, Figure, rc25482};
use crate::model::{GateResult, Sweep};
use crate::report::html::{TOLL_IS, plain_document};
use crate::report::{clean, number, view};
use maud::{Markup, html};

const OWN_STYLE: &str = include_str!("style.css");

/// An environment of the study and of the suite.
#[derive(Clone, Copy)]
struct Column {
    /// The study's name; none where it had nothing of the kind.
    then: Option<&'static str>,
    old: fn(&Fact) -> Old,
    now: &'static str,
}

const NATIVE: Column = Column { then: Some("native"), old: |f| f.native, now: "native" };
const ENVIRONMENTS: [Column; 5] = [
    Column { then: Some("Docker"), old: |f| f.docker, now: "docker" },
    Column { then: Some("Docker NAT"), old: |f| f.nat, now: "docker+nat" },
    Column { then: None, old: |_| Old::Unknown, now: "docker+layer" },
    Column { then: Some("KVM"), old: |f| f.kvm, now: "kvm" },
    Column { then: Some("KVM tuned"), old: |f| f.tuned, now: "kvm+tuned" },
];

/// A judged sweep, and its record, for the spread of its rounds.
#[derive(Clone, Copy)]
struct Beside<'a> {
    result: &'a GateResult,
    sweep: &'a Sweep,
}

/// The tolls of a sweep beside those of RC25482, as one self-contained page. `sweep` is the record that `result` is of.
pub fn rc25482_html(result: &GateResult, sweep: &Sweep) -> String {
    let of = Beside { result, sweep };
    let body = html! {
        (header(of))
        @for figure in Figure::ALL { (of.section(figure)) }
    };
    plain_document("Today beside 2014 (IBM RC25482)", OWN_STYLE, &body, &footer())
}

fn header(of: Beside<'_>) -> Markup {
    let result = of.result;
    let mut facts =
        vec![("host class", result.host_class.to_string()), ("profile", clean::name(&result.profile))];
    facts.extend(result.started_at.map(|at| ("started", at.format("%Y-%m-%d %H:%M UTC").to_string())));
    facts.extend(result.sweep.as_ref().map(|sweep| ("sweep", sweep.to_string())));
    html! {
        header.answer.neutral {
            p.brand { "Tollgate" }
            h1 { "Today beside 2014" }
            p.rest { "What Docker and KVM cost on this host, beside IBM's report RC25482" }
            dl.facts { @for (name, value) in &facts { div { dt { (name) } dd { (value) } } } }
            ul.legend {
                li { i aria-hidden="true" {} "2014" }
                li.now { i aria-hidden="true" {} "today" }
            }
        }
        @if let Some(warning) = view::emulation(result) {
            p.warning role="note" { b { "Emulated. " } (warning) "." }
        }
    }
}

fn footer() -> Markup {
    html! {
        p {
            (TOLL_IS)
            b { "2014" } ": Felter, Ferreira, Rajamony, Rubio: An Updated Performance Comparison of Virtual Machines and Linux Containers, "
            "IBM Research Report RC25482. Where the authors' trials are public: mean ± standard deviation, n trials; elsewhere the change that "
            "the report gives, from the smallest to the largest, without an n. "
            b { "Today" } ": median of n rounds, and in brackets the middle half of them."
        }
    }
}

impl Beside<'_> {
    fn today(&self, fact: &Fact, column: Column) -> Option<Today> {
        Today::of(fact, self.result, self.sweep, column.now)
    }

    /// The name of a column of today, which says when it was an emulator.
    fn label(&self, column: Column) -> String {
        // Our own names always parse.
        column
            .now
            .parse()
            .map_or_else(|_| column.now.to_owned(), |e| view::label(&e, self.result.is_emulated()))
    }

    fn section(&self, figure: Figure) -> Markup {
        let facts: Vec<&Fact> = rc25482::FACTS.iter().filter(|f| f.figure == figure).collect();
        let is_table = matches!(figure, Figure::TableOne | Figure::TableTwo);
        html! {
            section {
                h2 { (figure.heading()) }
                @if is_table {
                    p.caption {
                        @if let Some(note) = figure.note() { (note) " " }
                        (self.caption(&facts))
                    }
                    (self.table(figure, &facts))
                } @else {
                    figure {
                        (bars::draw(&format!("{}: tolls of 2014 and of today", figure.heading()), &self.groups(&facts)))
                        figcaption {
                            "Toll, percent of native; the scale is logarithmic in the ratio, right of “native” is worse. Lines: from and to "
                            "as published, and today's middle half of the rounds. "
                            @if let Some(note) = figure.note() { (note) " " }
                            (self.caption(&facts))
                        }
                    }
                    details {
                        summary { "The numbers" }
                        (self.table(figure, &facts))
                    }
                }
            }
        }
    }

    /// Sources, numbers of trials and rounds, and what must be said of an emulator.
    fn caption(&self, facts: &[&Fact]) -> String {
        let mut sources: Vec<&str> = facts.iter().map(|f| f.source).filter(|s| !s.is_empty()).collect();
        sources.dedup();
        let then: Vec<Old> = facts.iter().flat_map(|f| f.then()).filter(|old| old.is_known()).collect();
        let trials: Vec<u32> = then.iter().filter_map(|old| old.n()).collect();
        let rounds = self.rounds(facts);
        let then = match span(&trials) {
            None => ", n not given".to_owned(),
            Some(n) if trials.len() < then.len() => format!(", n = {n} or not given"),
            Some(n) => format!(", n = {n}"),
        };
        let now = span(&rounds).map_or_else(|| "not measured".to_owned(), |n| format!("{n} rounds"));
        let emulation =
            view::emulation(self.result).map(|warning| format!(" {warning}.")).unwrap_or_default();
        format!("2014: {}{then}. Today: {now}.{emulation}", sources.join(" and "))
    }

    fn rounds(&self, facts: &[&Fact]) -> Vec<u32> {
        let columns = || std::iter::once(NATIVE).chain(ENVIRONMENTS);
        facts.iter().flat_map(|f| columns().filter_map(|c| self.today(f, c))).map(|today| today.n).collect()
    }

    fn groups(&self, facts: &[&Fact]) -> Vec<Group> {
        let row = |fact: &Fact, column: Column| {
            let (then, now) = (
                then_bar(fact, column),
                self.today(fact, column).and_then(|t| now_bar(&t, &self.label(column))),
            );
            // What only 2014 measured was no emulator's.
            let environment = if now.is_some() { self.label(column) } else { column.now.to_owned() };
            let row = Row { environment, then, now };
            (row.then.is_some() || row.now.is_some()).then_some(row)
        };
        let group = |fact: &&Fact| Group {
            what: fact.what.to_owned(),
            rows: ENVIRONMENTS.into_iter().filter_map(|column| row(fact, column)).collect(),
        };
        facts.iter().map(group).filter(|g| !g.rows.is_empty()).collect()
    }

    /// Two lines for each row of the study: 2014, and today below it.
    fn table(&self, figure: Figure, facts: &[&Fact]) -> Markup {
        let known = |column: &Column| {
            facts.iter().any(|f| (column.old)(f).is_known() || self.today(f, *column).is_some())
        };
        let columns: Vec<Column> = ENVIRONMENTS.into_iter().filter(known).collect();
        html! {
            div.scroll role="group" tabindex="0" aria-label={ (figure.heading()) ": numbers" } {
                table.facts2014 {
                    thead {
                        tr {
                            th scope="col" { "workload" }
                            th scope="col" { "when" }
                            th.n scope="col" { "native" }
                            @for column in &columns {
                                th.n scope="col" {
                                    @if let Some(then) = column.then { (then) small { (self.label(*column)) } }
                                    @else { (self.label(*column)) }
                                }
                            }
                        }
                    }
                    @for fact in facts {
                        tbody {
                            tr {
                                th scope="rowgroup" rowspan="2" {
                                    (fact.what)
                                    @if !fact.source.is_empty() { small { (fact.source) } }
                                }
                                th scope="row" { "2014" }
                                td.n { (then_value(fact.native, fact.unit)) }
                                @for column in &columns { td.n { (then_cell(fact, *column)) } }
                            }
                            tr.now {
                                th scope="row" { "today" }
                                td.n { (now_value(self.today(fact, NATIVE).as_ref())) }
                                @for column in &columns { td.n { (now_cell(self.today(fact, *column).as_ref())) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// `10`, `6 to 40`; none of none.
fn span(numbers: &[u32]) -> Option<String> {
    let (low, high) = (numbers.iter().min()?, numbers.iter().max()?);
    Some(if low == high { low.to_string() } else { format!("{low} to {high}") })
}

fn then_bar(fact: &Fact, column: Column) -> Option<Bar> {
    let old = (column.old)(fact);
    let [low, high] = old.toll(fact.native)?;
    let range = (low < high).then_some([low, high]);
    let name = column.then.unwrap_or(column.now);
    let (label, evidence) = (old.toll_text(fact.native)?, old.evidence(fact.unit)?);
    let says = format!("2014, {name}: {label}, {evidence} ({})", fact.source);
    let toll = range.is_none().then_some(high);
    Some(Bar { toll, range, label, says })
}

fn now_bar(today: &Today, label: &str) -> Option<Bar> {
    let toll = today.toll?;
    let says = format!("today, {label}: {}, {}, {}", number::toll(toll), today.median_text(), today.n_text());
    Some(Bar { toll: Some(toll), range: today.toll_spread, label: number::toll(toll), says })
}

fn then_value(old: Old, unit: &str) -> Markup {
    let Some((value, behind)) = old.value_text(unit).zip(old.behind()) else {
        return html! { span.faint { (number::NONE) } };
    };
    html! { (value) small { (behind) } }
}

fn then_cell(fact: &Fact, column: Column) -> Markup {
    let old = (column.old)(fact);
    let Some((toll, evidence)) = old.toll_text(fact.native).zip(old.evidence(fact.unit)) else {
        return html! { span.faint { (number::NONE) } };
    };
    html! { (toll) small { (evidence) } }
}

fn now_value(today: Option<&Today>) -> Markup {
    let Some(today) = today else { return html! { span.faint { (number::NONE) } } };
    html! {
        (today.median_text())
        small { @if let Some(spread) = today.spread_text() { (spread) ", " } (today.n_text()) }
    }
}

fn now_cell(today: Option<&Today>) -> Markup {
    let Some((today, toll)) = today.and_then(|t| Some((t, t.toll_with_spread()?))) else {
        return html! { span.faint { (number::NONE) } };
    };
    html! { (toll) small { (today.median_text()) ", " (today.n_text()) } }
}

#[cfg(test)]
#[path = "html_tests.rs"]
mod tests;
