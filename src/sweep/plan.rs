//! The plan of a sweep: which trial comes when. Pure and seeded, so that a resumed sweep makes the same one.

use crate::model::hex;
use crate::model::{Base, EnvironmentName};
use crate::workload::{Case, Emulation};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Chosen cells: the environments of a case, by `workload/case`.
pub type CellSet = BTreeMap<String, BTreeSet<EnvironmentName>>;

/// How many rounds the cases have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rounds {
    /// Of every case that is not named below.
    pub nominal: u32,
    /// By `workload/case`.
    pub cases: BTreeMap<String, u32>,
}

impl From<u32> for Rounds {
    fn from(nominal: u32) -> Self {
        Self { nominal, cases: BTreeMap::new() }
    }
}

impl Rounds {
    /// Of one case: its own, or its share of the nominal ones.
    pub fn of(&self, case: &Case) -> u32 {
        self.cases.get(&label(case)).copied().unwrap_or_else(|| case.rounds_of(self.nominal))
    }
}

/// One round of one case: every environment once, in random order, next to each other in time. The paired unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Which round, from 1.
    pub round: u32,
    /// Index of the case in [`Plan::cases`].
    pub case: usize,
    /// The environments in the order in which they have their turn.
    pub order: Vec<EnvironmentName>,
}

/// Every trial of a sweep.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The cases, each with the environments that run it here.
    pub cases: Vec<PlannedCase>,
    /// The blocks, in order.
    pub blocks: Vec<Block>,
    /// Rounds of every case that has none of its own.
    pub rounds: u32,
    /// SHA-256 over the blocks: equal digests are equal plans.
    pub digest: String,
}

/// A case and where it runs.
#[derive(Debug, Clone)]
pub struct PlannedCase {
    /// The case.
    pub case: Case,
    /// Environments that take part. `native` is always one of them: without it there is no toll.
    pub environments: Vec<EnvironmentName>,
    /// Its rounds.
    pub rounds: u32,
}

impl Plan {
    /// Plans the rounds of every case over those of its environments that are in `environments`. A case
    /// that would run in one environment only is left out: nothing could be compared.
    ///
    /// The rounds of a case are spread evenly over the sweep, so that one with more of them than others is
    /// measured in the same span of time.
    pub fn new(cases: &[Case], environments: &[EnvironmentName], rounds: &Rounds, seed: u64) -> Self {
        let cases: Vec<PlannedCase> = cases
            .iter()
            .map(|case| PlannedCase {
                case: case.clone(),
                environments: case
                    .environments
                    .iter()
                    .filter(|e| environments.contains(e))
                    .cloned()
                    .collect(),
                rounds: rounds.of(case),
            })
            .filter(|planned| planned.environments.len() > 1)
            .collect();
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut places: Vec<Place> = cases
            .iter()
            .enumerate()
            .flat_map(|(case, planned)| {
                (1..=planned.rounds).map(move |round| Place { round, of: planned.rounds, case })
            })
            .collect();
        places.sort_by(Place::by_time);
        let mut blocks = Vec::with_capacity(places.len());
        // Those that are due at the same time: with equal rounds, one round of every case.
        for due in places.chunk_by_mut(|a, b| a.by_time(b) == Ordering::Equal) {
            due.shuffle(&mut random);
            for Place { round, case, .. } in due {
                let mut order = cases[*case].environments.clone();
                order.shuffle(&mut random);
                blocks.push(Block { round: *round, case: *case, order });
            }
        }
        let digest = digest_of(blocks.iter().map(|b| {
            let names: Vec<String> = b.order.iter().map(ToString::to_string).collect();
            format!("{} {} {}", b.round, cases[b.case].case.parameters(), names.join(" "))
        }));
        Self { cases, blocks, rounds: rounds.nominal, digest }
    }

    /// Number of trials.
    pub fn trials(&self) -> usize {
        self.blocks.iter().map(|b| b.order.len()).sum()
    }

    /// Every environment that takes part, each once.
    pub fn environments(&self) -> Vec<EnvironmentName> {
        let mut all: Vec<EnvironmentName> = self.cases.iter().flat_map(|c| c.environments.clone()).collect();
        all.sort();
        all.dedup();
        all
    }
}

/// When a round of a case is due.
#[derive(Clone, Copy)]
struct Place {
    round: u32,
    of: u32,
    case: usize,
}

