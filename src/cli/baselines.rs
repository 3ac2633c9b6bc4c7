//! `judge --self-test` and `power`: what the stored baselines are good for.

use super::args::{Format, JudgeArgs, PowerArgs};
use super::compare::read_samples;
use super::{Failure, output};
use crate::config::Config;
use crate::exit::Outcome;
use crate::judge;
use crate::judge::power::{Costs, Question};
use crate::model::{Sweep, SweepSamples};
use crate::pipeline::{host_class, policy};
use crate::workload::Profile;
use crate::{report, wiring};
use std::path::Path;

/// Accepted sweeps, and what they cost where that is known.
struct Accepted {
    samples: Vec<SweepSamples>,
    costs: Costs,
}

/// The sweeps of `csv`; without one the stored baselines of this host class. Without any it cannot be said what is asked.
fn accepted(config: &Config, csv: Option<&Path>, profile: Profile) -> Result<Accepted, Failure> {
    if let Some(path) = csv {
        return Ok(Accepted { samples: read_samples(path)?, costs: Costs::default() });
    }
    let class = host_class(config);
    let stored: Vec<Sweep> = wiring::store(config).baselines(&class, profile.as_str())?;
    if stored.is_empty() {
        let (profile, place) = (profile.as_str(), config.baselines.display());
        return Err(Failure::host(format!(
            "{place} has no accepted {profile} sweep of host class {class}: `tollgate gate --profile {profile}` sweeps \
             and accepts, `tollgate baseline list` shows what there is, `host_class` in tollgate.toml chooses"
        )));
    }
    let samples = stored.iter().map(SweepSamples::from).collect();
    Ok(Accepted { samples, costs: Costs::of(&stored) })
}

/// `judge --self-test`. It informs, so that false alarms do not fail; it fails when nothing could be tested.
pub fn self_test(config: &Config, args: &JudgeArgs) -> Result<Outcome, Failure> {
    let accepted = accepted(config, args.files.baseline.as_deref(), args.profile)?;
    let test = judge::self_test(&accepted.samples, &policy::load(config)?);
    match args.format {
        Format::Text => output::print(&report::self_test_table(&test, output::style()))?,
        Format::Json => output::print(&report::self_test_json(&test))?,
    }
    Ok(if test.is_tested() { Outcome::Done } else { Outcome::NotMeasured })
}

/// `power`.
pub fn power(config: &Config, args: &PowerArgs) -> Result<Outcome, Failure> {
    let accepted = accepted(config, args.baseline.as_deref(), args.profile)?;
    let question = Question { fresh: args.fresh, rounds: args.rounds };
    let power = judge::power::power(&accepted.samples, &policy::load(config)?, &accepted.costs, question);
    match args.format {
        Format::Text => output::print(&report::power_table(&power, output::style()))?,
        Format::Json => output::print(&report::power_json(&power))?,
    }
    Ok(Outcome::Done)
}
