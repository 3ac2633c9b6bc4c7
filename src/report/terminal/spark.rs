//! A history in one line of text.

const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The full height is at least so many thresholds, so that noise looks flat and a rise that matters does not: a change by one
/// threshold is about two levels.
const LEAST: f64 = 4.0;

/// Below this many known values there is no history to see.
const FEWEST: usize = 2;

/// The newest `room` of `tolls` (percent of the ratio, oldest first) as blocks, the newest right; a space where there is no
/// number. `threshold` is the smallest change that matters, percent. Empty where fewer than two are known.
///
/// Heights are logs of the ratio, on which a threshold is the same whether the toll is 3 or 900 %.
pub(super) fn spark(tolls: &[f64], threshold: f64, room: usize) -> String {
    let log = |pct: f64| (pct / 100.0).ln_1p();
    let shown: Vec<f64> = tolls[tolls.len().saturating_sub(room)..].iter().map(|pct| log(*pct)).collect();
    let known = || shown.iter().copied().filter(|x| x.is_finite());
    if known().count() < FEWEST {
        return String::new();
    }
    let (low, high) = known().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
    let least = LEAST * log(threshold).max(1e-6);
    let top = (LEVELS.len() - 1) as f64;
    // Where noise fills no more than a part of the height, its middle is in the middle of a level, not between two.
    let (range, middle) = if high - low > least { (high - low, top / 2.0) } else { (least, 3.0) };
    let level = |x: f64| {
        let at = ((x - f64::midpoint(low, high)) / range * top + middle).round().clamp(0.0, top);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=7")]
        LEVELS[at as usize]
    };
    shown.into_iter().map(|x| if x.is_finite() { level(x) } else { ' ' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn noise_is_flat_and_a_rise_that_matters_is_not() {
        assert_eq!(spark(&[10.0, 10.4, 9.7, 10.2, 10.0], 5.0, 16), "▄▄▄▄▄");
        assert_eq!(spark(&[10.0; 4], 5.0, 16), "▄▄▄▄");
        assert_eq!(spark(&[10.0, 10.4, 9.7, 16.0], 5.0, 16), "▃▃▃▅");
        assert_eq!(spark(&[10.0, 10.0, 60.0], 5.0, 16), "▁▁█");
        // The same rises of the ratio at a toll of an emulator.
        assert_eq!(spark(&[900.0, 904.0, 897.0, 955.0], 5.0, 16), "▃▃▃▅");
    }

    #[test]
    fn the_newest_are_shown_and_holes_stay_holes() {
        assert_eq!(spark(&[90.0, 0.0, f64::NAN, 40.0, 80.0], 5.0, 4), "▁ ▅█");
        assert_eq!(spark(&[f64::NAN, 3.0], 5.0, 16), "");
        assert_eq!(spark(&[], 5.0, 16), "");
        // No ratio: nothing to draw.
        assert_eq!(spark(&[-100.0, -250.0, 3.0], 5.0, 16), "");
    }

    proptest! {
        #[test]
        fn a_block_for_each_sweep_and_higher_is_never_lower(
            tolls in prop::collection::vec(-90.0..2000.0_f64, 2..40),
            threshold in 0.0..20.0_f64,
            room in 2..20_usize,
        ) {
            let drawn: Vec<char> = spark(&tolls, threshold, room).chars().collect();
            prop_assert_eq!(drawn.len(), tolls.len().min(room));
            let shown = &tolls[tolls.len() - drawn.len()..];
            for (a, x) in shown.iter().zip(&drawn) {
                for (b, y) in shown.iter().zip(&drawn) {
                    prop_assert!(a > b || x <= y, "{a} {b} {x} {y}");
                }
            }
        }
    }
}
