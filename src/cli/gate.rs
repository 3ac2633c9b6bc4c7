//! `gate` and `sweep`.

use super::args::{Format, GateArgs, Selection, SweepArgs};
use super::progress::Shown;
use super::{Failure, host, output};
use crate::config::Config;
use crate::exit::Outcome;
use crate::judge::cells;
use crate::model::format::GATE_FORMAT;
use crate::model::{CellState, Decision, GateResult, Judgement};
use crate::pipeline::gate::{Conditions, gate as run_gate};
use crate::pipeline::sweep::{Fit, Request, sweep as run_sweep};
use crate::report;
use tokio_util::sync::CancellationToken;

fn request(selection: &Selection) -> Request {
    Request {
        only: selection.only.clone(),
        environments: selection.environments.clone(),
        rounds: selection.rounds,
        seed: selection.seed,
        resume: selection.resume.clone(),
        ..Request::default()
    }
}

fn print(result: &GateResult, format: Format) -> Result<(), Failure> {
    match format {
        Format::Text => output::print(&report::gate_table(result, output::style())),
        Format::Json => output::print(&report::gate_json(result)),
    }
}

/// The CI job.
pub async fn gate(config: &Config, args: &GateArgs, cancel: &CancellationToken) -> Result<Outcome, Failure> {
    output::check_writable(&args.output)?;
    if args.selection.provision {
        host::provision(config).await?;
    }
    let conditions = Conditions { always: args.always, record: !args.no_record, budget: args.budget };
    let progress = Shown::new();
    let result =
        run_gate(config, args.selection.profile, &request(&args.selection), conditions, &progress, cancel)
            .await;
    progress.end();
    let result = result?;
    let (html, markdown) = (args.output.join("report.html"), args.output.join("report.md"));
    print(&result, args.selection.format)?;
    output::write(&html, &report::gate_html(&result))?;
    output::write(&markdown, &report::gate_markdown(&result))?;
    eprintln!("reports: {} and {}", html.display(), markdown.display());
    Ok(Outcome::Judged { decision: result.judgement.decision, strict: args.strict })
}

/// Measures only.
pub async fn sweep(
    config: &Config,
    args: &SweepArgs,
    cancel: &CancellationToken,
) -> Result<Outcome, Failure> {
    if args.selection.provision {
        host::provision(config).await?;
    }
    let progress = Shown::new();
    let request =
        Request { fit: args.budget.map(|time| Fit { time, grow: true }), ..request(&args.selection) };
    let sweep = run_sweep(config, args.selection.profile, &request, &progress, cancel).await;
    progress.end();
    let sweep = sweep?;
    let measured = sweep.cells.iter().any(|c| c.state == CellState::Ok && !c.environment.is_native());
    let decision = if measured { Decision::Pass } else { Decision::NotMeasured };
    let nothing = Judgement::nothing(GATE_FORMAT, decision);
    let summary = cells(&sweep);
    print(&GateResult::of_sweep(&sweep, nothing, Vec::new(), summary, None), args.selection.format)?;
    eprintln!("kept as {}; `tollgate judge {}` judges it", sweep.sweep, sweep.sweep);
    Ok(if measured { Outcome::Done } else { Outcome::NotMeasured })
}
