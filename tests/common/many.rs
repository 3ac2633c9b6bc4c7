//! Sweeps that nobody measured, as many as a test of size needs: each metric in each environment, around a toll of its own.
#![allow(dead_code, reason = "each user needs a part of it")]

use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;
use tollgate::judge::{Policy, cells, judge};
use tollgate::model::{
    AcceptedBy, Better, Cell, CellState, CellTrials, Component, EnvironmentName, Family, Fingerprint,
    GateResult, Scale, Series, Sweep, SweepSamples, Timing, format::SWEEP_FORMAT,
};
use tollgate::report::Evidence;

const ROUNDS: u32 = 10;

/// How much there is of everything.
#[derive(Debug, Clone, Copy)]
pub struct Many {
    /// Metrics, each in every environment.
    pub metrics: usize,
    /// Cases that they belong to.
    pub cases: usize,
    /// Names of the environments, native among them.
    pub environments: &'static [&'static str],
}

pub fn begin() -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).expect("a time")
}

/// A number between 0 and 1 that looks random and is the same each time.
fn noise(seed: usize) -> f64 {
    let x =
        (seed as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (x >> 40) as f64 / f64::from(1 << 24)
}

impl Many {
    /// What a report must carry.
    pub const LARGE: Self =
        Self { metrics: 400, cases: 80, environments: &["native", "docker", "docker+nat"] };

    /// So many sweeps, all accepted but the newest.
    pub fn sweeps(self, count: i64) -> Vec<Sweep> {
        let accepted = |mut sweep: Sweep| {
            let (at, by) = (sweep.finished_at, "gate".to_owned());
            sweep.accepted = Some(AcceptedBy { at, by, reason: "made up".into(), regimes: Vec::new() });
            sweep
        };
        (0..count).map(|n| if n + 1 < count { accepted(self.sweep(n)) } else { self.sweep(n) }).collect()
    }

    fn environments(self) -> impl Iterator<Item = EnvironmentName> {
        self.environments.iter().map(|e| e.parse().expect("a name"))
    }

    fn series(self, sweep: usize, metric: usize, environment: &EnvironmentName) -> Series {
        let toll = if environment.is_native() { 1.0 } else { 1.0 + (metric % 17) as f64 / 100.0 };
        let value = |round: u32| {
            let seed = (sweep * self.metrics + metric) * 100
                + round as usize
                + usize::from(!environment.is_native()) * 50;
            Some(100.0 * toll * (1.0 + 0.02 * noise(seed)))
        };
        Series {
            workload: format!("work{}", metric % self.cases / 8),
            case: format!("case{}", metric % self.cases),
            metric: format!("m{}", metric / self.cases),
            unit: "us".into(),
            better: Better::Lower,
            family: Family::Network,
            tail: false,
            resolution: None,
            scale: Scale::Ratio,
            environment: environment.clone(),
            values: (0..ROUNDS).map(value).collect(),
        }
    }

    /// The sweep of that number, eight hours after the one before; a hundred have the same engine.
    pub fn sweep(self, number: i64) -> Sweep {
        let at = begin() + TimeDelta::hours(number * 8);
        let index = usize::try_from(number).expect("small");
        let all: Vec<Series> = (0..self.metrics)
            .flat_map(|m| self.environments().map(move |e| self.series(index, m, &e)))
            .collect();
        let cells = (0..self.cases)
            .flat_map(|case| self.environments().map(move |e| (case, e)))
            .map(|(case, environment)| Cell {
                workload: format!("work{}", case / 8),
                case: format!("case{case}"),
                environment,
                state: CellState::Ok,
                reason: None,
                trials: CellTrials {
                    wall_ns: vec![Some(150_000_000); ROUNDS as usize],
                    ..CellTrials::default()
                },
                latencies: Vec::new(),
            })
            .collect();
        let engine = format!("28.{}.0", number / 100);
        Sweep {
            format: SWEEP_FORMAT,
            sweep: format!("{}-{number:06x}", at.format("%Y%m%dT%H%M%SZ")).parse().expect("an id"),
            tollgate: "0.1.0".into(),
            host_class: "bench-2c".parse().expect("a name"),
            profile: "standard".into(),
            parameters: "p".repeat(64),
            bench_image: "i".repeat(64),
            accelerator: None,
            seed: 1,
            rounds: ROUNDS,
            partial: false,
            started_at: at,
            finished_at: at + TimeDelta::minutes(20),
            resumed: 0,
            fingerprint: Fingerprint {
                components: BTreeMap::from([
                    (Component::DockerEngine, engine),
                    (Component::Runc, "1.3.3".into()),
                ]),
                context: BTreeMap::from([("cpu".into(), "made up".into())]),
            },
            timing: Timing { wall_s: 1200.0, in_trials_s: 1000.0, ..Timing::default() },
            accepted: None,
            proofs: Vec::new(),
            cells,
            series: all,
        }
    }
}

/// The newest sweep judged against the others, with what stands behind it.
pub fn judged(sweeps: &[Sweep]) -> (GateResult, Evidence) {
    let (newest, before) = sweeps.split_last().expect("a sweep");
    let policy = Policy::default();
    let baseline: Vec<SweepSamples> = before.iter().map(SweepSamples::from).collect();
    let judgement = judge(&baseline, &[SweepSamples::from(newest)], &policy);
    let changed = before.last().map(|b| newest.fingerprint.changes_since(&b.fingerprint)).unwrap_or_default();
    let result = GateResult::of_sweep(newest, judgement, changed, cells(newest), None);
    (result, Evidence::of(newest, before, policy))
}
