//! The plan of a sweep: which trial comes when. Pure and seeded, so that a resumed sweep makes the same one.

use crate::durable::hex;
use crate::model::EnvironmentName;
use crate::workload::Case;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

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
    /// Rounds of every case.
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
}

impl Plan {
    /// Plans `rounds` rounds of every case over those of its environments that are in `environments`. A case
    /// that would run in one environment only is left out: nothing could be compared.
    pub fn new(cases: &[Case], environments: &[EnvironmentName], rounds: u32, seed: u64) -> Self {
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
            })
            .filter(|planned| planned.environments.len() > 1)
            .collect();
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut blocks = Vec::with_capacity(cases.len() * rounds as usize);
        for round in 1..=rounds {
            let mut order: Vec<usize> = (0..cases.len()).collect();
            order.shuffle(&mut random);
            for case in order {
                let mut order = cases[case].environments.clone();
                order.shuffle(&mut random);
                blocks.push(Block { round, case, order });
            }
        }
        let digest = digest_of(blocks.iter().map(|b| {
            let names: Vec<String> = b.order.iter().map(ToString::to_string).collect();
            format!("{} {} {}", b.round, cases[b.case].case.parameters(), names.join(" "))
        }));
        Self { cases, blocks, rounds, digest }
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
        let plan = Plan::new(&cases, &names(&["native", "docker"]), 2, 1);
        assert_eq!(plan.cases.len(), 1);
        assert_eq!(plan.environments(), names(&["native", "docker"]));
        assert_eq!(plan.trials(), 4);
    }

    proptest! {
        #[test]
        fn the_same_seed_gives_the_same_plan_and_each_block_has_every_environment_once(seed: u64, rounds in 1_u32..20) {
            let cases = [case("a", &["native", "docker", "kvm"]), case("b", &["native", "docker"])];
            let all = names(&["native", "docker", "kvm"]);
            let plan = Plan::new(&cases, &all, rounds, seed);
            prop_assert_eq!(&plan.digest, &Plan::new(&cases, &all, rounds, seed).digest);
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
        let (a, b) = (Plan::new(&cases, &all, 20, 1), Plan::new(&cases, &all, 20, 2));
        assert_ne!(a.digest, b.digest);
    }
}
