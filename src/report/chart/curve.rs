//! Latency over percentile: how much worse the slow ones are, a line for each environment.

use super::{number, px};
use maud::{Markup, html};

const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 18.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 34.0;

/// One environment.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Its colour, dashes and mark: the same environment has the same in all charts of a page. From 0.
    pub style: usize,
    /// What it is called.
    pub name: String,
    /// Percentile (0 to 100) and latency, rising.
    pub points: Vec<(f64, f64)>,
}

impl Line {
    /// The points that can be drawn.
    fn known(&self) -> impl Iterator<Item = (f64, f64)> {
        self.points.iter().copied().filter(has_place)
    }
}

/// What the chart shows. Texts are cleaned.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Says what it is to those who cannot see it.
    pub title: String,
    /// Unit of the latencies.
    pub unit: String,
    /// The environments.
    pub lines: Vec<Line>,
}

/// Whether a percentile and its latency have a place on the axes: a logarithm is of what is above zero. Files may hold anything.
pub fn has_place((percentile, latency): &(f64, f64)) -> bool {
    percentile.is_finite() && latency.is_finite() && *latency > 0.0
}

/// Styles that the style sheet tells apart.
pub const STYLES: usize = 8;

impl Curve {
    /// Each nine more is as far as the last: 50, 90, 99, 99.9 stand evenly enough to see the tail.
    fn nines(percentile: f64) -> f64 {
        -(1.0 - percentile / 100.0).max(1e-6).log10()
    }

    /// The drawing; the axis of latencies is logarithmic.
    pub fn draw(&self) -> Markup {
        let points = || self.lines.iter().flat_map(Line::known);
        let mut percentiles: Vec<f64> = points().map(|p| p.0).collect();
        percentiles.sort_by(f64::total_cmp);
        percentiles.dedup();
        let (first, last) = (percentiles.first().copied(), percentiles.last().copied());
        let (first, last) = (Self::nines(first.unwrap_or(50.0)), Self::nines(last.unwrap_or(99.0)));
        let x = |percentile: f64| {
            let share = (Self::nines(percentile) - first) / (last - first).max(1e-9);
            LEFT + 10.0 + share * (WIDTH - LEFT - RIGHT - 20.0)
        };
        let (low, high, ticks) = decades(points().map(|p| p.1));
        let y = |value: f64| {
            let share = ((value.ln() - low.ln()) / (high.ln() - low.ln())).clamp(0.0, 1.0);
            HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)
        };
        html! {
            svg.curve viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" {
                title { (self.title) }
                @for tick in ticks {
                    line.grid x1=(px(LEFT)) x2=(px(WIDTH - RIGHT)) y1=(px(y(tick))) y2=(px(y(tick))) {}
                    text.tick x=(px(LEFT - 6.0)) y=(px(y(tick) + 4.0)) text-anchor="end" { (number::value(tick, &self.unit)) }
                }
                @for percentile in &percentiles {
                    text.tick x=(px(x(*percentile))) y=(px(HEIGHT - 18.0)) text-anchor="middle" { "p" (percentile) }
                }
                text.axis x=(px(f64::midpoint(LEFT, WIDTH - RIGHT))) y=(px(HEIGHT - 3.0)) text-anchor="middle" { "percentile of the requests" }
                @for line in &self.lines {
                    g class={ "e" (line.style % STYLES) } {
                        path d=(path(line, x, y)) {}
                        @for (percentile, value) in line.known() { (mark(line.style, x(percentile), y(value))) }
                    }
                }
            }
        }
    }
}

fn path(line: &Line, x: impl Fn(f64) -> f64, y: impl Fn(f64) -> f64) -> String {
    let step = |(i, (percentile, value)): (usize, (f64, f64))| {
        format!("{}{} {}", if i == 0 { 'M' } else { 'L' }, px(x(percentile)), px(y(value)))
    };
    line.known().enumerate().map(step).collect()
}

/// Shapes differ as well as colours, and in another order with each turn of the colours: circle, square, diamond, triangle.
pub fn mark(style: usize, x: f64, y: f64) -> Markup {
    let at = |dx: f64, dy: f64| format!("{},{}", px(x + dx), px(y + dy));
    match (style + style / STYLES) % 4 {
        0 => html! { circle cx=(px(x)) cy=(px(y)) r="4" {} },
        1 => html! { rect x=(px(x - 3.5)) y=(px(y - 3.5)) width="7" height="7" {} },
        2 => {
            html! { polygon points={ (at(0.0, -5.0)) " " (at(5.0, 0.0)) " " (at(0.0, 5.0)) " " (at(-5.0, 0.0)) } {} }
        }
        _ => html! { polygon points={ (at(0.0, -5.0)) " " (at(5.0, 4.0)) " " (at(-5.0, 4.0)) } {} },
    }
}

/// The range in whole steps of 1, 2 and 5, and those steps; of wide ranges only the powers of ten.
fn decades(values: impl Iterator<Item = f64>) -> (f64, f64, Vec<f64>) {
    let known: Vec<f64> = values.filter(|v| v.is_finite() && *v > 0.0).collect();
    let low = known.iter().copied().fold(f64::INFINITY, f64::min);
    let high = known.iter().copied().fold(0.0, f64::max);
    if known.is_empty() {
        return (1.0, 10.0, vec![1.0, 10.0]);
    }
    #[expect(clippy::cast_possible_truncation, reason = "decimal exponents of finite numbers")]
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let steps: &[f64] = if last - first > 3 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let all: Vec<f64> = (first..=last).flat_map(|e| steps.iter().map(move |m| m * 10_f64.powi(e))).collect();
    let below = all.iter().copied().filter(|t| *t <= low).fold(10_f64.powi(first), f64::max);
    let above = all.iter().copied().filter(|t| *t >= high * 0.999).fold(10_f64.powi(last + 1), f64::min);
    let above = if above > below { above } else { below * 10.0 };
    let ticks = all.into_iter().filter(|t| (below..=above).contains(t)).collect();
    (below, above, ticks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn snapshot() {
        let line = |style, name: &str, values: [f64; 3]| Line {
            style,
            name: name.into(),
            points: [50.0, 99.0, 99.9].into_iter().zip(values).collect(),
        };
        let curve = Curve {
            title: "Latency of <rr> tcp".into(),
            unit: "us".into(),
            lines: vec![line(0, "native", [20.0, 41.0, 90.0]), line(1, "docker+nat", [31.0, 66.0, 240.0])],
        };
        insta::assert_snapshot!(curve.draw().into_string().replace("><", ">\n<"));
    }

    #[test]
    fn what_has_no_place_is_not_drawn() {
        let points = vec![(50.0, -20.0), (90.0, f64::NAN), (95.0, 0.0), (99.0, f64::INFINITY), (99.9, 30.0)];
        let line = Line { style: 0, name: "native".into(), points };
        let drawn = Curve { title: "odd".into(), unit: "us".into(), lines: vec![line] }.draw().into_string();
        assert!(!drawn.contains("NaN") && !drawn.contains("inf"), "{drawn}");
        assert_eq!(drawn.matches("<circle").count(), 1, "{drawn}");
    }

    proptest! {
        #[test]
        fn every_latency_is_within_its_range(values in prop::collection::vec(1e-3..1e9_f64, 1..20)) {
            let (low, high, ticks) = decades(values.iter().copied());
            prop_assert!(low < high && !ticks.is_empty() && ticks.len() < 24, "{ticks:?}");
            for v in values {
                prop_assert!((low * 0.998..=high * 1.002).contains(&v), "{v} in {low}..{high}");
            }
        }
    }
}
