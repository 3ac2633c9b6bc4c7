//! Calibration: simulated suites, judged by the project's own judge and by rivals, beside what `docs/statistics.md` asks.
//!
//! `cargo run --release --example calibrate [-- --suites 400 --only n=10 --common-factor]` prints Markdown. The seed of a
//! suite is its number, so that the figures depend on neither machine nor threads. `--common-factor` judges every suite
//! once more with the common factor of each sweep taken out (`factor.rs`), an experiment.

#[path = "../../tests/common/drifting.rs"]
mod drifting;
mod factor;
mod rivals;
mod rows;
#[path = "../../tests/common/simulate.rs"]
mod simulate;
mod table;

use clap::Parser;
use drifting::Story;
use factor::Factor;
use rows::{ROWS, Row};
use simulate::{Confirm, Found, Suite, Sweeps};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tollgate::model::VerdictKind;

#[derive(Debug, Parser)]
struct Args {
    /// Suites a row.
    #[arg(long, default_value_t = 400)]
    suites: u64,
    /// Only this row: n=10, boot-fresh, ...
    #[arg(long)]
    only: Option<String>,
    /// Judge also with the common factor of each sweep taken out.
    #[arg(long)]
    common_factor: bool,
}

/// What the shifted metrics shift by.
const SHIFTS: [f64; 3] = [0.0, 0.05, 0.10];

/// The ways of judging the same suite that are no rivals.
const JUDGED: [&str; 2] = ["C", "C+I"];
const ADJUSTED: [&str; 3] = ["C", "C+I", "part"];

/// What everyone found in one suite with one shift.
#[derive(Debug, Clone, Copy, Default)]
struct Outcome {
    /// In the order of [`JUDGED`].
    judged: [Found; JUDGED.len()],
    /// In the order of [`ADJUSTED`].
    adjusted: [Found; ADJUSTED.len()],
    /// In the order of [`rivals::RIVALS`].
    rivals: [Found; rivals::RIVALS.len()],
}

/// The outcomes of a row: for each suite, for each of [`SHIFTS`].
type Outcomes = Vec<[Outcome; SHIFTS.len()]>;

fn main() {
    let args = Args::parse();
    let begun = Instant::now();
    let mut done: Vec<(Row, Outcomes)> = Vec::new();
    for row in ROWS {
        let wanted =
            args.only.as_ref().map_or(args.common_factor || !row.experiment, |only| only == row.name);
        if wanted {
            let outcomes = simulate(&row, &args);
            eprintln!("{:>6.1} s  {}", begun.elapsed().as_secs_f64(), row.name);
            done.push((row, outcomes));
        }
    }
    if args.only.as_deref() == Some("drift") {
        return drift(args.suites);
    }
    if done.is_empty() {
        let names: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
        eprintln!("no such row; the rows are {}, drift", names.join(", "));
        std::process::exit(2);
    }
    table::print(&done, args.common_factor);
    if args.only.is_none() {
        drift(args.suites / 4);
    }
}

/// Histories of 50 sweeps, looked at after each: asked is that a drift of 0.2 % a sweep is found, and nothing where nothing
/// changes.
fn drift(suites: u64) {
    println!("\n## Drift\n");
    for story in [Story::Nothing, Story::Drift(0.2), Story::BadBoot(20.0)] {
        println!("- {}", drifting::run(suites, story).line);
    }
}

/// All suites of a row, on all processors. Each thread takes the next seed; the order of the outcomes is that of the seeds.
fn simulate(row: &Row, args: &Args) -> Outcomes {
    let next = AtomicU64::new(0);
    let worker = || {
        let mut sweeps = Sweeps::new(row.scenario.baseline);
        let mut outcomes = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= args.suites {
                return outcomes;
            }
            let suite = Suite::draw(seed, &row.scenario);
            let of_shift =
                |shift| outcome(&mut sweeps, &suite, row.scenario.shifted, shift, args.common_factor);
            outcomes.push((seed, SHIFTS.map(of_shift)));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut outcomes: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|w| w.join().expect("a worker ends")).collect()
    });
    outcomes.sort_by_key(|(seed, _)| *seed);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

fn outcome(sweeps: &mut Sweeps, suite: &Suite, shifted: usize, shift: f64, common_factor: bool) -> Outcome {
    let suite = suite.shifted(shifted, shift);
    let shifted = if shift > 0.0 { shifted } else { 0 };
    sweeps.fill(&suite);
    let screen = sweeps.screen();
    let judged = [Confirm::Candidates, Confirm::Open]
        .map(|confirm| Found::verdicts(&sweeps.confirm(&screen, confirm), shifted));
    let adjusted = if common_factor { adjusted(sweeps, &suite, shifted) } else { Default::default() };
    Outcome { judged, adjusted, rivals: rivals::found(&suite, shifted) }
}

/// The same with the common factor taken out. In the fresh sweeps it is estimated from what they measured, but not from the
/// suspected, whose shift is what is asked.
fn adjusted(sweeps: &mut Sweeps, suite: &Suite, shifted: usize) -> [Found; ADJUSTED.len()] {
    let factor = Factor::of(&suite.baseline);
    let screened = factor.screened(suite);
    sweeps.fill(&screened);
    let screen = sweeps.screen();
    let calm = |m: usize| screen[m] != VerdictKind::Suspected;
    let open = |m: usize| screen[m] == VerdictKind::Inconclusive;
    sweeps.fill(factor.confirmed(screened.clone(), calm).as_ref().unwrap_or(suite));
    let whole = [Confirm::Candidates, Confirm::Open].map(|confirm| sweeps.confirm(&screen, confirm));
    sweeps.fill(factor.confirmed(screened, open).as_ref().unwrap_or(suite));
    let part = sweeps.confirm(&screen, Confirm::Open);
    let [candidates, all] = whole;
    [candidates, all, part].map(|verdicts| Found::verdicts(&verdicts, shifted))
}
