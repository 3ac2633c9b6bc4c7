//! The rows of the table: what is simulated, and what `docs/statistics.md` asks of it.

use crate::simulate::{Boot, Scenario};

/// Figures asked for, percent: any false alarm at most, power at +5 % and at +10 % at least, false discovery rate at +5 % at
/// most; none where nothing is asked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Required {
    pub any: Option<f64>,
    pub power_5: Option<f64>,
    pub power_10: Option<f64>,
    pub fdr_5: Option<f64>,
}

/// One row.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Short, and what `--only` takes.
    pub name: &'static str,
    pub scenario: Scenario,
    /// With the candidates confirmed only, and with the inconclusive as well.
    pub required: [Required; 2],
    /// Whether it is of the common-factor experiment only.
    pub experiment: bool,
}

const NOTHING: Required = Required { any: None, power_5: None, power_10: None, fdr_5: None };

const fn of(any: f64, power_5: f64, power_10: Option<f64>, fdr_5: f64) -> Required {
    Required { any: Some(any), power_5: Some(power_5), power_10, fdr_5: Some(fdr_5) }
}

const fn any(any: f64) -> Required {
    Required { any: Some(any), ..NOTHING }
}

const fn row(name: &'static str, scenario: Scenario, required: [Required; 2]) -> Row {
    Row { name, scenario, required, experiment: false }
}

const TEN: Scenario = Scenario::of(10);

/// All rows, in the order of the table.
pub const ROWS: [Row; 11] = [
    row("n=3", Scenario::of(3), [of(5.0, 53.0, Some(98.0), 1.9), of(6.0, 57.0, Some(98.0), 3.3)]),
    row("n=5", Scenario::of(5), [of(0.8, 70.0, None, 1.1), of(2.2, 74.0, None, 2.6)]),
    row("n=10", TEN, [of(1.8, 78.0, Some(99.0), 0.5), of(2.8, 84.0, Some(99.0), 1.5)]),
    row("n=30", Scenario::of(30), [of(0.5, 82.0, Some(99.0), 0.2), of(1.0, 88.0, Some(99.0), 1.3)]),
    row("boot-fresh", Scenario { bad_boot: Some(Boot::Fresh), ..TEN }, [any(4.0), any(4.0)]),
    row("boot-screen", Scenario { bad_boot: Some(Boot::Screen), ..TEN }, [any(4.0), any(4.0)]),
    row("boot-base", Scenario { bad_boot: Some(Boot::Baseline), ..TEN }, [any(4.0), any(4.0)]),
    row("slow-rounds", Scenario { slow_rounds: 0.05, ..TEN }, [any(1.5), any(3.2)]),
    row("heavy-tails", Scenario { heavy_tails: true, ..TEN }, [NOTHING, NOTHING]),
    Row { experiment: true, ..row("shifted-60", Scenario { shifted: 60, ..TEN }, [NOTHING, NOTHING]) },
    Row { experiment: true, ..row("shifted-120", Scenario { shifted: 120, ..TEN }, [NOTHING, NOTHING]) },
];

/// Any false alarm, power at +5 % and at +10 % that simulations of others gave with n = 10, percent, in the order of
/// [`crate::rivals::RIVALS`].
pub const RIVALS_REQUIRED: [Option<[f64; 3]>; 5] = [
    Some([91.0, 50.0, 97.0]),
    Some([96.0, 89.0, 98.0]),
    None,
    Some([69.0, 68.0, 94.0]),
    Some([0.7, 79.0, 98.6]),
];
