//! Sets of processors, as the kernel writes them: `0-3,6`.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt, str::FromStr};

/// More than any kernel is built for (`CONFIG_NR_CPUS`); a larger number is a mistake.
const MOST: u32 = 65_535;
/// Fewer processors than this are not divided: half of three is no place for anything.
const LEAST_TO_DIVIDE: usize = 4;
/// More than this no client needs.
const MOST_FOR_CLIENT: usize = 8;

/// A text that is no list of processors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a list of processors: {why}; write numbers and ranges, such as \"0-3,6\"")]
pub struct CpuListError {
    /// The text as given.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// A set of processors by their numbers, never empty. Written as the kernel does (cpuset(7), "List format"):
/// ascending, ranges joined.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CpuList(BTreeSet<u32>);

impl CpuList {
    /// The set of these numbers; none when there are none.
    pub fn new(cpus: impl IntoIterator<Item = u32>) -> Option<Self> {
        let cpus: BTreeSet<u32> = cpus.into_iter().collect();
        (!cpus.is_empty() && cpus.iter().all(|cpu| *cpu <= MOST)).then_some(Self(cpus))
    }

    /// The one processor that every host has.
    pub fn first() -> Self {
        Self(BTreeSet::from([0]))
    }

    /// How many there are, at least 1.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The numbers, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().copied()
    }

    /// Whether it has all of another.
    pub fn contains_all(&self, other: &Self) -> bool {
        self.0.is_superset(&other.0)
    }

    /// Divides the processors between the system under test and the client of network workloads, in this order.
    ///
    /// With fewer than four both get all. Else the client gets the last quarter, at least 1 and at most 8, in
    /// whole cores: `siblings` are the sets of processors that share one (those that it does not name are cores of
    /// their own). Where even one core is more than a quarter, it gets one core; where all is one core, the
    /// threads are divided.
    pub fn split_for_client(&self, siblings: &[Self]) -> (Self, Self) {
        if self.count() < LEAST_TO_DIVIDE {
            return (self.clone(), self.clone());
        }
        let wanted = (self.count() / 4).clamp(1, MOST_FOR_CLIENT);
        let mut cores = self.cores(siblings);
        if cores.len() < 2 {
            cores = self.iter().map(|cpu| BTreeSet::from([cpu])).collect();
        }
        let mut client = BTreeSet::new();
        while let Some(core) = cores.pop() {
            if cores.is_empty() || (!client.is_empty() && client.len() + core.len() > wanted) {
                break;
            }
            client.extend(core);
        }
        let rest = self.0.difference(&client).copied().collect();
        (Self(rest), Self(client))
    }

    /// The cores of these processors, by their first one.
    fn cores(&self, siblings: &[Self]) -> Vec<BTreeSet<u32>> {
        let mut left = self.0.clone();
        let mut cores = Vec::new();
        while let Some(first) = left.first().copied() {
            let known = siblings.iter().find(|core| core.0.contains(&first));
            let mut core: BTreeSet<u32> =
                known.map(|core| core.0.intersection(&left).copied().collect()).unwrap_or_default();
            core.insert(first);
            left.retain(|cpu| !core.contains(cpu));
            cores.push(core);
        }
        cores
    }
}

impl FromStr for CpuList {
    type Err = CpuListError;

    fn from_str(text: &str) -> Result<Self, CpuListError> {
        let error = |why| CpuListError { text: text.chars().take(100).collect(), why };
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| text.parse::<u32>().ok()).flatten().filter(|cpu| *cpu <= MOST)
        };
        if text.trim().is_empty() {
            return Err(error("it is empty"));
        }
        let mut cpus = BTreeSet::new();
        for part in text.trim().split(',').map(str::trim) {
            let (low, high) = part.split_once('-').unwrap_or((part, part));
            let (Some(low), Some(high)) = (number(low), number(high)) else {
                return Err(error("a part is not a number up to 65535"));
            };
            if low > high {
                return Err(error("a range ends before it begins"));
            }
            cpus.extend(low..=high);
        }
        Ok(Self(cpus))
    }
}

impl TryFrom<String> for CpuList {
    type Error = CpuListError;

    fn try_from(text: String) -> Result<Self, CpuListError> {
        text.parse()
    }
}

