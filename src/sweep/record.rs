//! From a journal to the record of a sweep. Pure: the same journal always gives the same record.

use super::journal::{Line, Part, Recorded, TrialRecord};
use super::plan::{Plan, PlannedCase, label};
use crate::model::format::SWEEP_FORMAT;
use crate::model::{
    Base, Cell, CellState, CellTrials, EnvironmentName, Harness, Latencies, Proof, Series, Sweep, Timing,
};
use crate::stats::robust;
use crate::workload::Case;
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};

/// Blocks of the plan whose every trial is in the journal. A half-done block is not among them: it is redone,
/// because its trials would not stand next to each other in time.
pub fn complete_blocks(plan: &Plan, recorded: &Recorded) -> BTreeSet<usize> {
    let mut seen: BTreeMap<usize, BTreeSet<&EnvironmentName>> = BTreeMap::new();
    for trial in recorded.trials() {
        seen.entry(trial.block).or_default().insert(&trial.environment);
    }
    seen.into_iter()
        .filter(|(block, environments)| {
            plan.blocks.get(*block).is_some_and(|b| b.order.len() == environments.len())
        })
        .map(|(block, _)| block)
        .collect()
}

/// Everything that the journal says about one cell.
struct CellLines<'a> {
    trials: Vec<Option<&'a TrialRecord>>,
    given_up: Option<&'a str>,
}

/// Makes the record. `plan` must be the plan of the journal's header; `wanted` are all cases of its workloads
/// with the environments that were asked for, so that what is not available is in the record, too.
pub fn assemble(
    plan: &Plan,
    recorded: &Recorded,
    wanted: &[PlannedCase],
    finished_at: DateTime<Utc>,
) -> Sweep {
    let header = &recorded.header;
    let mut fingerprint = header.fingerprint.clone();
    let facts: BTreeMap<String, String> = recorded
        .lines
        .iter()
        .filter_map(|l| if let Line::Facts(facts) = l { Some(facts.clone()) } else { None })
        .flatten()
        .collect();
    let accelerator = facts.get("accelerator").cloned();
    fingerprint.context.extend(facts);
    let proofs = proofs(recorded);
    let mut refuted = refuted(&proofs);
    let mixed = mixed_accelerators(recorded);
    if let Some(why) = mixed {
        for environment in header.environments.iter().filter(|e| e.base() == Base::Kvm) {
            refuted.insert(environment, why.clone());
        }
    }
    let mut cells = Vec::new();
    let mut series = Vec::new();
    for planned in wanted {
        for environment in &planned.environments {
            let lines = cell_lines(recorded, planned, environment);
            let (state, reason) = state(recorded, &planned.case, &lines, environment, &refuted);
            cells.push(Cell {
                workload: planned.case.workload.to_owned(),
                case: planned.case.name.clone(),
                environment: environment.clone(),
                state,
                reason,
                trials: costs(&lines.trials),
                latencies: if state == CellState::Ok { latencies(&lines.trials) } else { Latencies::new() },
            });
            series.extend(values(planned, environment, &lines, state));
        }
    }
    Sweep {
        format: SWEEP_FORMAT,
        sweep: header.sweep.clone(),
        tollgate: header.tollgate.clone(),
        host_class: header.host_class.clone(),
        profile: header.profile.as_str().to_owned(),
        parameters: header.parameters.clone(),
        bench_image: header.bench_image.clone(),
        accelerator,
        seed: header.seed,
        rounds: plan.rounds,
        partial: header.cells.is_some(),
        started_at: header.started_at,
        finished_at,
        resumed: runs(recorded).saturating_sub(1),
        fingerprint,
        timing: timing(recorded),
        accepted: None,
        proofs,
        cells,
        series,
    }
}

fn runs(recorded: &Recorded) -> u32 {
    let runs = recorded.lines.iter().filter(|l| matches!(l, Line::Run { .. })).count();
    u32::try_from(runs).unwrap_or(u32::MAX)
}

