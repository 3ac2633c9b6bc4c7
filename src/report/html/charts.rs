//! Small drawings in the page, as inline SVG. Numbers always stand beside them as text.

use crate::model::{Verdict, VerdictKind};
use crate::report::number;
use maud::{Markup, html};

const WIDTH: f64 = 240.0;
const HEIGHT: f64 = 22.0;
const MARGIN: f64 = 8.0;

/// The scale that the drawings of one table share: from `-reach` to `reach` percent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    reach: f64,
}

impl Scale {
    /// Wide enough for every change and threshold and most of the intervals; what is outside is cut off with
    /// an arrow, so that one noisy metric does not flatten all others.
    pub(super) fn of(verdicts: &[&Verdict]) -> Self {
        let finite = |x: &f64| x.is_finite();
        let needed = verdicts
            .iter()
            .flat_map(|v| [v.change_pct.map(f64::abs), v.threshold_pct.map(|t| t * 1.3)])
            .flatten()
            .filter(finite)
            .fold(5.0, f64::max);
        let mut ends: Vec<f64> = verdicts
            .iter()
            .filter_map(|v| v.ci95_pct)
            .map(|[l, h]| l.abs().max(h.abs()))
            .filter(finite)
            .collect();
        ends.sort_by(f64::total_cmp);
        let most = ends.get(ends.len().saturating_sub(1) * 9 / 10).copied().unwrap_or(0.0);
        let reach = needed.min(60.0).max(most.min(60.0));
        let steps = [5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 60.0];
        Self { reach: steps.into_iter().find(|s| *s >= reach).unwrap_or(60.0) }
    }

    fn x(self, pct: f64) -> f64 {
        let half = WIDTH / 2.0 - MARGIN;
        WIDTH / 2.0 + (pct / self.reach).clamp(-1.0, 1.0) * half
    }

    /// The axis, for the head of the column.
    pub(super) fn axis(self) -> Markup {
        let ticks = [-self.reach, -self.reach / 2.0, 0.0, self.reach / 2.0, self.reach];
        html! {
            svg.forest.axis viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } aria-hidden="true" {
                @for tick in ticks {
                    line.tick x1=(at(self.x(tick))) x2=(at(self.x(tick))) y1="17" y2="22" {}
                    text x=(at(self.x(tick))) y="13" text-anchor=(anchor(tick, self.reach)) { (label(tick)) }
                }
            }
        }
    }

    /// One change with its interval, against zero and the threshold.
    pub(super) fn forest(self, v: &Verdict) -> Markup {
        let said = format!("change {}", number::change_with_interval(v.change_pct, v.ci95_pct));
        let middle = HEIGHT / 2.0;
        html! {
            svg.forest viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(said) {
                @if let Some(threshold) = v.threshold_pct.filter(|t| t.is_finite() && *t < self.reach) {
                    rect.beyond x=(at(self.x(threshold))) y="0"
                        width=(at(WIDTH - MARGIN - self.x(threshold))) height=(HEIGHT) {}
                    line.threshold x1=(at(self.x(threshold))) x2=(at(self.x(threshold))) y1="0" y2=(HEIGHT) {}
                }
                line.zero x1=(at(self.x(0.0))) x2=(at(self.x(0.0))) y1="0" y2=(HEIGHT) {}
                @if let Some([low, high]) = v.ci95_pct.filter(|[l, h]| l.is_finite() && h.is_finite()) {
                    g class=(v.verdict.as_str()) {
                        line.interval x1=(at(self.x(low))) x2=(at(self.x(high))) y1=(middle) y2=(middle) {}
                        (self.end(low))
                        (self.end(high))
                    }
                }
                @if let Some(change) = v.change_pct.filter(|c| c.is_finite()) {
                    g class=(v.verdict.as_str()) { (point(v.verdict, self.x(change), middle)) }
                }
            }
        }
    }

    /// A bar where the interval ends, an arrow where it goes on beyond the scale.
    fn end(self, pct: f64) -> Markup {
        let (x, y) = (self.x(pct), HEIGHT / 2.0);
        if pct.abs() <= self.reach {
            return html! { line.interval x1=(at(x)) x2=(at(x)) y1=(y - 4.0) y2=(y + 4.0) {} };
        }
        let tail = x - 5.0 * pct.signum();
        html! {
            polygon.point points={ (at(x)) "," (y) " " (at(tail)) "," (y - 4.0) " " (at(tail)) "," (y + 4.0) } {}
        }
    }
}

