//! The command that makes a sweep again, from its record.

use super::{clean, number, view};
use crate::model::{EnvironmentName, Sweep};
use crate::workload::{self, Case, Profile, Size};
use clap::ValueEnum as _;
use std::collections::{BTreeMap, BTreeSet};

/// How to make a sweep again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Again {
    /// The gate of its profile, then each option with its value: words for the shell.
    options: Vec<String>,
    /// In what the sweep that it makes differs all the same.
    pub but: Vec<String>,
}

impl Again {
    /// The command for the shell, broken before its options.
    pub fn command(&self) -> String {
        self.options.join(" \\\n    ")
    }

    /// The same on one line, for where lines are not kept.
    pub fn line(&self) -> String {
        self.options.join(" ")
    }
}

/// Of a stored sweep: its profile, cases, environments, rounds and seed, so that the plan is the same. Cases and environments are
/// named where they are not all that the profile has.
pub fn of_sweep(sweep: &Sweep) -> Again {
    let cases: BTreeSet<(&str, &str)> = sweep.cells.iter().map(|c| (&*c.workload, &*c.case)).collect();
    let environments: BTreeSet<&EnvironmentName> =
        sweep.cells.iter().map(|c| &c.environment).filter(|e| !e.is_native()).collect();
    let known = Known::of(&sweep.profile);
    // Who looks at a result once more does not mean to move its baseline.
    let mut options = vec![view::again(&sweep.profile), "--no-record".to_owned()];
    // Each name is cleaned and cut by itself; a list of many is long.
    let mut option = |name: &str, value: &str| options.push(format!("{name} {}", view::quoted(value)));
    if let Some(only) = known.only(&cases) {
        option("--only", &only.join(","));
    }
    if known.environments(&cases) != environments && !environments.is_empty() {
        let names: Vec<String> = environments.iter().map(|e| clean::name(&e.to_string())).collect();
        option("--environments", &names.join(","));
    }
    option("--rounds", &sweep.rounds.to_string());
    option("--seed", &sweep.seed.to_string());
    let but = chosen(sweep, &cases, &environments).into_iter().chain(allocated(sweep, &known)).collect();
    Again { options, but }
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
fn allocated(sweep: &Sweep, known: &Known) -> Option<String> {
    let mut rounds: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for series in &sweep.series {
        let most = rounds.entry((&series.workload, &series.case)).or_default();
        *most = (*most).max(series.values.len());
    }
    let other = |((workload, case), had): ((&str, &str), usize)| {
        // What could not run at all had no rounds, and no other share either.
        let usual = known.case(workload, case)?.rounds_of(sweep.rounds) as usize;
        (had > 0 && had != usual)
            .then(|| format!("{} {had} for {usual}", clean::name(&format!("{workload}/{case}"))))
    };
    let each: Vec<String> = rounds.into_iter().filter_map(other).collect();
    (!each.is_empty()).then(|| {
        format!(
            "Its gate gave {} other rounds than their usual share, more where the verdicts before were least sure ({}); with --rounds each \
             has its usual share.",
            number::count(each.len(), "case"),
            each.join(", ")
        )
    })
}

/// What a profile has, as this version knows it. Nothing of a profile that is none of ours.
struct Known {
    cases: Vec<Case>,
    /// Those whose names tell a share of the memory.
    sized: Vec<SizedCase>,
}

/// A case with a number in its name that grows with the memory of the environments: a sweep does not record the memory, so that the
/// case is known by the text around the number.
struct SizedCase {
    /// Index of the case in [`Known::cases`].
    at: usize,
    before: String,
    after: String,
}

impl SizedCase {
    fn is(&self, name: &str) -> bool {
        let number = name.strip_prefix(&*self.before).and_then(|rest| rest.strip_suffix(&*self.after));
        number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    }
}

impl Known {
    fn of(profile: &str) -> Self {
        let Ok(profile) = Profile::from_str(profile, false) else {
            return Self { cases: Vec::new(), sized: Vec::new() };
        };
        let of = |size: Size| workload::all().into_iter().flat_map(move |w| w.cases(size));
        let cases: Vec<Case> = of(Size::of(profile)).collect();
        let larger = of(Size { profile, memory_mib: 4 * Size::of(profile).memory_mib });
        let sized = cases.iter().zip(larger).enumerate().filter_map(|(at, (case, larger))| {
            let (before, after) = around_number(&case.name, &larger.name)?;
            Some(SizedCase { at, before, after })
        });
        let sized = sized.collect();
        Self { cases, sized }
    }

    /// The case of this name, whatever the memory.
    fn case(&self, workload: &str, name: &str) -> Option<&Case> {
        let named = self.cases.iter().find(|c| c.workload == workload && c.name == name);
        let sized = || self.sized.iter().find(|s| self.cases[s.at].workload == workload && s.is(name));
        named.or_else(|| sized().map(|s| &self.cases[s.at]))
    }

    /// The name that a case has here, whatever the memory; its own where there is none.
    fn name<'a>(&'a self, workload: &str, name: &'a str) -> &'a str {
        self.case(workload, name).map_or(name, |c| &c.name)
    }

    /// The value of `--only`: workloads of which all cases are there by their names, of others each case. None where everything is
    /// there.
    fn only(&self, measured: &BTreeSet<(&str, &str)>) -> Option<Vec<String>> {
        let all: BTreeSet<(&str, &str)> = self.cases.iter().map(|c| (c.workload, &*c.name)).collect();
        let here: BTreeSet<(&str, &str)> =
            measured.iter().map(|(w, case)| (*w, self.name(w, case))).collect();
        if here == all {
            return None;
        }
        let of = |all: &BTreeSet<(&str, &str)>, workload: &str| -> BTreeSet<String> {
            all.iter().filter(|(w, _)| *w == workload).map(|(_, case)| (*case).to_owned()).collect()
        };
        let workloads: BTreeSet<&str> = measured.iter().map(|(workload, _)| *workload).collect();
        let named = workloads.into_iter().flat_map(|workload| {
            if of(&here, workload) == of(&all, workload) {
                vec![clean::name(workload)]
            } else {
                let cases = of(measured, workload);
                cases.iter().map(|case| clean::name(&format!("{workload}/{case}"))).collect()
            }
        });
        Some(named.collect())
    }

    /// Where these cases run, native left out.
    fn environments(&self, measured: &BTreeSet<(&str, &str)>) -> BTreeSet<&EnvironmentName> {
        let cases = measured.iter().filter_map(|(workload, case)| self.case(workload, case));
        cases.flat_map(|c| &c.environments).filter(|e| !e.is_native()).collect()
    }
}

/// What two names have in common before and after a number that differs; none where none does.
fn around_number(a: &str, b: &str) -> Option<(String, String)> {
    let digits = |name: &str| name.bytes().map(|c| c.is_ascii_digit()).collect::<Vec<bool>>();
    let (of_a, of_b) = (digits(a), digits(b));
    let differs = (0..a.len().min(b.len())).find(|i| a.as_bytes()[*i] != b.as_bytes()[*i])?;
    let start = (0..differs).rev().find(|i| !of_a[*i]).map_or(0, |i| i + 1);
    let end = |digits: &[bool]| (start..digits.len()).find(|i| !digits[*i]).unwrap_or(digits.len());
    let (before, after) = (a.get(..start)?, a.get(end(&of_a)..)?);
    (b.get(end(&of_b)..) == Some(after) && end(&of_a) > start).then(|| (before.to_owned(), after.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Cell;

    /// The example sweep, with the cells of these cases of its profile in these environments; of none, in those of the case.
    fn sweep(of: &[(&str, &str)], environments: &[&str]) -> Sweep {
        of_size(Size::of(Profile::Smoke), of, |e| {
            environments.is_empty() || environments.contains(&e.to_string().as_str())
        })
    }

    fn of_size(size: Size, of: &[(&str, &str)], asked: impl Fn(&EnvironmentName) -> bool) -> Sweep {
        let text = include_str!("../../baselines/amd-epyc-2c-24g/smoke/20261123T205047Z-dfb0c3.json");
        let mut sweep: Sweep = serde_json::from_str(text).expect("the example");
        size.profile.as_str().clone_into(&mut sweep.profile);
        let wanted = |c: &Case| {
            of.is_empty()
                || of.iter().any(|(w, case)| c.workload == *w && (case.is_empty() || c.name == *case))
        };
        let asked = |e: &EnvironmentName| e.is_native() || asked(e);
        let all = workload::all();
        let cases: Vec<Case> = all.iter().flat_map(|w| w.cases(size)).filter(wanted).collect();
        let cells = cases.iter().flat_map(|c| {
            c.environments.iter().filter(|e| asked(e)).map(|e| Cell::measured(c.workload, &c.name, e))
        });
        sweep.cells = cells.collect();
        sweep.series.clear();
        sweep
    }

    fn command(of: &[(&str, &str)], environments: &[&str]) -> String {
        let again = of_sweep(&sweep(of, environments));
        assert!(again.but.is_empty(), "{again:?}");
        again.command()
    }

    /// A series of a case with so many rounds.
    fn series(case: (&str, &str), rounds: usize) -> crate::model::Series {
        let text = include_str!("../../baselines/amd-epyc-2c-24g/smoke/20261123T205047Z-dfb0c3.json");
        let example: Sweep = serde_json::from_str(text).expect("the example");
        let mut series = example.series[0].clone();
        (series.workload, series.case) = (case.0.to_owned(), case.1.to_owned());
        series.values = vec![Some(1.0); rounds];
        series
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
        of.rounds = 20;
        of.series = vec![series(("rr", "tcp"), 23), series(("redis", "get-c1"), 20)];
        insta::assert_snapshot!(of_sweep(&of).but.join("\n"));
    }

    #[test]
    fn a_hostile_name_is_one_word_of_the_shell_and_its_line_stays_one() {
        let mut of = sweep(&[("rr", "tcp")], &["docker"]);
        for cell in &mut of.cells {
            cell.case = "tcp'; rm -rf / #\n\u{202e}".to_owned();
        }
        insta::assert_snapshot!(of_sweep(&of).command());
    }

    #[test]
    fn a_long_list_of_names_is_whole() {
        let size = Size::of(Profile::Standard);
        let again = of_sweep(&of_size(size, &[], |e| e.base() != crate::model::Base::Kvm));
        insta::assert_snapshot!(again.command());
        assert_eq!(again.line(), again.command().replace(" \\\n    ", " "));
    }

    #[test]
    fn the_full_profile_is_whole_whatever_the_memory() {
        for memory_mib in [512, 1024, 5888, 65_536] {
            let size = Size { profile: Profile::Full, memory_mib };
            let whole = of_sweep(&of_size(size, &[], |_| true));
            assert!(
                !whole.line().contains("--only") && !whole.line().contains("--environments"),
                "{whole:?}"
            );
            let part = of_sweep(&of_size(size, &[("linpack", ""), ("memory", ""), ("rr", "tcp")], |_| true));
            assert!(part.line().contains("--only linpack,memory,rr/tcp --rounds"), "{part:?}");
        }
        // A part of a workload is named as that host names it.
        let size = Size { profile: Profile::Full, memory_mib: 5888 };
        let one = of_sweep(&of_size(size, &[("memory", "oom-2944m")], |_| true));
        assert!(one.line().contains("--only memory/oom-2944m --rounds"), "{one:?}");
    }

    #[test]
    fn rounds_are_compared_with_the_usual_share_of_each_case_in_both_directions() {
        let known = Known::of("full");
        let shared = known.cases.iter().find(|c| c.share <= 0.5).expect("a case of long trials");
        let case = (shared.workload, shared.name.as_str());
        let usual = shared.rounds_of(20) as usize;
        let mut of = of_size(Size::of(Profile::Full), &[case], |_| true);
        of.rounds = 20;
        let mut but = |rounds| {
            of.series = vec![series(case, rounds)];
            of_sweep(&of).but
        };
        assert_eq!([but(usual), but(0)], [Vec::<String>::new(), Vec::new()]);
        for rounds in [usual - 1, 20] {
            let but = but(rounds);
            assert!(but[0].contains(&format!("{rounds} for {usual}")), "{but:?}");
        }
    }
}