/// The last word on each claim, but a refuted one stays refuted.
fn proofs(recorded: &Recorded) -> Vec<Proof> {
    let mut last: BTreeMap<(EnvironmentName, String), Proof> = BTreeMap::new();
    let all = recorded.lines.iter().filter_map(|l| if let Line::Proofs(p) = l { Some(p) } else { None });
    for proof in all.flatten() {
        let key = (proof.environment.clone(), proof.claim.clone());
        if last.get(&key).is_none_or(|known| known.holds) {
            last.insert(key, proof.clone());
        }
    }
    last.into_values().collect()
}

fn refuted(proofs: &[Proof]) -> BTreeMap<&EnvironmentName, String> {
    let failed = proofs.iter().filter(|p| !p.holds);
    failed
        .map(|p| {
            let why = format!("it is not what its label says: \"{}\" fails: {}", p.claim, p.observed);
            (&p.environment, why)
        })
        .collect()
}

/// Why the guest's values cannot be one series: a resumed sweep may find another accelerator.
fn mixed_accelerators(recorded: &Recorded) -> Option<String> {
    let facts =
        recorded.lines.iter().filter_map(|l| if let Line::Facts(facts) = l { Some(facts) } else { None });
    let seen: BTreeSet<&String> = facts.filter_map(|f| f.get("accelerator")).collect();
    let names: Vec<&str> = seen.iter().map(|s| s.as_str()).collect();
    (names.len() > 1).then(|| format!("its rounds ran under different accelerators: {}", names.join(", ")))
}

fn cell_lines<'a>(
    recorded: &'a Recorded,
    planned: &PlannedCase,
    environment: &EnvironmentName,
) -> CellLines<'a> {
    let name = label(&planned.case);
    let mut trials = vec![None; planned.rounds as usize];
    let mut given_up = None;
    for line in &recorded.lines {
        match line {
            Line::Trial(t) if t.case == name && t.environment == *environment => {
                if let Some(slot) = trials.get_mut((t.round as usize).saturating_sub(1)) {
                    *slot = Some(t);
                }
            }
            Line::GivenUp { case, environment: e, reason } if *case == name && e == environment => {
                given_up = Some(reason.as_str());
            }
            _ => {}
        }
    }
    CellLines { trials, given_up }
}

fn state(
    recorded: &Recorded,
    case: &Case,
    lines: &CellLines,
    environment: &EnvironmentName,
    refuted: &BTreeMap<&EnvironmentName, String>,
) -> (CellState, Option<String>) {
    if let Some((_, reason)) = recorded.header.unavailable.iter().find(|(e, _)| e == environment) {
        return (CellState::Unavailable, Some(reason.clone()));
    }
    let name = label(case);
    let left_out = recorded.header.left_out.iter();
    if let Some(left) = left_out.into_iter().find(|l| l.case == name && l.environment == *environment) {
        return (CellState::Unavailable, Some(left.reason.clone()));
    }
    if let Some(why) = refuted.get(environment) {
        return (CellState::MeasurementFailed, Some(why.clone()));
    }
    let failures: Vec<&str> = lines.trials.iter().flatten().filter_map(|t| t.failure.as_deref()).collect();
    let measured = lines.trials.iter().flatten().filter(|t| t.values.is_some()).count();
    if let Some(why) = lines.given_up {
        return (CellState::MeasurementFailed, Some(why.to_owned()));
    }
    match (measured, failures.last()) {
        (0, why) => (CellState::MeasurementFailed, Some(why.unwrap_or(&"no trial was run").to_string())),
        (_, Some(why)) => {
            let rounds = lines.trials.len();
            (CellState::Ok, Some(format!("{} of {rounds} rounds failed, the last: {why}", failures.len())))
        }
        (_, None) => (CellState::Ok, None),
    }
}

