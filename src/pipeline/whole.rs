//! Which sweeps speak for a whole profile, and which of them a sweep of now could be compared with.

use crate::config::Config;
use crate::model::Sweep;
use crate::wiring;
use crate::workload::Profile;
use clap::ValueEnum;

/// Whether a sweep measured, or tried to, everything that its profile is configured to measure, often enough.
pub fn is_whole(config: &Config, measured: &Sweep) -> bool {
    let Ok(profile) = Profile::from_str(&measured.profile, false) else { return false };
    measured.rounds >= config.profile(profile).rounds && covers(config, profile, measured)
}

/// Whether a sweep has every cell that the profile is configured to measure.
fn covers(config: &Config, profile: Profile, measured: &Sweep) -> bool {
    let settings = config.profile(profile);
    let wanted = wiring::all_cases(config, profile)
        .into_iter()
        .filter(|c| settings.workloads.as_ref().is_none_or(|names| names.iter().any(|n| n == c.workload)));
    wanted.into_iter().all(|case| {
        let environments = case.environments.iter().filter(|e| {
            e.is_native() || settings.environments.as_ref().is_none_or(|names| names.contains(e))
        });
        environments.into_iter().all(|e| {
            measured
                .cells
                .iter()
                .any(|c| c.workload == case.workload && c.case == case.name && c.environment == *e)
        })
    })
}

/// The baselines of the whole profile that a sweep of now could be compared with. Those that only confirmed others are
/// not among them, however many they are: they know a part of the metrics.
pub fn comparable<'a>(
    config: &Config,
    profile: Profile,
    baselines: &'a [Sweep],
    bench_image: Option<&str>,
) -> Vec<&'a Sweep> {
    let parameters = wiring::parameters(config, profile);
    baselines
        .iter()
        .filter(|b| b.parameters == parameters && Some(b.bench_image.as_str()) == bench_image)
        .filter(|b| !b.partial && covers(config, profile, b))
        .collect()
}

#[cfg(test)]
pub(super) mod fixtures {
    use super::*;
    use crate::model::Cell;

    /// A sweep of every cell that the smoke profile measures.
    pub fn whole(config: &Config) -> Sweep {
        let mut sweep = crate::pipeline::confirm::fixtures::sweep(&[], 1.0);
        sweep.rounds = config.profile(Profile::Smoke).rounds;
        sweep.parameters = wiring::parameters(config, Profile::Smoke);
        for case in wiring::all_cases(config, Profile::Smoke) {
            let cell = |environment| Cell::measured(case.workload, &case.name, environment);
            sweep.cells.extend(case.environments.iter().map(cell));
        }
        sweep
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_profile_are_not_whole_and_do_not_count() {
        let config = Config::resolve(None).expect("the defaults");
        let whole = fixtures::whole(&config);
        assert!(is_whole(&config, &whole));
        let mut lacking = whole.clone();
        lacking.cells.pop();
        let fewer = Sweep { rounds: whole.rounds - 1, ..whole.clone() };
        assert!(!is_whole(&config, &lacking) && !is_whole(&config, &fewer));
        let partial = Sweep { partial: true, ..whole.clone() };
        let other = Sweep { bench_image: "another".into(), ..whole.clone() };
        let baselines = [lacking, whole.clone(), partial, other];
        assert_eq!(comparable(&config, Profile::Smoke, &baselines, Some("b")), [&whole]);
        assert!(comparable(&config, Profile::Smoke, &baselines, None).is_empty());
    }
}
