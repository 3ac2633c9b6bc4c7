//! What the drift test must reach (`docs/statistics.md`): suites of 200 metrics, `sigma_w` and `sigma_b` lognormal about 2 %
//! and 1 % (log-sd 0.5), .3 of `sigma_b`'s variance common to all, 10 rounds, threshold 3 %, looked at after each of 50
//! accepted sweeps. A drift of 0.2 % a sweep in 20 metrics is found, and there is no alarm on the null.
//!
//! Few suites with fixed seeds here. For figures:
//! `TOLLGATE_SUITES=200 cargo test --release --test drift_simulation -- --nocapture`

#[path = "common/drifting.rs"]
mod drifting;
#[path = "common/simulate.rs"]
mod simulate;

use drifting::{Story, Told, run};

/// Suites a story: few, or as many as `TOLLGATE_SUITES` says.
fn suites(few: u64) -> u64 {
    std::env::var("TOLLGATE_SUITES").ok().and_then(|n| n.parse().ok()).unwrap_or(few)
}

#[test]
fn an_unchanged_host_has_no_drift() {
    let suites = suites(2);
    let Told { alarmed, line, .. } = run(suites, Story::Nothing);
    println!("{line}");
    assert!(alarmed as u64 <= suites / 25, "{alarmed} of {suites}");
}

#[test]
fn a_slow_drift_is_found() {
    let suites = suites(1);
    let Told { alarmed, power, line } = run(suites, Story::Drift(0.2));
    println!("{line}");
    assert!(power >= 0.95 && alarmed as u64 <= suites.div_ceil(3), "{power} {alarmed} of {suites}");
}

/// A sweep so bad lifts the means of both looks, and a few noisy metrics pass with it: 13 of 200 suites when measured.
#[test]
fn one_bad_boot_seldom_makes_a_drift() {
    let suites = suites(1);
    let Told { alarmed, line, .. } = run(suites, Story::BadBoot(20.0));
    println!("{line}");
    assert!(alarmed as u64 <= suites / 8, "{alarmed} of {suites}");
}
