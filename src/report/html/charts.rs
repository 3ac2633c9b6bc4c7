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
    /// Wide enough for every change and threshold and most of the intervals, up to 60 %; what is outside is an arrow at the edge, so
    /// that one noisy metric does not flatten all others.
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
            svg.forest.axis viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" {
                title { "scale from " (percent(-self.reach)) " to " (percent(self.reach)) }
                @for tick in ticks {
                    line.tick x1=(at(self.x(tick))) x2=(at(self.x(tick))) y1="17" y2="22" {}
                    text x=(at(self.x(tick))) y="13" text-anchor=(anchor(tick, self.reach)) {
                        @if self.has(tick * 1.1) { (label(tick)) } @else { (percent(tick)) }
                    }
                }
            }
        }
    }

    /// One change with its interval, against zero and the threshold.
    pub(super) fn forest(self, v: &Verdict) -> Markup {
        let change = number::change_with_interval(v.change_pct, v.ci95_pct);
        let middle = HEIGHT / 2.0;
        let finite = |pct: &f64| pct.is_finite();
        let beyond = v.change_pct.filter(finite).filter(|pct| !self.has(*pct));
        html! {
            svg.forest viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" {
                title { "change " (change) }
                @if let Some(threshold) = v.threshold_pct.filter(|t| t.is_finite() && *t < self.reach) {
                    rect.beyond x=(at(self.x(threshold))) y="0"
                        width=(at(WIDTH - MARGIN - self.x(threshold))) height=(HEIGHT) {}
                    line.threshold x1=(at(self.x(threshold))) x2=(at(self.x(threshold))) y1="0" y2=(HEIGHT) {}
                }
                line.zero x1=(at(self.x(0.0))) x2=(at(self.x(0.0))) y1="0" y2=(HEIGHT) {}
                @if let Some([low, high]) = v.ci95_pct.filter(|ends| ends.iter().all(finite)) {
                    g class=(v.verdict.as_str()) {
                        line.interval x1=(at(self.x(low))) x2=(at(self.x(high))) y1=(middle) y2=(middle) {}
                        @for end in [low, high] {
                            @if self.has(end) { (self.bar(end)) }
                            // Where the change itself is beyond, its arrow says both.
                            @else if beyond.is_none_or(|pct| pct.signum() != end.signum()) { (self.goes_on(end)) }
                        }
                    }
                }
                @if let Some(pct) = beyond {
                    g class=(v.verdict.as_str()) {
                        title { "beyond the scale: " (number::printed(&change)) }
                        (self.point_beyond(v.verdict, pct))
                    }
                } @else if let Some(pct) = v.change_pct.filter(finite) {
                    g class=(v.verdict.as_str()) { (point(v.verdict, self.x(pct), middle)) }
                }
            }
        }
    }

    /// Whether a change of these, or an end of its interval, is beyond the scale.
    pub(super) fn cuts(self, verdicts: &[&Verdict]) -> bool {
        let shown =
            verdicts.iter().flat_map(|v| v.change_pct.into_iter().chain(v.ci95_pct.into_iter().flatten()));
        shown.filter(|x| x.is_finite()).any(|x| !self.has(x))
    }

    /// Whether a change is on the scale.
    fn has(self, pct: f64) -> bool {
        pct.abs() <= self.reach
    }

    /// Where an interval ends.
    fn bar(self, pct: f64) -> Markup {
        let (x, y) = (self.x(pct), HEIGHT / 2.0);
        html! { line.interval x1=(at(x)) x2=(at(x)) y1=(y - 4.0) y2=(y + 4.0) {} }
    }

    /// Where it goes on beyond the scale.
    fn goes_on(self, pct: f64) -> Markup {
        let to = number::printed(&number::change(pct));
        html! {
            polygon.point points=(self.arrow(pct, 5.0, 4.0, 0.0)) { title { "the interval goes on to " (to) } }
        }
    }

    /// In place of the point where the change itself is beyond the scale: larger than the interval's arrows, and out in the margin, so
    /// that nobody takes the edge for its place. Open where the point would be.
    fn point_beyond(self, kind: VerdictKind, pct: f64) -> Markup {
        let class = if kind == VerdictKind::Inconclusive { "open" } else { "point" };
        html! { polygon class=(class) points=(self.arrow(pct, 10.0, 7.0, MARGIN - 1.0)) {} }
    }

    /// The corners of a triangle that points outwards at the edge on the side of `pct`: so long, half so wide, so far beyond the edge.
    fn arrow(self, pct: f64, length: f64, half: f64, beyond: f64) -> String {
        let (tip, y) = (self.x(pct) + beyond * pct.signum(), HEIGHT / 2.0);
        let tail = tip - length * pct.signum();
        format!("{},{y} {},{} {},{}", at(tip), at(tail), y - half, at(tail), y + half)
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
    if tick == 0.0 { "0".to_owned() } else { number::printed(&format!("{tick:+}")) }
}

