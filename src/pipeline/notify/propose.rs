//! A pull request with the accepted sweeps that the repository does not have yet.

use super::NotifyError;
use crate::alert::{Kind, Marker};
use crate::config::Config;
use crate::model::Sweep;
use crate::notify::github::Client;
use crate::notify::github::propose::{Proposal, ProposedFile, PullState, propose as send};
use crate::pipeline::PipelineError;
use crate::report::clean;
use crate::report::number::count;
use crate::{store, wiring};
use std::fmt::Write as _;

/// Proposes every accepted sweep to `base`, on `branch`, below the directory `into`. The same again changes nothing.
/// Says what was done, in a sentence.
pub async fn propose(
    config: &Config,
    client: &Client,
    base: &str,
    branch: &str,
    into: &str,
) -> Result<String, PipelineError> {
    let sweeps = wiring::store(config).all_baselines()?;
    if sweeps.is_empty() {
        return Ok("no sweep is accepted here: nothing to propose".to_owned());
    }
    let files = sweeps.iter().map(|sweep| file(sweep, into)).collect::<Result<Vec<_>, _>>()?;
    let proposal = Proposal {
        base: base.to_owned(),
        branch: branch.to_owned(),
        title: "Baselines: sweeps that tollgate accepted".to_owned(),
        body: body(&sweeps),
        files,
    };
    let done = send(client, &proposal).await.map_err(NotifyError::from)?;
    Ok(match done.pull_request {
        None => format!("{base} has every accepted sweep already"),
        Some(pull) => {
            let with = match done.written.len() {
                0 => String::new(),
                n => format!(" with {}", count(n, "file")),
            };
            match pull.state {
                PullState::Opened => format!("opened{with}: {}", pull.url),
                PullState::Unchanged if done.written.is_empty() => format!("unchanged: {}", pull.url),
                PullState::Unchanged | PullState::Updated => format!("updated{with}: {}", pull.url),
                PullState::Declined => {
                    format!("closed by a person, and there is nothing new to propose: {}", pull.url)
                }
            }
        }
    })
}

fn file(sweep: &Sweep, into: &str) -> Result<ProposedFile, PipelineError> {
    let place = format!("{}/{}/{}.json", sweep.host_class, sweep.profile, sweep.sweep);
    let text = store::to_text(sweep).map_err(|e| PipelineError::Usage(e.to_string()))?;
    Ok(ProposedFile {
        path: format!("{}/{place}", into.trim_end_matches('/')),
        text,
        message: format!("Baseline {place}"),
    })
}

fn body(sweeps: &[Sweep]) -> String {
    const SHOWN: usize = 30;
    let mut text = Marker::new(Kind::Proposal, "v1/baselines", "1").line();
    text.push_str(
        "\nMerge this to make these sweeps the baseline of later ones. Each was accepted by a gate or a person:\n\n",
    );
    for sweep in sweeps.iter().rev().take(SHOWN) {
        let accepted = sweep.accepted.as_ref();
        let code = |text: &str| clean::markdown_code(&clean::text(text));
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "- {} ({}, {}): {}",
            code(sweep.sweep.as_str()),
            code(sweep.host_class.as_str()),
            code(&sweep.profile),
            clean::markdown(&clean::text(accepted.map_or("", |a| &a.reason)))
        );
    }
    if sweeps.len() > SHOWN {
        let _ = writeln!(text, "- and {} older ones", sweeps.len() - SHOWN);
    }
    text
}
