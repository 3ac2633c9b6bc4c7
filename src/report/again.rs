//! The command that makes a sweep again, from its record.

use super::{clean, number, view};
use crate::model::{EnvironmentName, Sweep};
use crate::workload::{self, Case, Profile, Size};
use clap::ValueEnum as _;
use std::collections::{BTreeMap, BTreeSet};

/// How to make a sweep again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Again {
    /// A line for the shell, broken before its options.
    pub command: String,
    /// In what the sweep that it makes differs all the same.
    pub but: Vec<String>,
}

/// Of a stored sweep: its profile, cases, environments, rounds and seed, so that the plan is the same. Cases and environments are
/// named where they are not all that the profile has.
pub fn of_sweep(sweep: &Sweep) -> Again {
    let cases: BTreeSet<(&str, &str)> = sweep.cells.iter().map(|c| (&*c.workload, &*c.case)).collect();
    let environments: BTreeSet<&EnvironmentName> =
        sweep.cells.iter().map(|c| &c.environment).filter(|e| !e.is_native()).collect();
    let known = Known::of(&sweep.profile);
    let mut command = view::again(&sweep.profile);
    let mut option = |name: &str, value: &str| {
        command.push_str(" \\\n    ");
        command.push_str(name);
        command.push(' ');
        command.push_str(&view::word(value));
    };
    if let Some(only) = known.only(&cases) {
        option("--only", &only.join(","));
    }
    if known.environments(&cases) != environments && !environments.is_empty() {
        let names: Vec<String> = environments.iter().map(ToString::to_string).collect();
        option("--environments", &names.join(","));
    }
    option("--rounds", &sweep.rounds.to_string());
    option("--seed", &sweep.seed.to_string());
    Again { command, but: chosen(sweep, &cases, &environments).into_iter().chain(allocated(sweep)).collect() }
}

/// Of a sweep of chosen cells: options name cases and environments, not pairs of them.
fn chosen(
    sweep: &Sweep,
    cases: &BTreeSet<(&str, &str)>,
    environments: &BTreeSet<&EnvironmentName>,
) -> Option<String> {
    let cells = sweep.cells.iter().filter(|c| !c.environment.is_native()).count();
    (sweep.partial && cells < cases.len() * environments.len()).then(|| {
        "The sweep was one of chosen cells, which confirmed another. The command measures each of its cases in each of its environments that \
         runs it."
            .to_owned()
    })
}

/// A gate gives cases more rounds where the last verdicts were least sure, and others fewer. With `--rounds` it does not.
fn allocated(sweep: &Sweep) -> Option<String> {
    let usual = sweep.rounds as usize;
    let more = sweep.series.iter().filter(|s| s.values.len() > usual);
    let mut rounds: BTreeMap<String, usize> = BTreeMap::new();
    for series in more {
        let most = rounds.entry(format!("{}/{}", series.workload, series.case)).or_default();
        *most = (*most).max(series.values.len());
    }
    let each: Vec<String> =
        rounds.iter().map(|(case, rounds)| format!("{} {rounds}", clean::name(case))).collect();
    (!each.is_empty()).then(|| {
        format!(
            "Its gate gave {} more rounds, where the verdicts before were least sure ({}), and others fewer; with --rounds each has its usual share.",
            number::count(each.len(), "case"),
            each.join(", ")
        )
    })
}

/// What a profile has, as this version knows it. Nothing of a profile that is none of ours.
struct Known {
    cases: Vec<Case>,
}

impl Known {
    fn of(profile: &str) -> Self {
        let size = Profile::from_str(profile, false).ok().map(Size::of);
        let cases =
            size.into_iter().flat_map(|size| workload::all().into_iter().flat_map(move |w| w.cases(size)));
        Self { cases: cases.collect() }
    }

