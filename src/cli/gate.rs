//! `gate` and `sweep`.

use super::args::{Format, GateArgs, Selection, SweepArgs};
use super::github::Job;
use super::progress::Shown;
use super::screen::Screen;
use super::{Failure, host, notify, output};
use crate::actions;
use crate::config::Config;
use crate::exit::Outcome;
use crate::judge::cells;
use crate::model::format::GATE_FORMAT;
use crate::model::{CellState, Decision, GateResult, Judgement, Sweep, SweepId};
use crate::pipeline::gate::{Conditions, gate as run_gate, replay};
use crate::pipeline::notify::{Notifier, accept_requests};
use crate::pipeline::policy;
use crate::pipeline::sweep::{Fit, Request, sweep as run_sweep};
use crate::report::Evidence;
use crate::{pipeline, report, store, wiring};
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

fn print(result: &GateResult, evidence: Option<&Evidence>, format: Format) -> Result<(), Failure> {
    match format {
        Format::Text => {
            let past = evidence.map(Evidence::past);
            output::print(&actions::harmless(&report::gate_table(result, past.as_ref(), output::style())))
        }
        Format::Json => output::print(&report::gate_json(result)),
    }
}

/// The sweeps that a result is of, the first one and those that confirmed it; none where nothing was swept or where they cannot
/// be read, which takes the histories away, not the result.
fn sweeps(config: &Config, args: &GateArgs, result: &GateResult) -> Vec<Sweep> {
    let store = wiring::store(config);
    let recorded: Vec<Sweep> = args.replay.iter().filter_map(|p| store::read(p).ok()).collect();
    let read = |id: &SweepId| {
        let replayed = recorded.iter().find(|s| s.sweep == *id).cloned();
        replayed.map_or_else(|| store.load(id), Ok)
    };
    let fresh = result.confirmation.iter().flat_map(|c| &c.sweeps).map(|s| &s.sweep);
    let sweeps: Result<Vec<Sweep>, _> = result.sweep.iter().chain(fresh).map(read).collect();
    sweeps.inspect_err(|e| eprintln!("tollgate: the reports have no histories: {e}")).unwrap_or_default()
}

/// What stands behind the result of these sweeps, for table and page; nothing without any. Both are worth having without it, too.
fn evidence(config: &Config, sweeps: &[Sweep]) -> Option<Evidence> {
    let (first, fresh) = sweeps.split_first()?;
    let found = policy::load(config).and_then(|policy| {
        pipeline::evidence::evidence(&wiring::store(config), first, fresh.to_vec(), policy)
    });
    found.inspect_err(|e| eprintln!("tollgate: there are no histories: {e}")).ok()
}

/// The CI job.
pub async fn gate(
    config: &Config,
    args: &GateArgs,
    screen: &Screen,
    cancel: &CancellationToken,
) -> Result<Outcome, Failure> {
    output::check_writable(&args.output)?;
    let job = Job::read()?;
    if let Some(why) = job.event.obstacle(args.allow_fork || config.github.allow_forks) {
        return Err(Failure::usage(why));
    }
    // Fails now rather than after the measurement when nobody could be told.
    let notifier = args.notify.then(|| notify::notifier(config, &job)).transpose()?;
    let publish = async |result: &GateResult, evidence: Option<&Evidence>| {
        publish(config, args, &job, notifier.as_ref(), (result, evidence)).await
    };
    let result = match result(config, args, &job, screen, cancel).await {
        Err(failure) if failure.outcome == Outcome::NotMeasured && !cancel.is_cancelled() => {
            // A host that cannot measure is told of like one that regressed, or nobody would notice.
            let class = pipeline::host_class(config);
            let fingerprint = pipeline::fingerprint(config).await;
            let (profile, reason) = (args.selection.profile.as_str(), failure.message.clone());
            let result = GateResult::not_measured(class, profile, fingerprint, reason, chrono::Utc::now());
            if let Err(untold) = publish(&result, None).await {
                eprintln!("tollgate: {}", actions::harmless(&untold.message));
            }
            return Err(failure);
        }
        result => result?,
    };
    let evidence = evidence(config, &sweeps(config, args, &result));
    print(&result, evidence.as_ref(), args.selection.format)?;
    let told = publish(&result, evidence.as_ref()).await;
    // A person may have accepted it by the label.
    let is_accepted = result.judgement.decision == Decision::Regressed && result.is_accepted();
    let judged = Outcome::Judged { decision: result.judgement.decision, strict: args.strict };
    if is_accepted || judged.code() == 0 {
        return told;
    }
    if let Err(untold) = told {
        // What was found says more than that nobody could be told of it.
        eprintln!("tollgate: {}", actions::harmless(&untold.message));
    }
    Ok(judged)
}

