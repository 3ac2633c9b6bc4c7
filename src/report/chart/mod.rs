//! Charts as inline SVG, made by hand: the same data is the same bytes. Every chart has a title for those who cannot
//! see it, units on its axis, and shapes that differ where colours do. Colours are classes; the page's style sheet has
//! them, light and dark.

pub mod curve;
pub mod history;
pub mod rounds;
pub mod spark;
pub mod strip;

pub use curve::Curve;
pub use history::{History, Level, Mark, Point, PointKind};
pub use rounds::Rounds;
pub use spark::{Spark, spark};
pub use strip::Strip;

use super::{clean, number};
use crate::history::Track;

/// What the values of an axis are.
#[derive(Debug, Clone, PartialEq)]
pub enum Axis {
    /// Tolls, percent of the ratio.
    Toll,
    /// Values in a unit, cleaned.
    Unit(String),
}

impl Axis {
    /// Of what is shown of a series.
    pub fn of(track: &Track) -> Self {
        if track.is_tolled() { Self::Toll } else { Self::Unit(clean::name(&track.info.unit)) }
    }

    /// A value as it is written beside the axis.
    pub fn label(&self, value: f64) -> String {
        match self {
            Self::Toll => number::printed(&number::change(value)),
            Self::Unit(unit) => number::value(value, unit),
        }
    }

    /// The same for ticks, which are round: without the decimals that say nothing.
    fn tick(&self, value: f64) -> String {
        self.label(value).replace(".0 %", " %")
    }

    /// What stands above the axis.
    pub fn name(&self) -> String {
        match self {
            Self::Toll => "toll, % of native (up is worse)".to_owned(),
            Self::Unit(unit) if unit.is_empty() => "value".to_owned(),
            Self::Unit(unit) => unit.clone(),
        }
    }
}

/// A linear scale with round ticks.
#[derive(Debug, Clone, PartialEq)]
struct Scale {
    low: f64,
    high: f64,
    /// Pixels of `low` and `high`.
    from: f64,
    to: f64,
    ticks: Vec<f64>,
}

/// Ticks that a scale has at most.
const TICKS: f64 = 5.0;

impl Scale {
    /// Covers the finite ones of `values`, widened to whole ticks; `from` and `to` are the pixels of its ends.
    fn over(values: impl IntoIterator<Item = f64>, from: f64, to: f64) -> Self {
        let mut range: Option<(f64, f64)> = None;
        for x in values.into_iter().filter(|x| x.is_finite()) {
            range = Some(range.map_or((x, x), |(low, high)| (low.min(x), high.max(x))));
        }
        let (mut low, mut high) = range.unwrap_or((0.0, 1.0));
        // Differences of less than a hundredth would be drawn as if they were large.
        let narrowest = (0.01 * low.abs().max(high.abs())).max(1e-9);
        if high - low < narrowest {
            let middle = f64::midpoint(low, high);
            (low, high) = (middle - narrowest / 2.0, middle + narrowest / 2.0);
        }
        let step = step((high - low) / TICKS);
        let (first, last) = ((low / step).floor(), (high / step).ceil());
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a few ticks, not negative"
        )]
        let count = (last - first).clamp(1.0, 4.0 * TICKS) as u32;
        let ticks = (0..=count).map(|i| (first + f64::from(i)) * step + 0.0).collect();
        Self { low: first * step, high: (first + f64::from(count)) * step, from, to, ticks }
    }

    fn at(&self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low);
        self.from + share.clamp(0.0, 1.0) * (self.to - self.from)
    }
}

/// The smallest of 1, 2, 2.5 and 5 times a power of ten that is not below `least`.
fn step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 2.5, 5.0].into_iter().map(|m| m * power).find(|s| *s >= least).unwrap_or(10.0 * power)
}

/// A coordinate with one decimal, without `-0`.
pub(super) fn px(x: f64) -> String {
    let text = format!("{:.1}", x + 0.0);
    match text.strip_suffix(".0") {
        Some("-0") => "0".to_owned(),
        Some(whole) => whole.to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ticks_are_round_and_cover_the_values() {
        let scale = Scale::over([3.1, 14.7, f64::NAN], 100.0, 0.0);
        assert_eq!(scale.ticks, [2.5, 5.0, 7.5, 10.0, 12.5, 15.0]);
        assert_eq!((px(scale.at(2.5)), px(scale.at(15.0))), ("100".into(), "0".into()));
    }

    #[test]
    fn equal_values_stand_in_the_middle() {
        let scale = Scale::over([50.0; 3], 0.0, 100.0);
        assert!((scale.at(50.0) - 50.0).abs() < 1.0, "{scale:?}");
    }

    #[test]
    fn signs_are_those_of_printers() {
        assert_eq!(Axis::Toll.label(-3.2), "−3.2 %");
        assert_eq!((Axis::Toll.tick(20.0), Axis::Toll.tick(2.5)), ("+20 %".into(), "+2.5 %".into()));
        assert_eq!(Axis::Unit("us".into()).label(1340.0), "1.34 ms");
    }

    proptest! {
        #[test]
        fn every_value_is_on_its_scale(values in prop::collection::vec(-1e9..1e9_f64, 0..30)) {
            let scale = Scale::over(values.iter().copied(), 200.0, 10.0);
            prop_assert!(scale.ticks.len() <= 21 && scale.low < scale.high);
            for x in values {
                prop_assert!((scale.low - 1e-3..=scale.high + 1e-3).contains(&x), "{x} {scale:?}");
                prop_assert!((10.0..=200.0).contains(&scale.at(x)));
            }
        }
    }
}