    /// The value of `--only`: workloads of which all cases are there by their names, of others each case. None where everything is
    /// there.
    fn only(&self, measured: &BTreeSet<(&str, &str)>) -> Option<Vec<String>> {
        let known: BTreeSet<(&str, &str)> = self.cases.iter().map(|c| (c.workload, &*c.name)).collect();
        if *measured == known {
            return None;
        }
        let of = |all: &BTreeSet<(&str, &str)>, workload: &str| -> BTreeSet<String> {
            all.iter().filter(|(w, _)| *w == workload).map(|(_, case)| (*case).to_owned()).collect()
        };
        let workloads: BTreeSet<&str> = measured.iter().map(|(workload, _)| *workload).collect();
        let named = workloads.into_iter().flat_map(|workload| {
            let here = of(measured, workload);
            if here == of(&known, workload) {
                vec![clean::name(workload)]
            } else {
                here.iter().map(|case| clean::name(&format!("{workload}/{case}"))).collect()
            }
        });
        Some(named.collect())
    }

    /// Where these cases run, native left out.
    fn environments(&self, measured: &BTreeSet<(&str, &str)>) -> BTreeSet<&EnvironmentName> {
        let cases = self.cases.iter().filter(|c| measured.contains(&(c.workload, &c.name)));
        cases.flat_map(|c| &c.environments).filter(|e| !e.is_native()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Cell, CellState, CellTrials};

    /// The example sweep, with the cells of these cases of its profile in these environments; of none, in those of the case.
    fn sweep(of: &[(&str, &str)], environments: &[&str]) -> Sweep {
        let text = include_str!("../../baselines/amd-epyc-2c-24g/smoke/20261123T205047Z-dfb0c3.json");
        let mut sweep: Sweep = serde_json::from_str(text).expect("the example");
        let wanted = |c: &Case| {
            of.is_empty()
                || of.iter().any(|(w, case)| c.workload == *w && (case.is_empty() || c.name == *case))
        };
        let asked = |e: &EnvironmentName| {
            environments.is_empty() || e.is_native() || environments.contains(&e.to_string().as_str())
        };
        let cases: Vec<Case> = Known::of("smoke").cases.into_iter().filter(wanted).collect();
        let cell = |case: &Case, environment: &EnvironmentName| Cell {
            workload: case.workload.to_owned(),
            case: case.name.clone(),
            environment: environment.clone(),
            state: CellState::Ok,
            reason: None,
            trials: CellTrials::default(),
            latencies: Vec::new(),
        };
        let cells =
            cases.iter().flat_map(|c| c.environments.iter().filter(|e| asked(e)).map(move |e| cell(c, e)));
        sweep.cells = cells.collect();
        sweep.series.clear();
        sweep
    }

    fn command(of: &[(&str, &str)], environments: &[&str]) -> String {
        let Again { command, but } = of_sweep(&sweep(of, environments));
        assert!(but.is_empty(), "{but:?}");
        command
    }

    #[test]
    fn a_whole_profile_is_named_by_its_name_and_parts_by_theirs() {
        let commands = [
            command(&[], &[]),
            command(&[("redis", ""), ("fio", "randread-qd16")], &[]),
            command(&[("rr", "")], &["docker", "docker+nat"]),
            command(&[], &["docker"]),
        ];
        insta::assert_snapshot!(commands.join("\n"));
    }

    #[test]
    fn what_no_option_can_say_is_told() {
        let mut of = sweep(&[("rr", "tcp"), ("redis", "get-c1")], &["docker", "docker+nat"]);
        of.partial = true;
        of.cells.retain(|c| c.environment.is_native() || c.workload == "rr" || c.environment.has("nat"));
        let text = include_str!("../../baselines/amd-epyc-2c-24g/smoke/20261123T205047Z-dfb0c3.json");
        let example: Sweep = serde_json::from_str(text).expect("the example");
        let mut longer = example.series.iter().find(|s| s.workload == "rr").expect("a series").clone();
        longer.values = vec![None; of.rounds as usize + 3];
        of.series = vec![longer];
        insta::assert_snapshot!(of_sweep(&of).but.join("\n"));
    }

    #[test]
    fn a_hostile_name_is_one_word_of_the_shell_and_its_line_stays_one() {
        let mut of = sweep(&[("rr", "tcp")], &["docker"]);
        for cell in &mut of.cells {
            cell.case = "tcp'; rm -rf / #\n\u{202e}".to_owned();
        }
        insta::assert_snapshot!(of_sweep(&of).command);
    }
}
