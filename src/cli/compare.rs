//! `judge` and `report`: verdicts on what was measured before.

use super::args::{Files, Format, JudgeArgs, Reference, ReportArgs, ReportFormat};
use super::{Failure, output};
use crate::config::Config;
use crate::exit::Outcome;
use crate::judge::{self, Policy, cells};
use crate::model::format::JUDGEMENT_FORMAT;
use crate::model::{GateResult, Judgement, MetricInfo, MetricKey, Sweep, SweepId, SweepSamples};
use crate::pipeline::evidence::evidence;
use crate::pipeline::gate::{changes, drifts, judge_sweeps};
use crate::pipeline::stored::fresh_of;
use crate::pipeline::{policy, self_test};
use crate::report::{Evidence, Past};
use crate::{report, samples, wiring};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The sweeps of a samples CSV.
pub(super) fn read_samples(path: &Path) -> Result<Vec<SweepSamples>, Failure> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|e| Failure::usage(format!("{name}: {e}")))?;
    samples::parse_until(&text, &name, latest()).map_err(Failure::usage)
}

/// Sweeps of a file begin no later. Clocks go wrong, and what they stamped is judged all the same; a year like 2062 is a slip of
/// the pen.
pub(super) fn latest() -> DateTime<Utc> {
    Utc::now() + TimeDelta::days(365)
}

/// Two files and what is said of them.
struct Judged {
    baseline: Vec<SweepSamples>,
    candidate: Vec<SweepSamples>,
    judgement: Judgement,
}

/// The judgement of two files, when two files are given. They are read once: either may be a pipe.
fn of_files(config: &Config, files: &Files) -> Result<Option<Judged>, Failure> {
    let (Some(baseline), Some(candidate)) = (&files.baseline, &files.candidate) else { return Ok(None) };
    let policy = policy::load(config)?;
    let (baseline, candidate) = (read_samples(baseline)?, read_samples(candidate)?);
    let judgement = judge::judge(&baseline, &candidate, &policy);
    let judgement = Judgement { drifts: judge::drifts(&baseline, &policy), ..judgement };
    Ok(Some(Judged { baseline, candidate, judgement }))
}

fn of_sweeps(config: &Config, ids: &[SweepId]) -> Result<(Judgement, Past), Failure> {
    let distinct: BTreeSet<&SweepId> = ids.iter().collect();
    if distinct.len() < ids.len() {
        return Err(Failure::usage("a sweep is given twice; a sweep cannot confirm itself"));
    }
    let store = wiring::store(config);
    let mut sweeps = ids.iter().map(|id| store.load(id)).collect::<Result<Vec<_>, _>>()?;
    sweeps.sort_by_key(|s| s.started_at);
    let Some((first, fresh)) = sweeps.split_first() else {
        return Err(Failure::usage("no sweep is given"));
    };
    let all = store.baselines(&first.host_class, &first.profile)?;
    let policy = policy::load(config)?;
    let judgement = judge_sweeps(&all, &sweeps, &policy);
    let until = fresh.last().unwrap_or(first).started_at;
    let drifts = drifts(&all, until, &policy);
    let past = Evidence::of(first, &all, policy).confirmed_by(fresh.to_vec()).past();
    Ok((Judgement { version: JUDGEMENT_FORMAT, drifts, ..judgement }, past))
}

/// `judge`.
pub fn judge(config: &Config, args: &JudgeArgs) -> Result<Outcome, Failure> {
    let (judgement, past) = match of_files(config, &args.files)? {
        Some(of) => {
            let past = Past::of_tolls(judge::history(&of.baseline, &of.candidate));
            (of.judgement, past)
        }
        None => of_sweeps(config, &args.sweeps)?,
    };
    match args.format {
        Format::Text => output::print(&report::judgement_table(&judgement, Some(&past), output::style()))?,
        Format::Json => output::print(&report::judgement_json(&judgement))?,
    }
    Ok(Outcome::Judged { decision: judgement.decision, strict: args.strict })
}

/// The measured sweeps, oldest first.
fn measured(config: &Config) -> Vec<SweepId> {
    let names = std::fs::read_dir(config.state.join("sweeps")).into_iter().flatten().flatten();
    let mut ids: Vec<SweepId> =
        names.filter_map(|e| e.file_name().to_string_lossy().strip_suffix(".json")?.parse().ok()).collect();
    ids.sort();
    ids
}

/// The newest measured sweep that is not one of chosen cells.
pub(super) fn newest(config: &Config) -> Result<SweepId, Failure> {
    let store = wiring::store(config);
    for id in measured(config).into_iter().rev() {
        if !store.load(&id)?.partial {
            return Ok(id);
        }
    }
    let dir = config.state.join("sweeps");
    Err(Failure::usage(format!("there is no measured sweep in {}", dir.display())))
}

/// `report`.
pub fn report(config: &Config, args: &ReportArgs) -> Result<Outcome, Failure> {
    let text = match of_files(config, &args.files)? {
        Some(judged) => report_of_files(judged, args.format)?,
        None => report_of_sweep(config, args)?,
    };
    output::deliver(args.output.as_deref(), &text)?;
    Ok(Outcome::Done)
}

