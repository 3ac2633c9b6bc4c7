//! A sweep's tolls beside those of a published study, in the study's own layout.

mod bars;
mod html;
mod old;
mod rc25482;
mod today;

#[cfg(test)]
mod fixtures;

pub use html::rc25482_html;

use super::{clean, view};
use crate::model::{CellState, CellSummary, GateResult, Sweep};
use old::Old;
use std::fmt::Write as _;
use today::Today;

/// A table or figure of the study.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Figure {
    TableOne,
    TableTwo,
    Bulk,
    RoundTrips,
    Fio,
    Redis,
    Mysql,
}

impl Figure {
    const ALL: [Self; 7] =
        [Self::TableOne, Self::TableTwo, Self::Bulk, Self::RoundTrips, Self::Fio, Self::Redis, Self::Mysql];

    fn heading(self) -> &'static str {
        match self {
            Self::TableOne => "Table I: PXZ, Linpack and RandomAccess",
            Self::TableTwo => "Table II: the components of Stream",
            Self::Bulk => "Network: bulk TCP (nuttcp)",
            Self::RoundTrips => "Network: round trips (netperf)",
            Self::Fio => "Block I/O: fio",
            Self::Redis => "Redis",
            Self::Mysql => "MySQL: SysBench (2014's NAT is NAT with AUFS)",
        }
    }

    /// What must be known to read it.
    fn note(self) -> Option<&'static str> {
        match self {
            Self::TableOne => Some(
                "Linpack in a KVM guest that is not tuned: the report's table has a loss of 17 % (a toll of +20 %), the logs of the authors one of \
                 55 % (+123 %). What stands here is of the logs.",
            ),
            Self::Bulk => Some(
                "In 2014 every transfer ran at line rate, and what the environments differed in was processor time; of that no figures of 2014 \
                 are at hand.",
            ),
            Self::Redis => Some(
                "Of 2014 one range is at hand, for GET and SET and for 1 to 120 connections. It stands beside today's GET; SET has none of its own.",
            ),
            Self::Mysql => Some(
                "Of 2014 one range is at hand, for SysBench OLTP as a whole. It stands beside today's reading and writing; reading alone has none \
                 of its own.",
            ),
            Self::TableTwo | Self::RoundTrips | Self::Fio => None,
        }
    }
}

/// One row of the study.
#[derive(Debug, Clone, Copy)]
struct Fact {
    figure: Figure,
    what: &'static str,
    unit: &'static str,
    source: &'static str,
    native: Old,
    docker: Old,
    nat: Old,
    kvm: Old,
    tuned: Old,
    /// Workload, case (empty: whichever the profile has) and metric of the suite.
    today: (&'static str, &'static str, &'static str),
}

impl Fact {
    /// What is known of then, native first.
    fn then(&self) -> [Old; 5] {
        [self.native, self.docker, self.nat, self.kvm, self.tuned]
    }
}

/// The columns of today: an environment, and its heading.
const TODAY: [&str; 5] = ["docker", "docker+nat", "docker+layer", "kvm", "kvm+tuned"];

/// The tolls of a sweep beside those of RC25482, as Markdown. `sweep` is the record that `result` is of.
pub fn rc25482_markdown(result: &GateResult, sweep: &Sweep) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "# Today beside 2014 (IBM RC25482)\n\nTolls: how much worse than native, in percent of the ratio; negative is better. 2014: the authors' trials \
         (mean ± standard deviation, n trials) where they are public, else what the report says, which gives no n. Today: medians, in brackets the \
         middle half of the n rounds, of sweep {} on {}, profile {}.{}",
        result.sweep.as_ref().map_or("none", |s| s.as_str()),
        clean::markdown_code(result.host_class.as_str()),
        clean::markdown_code(&clean::name(&result.profile)),
        if result.is_emulated() {
            " **Its guest ran under TCG emulation: the columns of kvm are the emulator's, not KVM's.**"
        } else {
            ""
        }
    );
    for figure in Figure::ALL {
        let rows = rc25482::FACTS.iter().filter(|f| f.figure == figure);
        let _ = writeln!(text, "\n## {}\n", figure.heading());
        if let Some(note) = figure.note() {
            let _ = writeln!(text, "{note}\n");
        }
        text.push_str(&heading(result.is_emulated()));
        for fact in rows {
            text.push_str(&row(fact, result, sweep));
        }
    }
    text
}

fn heading(emulated: bool) -> String {
    let today = TODAY.map(|name| {
        // Our own names always parse.
        name.parse().map_or_else(|_| name.to_owned(), |e| view::label(&e, emulated))
    });
    format!(
        "| | 2014: native | Docker | NAT | KVM | KVM tuned | source | today: native | {} |\n|---|--:|--:|--:|--:|--:|---|--:|{}\n",
        today.join(" | "),
        "--:|".repeat(TODAY.len())
    )
}

fn row(fact: &Fact, result: &GateResult, sweep: &Sweep) -> String {
    let then = [fact.docker, fact.nat, fact.kvm, fact.tuned].map(|old| {
        let toll = old.toll_text(fact.native).zip(old.evidence(fact.unit));
        toll.map_or_else(String::new, |(toll, evidence)| format!("{toll} ({evidence})"))
    });
    let here = Today::of(fact, result, sweep, "native").map(|today| today.value_text());
    let today = TODAY.map(|environment| {
        Today::of(fact, result, sweep, environment).and_then(|today| today.toll_text()).unwrap_or_default()
    });
    format!(
        "| {} | {} | {} | {} | {} | {} |\n",
        fact.what,
        fact.native.evidence(fact.unit).unwrap_or_default(),
        then.join(" | "),
        fact.source,
        here.unwrap_or_default(),
        today.join(" | ")
    )
}

/// The measured cell of the suite that a fact is set beside.
fn cell<'a>(fact: &Fact, result: &'a GateResult, environment: &str) -> Option<&'a CellSummary> {
    let (workload, case, metric) = fact.today;
    result.cells.iter().find(|c| {
        c.workload == workload
            && (case.is_empty() || c.case == case)
            && c.metric == metric
            && c.state == CellState::Ok
            && c.environment.to_string() == environment
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::{self, Profile, Size};

    #[test]
    fn the_table_of_a_small_sweep() {
        let (result, sweep) = fixtures::some();
        insta::assert_snapshot!(rc25482_markdown(&result, &sweep));
    }

    #[test]
    fn each_row_names_a_metric_that_the_suite_measures() {
        let size = Size::of(Profile::Standard);
        let cases: Vec<_> = workload::all().iter().flat_map(|w| w.cases(size)).collect();
        for fact in rc25482::FACTS.iter().filter(|f| f.today != rc25482::NO_COUNTERPART) {
            let (workload, case, metric) = fact.today;
            let known = cases.iter().any(|c| {
                c.workload == workload
                    && (case.is_empty() || c.name == case)
                    && c.metrics.iter().any(|m| m.metric == metric)
            });
            assert!(known, "{}: {workload}/{case}/{metric}", fact.what);
        }
    }
}
