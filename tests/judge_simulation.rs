//! What the rule must reach (`docs/statistics.md`): suites of 200 metrics, `sigma_w` and `sigma_b` lognormal about 2 % and 1 %
//! (log-sd 0.5), .3 of `sigma_b`'s variance common to all, 10 rounds, one screen and two fresh sweeps, threshold 3 %.
//! Few suites with fixed seeds, so the limits are wide: it notices a broken rule, not a slightly worse one.
//! `examples/calibrate` judges hundreds of them.

#[path = "common/simulate.rs"]
mod simulate;

use simulate::{Boot, Confirm, Found, Scenario, Suite, Sweeps};

/// How many suites are drawn unchanged, with +5 % and with +10 %.
struct Suites(u64, u64, u64);

const MANY: Suites = Suites(15, 6, 4);
const FEW: Suites = Suites(5, 3, 2);

/// Worst and best that a row may be: suites with a false alarm, power at +5 % and at +10 %, false discovery rate.
struct Limits {
    alarms: f64,
    power_5: f64,
    power_10: f64,
    fdr: f64,
}

/// What was found in each of `suites` with a shift.
fn run(suites: u64, scenario: &Scenario, shift: f64, confirm: Option<Confirm>) -> Vec<Found> {
    let mut sweeps = Sweeps::new(scenario.baseline);
    let shifted = if shift > 0.0 { scenario.shifted } else { 0 };
    let found = |seed| {
        sweeps.fill(&Suite::draw(seed, scenario).shifted(shifted, shift));
        let verdicts = match confirm {
            None => sweeps.whole(),
            Some(confirm) => sweeps.confirm(&sweeps.screen(), confirm),
        };
        Found::verdicts(&verdicts, shifted)
    };
    (0..suites).map(found).collect()
}

fn power(found: &[Found], scenario: &Scenario) -> f64 {
    found.iter().map(|f| f.right).sum::<usize>() as f64 / (found.len() * scenario.shifted) as f64
}

/// `confirm`: what the fresh sweeps measure; everything without it.
fn check(name: &str, scenario: &Scenario, confirm: Option<Confirm>, suites: &Suites, limits: &Limits) {
    let unchanged = run(suites.0, scenario, 0.0, confirm);
    let alarms = unchanged.iter().filter(|f| f.wrong > 0).count() as f64 / unchanged.len() as f64;
    let by_5 = run(suites.1, scenario, 0.05, confirm);
    let power_5 = power(&by_5, scenario);
    let power_10 = power(&run(suites.2, scenario, 0.10, confirm), scenario);
    let (right, wrong) = by_5.iter().fold((0, 0), |(right, wrong), f| (right + f.right, wrong + f.wrong));
    let fdr = wrong as f64 / (right + wrong).max(1) as f64;
    println!("{name}: alarms {alarms:.3}, power {power_5:.3} {power_10:.3}, fdr {fdr:.3}");
    assert!(alarms <= limits.alarms, "{name}: alarms");
    assert!(power_5 >= limits.power_5 && power_10 >= limits.power_10, "{name}: power");
    assert!(fdr <= limits.fdr, "{name}: false discovery rate");
}

#[test]
fn the_rule_reaches_what_it_must() {
    for (sweeps, alarms, power_5) in [(3, 0.2, 0.45), (5, 0.2, 0.6), (10, 0.14, 0.7)] {
        let limits = Limits { alarms, power_5, power_10: 0.95, fdr: 0.12 };
        check(&format!("{sweeps} sweeps"), &Scenario::of(sweeps), None, &MANY, &limits);
    }
}

#[test]
fn a_long_baseline_helps_with_only_the_open_or_the_candidates_confirmed() {
    for (confirm, power_5) in [(Confirm::Candidates, 0.7), (Confirm::Open, 0.75)] {
        let limits = Limits { alarms: 0.2, power_5, power_10: 0.95, fdr: 0.05 };
        check(&format!("30 sweeps, {confirm:?}"), &Scenario::of(30), Some(confirm), &FEW, &limits);
    }
}

#[test]
fn heavy_tails_and_slow_rounds_make_no_alarms() {
    let limits = Limits { alarms: 0.2, power_5: 0.7, power_10: 0.95, fdr: 0.1 };
    let heavy = Scenario { heavy_tails: true, ..Scenario::of(10) };
    check("heavy tails", &heavy, Some(Confirm::Open), &FEW, &limits);
    let slow = Scenario { slow_rounds: 0.05, ..Scenario::of(10) };
    check("slow rounds", &slow, Some(Confirm::Open), &FEW, &Limits { power_5: 0.1, ..limits });
}

/// A bad boot of the screen makes candidates of everything, and the fresh sweeps confirm none. One of the
/// baseline costs power. One of the fresh sweeps is what the common-mode gate is for.
#[test]
fn a_bad_boot_alone_makes_no_alarm() {
    let limits = Limits { alarms: 0.2, power_5: 0.7, power_10: 0.95, fdr: 0.1 };
    let boot = |boot| Scenario { bad_boot: Some(boot), ..Scenario::of(10) };
    // Where the first sweep happens to have moved as well, nobody can tell the bad boot from a change of everything: false
    // discoveries come in few suites, and then many (5 % of all in 400 suites).
    let loose = Limits { power_5: 0.4, power_10: 0.9, fdr: 0.5, ..limits };
    check("bad fresh", &boot(Boot::Fresh), Some(Confirm::Open), &FEW, &loose);
    check("bad screen", &boot(Boot::Screen), Some(Confirm::Open), &FEW, &limits);
    let limits = Limits { power_5: 0.35, power_10: 0.9, ..limits };
    check("bad baseline", &boot(Boot::Baseline), Some(Confirm::Open), &FEW, &limits);
}