impl Place {
    /// Round r of R is due at (r - 1/2) / R of the sweep.
    fn by_time(&self, other: &Self) -> Ordering {
        let left = (2 * u64::from(self.round) - 1) * u64::from(other.of);
        let right = (2 * u64::from(other.round) - 1) * u64::from(self.of);
        left.cmp(&right)
    }
}

/// `workload/case`.
pub fn label(case: &Case) -> String {
    format!("{}/{}", case.workload, case.name)
}

/// The chosen cells of `cases`; native is one of every case that has others. All of them where none are chosen.
pub fn chosen(cases: Vec<Case>, cells: Option<&CellSet>) -> Vec<Case> {
    let Some(cells) = cells else { return cases };
    cases
        .into_iter()
        .filter_map(|mut case| {
            let environments = cells.get(&label(&case))?;
            case.environments.retain(|e| e.is_native() || environments.contains(e));
            (case.environments.len() > 1).then_some(case)
        })
        .collect()
}

/// A cell that is not measured although its environment takes part, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// `workload/case`.
    pub case: String,
    /// Where.
    pub environment: EnvironmentName,
    /// Why, and what would help.
    pub reason: String,
}

/// The cells that an emulated guest leaves out.
pub fn left_out_by_emulation(cases: &[Case]) -> Vec<LeftOut> {
    let why = |case: &Case, environment: &EnvironmentName| match case.emulation {
        _ if environment.has("tuned") => Some("what tuning gives is lost in an emulator"),
        Emulation::LeftOut(why) => Some(why),
        Emulation::Runs => None,
    };
    let of = |case: &Case| -> Vec<LeftOut> {
        let guests = case.environments.iter().filter(|e| e.base() == Base::Kvm);
        let left_out = guests.filter_map(|environment| {
            let why = why(case, environment)?;
            let reason = format!(
                "left out under TCG emulation: {why}; a host whose guests boot under KVM measures it"
            );
            Some(LeftOut { case: label(case), environment: environment.clone(), reason })
        });
        left_out.collect()
    };
    cases.iter().flat_map(of).collect()
}

/// The cases without the cells that are left out.
pub fn without(mut cases: Vec<Case>, left_out: &[LeftOut]) -> Vec<Case> {
    for case in &mut cases {
        let name = label(case);
        case.environments.retain(|e| !left_out.iter().any(|l| l.case == name && l.environment == *e));
    }
    cases
}

/// SHA-256 over the parameters of `cases` and the shape of the guest. Over all cases of a profile it says whether
/// two sweeps of it are comparable, whichever part of the profile they measured.
pub fn parameters(cases: &[Case], guest: &str) -> String {
    digest_of(cases.iter().map(Case::parameters).chain([guest.to_owned()]))
}