fn report_of_files(of: Judged, format: ReportFormat) -> Result<String, Failure> {
    let judgement = &of.judgement;
    Ok(match format {
        ReportFormat::Html => report::judgement_html(judgement),
        ReportFormat::Markdown => report::judgement_markdown(judgement),
        ReportFormat::Json => report::judgement_json(judgement),
        ReportFormat::Junit => report::judgement_junit(judgement),
        ReportFormat::OpenMetrics => report::judgement_openmetrics(judgement, &of.candidate),
        ReportFormat::Csv => samples::write(&joined(of.baseline, of.candidate)?),
    })
}

/// The sweeps of two files for one, whose rows tell them apart by the sweep's id.
fn joined(baseline: Vec<SweepSamples>, candidate: Vec<SweepSamples>) -> Result<Vec<SweepSamples>, Failure> {
    if let Some(twice) = candidate.iter().find(|c| baseline.iter().any(|b| b.sweep == c.sweep)) {
        return Err(Failure::usage(format!(
            "sweep {} is in both files; in one CSV its rows could not be told apart: take it out of one of them",
            twice.sweep
        )));
    }
    let known: BTreeMap<&MetricKey, &MetricInfo> = baseline.iter().flat_map(|b| &b.metrics).collect();
    let now = candidate.iter().flat_map(|c| &c.metrics);
    alike(|key| known.get(key).copied(), now).map_err(Failure::usage)?;
    Ok(baseline.into_iter().chain(candidate).collect())
}

/// Whether the metrics of two files can stand in one: in the same unit, with the same direction.
pub(super) fn alike<'a>(
    known: impl Fn(&MetricKey) -> Option<&'a MetricInfo>,
    others: impl IntoIterator<Item = (&'a MetricKey, &'a MetricInfo)>,
) -> Result<(), String> {
    for (key, now) in others {
        if let Some(then) = known(key).filter(|then| (&then.unit, then.better) != (&now.unit, now.better)) {
            let say = |of: &MetricInfo| format!("{}, {} is better", of.unit, of.better.as_str());
            let (then, now) = (say(then), say(now));
            return Err(format!(
                "{key} is in {then} in one file and in {now} in the other; one CSV has one unit and direction for a metric: convert one of them"
            ));
        }
    }
    Ok(())
}

fn report_of_sweep(config: &Config, args: &ReportArgs) -> Result<String, Failure> {
    let id = match &args.sweep {
        Some(id) => id.clone(),
        None => newest(config)?,
    };
    let Stored { sweep, fresh, policy, result } = of_stored(config, &id)?;
    if let Some(Reference::Rc25482) = args.reference {
        return match args.format {
            ReportFormat::Markdown => Ok(report::rc25482_markdown(&result, &sweep)),
            ReportFormat::Html => Ok(report::rc25482_html(&result, &sweep)),
            _ => Err(Failure::usage("--reference is written with --format markdown or html")),
        };
    }
    Ok(match args.format {
        ReportFormat::Csv => samples::write(&[SweepSamples::from(&sweep)]),
        ReportFormat::Junit => report::gate_junit(&result),
        ReportFormat::OpenMetrics => report::gate_openmetrics(&result),
        ReportFormat::Html => {
            let evidence = evidence(&wiring::store(config), &sweep, fresh, policy)?;
            report::gate_html(&result, Some(&evidence))
        }
        ReportFormat::Markdown => report::gate_markdown(&result, Some(&sweep)),
        ReportFormat::Json => report::gate_json(&result),
    })
}

/// A stored sweep, and what is said of it.
struct Stored {
    sweep: Sweep,
    /// Those that confirmed it.
    fresh: Vec<Sweep>,
    policy: Policy,
    result: GateResult,
}

/// A stored sweep with the fresh ones that confirmed it, judged against the baselines that began before it.
fn of_stored(config: &Config, id: &SweepId) -> Result<Stored, Failure> {
    let store = wiring::store(config);
    let sweep = store.load(id)?;
    let all = store.baselines(&sweep.host_class, &sweep.profile)?;
    let accepted = all.iter().any(|b| b.sweep == *id);
    let policy = policy::load(config)?;
    let drifts = drifts(&all, sweep.started_at, &policy);
    let baselines: Vec<Sweep> = all.into_iter().filter(|b| b.started_at < sweep.started_at).collect();
    let fresh = if sweep.partial { Vec::new() } else { fresh_of(&store, &sweep)? };
    let sweeps: Vec<Sweep> = std::iter::once(&sweep).chain(&fresh).cloned().collect();
    let judgement = Judgement { drifts, ..judge_sweeps(&baselines, &sweeps, &policy) };
    let changed = changes(&baselines, &sweep.fingerprint);
    let baseline = accepted.then(|| "accepted as baseline".to_owned());
    let summary = cells(&sweep);
    let result = GateResult::of_sweep(&sweep, judgement, changed, summary, baseline);
    let result = GateResult { self_test: self_test::of(&baselines, &policy), ..result };
    Ok(Stored { sweep, fresh, policy, result })
}
