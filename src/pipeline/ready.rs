//! Whether the host can measure, asked at the start of a sweep: what would make it fail ends it before anything
//! is started, what makes it noisy is told.

use super::PipelineError;
use crate::config::Config;
use crate::environment::Unavailable;
use crate::environment::image::BenchImage;
use crate::host::{Finding, FindingState, Preflight};
use crate::sweep::{Progress, Step};
use crate::wiring;
use std::path::Path;

/// Journal, agent and scratch files of a sweep whose image is there already, bytes.
const SCRATCH: u64 = 1 << 30;

/// Runs the preflight without watching the processors. `tell` says whether warnings are shown: the fresh sweeps of
/// a gate would only repeat them.
pub async fn check(config: &Config, tell: bool, progress: &dyn Progress) -> Result<(), PipelineError> {
    let cached = BenchImage::cached(&config.state.join("images"), &wiring::recipe(config)).is_some();
    let need = if cached { SCRATCH } else { config.image.min_free_mib.saturating_mul(1 << 20) };
    let findings = Preflight::of_sweep(Path::new("/"), &config.state, need).run().await;
    for warning in findings.iter().filter(|f| tell && f.state == FindingState::Warn) {
        progress.step(Step::Note(format!("noisier than it need be: {}", line(warning))));
    }
    verdict(&findings)
}

fn verdict(findings: &[Finding]) -> Result<(), PipelineError> {
    let failed: Vec<&Finding> = findings.iter().filter(|f| f.state == FindingState::Fail).collect();
    if failed.is_empty() {
        return Ok(());
    }
    let join = |text: fn(&Finding) -> String| failed.iter().map(|f| text(f)).collect::<Vec<_>>().join("; ");
    Err(PipelineError::Unavailable(Unavailable {
        reason: join(|f| format!("{}: {}", f.name, f.observed)),
        remedy: join(|f| f.remedy.clone().unwrap_or_default()),
    }))
}

fn line(finding: &Finding) -> String {
    let remedy = finding.remedy.as_deref().unwrap_or_default();
    format!("{} ({}): {remedy}", finding.name, finding.observed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_ends_with_its_remedy_and_a_warning_does_not() {
        let finding = |state| Finding::new("free-disk", state, "0.1 GiB in /x", "free some space there");
        assert!(verdict(&[finding(FindingState::Ok), finding(FindingState::Warn)]).is_ok());
        let error = verdict(&[finding(FindingState::Warn), finding(FindingState::Fail)]).expect_err("failed");
        assert!(!error.is_usage(), "the exit code is 3");
        let text = error.to_string();
        assert!(
            text.contains("free-disk: 0.1 GiB in /x") && text.contains("free some space there"),
            "{text}"
        );
    }
}