fn digest_of(lines: impl Iterator<Item = String>) -> String {
    let mut hash = Sha256::new();
    for line in lines {
        hash.update(line.as_bytes());
        hash.update(b"\n");
    }
    hex(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::fixtures::case;
    use proptest::prelude::*;

    fn names(names: &[&str]) -> Vec<EnvironmentName> {
        names.iter().map(|n| n.parse().expect("a name")).collect()
    }

    #[test]
    fn environments_that_are_not_there_leave_the_plan_and_native_alone_is_no_plan() {
        let cases = [case("a", &["native", "docker", "kvm"]), case("b", &["native", "kvm"])];
        let plan = Plan::new(&cases, &names(&["native", "docker"]), &2.into(), 1);
        assert_eq!(plan.cases.len(), 1);
        assert_eq!(plan.environments(), names(&["native", "docker"]));
        assert_eq!(plan.trials(), 4);
    }

    proptest! {
        #[test]
        fn the_same_seed_gives_the_same_plan_and_each_block_has_every_environment_once(seed: u64, rounds in 1_u32..20) {
            let cases = [case("a", &["native", "docker", "kvm"]), case("b", &["native", "docker"])];
            let all = names(&["native", "docker", "kvm"]);
            let plan = Plan::new(&cases, &all, &rounds.into(), seed);
            prop_assert_eq!(&plan.digest, &Plan::new(&cases, &all, &rounds.into(), seed).digest);
            prop_assert_eq!(plan.blocks.len(), 2 * rounds as usize);
            for block in &plan.blocks {
                let mut order = block.order.clone();
                order.sort();
                let mut expected = plan.cases[block.case].environments.clone();
                expected.sort();
                prop_assert_eq!(order, expected);
            }
        }
    }

    #[test]
    fn another_seed_gives_another_order() {
        let cases = [case("a", &["native", "docker", "kvm"])];
        let all = names(&["native", "docker", "kvm"]);
        let (a, b) = (Plan::new(&cases, &all, &20.into(), 1), Plan::new(&cases, &all, &20.into(), 2));
        assert_ne!(a.digest, b.digest);
    }

    #[test]
    fn with_equal_rounds_every_round_is_a_shuffle_of_all_cases() {
        let cases = ["a", "b", "c"].map(|name| case(name, &["native", "docker"]));
        let plan = Plan::new(&cases, &names(&["native", "docker"]), &7.into(), 1);
        // The very order of journals whose headers know no rounds of cases, so that they can be resumed.
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut expected = Vec::new();
        for round in 1..=7 {
            let mut order = [0, 1, 2];
            order.shuffle(&mut random);
            for case in order {
                let mut order = names(&["native", "docker"]);
                order.shuffle(&mut random);
                expected.push(Block { round, case, order });
            }
        }
        assert_eq!(plan.blocks, expected);
    }

    #[test]
    fn what_was_not_chosen_is_not_planned_and_native_always_is() {
        let cases = ["a", "b", "c"].map(|name| case(name, &["native", "docker", "kvm"]));
        let docker = BTreeSet::from(["docker".parse().expect("a name")]);
        let cells: CellSet = [("test/a".to_owned(), docker), ("test/b".to_owned(), BTreeSet::new())].into();
        let narrowed = chosen(cases.to_vec(), Some(&cells));
        assert_eq!(narrowed.len(), 1);
        assert_eq!(narrowed[0].environments, names(&["native", "docker"]));
        assert_eq!(chosen(cases.to_vec(), None).len(), 3);
    }

    #[test]
    fn a_share_of_rounds_is_never_fewer_than_three() {
        let parts = [(20, 1.0), (20, 0.15), (40, 0.15), (20, 0.1), (2, 0.5)]
            .map(|(n, s)| crate::workload::part_of(n, s));
        assert_eq!(parts, [20, 3, 6, 3, 2]);
    }

    #[test]
    fn an_emulated_guest_leaves_out_what_says_so_and_nothing_else() {
        let mut heavy = case("a", &["native", "docker", "kvm", "kvm+tuned"]);
        heavy.emulation = Emulation::LeftOut("it takes an hour");
        let cases = vec![heavy, case("b", &["native", "kvm", "kvm+tuned"])];
        let left_out = left_out_by_emulation(&cases);
        assert_eq!(left_out.len(), 3);
        assert!(left_out[0].reason.contains("it takes an hour"), "{}", left_out[0].reason);
        let rest = without(cases, &left_out);
        assert_eq!(rest[0].environments, names(&["native", "docker"]));
        assert_eq!(rest[1].environments, names(&["native", "kvm"]));
    }

    proptest! {
        #[test]
        fn rounds_of_a_case_are_in_order_and_spread_over_the_whole_sweep(own in 1_u32..60, nominal in 1_u32..30, seed: u64) {
            let cases = ["a", "b", "c"].map(|name| case(name, &["native", "docker"]));
            let rounds = Rounds { nominal, cases: [("test/a".to_owned(), own)].into() };
            let plan = Plan::new(&cases, &names(&["native", "docker"]), &rounds, seed);
            prop_assert_eq!(plan.blocks.len(), (own + 2 * nominal) as usize);
            let mine: Vec<&Block> = plan.blocks.iter().filter(|b| b.case == 0).collect();
            prop_assert!(mine.iter().zip(1..).all(|(b, round)| b.round == round));
            // Between two rounds of one case lies its even share of the others, give or take one of each.
            for (index, block) in plan.blocks.iter().enumerate() {
                let share = (f64::from(block.round) - 0.5) / f64::from(plan.cases[block.case].rounds);
                let due = share * plan.blocks.len() as f64;
                prop_assert!((index as f64 + 0.5 - due).abs() <= 3.0, "{} is due at {}", index, due);
            }
        }
    }
}