/// Shapes differ as well as colours: a square for regressed, a diamond for suspected, open for inconclusive.
fn point(kind: VerdictKind, x: f64, y: f64) -> Markup {
    match kind {
        VerdictKind::Regressed => html! { rect.point x=(at(x - 4.5)) y=(y - 4.5) width="9" height="9" {} },
        VerdictKind::Suspected => html! {
            polygon.point points={
                (at(x)) "," (y - 6.0) " " (at(x + 6.0)) "," (y) " " (at(x)) "," (y + 6.0) " " (at(x - 6.0)) "," (y)
            } {}
        },
        VerdictKind::Inconclusive => html! { circle.open cx=(at(x)) cy=(y) r="4" {} },
        _ => html! { circle.point cx=(at(x)) cy=(y) r="4.5" {} },
    }
}

/// Coordinates with one decimal: pages that differ in nothing are equal in bytes.
fn at(x: f64) -> String {
    format!("{:.1}", x + 0.0)
}

fn label(tick: f64) -> String {
    if tick == 0.0 { "0".to_owned() } else { format!("{tick:+}") }
}

fn anchor(tick: f64, reach: f64) -> &'static str {
    if tick <= -reach {
        "start"
    } else if tick >= reach {
        "end"
    } else {
        "middle"
    }
}

/// Two tolls of a row on one axis. Tolls reach from a few percent to thousands, so that the axis grows like a logarithm on
/// both sides of zero.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair {
    low: f64,
    high: f64,
}

impl Pair {
    /// Wide enough for all of them.
    pub(super) fn over(tolls: impl IntoIterator<Item = f64>) -> Self {
        let known = tolls.into_iter().filter(|t| t.is_finite());
        let (low, high) = known.fold((-10.0_f64, 10.0_f64), |(l, h), t| (l.min(t), h.max(t)));
        Self { low: low.max(-95.0), high }
    }

    fn x(self, pct: f64) -> f64 {
        let grown = |pct: f64| pct.signum() * (pct.abs() / 10.0).ln_1p();
        let (low, high) = (grown(self.low), grown(self.high));
        MARGIN + (grown(pct) - low).clamp(0.0, high - low) / (high - low) * (WIDTH - 2.0 * MARGIN)
    }

    /// The axis, for the head of the column.
    pub(super) fn axis(self) -> Markup {
        let ticks = [-50.0, -10.0, 0.0, 10.0, 100.0, 1000.0];
        let shown = ticks.into_iter().filter(|t| (self.low..=self.high).contains(t));
        html! {
            svg.forest.axis viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } aria-hidden="true" {
                @for tick in shown {
                    line.tick x1=(at(self.x(tick))) x2=(at(self.x(tick))) y1="17" y2="22" {}
                    text x=(at(self.x(tick))) y="13" text-anchor="middle" { (label(tick)) }
                }
            }
        }
    }

    /// Throughput's toll as a circle, that of processor time as a square.
    pub(super) fn draw(self, throughput: Option<f64>, cost: Option<f64>) -> Markup {
        let y = HEIGHT / 2.0;
        let said = |t: Option<f64>| t.map_or_else(|| number::NONE.to_owned(), number::toll);
        let label = format!("toll of throughput {}, of processor time {}", said(throughput), said(cost));
        html! {
            svg.forest viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(label) {
                line.zero x1=(at(self.x(0.0))) x2=(at(self.x(0.0))) y1="0" y2=(HEIGHT) {}
                g.pair {
                    @if let Some((throughput, cost)) = throughput.zip(cost) {
                        line.interval x1=(at(self.x(throughput))) x2=(at(self.x(cost))) y1=(y) y2=(y) {}
                    }
                    @if let Some(cost) = cost { rect.point x=(at(self.x(cost) - 4.5)) y=(y - 4.5) width="9" height="9" {} }
                    @if let Some(throughput) = throughput { circle.open cx=(at(self.x(throughput))) cy=(y) r="4" {} }
                }
            }
        }
    }
}

/// Time in trials against the harness's own.
pub(super) fn share(harness: f64) -> Markup {
    let harness = if harness.is_finite() { harness.clamp(0.0, 1.0) } else { 0.0 };
    let trials = (1.0 - harness) * 100.0;
    html! {
        svg.share viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true" {
            rect.trials x="0" y="0" width=(at(trials)) height="4" {}
            rect.harness x=(at(trials)) y="0" width=(at(100.0 - trials)) height="4" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tolls_of_a_pair_stand_in_their_order_between_the_margins() {
        let pair = Pair::over([-12.0, 3.0, 1400.0, f64::NAN]);
        let places = [-12.0, 0.0, 3.0, 100.0, 1400.0].map(|t| pair.x(t));
        assert!(places.is_sorted(), "{places:?}");
        assert!((places[0] - MARGIN).abs() < 0.1 && (places[4] - (WIDTH - MARGIN)).abs() < 0.1, "{places:?}");
        let drawn = pair.draw(Some(3.0), None).into_string();
        assert!(drawn.contains("toll of throughput +3.0 %, of processor time -"), "{drawn}");
    }
}