fn costs(trials: &[Option<&TrialRecord>]) -> CellTrials {
    if trials.iter().all(Option::is_none) {
        return CellTrials::default();
    }
    let usage = |of: fn(&tollgate_agent::protocol::Usage) -> u64| {
        trials.iter().map(|t| t.and_then(|t| t.usage.as_ref()).map(of)).collect()
    };
    let host = |of: fn(&crate::model::HostCost) -> Option<u64>| {
        trials.iter().map(|t| t.and_then(|t| t.host.as_ref()).and_then(of)).collect()
    };
    CellTrials {
        wall_ns: usage(|u| u.wall_ns),
        user_us: usage(|u| u.user_us),
        system_us: usage(|u| u.system_us),
        switches: usage(|u| u.voluntary_switches + u.involuntary_switches),
        host_busy_us: host(|h| Some(h.busy_us)),
        steal_us: host(|h| Some(h.steal_us)),
        psi_cpu_us: host(|h| h.psi_cpu_us),
    }
}

/// The median of each percentile, of those that at least half of the trials with any know: a short trial has too few
/// requests to tell the rarest.
fn latencies(trials: &[Option<&TrialRecord>]) -> Latencies {
    let known: Vec<&Latencies> =
        trials.iter().flatten().map(|t| &t.latencies).filter(|l| !l.is_empty()).collect();
    let mut percentiles: Vec<f64> = known.iter().flat_map(|l| l.iter().map(|(p, _)| *p)).collect();
    percentiles.sort_by(f64::total_cmp);
    percentiles.dedup();
    let middle = |percentile: f64| {
        let of = |l: &&Latencies| l.iter().find(|(p, _)| p.total_cmp(&percentile).is_eq()).map(|(_, us)| *us);
        let values: Vec<f64> = known.iter().filter_map(of).collect();
        (values.len() * 2 >= known.len()).then(|| robust::median(&values))?
    };
    percentiles.into_iter().filter_map(|p| Some((p, middle(p)?))).collect()
}

fn values(
    planned: &PlannedCase,
    environment: &EnvironmentName,
    lines: &CellLines,
    state: CellState,
) -> Vec<Series> {
    let metrics = planned.case.metrics.iter().enumerate();
    metrics
        .map(|(index, metric)| Series {
            workload: planned.case.workload.to_owned(),
            case: planned.case.name.clone(),
            metric: metric.metric.to_owned(),
            unit: metric.unit.to_owned(),
            better: metric.better,
            family: metric.family,
            tail: metric.tail,
            resolution: (metric.resolution > 0.0).then_some(metric.resolution),
            scale: metric.scale,
            environment: environment.clone(),
            values: if state == CellState::Unavailable {
                Vec::new()
            } else {
                lines.trials.iter().map(|t| t.and_then(|t| t.values.as_ref()?.get(index).copied())).collect()
            },
        })
        .collect()
}

