//! A figure: two bars for each environment, 2014's and today's, on one axis of tolls. Inline SVG, made by hand.

use crate::report::chart::px;
use crate::report::number::printed;
use maud::{Markup, html};

const WIDTH: f64 = 400.0;
const LEFT: f64 = 94.0;
/// Of a letter of a label, about.
const LETTER: f64 = 7.2;
const TOP: f64 = 24.0;
const HEADING: f64 = 24.0;
const BAR: f64 = 11.0;
const ROW: f64 = 2.0 * BAR + 8.0;
/// Ticks are at least so far apart.
const APART: f64 = 48.0;

/// Tolls that may have a tick: percent.
const TICKS: [f64; 12] = [-75.0, -50.0, -20.0, 0.0, 25.0, 50.0, 100.0, 200.0, 400.0, 900.0, 1900.0, 4900.0];

/// One bar.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bar {
    /// Toll, percent; none where only a range was published, which has no middle.
    pub toll: Option<f64>,
    /// What it ranges over: published from and to, or the middle half of the rounds.
    pub range: Option<[f64; 2]>,
    /// What stands behind it.
    pub label: String,
    /// What a pointer that rests on it is told.
    pub says: String,
}

/// An environment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    /// Its label, cleaned.
    pub environment: String,
    /// Of 2014.
    pub then: Option<Bar>,
    /// Of today.
    pub now: Option<Bar>,
}

/// Rows below one heading.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Group {
    /// What was measured.
    pub what: String,
    /// Environments that have a bar.
    pub rows: Vec<Row>,
}

/// From the toll to the pixel: logarithmic in the ratio, as tolls are compared, so that an emulator's 900 % leaves Docker's 5 %
/// visible.
#[derive(Debug, Clone, Copy)]
struct Axis {
    low: f64,
    high: f64,
    /// Room for the longest label, right of everything.
    right: f64,
}

impl Axis {
    fn over(groups: &[Group]) -> Self {
        let bars = groups.iter().flat_map(|g| &g.rows).flat_map(|r| [&r.then, &r.now]).flatten();
        let longest = bars.clone().map(|b| b.label.chars().count()).max().unwrap_or(0);
        let ends = bars.flat_map(|b| b.toll.into_iter().chain(b.range.into_iter().flatten()));
        let logs = ends.map(log).filter(|x| x.is_finite());
        let (low, high) = logs.fold((log(-5.0), log(30.0)), |(l, h), x| (l.min(x), h.max(x)));
        Self { low, high, right: 8.0 + LETTER * longest as f64 }
    }

    fn x(self, toll: f64) -> f64 {
        let share = (log(toll) - self.low) / (self.high - self.low);
        LEFT + share.clamp(0.0, 1.0) * (WIDTH - LEFT - self.right)
    }

    /// From native outwards, those that have room.
    fn ticks(self) -> Vec<f64> {
        let mut ticks = vec![0.0];
        let inside = |t: &f64| (self.low..=self.high).contains(&log(*t));
        for tick in TICKS.into_iter().filter(|t| *t > 0.0).filter(inside) {
            if self.x(tick) - ticks.last().map_or(0.0, |t| self.x(*t)) >= APART {
                ticks.push(tick);
            }
        }
        let mut last = self.x(0.0);
        for tick in TICKS.into_iter().rev().filter(|t| *t < 0.0).filter(inside) {
            if last - self.x(tick) >= APART {
                last = self.x(tick);
                ticks.push(tick);
            }
        }
        ticks
    }
}

fn log(toll: f64) -> f64 {
    (toll / 100.0).ln_1p()
}

fn tick_label(toll: f64) -> String {
    if toll == 0.0 { "native".to_owned() } else { printed(&format!("{toll:+.0} %")) }
}

