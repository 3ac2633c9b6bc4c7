//! `list`.

use super::args::{Format, ListArgs};
use super::{Failure, output};
use crate::config::Config;
use crate::exit::Outcome;
use crate::model::EnvironmentName;
use crate::model::format::LIST_FORMAT;
use crate::wiring;
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Runs it.
pub async fn list(config: &Config, args: &ListArgs) -> Result<Outcome, Failure> {
    let cases = wiring::all_cases(config, args.profile);
    let mut missing: BTreeMap<EnvironmentName, Option<String>> = BTreeMap::new();
    for name in cases.iter().flat_map(|c| &c.environments) {
        if !missing.contains_key(name) {
            let checked = wiring::environment(name, config, args.profile).check().await;
            missing.insert(name.clone(), checked.err().map(|u| u.to_string()));
        }
    }
    let reason = |e: &EnvironmentName| missing.get(e).cloned().flatten();
    if args.format == Format::Json {
        let metrics: Vec<_> = cases
            .iter()
            .flat_map(|case| case.metrics.iter().map(move |metric| (case, metric)))
            .map(|(case, metric)| {
                let available: Vec<_> = case.environments.iter().filter(|e| reason(e).is_none()).collect();
                let why: Vec<_> =
                    case.environments.iter().filter_map(|e| Some(format!("{e}: {}", reason(e)?))).collect();
                json!({
                    "workload": case.workload, "case": case.name, "metric": metric.metric, "unit": metric.unit,
                    "better": metric.better, "family": metric.family, "about": metric.about,
                    "environments": case.environments, "available": available,
                    "reason": if why.is_empty() { None } else { Some(why.join("; ")) },
                })
            })
            .collect();
        output::print_json(&json!({ "version": LIST_FORMAT, "profile": args.profile, "metrics": metrics }))?;
        return Ok(Outcome::Done);
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(output::style().width);
    table.set_header(["case", "metric", "unit", "better", "environments"]);
    for case in &cases {
        let shown: Vec<String> = case
            .environments
            .iter()
            .map(|e| if reason(e).is_some() { format!("({e})") } else { e.to_string() })
            .collect();
        for (index, metric) in case.metrics.iter().enumerate() {
            let label = format!("{}/{}", case.workload, case.name);
            table.add_row([
                if index == 0 { label.as_str() } else { "" },
                metric.metric,
                metric.unit,
                metric.better.as_str(),
                &if index == 0 { shown.join(" ") } else { String::new() },
            ]);
        }
    }
    let mut text = format!("{table}\n");
    for (name, why) in missing.iter().filter_map(|(e, why)| Some((e, why.as_ref()?))) {
        let _ = writeln!(text, "\n({name}) is not available here: {why}");
    }
    output::print(&text)?;
    Ok(Outcome::Done)
}