/// Sums over the runs of the sweep; the time between two runs does not count.
fn timing(recorded: &Recorded) -> Timing {
    let mut timing = Timing::default();
    let mut in_trials_ns = 0;
    // When this run's last line was written, and its last part ended.
    let (mut at, mut ended) = (0, 0);
    for line in &recorded.lines {
        match line {
            Line::Run { .. } => {
                timing.wall_s += seconds(at);
                (at, ended) = (0, 0);
            }
            Line::Trial(t) => {
                at = t.at_ms;
                in_trials_ns += t.usage.map_or(0, |u| u.wall_ns);
            }
            Line::Ended { part, at_ms } => {
                at = *at_ms;
                let took = seconds(at.saturating_sub(ended));
                ended = at;
                match part {
                    Part::Starting => timing.harness.starting_s += took,
                    Part::Preparing => timing.harness.preparing_s += took,
                    Part::WarmingUp => timing.harness.warming_up_s += took,
                    Part::Measuring => {}
                }
            }
            Line::Finished { at_ms, .. } => {
                at = *at_ms;
                timing.harness.stopping_s += seconds(at.saturating_sub(ended));
            }
            _ => {}
        }
    }
    timing.wall_s += seconds(at);
    timing.in_trials_s = in_trials_ns as f64 / 1e9;
    if timing.harness.preparing_s <= 0.0 {
        // A journal that tells no parts.
        timing.harness = Harness::default();
    }
    timing
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::fixtures::{case, header, trial};

    fn recorded(lines: Vec<Line>) -> (Plan, Recorded, Vec<PlannedCase>) {
        let header = header();
        let case = case("a", &["native", "docker", "kvm"]);
        let plan =
            Plan::new(std::slice::from_ref(&case), &header.environments, &header.rounds(), header.seed);
        let wanted =
            vec![PlannedCase { environments: case.environments.clone(), rounds: header.rounds, case }];
        (plan, Recorded { header, lines }, wanted)
    }

    fn rounds(environment: &str, values: [Option<f64>; 3]) -> Vec<Line> {
        let trials = values.iter().zip(1_u32..);
        trials.map(|(v, r)| Line::Trial(trial(r as usize - 1, r, environment, *v))).collect()
    }

    fn run() -> Line {
        Line::Run { at: DateTime::UNIX_EPOCH }
    }

    fn cell<'a>(sweep: &'a Sweep, environment: &str) -> &'a Cell {
        sweep.cells.iter().find(|c| c.environment.to_string() == environment).expect("the cell")
    }

    #[test]
    fn latencies_are_medians_of_what_most_trials_know() {
        let of = |latencies: &[(f64, f64)]| TrialRecord {
            latencies: latencies.to_vec(),
            ..trial(0, 1, "docker", Some(1.0))
        };
        let trials = [
            of(&[(50.0, 20.0), (99.0, 40.0)]),
            of(&[(50.0, 22.0), (99.0, 44.0), (99.9, 90.0)]),
            of(&[(50.0, 21.0), (99.0, 60.0)]),
            of(&[]),
        ];
        let trials: Vec<Option<&TrialRecord>> = trials.iter().map(Some).chain([None]).collect();
        assert_eq!(latencies(&trials), [(50.0, 21.0), (99.0, 44.0)]);
        assert_eq!(latencies(&[None]), []);
    }

    #[test]
    fn rounds_become_columns_and_what_is_missing_stays_missing() {
        let mut lines = vec![run()];
        lines.extend(rounds("native", [Some(1.0), Some(2.0), Some(3.0)]));
        lines.extend(rounds("docker", [Some(4.0), None, Some(6.0)]));
        let (plan, recorded, wanted) = recorded(lines);
        let sweep = assemble(&plan, &recorded, &wanted, DateTime::UNIX_EPOCH);
        let docker = sweep.series.iter().find(|s| s.environment.to_string() == "docker").expect("docker");
        assert_eq!(docker.values, [Some(4.0), None, Some(6.0)]);
        assert_eq!(cell(&sweep, "docker").state, CellState::Ok);
        assert!(cell(&sweep, "docker").reason.as_deref().is_some_and(|r| r.contains("1 of 3 rounds failed")));
        assert_eq!(cell(&sweep, "kvm").state, CellState::Unavailable);
        assert_eq!(cell(&sweep, "kvm").reason.as_deref(), Some("no QEMU"));
        assert_eq!(cell(&sweep, "native").trials.wall_ns, [Some(100_000_000); 3]);
    }

    #[test]
    fn a_failed_proof_takes_every_value_of_its_environment_out_of_judgement() {
        let mut lines = vec![run()];
        lines.extend(rounds("native", [Some(1.0); 3]));
        lines.extend(rounds("docker", [Some(4.0); 3]));
        let lie = Proof {
            environment: "docker".parse().expect("a name"),
            claim: "traffic crosses the bridge's veth".into(),
            observed: "0 bytes".into(),
            holds: false,
        };
        lines.push(Line::Proofs(vec![lie.clone()]));
        lines.push(Line::Proofs(vec![Proof { holds: true, ..lie }]));
        let (plan, recorded, wanted) = recorded(lines);
        let sweep = assemble(&plan, &recorded, &wanted, DateTime::UNIX_EPOCH);
        assert_eq!(cell(&sweep, "docker").state, CellState::MeasurementFailed);
        assert_eq!(cell(&sweep, "native").state, CellState::Ok);
    }

    #[test]
    fn rounds_under_two_accelerators_are_no_series() {
        let mut lines = vec![run()];
        for accelerator in ["kvm", "tcg"] {
            lines.push(Line::Facts([("accelerator".to_owned(), accelerator.to_owned())].into()));
            lines.extend(rounds("kvm", [Some(1.0); 3]));
        }
        lines.extend(rounds("native", [Some(1.0); 3]));
        let (plan, mut recorded, wanted) = recorded(lines);
        recorded.header.environments.push("kvm".parse().expect("a name"));
        recorded.header.unavailable.clear();
        let sweep = assemble(&plan, &recorded, &wanted, DateTime::UNIX_EPOCH);
        assert_eq!(cell(&sweep, "kvm").state, CellState::MeasurementFailed);
        assert_eq!(cell(&sweep, "native").state, CellState::Ok);
    }

    #[test]
    fn a_half_done_block_is_redone_and_the_redone_trial_counts() {
        let mut lines = vec![run()];
        lines.push(Line::Trial(trial(0, 1, "native", Some(1.0))));
        lines.push(Line::Trial(trial(0, 1, "docker", Some(2.0))));
        lines.push(Line::Trial(trial(1, 2, "native", Some(3.0))));
        let (plan, mut recorded, wanted) = recorded(lines);
        assert_eq!(complete_blocks(&plan, &recorded), BTreeSet::from([0]));
        recorded.lines.push(run());
        recorded.lines.push(Line::Trial(trial(1, 2, "native", Some(30.0))));
        recorded.lines.push(Line::Trial(trial(1, 2, "docker", Some(40.0))));
        assert_eq!(complete_blocks(&plan, &recorded), BTreeSet::from([0, 1]));
        let sweep = assemble(&plan, &recorded, &wanted, DateTime::UNIX_EPOCH);
        assert_eq!(sweep.series[0].values, [Some(1.0), Some(30.0), None]);
        assert_eq!(sweep.resumed, 1);
        assert!((sweep.timing.wall_s - 4.0).abs() < 1e-9, "2 s of each run: {}", sweep.timing.wall_s);
    }

    #[test]
    fn the_time_of_the_harness_is_told_by_its_parts() {
        let ended = |part, at_ms| Line::Ended { part, at_ms };
        let mut lines = vec![run(), ended(Part::Starting, 2_000), ended(Part::Preparing, 5_000)];
        lines.push(ended(Part::WarmingUp, 6_000));
        lines.extend(rounds("native", [Some(1.0); 3]));
        lines.push(ended(Part::Measuring, 10_000));
        lines.push(Line::Finished { at: DateTime::UNIX_EPOCH, at_ms: 11_500 });
        let (plan, recorded, wanted) = recorded(lines);
        let timing = assemble(&plan, &recorded, &wanted, DateTime::UNIX_EPOCH).timing;
        let expected = Harness { starting_s: 2.0, preparing_s: 3.0, warming_up_s: 1.0, stopping_s: 1.5 };
        assert_eq!((timing.harness, timing.wall_s), (expected, 11.5));
    }

    #[test]
    fn a_case_with_rounds_of_its_own_has_as_many_columns() {
        let mut lines = vec![run()];
        for (environment, value) in [("native", 1.0), ("docker", 2.0)] {
            lines.extend((1..=5).map(|r| Line::Trial(trial(r as usize - 1, r, environment, Some(value)))));
        }
        let (plan, recorded, mut wanted) = recorded(lines);
        wanted[0].rounds = 5;
        let sweep = assemble(&plan, &recorded, &wanted, DateTime::UNIX_EPOCH);
        assert_eq!(sweep.series[0].values, [Some(1.0); 5]);
        assert_eq!((sweep.rounds, sweep.partial), (3, false));
    }

    #[test]
    fn a_sweep_of_chosen_cells_says_so() {
        let (plan, mut recorded, wanted) = recorded(vec![run()]);
        recorded.header.cells = Some(BTreeMap::new());
        let sweep = assemble(&plan, &recorded, &wanted, DateTime::UNIX_EPOCH);
        assert!(sweep.partial);
        let text = serde_json::to_string(&sweep).expect("text");
        assert_eq!(serde_json::from_str::<Sweep>(&text).expect("a sweep"), sweep);
    }
}