/// The same with its unit, for the ends of an axis.
fn percent(tick: f64) -> String {
    format!("{} %", label(tick))
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
        let shown: Vec<f64> = ticks.into_iter().filter(|t| (self.low..=self.high).contains(t)).collect();
        html! {
            svg.forest.axis viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" {
                title { "scale from " (percent(self.low.round())) " to " (percent(self.high.round())) }
                @for (i, tick) in shown.iter().enumerate() {
                    line.tick x1=(at(self.x(*tick))) x2=(at(self.x(*tick))) y1="17" y2="22" {}
                    @if i + 1 < shown.len() { text x=(at(self.x(*tick))) y="13" text-anchor="middle" { (label(*tick)) } }
                    // Left of its tick, where there is room for the sign of percent.
                    @else { text x=(at((self.x(*tick) + 14.0).min(WIDTH))) y="13" text-anchor="end" { (percent(*tick)) } }
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
            svg.forest viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" {
                title { (label) }
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
        svg.share viewBox="0 0 100 4" preserveAspectRatio="none" role="img" {
            title { (format!("{trials:.0} % of the time in trials, {:.0} % the harness's own", 100.0 - trials)) }
            rect.trials x="0" y="0" width=(at(trials)) height="4" {}
            rect.harness x=(at(trials)) y="0" width=(at(100.0 - trials)) height="4" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    fn verdict(kind: VerdictKind, change: f64, ci: [f64; 2]) -> Verdict {
        let some = fixtures::small_regression().judgement.verdicts[0].clone();
        Verdict {
            verdict: kind,
            change_pct: Some(change),
            ci95_pct: Some(ci),
            threshold_pct: Some(5.0),
            ..some
        }
    }

    #[test]
    fn what_is_beyond_the_scale_is_an_arrow_that_says_its_number() {
        let beyond = verdict(VerdictKind::Regressed, 140.0, [55.0, 260.0]);
        let wide = verdict(VerdictKind::Inconclusive, 12.0, [-41.0, 95.0]);
        let fallen = verdict(VerdictKind::Inconclusive, -75.0, [-90.0, 80.0]);
        let inside = verdict(VerdictKind::Regressed, 60.0, [50.0, 60.0]);
        let all = [&beyond, &wide, &fallen, &inside];
        let scale = Scale::of(&all);
        assert!(scale.cuts(&all) && !scale.cuts(&[&inside]));
        let [beyond, wide, fallen, inside] = all.map(|v| scale.forest(v).into_string());
        assert!(beyond.contains("<title>beyond the scale: +140 % [55.0, 260]</title>"), "{beyond}");
        assert_eq!(beyond.matches("<polygon").count(), 1, "one arrow for change and interval: {beyond}");
        assert!(beyond.contains("239.0,11 229.0,4 229.0,18"), "within the drawing: {beyond}");
        assert!(wide.contains("<title>the interval goes on to +95.0 %</title>"), "{wide}");
        assert_eq!((wide.matches("<polygon").count(), wide.matches("<circle").count()), (1, 1), "{wide}");
        assert!(fallen.contains("<title>beyond the scale: −75.0 % [−90.0, 80.0]</title>"), "{fallen}");
        assert!(fallen.contains("polygon class=\"open\" points=\"1.0,11 11.0,4 11.0,18\""), "{fallen}");
        assert!(
            fallen.contains("<title>the interval goes on to +80.0 %</title>"),
            "the other side: {fallen}"
        );
        assert_eq!(
            (inside.matches("<title>").count(), inside.matches("<polygon").count()),
            (1, 0),
            "{inside}"
        );
    }

    #[test]
    fn each_drawing_begins_with_its_title_and_axes_have_their_unit() {
        let some = verdict(VerdictKind::Regressed, 12.0, [8.0, 16.0]);
        let scale = Scale::of(&[&some]);
        let pair = Pair::over([-12.0, 1400.0]);
        let drawn = [scale.axis(), scale.forest(&some), pair.axis(), pair.draw(Some(3.0), None), share(0.35)];
        let text = drawn.map(|d| {
            let text = d.into_string();
            let (_, inside) = text.split_once('>').expect("a drawing");
            assert!(text.contains("role=\"img\"") && inside.starts_with("<title>"), "{text}");
            let words = |part: &str| part.split_once('<').map(|(words, _)| words.to_owned());
            text.split('>').filter_map(words).filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" | ")
        });
        insta::assert_snapshot!(text.join("\n"));
    }

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
