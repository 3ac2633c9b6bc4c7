//! The suite in Markdown tables, from the code: `docs/suite.md` holds them, and a test holds it to them.

use crate::model::{MetricSpec, Scale};
use crate::workload::{self, Case, Emulation, Placement, Profile, Size, Trial};
use std::collections::BTreeMap;
use std::fmt::Write as _;

const PROFILES: [Profile; 3] = [Profile::Smoke, Profile::Standard, Profile::Full];

/// The tables of cases and of metrics of all profiles.
pub fn suite_markdown() -> String {
    let mut text = String::new();
    cases(&mut text);
    metrics(&mut text);
    text
}

/// A case under its name, in the profiles that have it.
struct Listed {
    case: Case,
    profiles: Vec<&'static str>,
}

fn listed() -> Vec<Listed> {
    let mut all: Vec<Listed> = Vec::new();
    for workload in workload::all() {
        for profile in PROFILES {
            for case in workload.cases(Size::of(profile)) {
                let known =
                    all.iter_mut().find(|l| l.case.workload == case.workload && l.case.name == case.name);
                match known {
                    // The larger profile has the axes.
                    Some(known) => {
                        known.profiles.push(profile.as_str());
                        known.case = case;
                    }
                    None => all.push(Listed { case, profiles: vec![profile.as_str()] }),
                }
            }
        }
    }
    all
}

fn cases(text: &mut String) {
    text.push_str("| workload/case | profiles | what a trial does | environments |\n|---|---|---|---|\n");
    for Listed { case, profiles } in listed() {
        let profiles = if profiles.len() == PROFILES.len() { "all".to_owned() } else { profiles.join(", ") };
        let mut environments = environments(&case);
        if let Emulation::LeftOut(why) = case.emulation {
            let _ = write!(environments, " (not under TCG: {why})");
        }
        let _ = writeln!(
            text,
            "| `{}/{}` | {profiles} | {} | {environments} |",
            case.workload,
            case.name,
            what(&case.trial)
        );
    }
    text.push('\n');
}

/// Names without `docker+layer+driver=` and the like again and again.
fn environments(case: &Case) -> String {
    let mut plain = Vec::new();
    let mut values_of: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for environment in &case.environments {
        let name = environment.to_string();
        match name.split_once('=') {
            Some((axis, value)) => values_of.entry(axis.to_owned()).or_default().push(value.to_owned()),
            None => plain.push(name),
        }
    }
    plain.extend(values_of.into_iter().map(|(axis, values)| format!("{axis}={{{}}}", values.join(", "))));
    plain.join(", ")
}

fn what(trial: &Trial) -> String {
    match trial {
        Trial::Command(command) => {
            let place = match command.placement {
                Placement::Inside => "",
                Placement::Client => "at the client: ",
                Placement::Fresh { .. } => "in a fresh instance: ",
            };
            format!("{place}`{}`", shown(&command.command.argv))
        }
        Trial::Instances(instances) => {
            let each = instances.each.as_ref().map(|c| format!(", each runs `{}`", shown(&c.argv)));
            format!(
                "{} instances, {} at the same time{}",
                instances.count,
                instances.parallel,
                each.unwrap_or_default()
            )
        }
        Trial::Load(load) if load.of.is_empty() => "loads the whole bench image".to_owned(),
        Trial::Load(load) => format!("loads an image of {}", load.of.join(" and ")),
    }
}

/// A command line for a table: no pipes, and not endless.
fn shown(argv: &[String]) -> String {
    const MOST: usize = 110;
    // A script has several lines, a row of a table one.
    let words: Vec<&str> = argv.iter().flat_map(|word| word.split_whitespace()).collect();
    let line = words.join(" ").replace("/usr/local/bin/", "").replace('|', "\\|");
    if line.chars().count() <= MOST {
        return line;
    }
    line.chars().take(MOST).chain(" ...".chars()).collect()
}

fn metrics(text: &mut String) {
    text.push_str("| workload | metric | unit | better | family | what it is and why it is here |\n");
    text.push_str("|---|---|---|---|---|---|\n");
    let mut seen: Vec<(&str, MetricSpec)> = Vec::new();
    for Listed { case, .. } in listed() {
        for metric in &case.metrics {
            let same = |(workload, m): &(&str, MetricSpec)| {
                *workload == case.workload && m.metric == metric.metric && m.about == metric.about
            };
            if seen.iter().any(same) {
                continue;
            }
            let tail = if metric.tail { ", tail" } else { "" };
            let scale = if metric.scale == Scale::Difference { ", by difference" } else { "" };
            let _ = writeln!(
                text,
                "| {} | `{}` | {} | {} | {}{tail}{scale} | {} |",
                case.workload,
                metric.metric,
                metric.unit,
                metric.better.as_str(),
                metric.family.as_str(),
                metric.about
            );
            seen.push((case.workload, metric.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_and_metric_of_every_profile_is_in_the_tables() {
        let text = suite_markdown();
        for profile in PROFILES {
            for case in workload::all().iter().flat_map(|w| w.cases(Size::of(profile))) {
                assert!(text.contains(&format!("`{}/{}`", case.workload, case.name)), "{}", case.name);
                for metric in &case.metrics {
                    assert!(text.contains(metric.about), "{}/{}", case.workload, metric.metric);
                }
            }
        }
    }

    #[test]
    fn a_pipe_in_a_command_does_not_break_the_table() {
        assert_eq!(shown(&["sh".into(), "a|b".into()]), "sh a\\|b");
        assert!(shown(&vec!["word".to_owned(); 100]).ends_with(" ..."));
        assert_eq!(shown(&["sh".to_owned(), "\nset -e\nrun\n".to_owned()]), "sh set -e run");
    }
}