impl From<CpuList> for String {
    fn from(list: CpuList) -> Self {
        list.to_string()
    }
}

impl fmt::Display for CpuList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for cpu in self.iter() {
            match ranges.last_mut() {
                Some((_, end)) if *end + 1 == cpu => *end = cpu,
                _ => ranges.push((cpu, cpu)),
            }
        }
        let range = |(low, high): &(u32, u32)| {
            if low == high { low.to_string() } else { format!("{low}-{high}") }
        };
        f.pad(&ranges.iter().map(range).collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn list(text: &str) -> CpuList {
        text.parse().expect(text)
    }

    fn split(cpus: &str, siblings: &[&str]) -> (String, String) {
        let siblings: Vec<_> = siblings.iter().map(|text| list(text)).collect();
        let (system, client) = list(cpus).split_for_client(&siblings);
        (system.to_string(), client.to_string())
    }

    #[test]
    fn lists_are_read_and_written_as_the_kernel_does() {
        assert_eq!(list("0-3,6\n").iter().collect::<Vec<_>>(), [0, 1, 2, 3, 6]);
        assert_eq!(list("6, 3,2,1,0,0-1").to_string(), "0-3,6");
        for bad in ["", " ", ",", "a", "3-1", "0-", "-1", "+1", "1,,2", "0-70000", "0-18446744073709551615"] {
            let error = bad.parse::<CpuList>().expect_err(bad).to_string();
            assert!(error.contains("is not a list of processors"), "{error}");
        }
        assert_eq!(CpuList::new([]), None);
    }

    #[test]
    fn small_hosts_are_not_divided_and_large_ones_give_the_last_quarter() {
        assert_eq!(split("0-1", &[]), ("0-1".into(), "0-1".into()));
        assert_eq!(split("0-2", &[]), ("0-2".into(), "0-2".into()));
        assert_eq!(split("0-3", &[]), ("0-2".into(), "3".into()));
        assert_eq!(split("0-15", &[]), ("0-11".into(), "12-15".into()));
        assert_eq!(split("0-63", &[]), ("0-55".into(), "56-63".into()));
    }

    #[test]
    fn siblings_stay_together() {
        // Two threads a core, numbered as on most machines: the second threads come last.
        assert_eq!(split("0-7", &["0,4", "1,5", "2,6", "3,7"]), ("0-2,4-6".into(), "3,7".into()));
        assert_eq!(split("0-3", &["0-1", "2-3"]), ("0-1".into(), "2-3".into()));
        assert_eq!(split("0-11", &["0,6", "1,7", "2,8", "3,9", "4,10", "5,11"]).1, "5,11");
        // One core with four threads.
        assert_eq!(split("0-3", &["0-3"]), ("0-2".into(), "3".into()));
    }

    proptest! {
        #[test]
        fn every_set_is_read_back(cpus in proptest::collection::btree_set(0_u32..300, 1..60)) {
            let list = CpuList::new(cpus.iter().copied()).expect("not empty");
            prop_assert_eq!(list.to_string().parse::<CpuList>(), Ok(list.clone()));
            prop_assert_eq!(list.iter().collect::<Vec<_>>(), cpus.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn no_text_is_a_panic(text in "[0-9,-]{0,12}|\\PC{0,20}") {
            if let Ok(list) = text.parse::<CpuList>() {
                prop_assert!(list.count() > 0);
            }
        }

        #[test]
        fn both_parts_are_there_and_share_no_core(
            cpus in proptest::collection::btree_set(0_u32..64, 4..64),
            threads in 1_u32..4,
        ) {
            let list = CpuList::new(cpus).expect("not empty");
            let cores: Vec<_> =
                (0..64 / threads).filter_map(|core| CpuList::new(core * threads..(core + 1) * threads)).collect();
            let (system, client) = list.split_for_client(&cores);
            prop_assert_eq!(CpuList::new(system.iter().chain(client.iter())), Some(list.clone()));
            prop_assert_eq!(system.count() + client.count(), list.count());
            prop_assert!(client.count() <= 8);
            let shared = |core: &&CpuList| {
                core.iter().any(|c| system.0.contains(&c)) && core.iter().any(|c| client.0.contains(&c))
            };
            prop_assert!(cores.iter().filter(|core| core.count() > 1).find(shared).is_none());
        }
    }
}
