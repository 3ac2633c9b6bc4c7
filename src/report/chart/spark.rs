//! A history in the height of a line of text.

use super::px;
use maud::{Markup, html};

/// Values that a spark line has room for; of longer histories the newest.
pub const ROOM: usize = 32;
const WIDTH: f64 = 64.0;
const HEIGHT: f64 = 16.0;
const EDGE: f64 = 2.0;

/// A spark line.
#[derive(Debug, Clone, Copy)]
pub struct Spark<'a> {
    /// Oldest first; NaN where there is no value.
    pub values: &'a [f32],
    /// The smallest range that fills the height, so that noise looks small; in the values' unit.
    pub least: f64,
}

/// Draws it; nothing where fewer than two values are known. The number beside it says what the newest one is.
pub fn spark(of: Spark<'_>) -> Markup {
    let values = &of.values[of.values.len().saturating_sub(ROOM)..];
    let known = || values.iter().filter(|v| v.is_finite()).map(|v| f64::from(*v));
    if known().count() < 2 {
        return html! {};
    }
    let (low, high) = (known().fold(f64::INFINITY, f64::min), known().fold(f64::NEG_INFINITY, f64::max));
    let (middle, range) = (f64::midpoint(low, high), (high - low).max(of.least).max(1e-9));
    let step = (WIDTH - 2.0 * EDGE) / (values.len() - 1) as f64;
    let mut path = String::new();
    let (mut begun, mut last) = (false, (0.0, 0.0));
    for (i, value) in values.iter().enumerate() {
        if !value.is_finite() {
            begun = false;
            continue;
        }
        let x = EDGE + step * i as f64;
        let y = HEIGHT / 2.0 - (f64::from(*value) - middle) / range * (HEIGHT - 2.0 * EDGE);
        path.push(if begun { 'L' } else { 'M' });
        path.push_str(&px(x));
        path.push(' ');
        path.push_str(&px(y));
        (begun, last) = (true, (x, y));
    }
    html! {
        svg.spark viewBox="0 0 64 16" aria-hidden="true" {
            path d=(path) {}
            circle cx=(px(last.0)) cy=(px(last.1)) r="1.8" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_break_the_line_and_one_value_is_none() {
        let drawn = spark(Spark { values: &[1.0, 2.0, f32::NAN, 3.0, 1.0], least: 0.0 }).into_string();
        assert_eq!(drawn.matches('M').count(), 2, "{drawn}");
        assert!(drawn.contains(r#"cx="62" cy="14""#), "{drawn}");
        assert_eq!(spark(Spark { values: &[f32::NAN, 3.0], least: 0.0 }).into_string(), "");
    }

    #[test]
    fn little_noise_looks_little() {
        let drawn = spark(Spark { values: &[1.0, 1.1, 0.9], least: 100.0 }).into_string();
        assert!(drawn.contains("M2 8L32 8L62 8"), "{drawn}");
    }
}