/// Measures and judges, or judges what was recorded.
async fn result(
    config: &Config,
    args: &GateArgs,
    job: &Job,
    screen: &Screen,
    cancel: &CancellationToken,
) -> Result<GateResult, Failure> {
    if args.selection.provision {
        host::provision(config).await?;
    }
    let recorded =
        args.replay.iter().map(|p| store::read(p)).collect::<Result<Vec<_>, _>>().map_err(Failure::usage)?;
    let (class, profile) = match recorded.first() {
        Some(first) => (first.host_class.clone(), first.profile.clone()),
        None => (pipeline::host_class(config), args.selection.profile.as_str().to_owned()),
    };
    // What a pull request or a branch measures closes no issue, so that a label would go on consenting.
    let asks = !args.no_record && job.origin().speaks_for_the_host();
    let accept = match job.client(config)?.filter(|_| asks) {
        Some(client) => accept_requests(&client, &class, &profile).await.unwrap_or_else(|error| {
            // Measuring does not depend on GitHub.
            let error = actions::harmless(&error.to_string());
            eprintln!("tollgate: nobody could be asked for tollgate:accept: {error}");
            Vec::new()
        }),
        None => Vec::new(),
    };
    let conditions = Conditions { always: args.always, record: !args.no_record, budget: args.budget, accept };
    if !recorded.is_empty() {
        return Ok(replay(config, &recorded, &conditions)?);
    }
    let progress = Shown::new(screen);
    let request = request(&args.selection);
    let result = run_gate(config, args.selection.profile, &request, conditions, &progress, cancel).await;
    progress.end();
    Ok(result?)
}

/// Writes the reports, and says the result where it should be heard.
async fn publish(
    config: &Config,
    args: &GateArgs,
    job: &Job,
    notifier: Option<&Notifier>,
    (result, evidence): (&GateResult, Option<&Evidence>),
) -> Result<Outcome, Failure> {
    let [html, markdown, json] = ["report.html", "report.md", "result.json"].map(|n| args.output.join(n));
    let text = report::gate_markdown(result, evidence.map(|e| &e.sweep));
    output::write(&html, &report::gate_html(result, evidence))?;
    output::write(&markdown, &text)?;
    output::write(&json, &report::gate_json(result))?;
    eprintln!("reports: {}, {} and {}", html.display(), markdown.display(), json.display());
    if job.is_actions {
        let outputs = actions::outputs(result, &html.display().to_string(), &json.display().to_string());
        job.say(&actions::summary(&text), &outputs)?;
        let policy = std::fs::read_to_string(&config.policy).unwrap_or_default();
        // The runner reads commands from standard error, too; standard output is the result's.
        eprint!("{}", actions::annotations(result, &config.policy.display().to_string(), &policy));
    }
    match notifier {
        Some(notifier) => notify::tell(job, notifier, Some(result.clone())).await,
        None => Ok(Outcome::Done),
    }
}

/// Measures only.
pub async fn sweep(
    config: &Config,
    args: &SweepArgs,
    screen: &Screen,
    cancel: &CancellationToken,
) -> Result<Outcome, Failure> {
    if args.selection.provision {
        host::provision(config).await?;
    }
    let progress = Shown::new(screen);
    let request =
        Request { fit: args.budget.map(|time| Fit { time, grow: true }), ..request(&args.selection) };
    let sweep = run_sweep(config, args.selection.profile, &request, &progress, cancel).await;
    progress.end();
    let sweep = sweep?;
    let measured = sweep.cells.iter().any(|c| c.state == CellState::Ok && !c.environment.is_native());
    let decision = if measured { Decision::Pass } else { Decision::NotMeasured };
    let nothing = Judgement::nothing(GATE_FORMAT, decision);
    let summary = cells(&sweep);
    let result = GateResult::of_sweep(&sweep, nothing, Vec::new(), summary, None);
    let format = args.selection.format;
    // Only the table shows what was before.
    let before = (format == Format::Text).then(|| evidence(config, std::slice::from_ref(&sweep))).flatten();
    print(&result, before.as_ref(), format)?;
    eprintln!("kept as {}; `tollgate judge {}` judges it", sweep.sweep, sweep.sweep);
    Ok(if measured { Outcome::Done } else { Outcome::NotMeasured })
}
