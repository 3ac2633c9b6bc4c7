//! Rounds that fit a time. Pure.

use super::allocate::round_costs;
use crate::model::{Base, EnvironmentName, Sweep};
use crate::sweep::plan::label;
use crate::workload::{Case, part_of};
use std::time::Duration;

/// Rounds below which no case is brought: fewer have no median worth the name.
pub const LEAST: u32 = 3;
/// Rounds above which more time is not spent.
const MOST: u32 = 1000;

/// What a sweep takes that nothing was measured of yet, seconds: to start, prove and prepare it.
const START_S: f64 = 45.0;
/// And for each environment with an engine of its own.
const ENGINE_S: f64 = 25.0;
/// How much longer than natively a trial takes, with its dispatch: in a container, in a guest, in an emulated one.
const FACTORS: (f64, f64, f64) = (1.1, 1.5, 3.0);

/// What a sweep of these cases will take.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// Everything but trials, seconds.
    fixed_s: f64,
    /// Seconds of one round of each case in all its environments, and the case's share of the rounds.
    cases: Vec<(f64, f64)>,
}

impl Forecast {
    /// From the newest sweep that measured these cases here, as far as there is one; from what the workloads say of
    /// themselves otherwise.
    pub fn new(cases: &[Case], environments: &[EnvironmentName], last: Option<&Sweep>, tcg: bool) -> Self {
        let measured = last.map(round_costs).unwrap_or_default();
        let engines =
            environments.iter().filter(|e| e.axis("driver").is_some() || e.axis("runtime").is_some());
        let fixed_s = match last {
            Some(sweep) => (sweep.timing.wall_s - sweep.timing.in_trials_s).max(0.0),
            None => START_S + ENGINE_S * engines.count() as f64,
        };
        let round = |case: &Case| {
            let guessed = || {
                let of = case.environments.iter().filter(|e| environments.contains(e));
                of.map(|e| case.trial_s * factor(e, tcg)).sum()
            };
            (measured.get(&label(case)).copied().unwrap_or_else(guessed), case.share)
        };
        Self { fixed_s, cases: cases.iter().map(round).collect() }
    }

    /// Seconds with so many rounds.
    pub fn seconds(&self, nominal: u32) -> f64 {
        let rounds = self.cases.iter().map(|(round_s, share)| round_s * f64::from(part_of(nominal, *share)));
        self.fixed_s + rounds.sum::<f64>()
    }

    /// The most rounds, at most `most`, that fit; none when [`LEAST`] do not.
    pub fn fit(&self, budget: Duration, most: u32) -> Option<u32> {
        let fits = |nominal: &u32| self.seconds(*nominal) <= budget.as_secs_f64();
        (LEAST..=most.clamp(LEAST, MOST)).rev().find(fits)
    }
}

fn factor(environment: &EnvironmentName, tcg: bool) -> f64 {
    match environment.base() {
        Base::Native => 1.0,
        Base::Docker => FACTORS.0,
        Base::Kvm if tcg => FACTORS.2,
        Base::Kvm => FACTORS.1,
    }
}

/// The newest of `sweeps` with these parameters that was not cut down to chosen cells.
pub fn last<'a>(sweeps: &'a [Sweep], parameters: &str) -> Option<&'a Sweep> {
    sweeps.iter().filter(|s| s.parameters == parameters && !s.partial).max_by_key(|s| s.started_at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::workload::Profile;
    use proptest::prelude::*;

    fn smoke() -> (Vec<Case>, Vec<EnvironmentName>) {
        let names = ["native", "docker", "kvm"].map(|n| n.parse().expect("a name"));
        (crate::wiring::cases_of(crate::workload::Size::of(Profile::Smoke)), names.to_vec())
    }

    #[test]
    fn a_budget_that_not_even_three_rounds_fit_is_told() {
        let (cases, environments) = smoke();
        let forecast = Forecast::new(&cases, &environments, None, true);
        assert_eq!(forecast.fit(Duration::from_secs(1), 20), None);
        let emulated = forecast.seconds(10);
        let fast = Forecast::new(&cases, &environments, None, false).seconds(10);
        assert!(emulated > fast, "an emulated guest takes longer: {emulated} {fast}");
    }

    #[test]
    fn the_rounds_of_smoke_and_standard_fit_their_hours_before_anything_was_measured_here() {
        let config = Config::resolve(None).expect("the defaults");
        for (profile, most_s) in [(Profile::Smoke, 600.0), (Profile::Standard, 3600.0)] {
            let cases = crate::wiring::cases_of(crate::workload::Size::of(profile));
            let lost = crate::sweep::plan::left_out_by_emulation(&cases);
            let cases = crate::sweep::plan::without(cases, &lost);
            let all: std::collections::BTreeSet<EnvironmentName> =
                cases.iter().flat_map(|c| c.environments.clone()).collect();
            // What no host has: their pools are not prepared.
            let nowhere = ["zfs", "devicemapper", "aufs", "containerd"];
            let here: Vec<EnvironmentName> = all
                .into_iter()
                .filter(|e| e.axis("driver").is_none_or(|driver| !nowhere.contains(&driver)))
                .collect();
            let seconds = Forecast::new(&cases, &here, None, true).seconds(config.profile(profile).rounds);
            assert!(seconds < most_s, "{}: {seconds} s", profile.as_str());
        }
    }

    proptest! {
        #[test]
        fn what_fits_fits_and_one_more_round_would_not(seconds in 1_u64..20_000, most in 3_u32..1200) {
            let (cases, environments) = smoke();
            let forecast = Forecast::new(&cases, &environments, None, true);
            if let Some(rounds) = forecast.fit(Duration::from_secs(seconds), most) {
                prop_assert!((LEAST..=most.min(MOST)).contains(&rounds));
                prop_assert!(forecast.seconds(rounds) <= seconds as f64);
                prop_assert!(rounds == most.min(MOST) || forecast.seconds(rounds + 1) > seconds as f64);
            }
        }
    }
}