/// The drawing. `title` says what it is to those who cannot see it.
pub(super) fn draw(title: &str, groups: &[Group]) -> Markup {
    let axis = Axis::over(groups);
    let rows: usize = groups.iter().map(|g| g.rows.len()).sum();
    let height = TOP + HEADING * groups.len() as f64 + ROW * rows as f64 + 4.0;
    let mut y = TOP;
    let mut placed = Vec::new();
    for group in groups {
        placed.push((y, group));
        y += HEADING + ROW * group.rows.len() as f64;
    }
    html! {
        svg.study viewBox={ "0 0 " (WIDTH) " " (px(height)) } role="img" aria-label=(title) {
            @for tick in axis.ticks() {
                line class=(if tick == 0.0 { "zero" } else { "grid" }) x1=(px(axis.x(tick))) x2=(px(axis.x(tick))) y1=(px(TOP - 6.0)) y2=(px(height)) {}
                text.tick x=(px(axis.x(tick))) y=(px(TOP - 11.0)) text-anchor="middle" { (tick_label(tick)) }
            }
            @for (top, group) in placed {
                text.what x="0" y=(px(top + 15.0)) { (group.what) }
                @for (i, row) in group.rows.iter().enumerate() {
                    @let y = top + HEADING + ROW * i as f64;
                    text.name x=(px(LEFT - 8.0)) y=(px(y + BAR + 4.0)) text-anchor="end" { (row.environment) }
                    @if let Some(bar) = &row.then { (draw_bar(axis, bar, "then", y)) }
                    @if let Some(bar) = &row.now { (draw_bar(axis, bar, "now", y + BAR + 1.0)) }
                }
            }
        }
    }
}

/// A bar from native to its toll, its range as a line with ends, and its number.
fn draw_bar(axis: Axis, bar: &Bar, class: &str, y: f64) -> Markup {
    let zero = axis.x(0.0);
    let ends = bar.toll.map(|toll| axis.x(toll)).map(|end| (zero.min(end), zero.max(end)));
    let range = bar.range.map(|[a, b]| [axis.x(a), axis.x(b)]);
    let right = ends.map_or(zero, |(_, to)| to).max(range.map_or(zero, |[_, b]| b));
    let middle = y + BAR / 2.0;
    html! {
        g class=(class) {
            title { (bar.says) }
            @if let Some((from, to)) = ends {
                rect x=(px(from)) y=(px(y)) width=(px((to - from).max(1.0))) height=(px(BAR)) {}
            }
            @if let Some([a, b]) = range {
                path d={ "M" (px(a)) " " (px(middle)) "H" (px(b)) "M" (px(a)) " " (px(y + 1.5)) "v8M" (px(b)) " " (px(y + 1.5)) "v8" } {}
            }
            text x=(px(right + 5.0)) y=(px(y + BAR - 1.5)) { (printed(&bar.label)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(toll: f64) -> Bar {
        let label = crate::report::number::toll(toll);
        Bar { toll: Some(toll), range: None, label, says: String::new() }
    }

    fn group(rows: &[(Option<Bar>, Option<Bar>)]) -> Group {
        let row = |(then, now): &(Option<Bar>, Option<Bar>)| Row {
            environment: "docker".into(),
            then: then.clone(),
            now: now.clone(),
        };
        Group { what: "Redis GET".into(), rows: rows.iter().map(row).collect() }
    }

    #[test]
    fn twice_is_as_far_from_native_as_half_and_ticks_do_not_touch() {
        let groups = [group(&[(Some(bar(100.0)), Some(bar(-50.0)))]), group(&[(Some(bar(1581.0)), None)])];
        let axis = Axis::over(&groups);
        let (up, down) = (axis.x(100.0) - axis.x(0.0), axis.x(0.0) - axis.x(-50.0));
        assert!((up - down).abs() < 1e-9, "{up} {down}");
        let mut at: Vec<f64> = axis.ticks().into_iter().map(|t| axis.x(t)).collect();
        at.sort_by(f64::total_cmp);
        assert!(at.len() >= 3 && at.windows(2).all(|w| w[1] - w[0] >= APART), "{at:?}");
        assert!((axis.x(1581.0) - (WIDTH - axis.right)).abs() < 1e-9, "the largest fills the width");
    }

    #[test]
    fn what_was_not_measured_has_no_bar() {
        let drawn =
            draw("Redis", &[group(&[(Some(bar(28.0)), None), (None, Some(bar(-3.0)))])]).into_string();
        assert_eq!(drawn.matches("<rect").count(), 2);
        assert!(drawn.contains(">+28 %<") && drawn.contains(">−3.0 %<"), "{drawn}");
        assert!(drawn.contains("aria-label=\"Redis\""));
    }
}
