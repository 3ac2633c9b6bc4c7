//! What a sweep will consist of: cases, environments, rounds, and what is left out and why.

use super::PipelineError;
use super::fit::{self, Forecast};
use super::sweep::Fit;
use crate::config::Config;
use crate::environment::Unavailable;
use crate::environment::agent::embedded;
use crate::environment::image::BenchImage;
use crate::environment::kvm::{Accelerator, TrialBoot};
use crate::model::{Base, EnvironmentName, SweepId};
use crate::sweep::plan::{LeftOut, label, left_out_by_emulation};
use crate::sweep::{Progress, Step};
use crate::wiring;
use crate::workload::{Case, Profile};
use std::collections::BTreeSet;

/// The cases of a profile that were asked for.
pub(super) fn selected(
    config: &Config,
    profile: Profile,
    only: &[String],
) -> Result<Vec<Case>, PipelineError> {
    let all = wiring::all_cases(config, profile);
    for wanted in only {
        if !all.iter().any(|c| c.workload == wanted || label(c) == *wanted) {
            let known: Vec<String> = all.iter().map(label).collect();
            return Err(PipelineError::Usage(format!(
                "--only {wanted}: there is no such workload or case; there are {}",
                known.join(", ")
            )));
        }
    }
    let of_profile = config.profile(profile).workloads.as_ref();
    Ok(all
        .into_iter()
        .filter(|c| of_profile.is_none_or(|w| w.iter().any(|w| w == c.workload)))
        .filter(|c| only.is_empty() || only.iter().any(|o| c.workload == o || label(c) == *o))
        .collect())
}

/// Which environments take part, and why the others do not.
pub(super) async fn survey(
    config: &Config,
    profile: Profile,
    cases: &[Case],
    wanted: Option<&Vec<EnvironmentName>>,
) -> Result<(Vec<EnvironmentName>, Vec<(EnvironmentName, String)>), PipelineError> {
    let known: BTreeSet<EnvironmentName> = cases.iter().flat_map(|c| c.environments.clone()).collect();
    if let Some(unknown) = wanted.into_iter().flatten().find(|e| !known.contains(e)) {
        let known: Vec<String> = known.iter().map(ToString::to_string).collect();
        return Err(PipelineError::Usage(format!(
            "no case runs in environment {unknown}; there are {}",
            known.join(", ")
        )));
    }
    let mut available = Vec::new();
    let mut unavailable = Vec::new();
    for name in known.into_iter().filter(|e| e.is_native() || wanted.is_none_or(|w| w.contains(e))) {
        match wiring::environment(&name, config, profile).check().await {
            Ok(()) => available.push(name),
            Err(why) => unavailable.push((name, why.to_string())),
        }
    }
    if available.len() < 2 || !available[0].is_native() {
        let reasons: Vec<String> = unavailable.iter().map(|(e, why)| format!("{e}: {why}")).collect();
        return Err(PipelineError::Unavailable(Unavailable {
            reason: format!("no environment to compare with native is available ({})", reasons.join("; ")),
            remedy: "`tollgate doctor` says what this host can run".into(),
        }));
    }
    Ok((available, unavailable))
}

/// The cells that are not measured here although their environment takes part: an emulated guest runs a reduced set.
pub(super) async fn left_out(
    config: &Config,
    profile: Profile,
    cases: &[Case],
    environments: &[EnvironmentName],
    id: &SweepId,
    image: &BenchImage,
) -> Result<Vec<LeftOut>, PipelineError> {
    if !environments.iter().any(|e| e.base() == Base::Kvm) {
        return Ok(Vec::new());
    }
    let agents = config.state.join("agent");
    let agent = embedded::install(&agents).map_err(PipelineError::io(&agents))?;
    let dir = config.state.join("scratch").join(id.as_str()).join("kvm-probe");
    let trial = TrialBoot { agent: &agent, image, sweep: id.as_str(), dir: &dir };
    let decided = wiring::accelerator(config, profile, &trial).await?;
    match decided.accelerator {
        Accelerator::Kvm => Ok(Vec::new()),
        Accelerator::Tcg => Ok(left_out_by_emulation(cases)),
    }
}

/// Measured sweeps that are looked at for one that tells how long another will take.
const RECENT: usize = 10;

/// The rounds that fit a time, and says so.
#[expect(clippy::too_many_arguments, reason = "what a forecast is made from, each of its own type")]
pub(super) fn fitting(
    config: &Config,
    profile: Profile,
    fit: Fit,
    cases: &[Case],
    environments: &[EnvironmentName],
    tcg: bool,
    parameters: &str,
    progress: &dyn Progress,
) -> Result<u32, PipelineError> {
    let usual = config.profile(profile).rounds;
    let known = wiring::store(config).newest(RECENT)?;
    let forecast = Forecast::new(cases, environments, fit::last(&known, parameters), tcg);
    let most = if fit.grow { u32::MAX } else { usual };
    let (rounds, text) = match forecast.fit(fit.time, most) {
        Some(rounds) if rounds == usual => return Ok(usual),
        Some(rounds) => (rounds, format!("{rounds} rounds instead of {usual}")),
        None => {
            let least = fit::LEAST;
            (
                least,
                format!(
                    "not even {least} rounds, about {:.0} min, would fit",
                    forecast.seconds(least) / 60.0
                ),
            )
        }
    };
    progress.step(Step::Note(format!("a time of {} s: {text}", fit.time.as_secs())));
    Ok(rounds)
}
