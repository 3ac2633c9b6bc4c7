//! A sweep's tolls beside those of a published study, in the study's own layout.

mod bars;
mod html;
mod rc25482;
mod today;

pub use html::rc25482_html;

use super::{clean, number, view};
use crate::model::{CellState, CellSummary, GateResult};
use std::fmt::Write as _;

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
        (self == Self::Bulk).then_some(
            "In 2014 every transfer ran at line rate, and what the environments differed in was processor time; of that no figures of 2014 \
             are at hand.",
        )
    }
}

/// Trials that are public.
#[derive(Debug, Clone, Copy)]
struct Trials {
    n: u32,
    mean: f64,
    /// Standard deviation over the trials.
    sd: f64,
}

/// A change against native that was published without its trials, percent.
#[derive(Debug, Clone, Copy)]
enum Published {
    /// Of a rate, from the largest loss to the smallest.
    Rate { low: f64, high: f64 },
    /// Of a time.
    Time { pct: f64 },
}

/// What is known of an environment of then.
#[derive(Debug, Clone, Copy)]
enum Old {
    Trials(Trials),
    /// One run.
    Single(f64),
    Published(Published),
    Unknown,
}

impl Old {
    /// The value, where it was published as one. Whatever has one is a rate: more is better.
    fn value(self) -> Option<f64> {
        match self {
            Self::Trials(t) => Some(t.mean),
            Self::Single(value) => Some(value),
            Self::Published(_) | Self::Unknown => None,
        }
    }

    /// The toll against native, percent: from the smallest to the largest that was published.
    fn toll(self, native: Self) -> Option<[f64; 2]> {
        let of_rate = |pct: f64| (1.0 / (1.0 + pct / 100.0) - 1.0) * 100.0;
        match self {
            Self::Published(Published::Rate { low, high }) => Some([of_rate(high), of_rate(low)]),
            Self::Published(Published::Time { pct }) => Some([pct, pct]),
            _ => native.value().zip(self.value()).map(|(n, e)| [(n / e - 1.0) * 100.0; 2]),
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

/// The columns of today: an environment, and its heading.
const TODAY: [&str; 5] = ["docker", "docker+nat", "docker+layer", "kvm", "kvm+tuned"];

/// The tolls of a sweep beside those of RC25482, as Markdown.
pub fn rc25482_markdown(result: &GateResult) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "# Today beside 2014 (IBM RC25482)\n\nTolls: how much worse than native, in percent of the ratio; negative is better. 2014: the authors' trials \
         (mean ± standard deviation, number) where they are public, else what the report says. Today: medians of sweep {} on {}, profile {}.{}",
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
            text.push_str(&row(fact, result));
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

fn row(fact: &Fact, result: &GateResult) -> String {
    let native = match fact.native {
        Old::Trials(t) => {
            format!("{} ± {} ({})", number::value(t.mean, fact.unit), number::significant(t.sd), t.n)
        }
        Old::Single(value) => format!("{} (1)", number::value(value, fact.unit)),
        Old::Published(_) | Old::Unknown => String::new(),
    };
    let then = [fact.docker, fact.nat, fact.kvm, fact.tuned].map(|old| {
        old.toll(fact.native).map_or_else(String::new, |[low, high]| {
            let (low, high) = (number::toll(low), number::toll(high));
            if low == high { low } else { format!("{low} to {high}") }
        })
    });
    let here =
        cell(fact, result, "native").and_then(|c| c.median.map(|m| number::value(m, &clean::name(&c.unit))));
    let today = TODAY.map(|environment| {
        cell(fact, result, environment).and_then(|c| c.toll_pct).map_or_else(String::new, number::toll)
    });
    format!(
        "| {} | {native} | {} | {} | {} | {} |\n",
        fact.what,
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
    use crate::report::fixtures;
    use crate::workload::{self, Profile, Size};

    #[test]
    fn the_table_of_a_small_sweep() {
        insta::assert_snapshot!(rc25482_markdown(&fixtures::small_regression()));
    }

    #[test]
    fn a_published_loss_of_rate_is_a_toll() {
        let toll = |old: Old, native| old.toll(native).map(|t| t.map(f64::round));
        let half = Old::Published(Published::Rate { low: -50.0, high: -20.0 });
        assert_eq!(toll(half, Old::Unknown), Some([25.0, 100.0]));
        assert_eq!(toll(Old::Single(50.0), Old::Single(100.0)), Some([100.0, 100.0]));
        assert_eq!(toll(Old::Published(Published::Time { pct: 81.0 }), Old::Single(1.0)), Some([81.0, 81.0]));
        assert_eq!(toll(Old::Unknown, Old::Single(1.0)), None);
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
