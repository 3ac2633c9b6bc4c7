//! `baseline`.

use super::args::{BaselineCommand, Format};
use super::{Failure, output};
use crate::config::Config;
use crate::exit::Outcome;
use crate::judge::cells;
use crate::model::format::GATE_FORMAT;
use crate::model::{Component, Decision, GateResult, Judgement, Sweep};
use crate::pipeline::accept;
use crate::report::number::count;
use crate::{report, store, wiring};
use comfy_table::{Table, presets};
use serde_json::json;

/// Runs it.
pub async fn baseline(config: &Config, command: &BaselineCommand) -> Result<Outcome, Failure> {
    let store = wiring::store(config);
    match command {
        BaselineCommand::List { format } => list(&store.all_baselines()?, *format)?,
        BaselineCommand::Show { sweep, format } => show(&store.load(sweep)?, *format)?,
        BaselineCommand::Accept { sweeps, reason } => {
            let by = std::env::var("SUDO_USER")
                .or_else(|_| std::env::var("USER"))
                .unwrap_or_else(|_| "a person".into());
            let (paths, regimes) = accept::by_hand(config, sweeps, &by, reason)?;
            for path in paths {
                output::print(&format!("accepted: {}\n", path.display()))?;
            }
            if regimes > 0 {
                let metrics = count(regimes, "metric");
                output::print(&format!("new regime for {metrics}: older sweeps no longer count for them\n"))?;
            }
        }
        BaselineCommand::Propose { base, branch, into } => {
            return super::notify::propose(config, base, branch, into).await;
        }
        BaselineCommand::Reject { sweep } => {
            let path = store.reject(sweep)?;
            output::print(&format!("removed: {}\n", path.display()))?;
        }
    }
    Ok(Outcome::Done)
}

fn list(sweeps: &[Sweep], format: Format) -> Result<(), Failure> {
    if format == Format::Json {
        let rows: Vec<_> = sweeps
            .iter()
            .map(|s| {
                json!({
                    "sweep": s.sweep, "host_class": s.host_class, "profile": s.profile, "started_at": s.started_at,
                    "accelerator": s.accelerator, "rounds": s.rounds, "partial": s.partial, "bench_image": s.bench_image,
                    "components": s.fingerprint.components, "accepted": s.accepted,
                })
            })
            .collect();
        return output::print_json(&json!({ "version": 1, "baselines": rows }));
    }
    if sweeps.is_empty() {
        return output::print("no sweep is accepted yet; `tollgate gate` accepts those that pass\n");
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([
        "host class",
        "profile",
        "sweep",
        "docker",
        "kernel",
        "driver",
        "accel",
        "accepted by",
    ]);
    for s in sweeps {
        let component = |c| s.fingerprint.components.get(&c).cloned().unwrap_or_else(|| "-".to_owned());
        table.add_row([
            s.host_class.to_string(),
            s.profile.clone(),
            if s.partial { format!("{} (part)", s.sweep) } else { s.sweep.to_string() },
            component(Component::DockerEngine),
            component(Component::Kernel).split_whitespace().next().unwrap_or("-").to_owned(),
            component(Component::StorageDriver),
            s.accelerator.clone().unwrap_or_else(|| "-".to_owned()),
            s.accepted.as_ref().map(|a| a.by.clone()).unwrap_or_default(),
        ]);
    }
    output::print(&format!("{table}\n"))
}

fn show(sweep: &Sweep, format: Format) -> Result<(), Failure> {
    if format == Format::Json {
        return output::print(&store::to_text(sweep).map_err(Failure::host)?);
    }
    let judgement = Judgement::nothing(GATE_FORMAT, Decision::Pass);
    let result = GateResult::of_sweep(sweep, judgement, Vec::new(), cells(sweep), None);
    output::print(&report::gate_table(&result, None, output::style()))
}
