//! The history of one series: a dot for each sweep, the levels, the band of the baseline, and where components changed.

use super::{Axis, Scale, px};
use crate::history::{Event, Story, Track};
use crate::model::SweepId;
use crate::report::view;
use maud::{Markup, html};

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 300.0;
/// Labels stand at the newest end: that is where a narrow screen begins.
const LEFT: f64 = 14.0;
const RIGHT: f64 = 76.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 30.0;

/// What a sweep is to the baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PointKind {
    /// Part of it.
    Accepted,
    /// Measured, not accepted.
    Measured,
    /// A sweep of chosen cells, that confirmed another.
    Partial {
        /// Whether it is part of the baseline, as one that confirmed an accepted sweep is.
        accepted: bool,
    },
    /// Not comparable with the newest: another suite, image or accelerator.
    Apart,
}

impl PointKind {
    /// Of a sweep in a history.
    pub fn of(point: &crate::history::Point<'_>) -> Self {
        match (point.comparable, point.partial, point.accepted) {
            (false, ..) => Self::Apart,
            (true, true, accepted) => Self::Partial { accepted },
            (true, false, true) => Self::Accepted,
            (true, false, false) => Self::Measured,
        }
    }
}

/// One sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// NaN where it has no value.
    pub value: f64,
    /// How it is drawn.
    pub kind: PointKind,
    /// Its day, below the axis.
    pub day: String,
    /// What a person is told who asks for the dot.
    pub label: String,
    /// Where the dot leads; none in a page that stands alone.
    pub link: Option<String>,
    /// Whether it is the one that is shown more of.
    pub chosen: bool,
}

/// A stretch without a change point: `from..to`, by points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// First point.
    pub from: usize,
    /// Behind the last.
    pub to: usize,
    /// Its median.
    pub middle: f64,
}

/// A change of components, told below the chart under the number that it has in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The first point that has it.
    pub at: usize,
    /// Number, from 1.
    pub number: usize,
    /// What a person is told who asks for it.
    pub label: String,
}

/// What the chart shows. Texts are cleaned.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// Says what it is to those who cannot see it.
    pub title: String,
    /// Of the values.
    pub axis: Axis,
    /// In order of time, evenly spaced: sweeps come in bursts.
    pub points: Vec<Point>,
    /// Between the change points.
    pub levels: Vec<Level>,
    /// Within which the accepted sweeps of the present regime lie: from which point, low, high.
    pub band: Option<(usize, f64, f64)>,
    /// From where on a rise is worth a person's time.
    pub threshold: Option<f64>,
    /// Changes of components.
    pub marks: Vec<Mark>,
    /// The rounds of the newest sweep.
    pub rounds: Vec<f64>,
}

impl History {
    /// Of a story. `link` says where a sweep's dot leads, `chosen` which is ringed.
    pub fn of(
        title: String,
        track: &Track,
        story: &Story<'_>,
        link: impl Fn(&SweepId) -> Option<String>,
        chosen: &[&SweepId],
    ) -> Self {
        let axis = Axis::of(track);
        let point = |p: &crate::history::Point<'_>| Point {
            value: story.value(p),
            kind: PointKind::of(p),
            day: p.started_at.format("%-d %b").to_string(),
            label: format!(
                "{}: {}{}",
                p.sweep,
                axis.label(story.value(p)),
                if p.comparable { "" } else { ", not comparable with the newest" }
            ),
            link: link(p.sweep),
            chosen: chosen.contains(&p.sweep),
        };
        let mark =
            |(number, event): (usize, &Event<'_>)| Mark { at: event.at, number, label: view::event(event) };
        let level =
            |l: &crate::history::Level<'_>| Level { from: l.range.0, to: l.range.1, middle: l.middle };
        Self {
            title,
            points: story.points.iter().map(point).collect(),
            levels: story.levels.iter().map(level).collect(),
            band: story.band.map(|b| (b.from, b.low, b.high)),
            threshold: story.threshold,
            marks: (1..).zip(&story.changes).map(mark).collect(),
            rounds: Vec::new(),
            axis,
        }
    }

    fn x(&self, at: usize) -> f64 {
        let inner = WIDTH - LEFT - RIGHT;
        LEFT + inner * (at as f64 + 0.5) / self.points.len().max(1) as f64
    }

    fn scale(&self) -> Scale {
        let band = self.band.map(|(_, low, high)| [low, high]);
        let values = self.points.iter().map(|p| p.value).chain(middle(&self.rounds));
        let others = band.into_iter().flatten().chain(self.threshold);
        let zero = matches!(self.axis, Axis::Toll).then_some(0.0);
        Scale::over(values.chain(others).chain(zero), HEIGHT - BOTTOM, TOP)
    }

    /// The drawing.
    pub fn draw(&self) -> Markup {
        let scale = self.scale();
        html! {
            svg.history viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" {
                title { (self.title) }
                (self.frame(&scale))
                (self.background(&scale))
                (self.changes())
                @for level in &self.levels {
                    line.level x1=(px(self.x(level.from) - 4.0)) x2=(px(self.x(level.to - 1) + 4.0))
                        y1=(px(scale.at(level.middle))) y2=(px(scale.at(level.middle))) {}
                }
                @for (i, value) in self.rounds.iter().enumerate().filter(|(_, v)| v.is_finite()) {
                    // Behind the newest sweep, side by side by turns, so that equal ones are seen to be several.
                    circle.round cx=(px(WIDTH - RIGHT - 2.0 + [0.0, 5.0, -5.0][i % 3])) cy=(px(scale.at(*value))) r="2.2" {
                        title { "a round: " (self.axis.label(*value)) }
                    }
                }
                @for (at, point) in self.points.iter().enumerate().filter(|(_, p)| p.value.is_finite()) {
                    @let dot = self.dot(point, self.x(at), scale.at(point.value));
                    @match &point.link {
                        Some(link) => a href=(link) { title { (point.label) } (dot) },
                        None => g { title { (point.label) } (dot) },
                    }
                }
            }
        }
    }

    fn frame(&self, scale: &Scale) -> Markup {
        let right = WIDTH - RIGHT;
        html! {
            text.axis x=(px(WIDTH - 4.0)) y="14" text-anchor="end" { (self.axis.name()) }
            @for tick in &scale.ticks {
                line.grid.zero[*tick == 0.0] x1=(px(LEFT)) x2=(px(right)) y1=(px(scale.at(*tick))) y2=(px(scale.at(*tick))) {}
                text.tick x=(px(WIDTH - RIGHT + 8.0)) y=(px(scale.at(*tick) + 4.0)) { (self.axis.tick(*tick)) }
            }
            @for at in days(&self.points) {
                text.tick x=(px(self.x(at))) y=(px(HEIGHT - 10.0)) text-anchor="middle" { (self.points[at].day) }
            }
        }
    }

    fn background(&self, scale: &Scale) -> Markup {
        let right = WIDTH - RIGHT;
        html! {
            @if let Some((from, low, high)) = self.band.filter(|(from, ..)| *from < self.points.len()) {
                @let left = self.x(from) - 6.0;
                rect.band x=(px(left)) width=(px((right - left).max(0.0)))
                    y=(px(scale.at(high))) height=(px((scale.at(low) - scale.at(high)).max(1.5))) {}
            }
            @if let Some(threshold) = self.threshold {
                line.threshold x1=(px(LEFT)) x2=(px(right)) y1=(px(scale.at(threshold))) y2=(px(scale.at(threshold))) {}
            }
        }
    }

    fn changes(&self) -> Markup {
        let half = (WIDTH - LEFT - RIGHT) / self.points.len().max(1) as f64 / 2.0;
        html! {
            @for mark in &self.marks {
                @let x = self.x(mark.at) - half.min(12.0);
                g.change {
                    title { (mark.label) }
                    line x1=(px(x)) x2=(px(x)) y1=(px(TOP - 6.0)) y2=(px(HEIGHT - BOTTOM)) {}
                    rect x=(px(x - 8.0)) y=(px(TOP - 22.0)) width="16" height="16" rx="3" {}
                    text x=(px(x)) y=(px(TOP - 10.0)) text-anchor="middle" { (mark.number) }
                }
            }
        }
    }

    /// Shapes differ as well as colours: full for accepted, open for measured, small squares for chosen cells.
    fn dot(&self, point: &Point, x: f64, y: f64) -> Markup {
        // Of many points each is smaller.
        let r = if self.points.len() > 150 { 2.6 } else { 4.2 };
        html! {
            @if point.chosen { circle.chosen cx=(px(x)) cy=(px(y)) r=(px(r + 4.0)) {} }
            @match point.kind {
                PointKind::Accepted => circle.accepted cx=(px(x)) cy=(px(y)) r=(px(r)) {},
                PointKind::Measured => circle.measured cx=(px(x)) cy=(px(y)) r=(px(r)) {},
                PointKind::Apart => path.apart d={ "M" (px(x - 3.0)) " " (px(y - 3.0)) "l6 6m0 -6l-6 6" } {},
                PointKind::Partial { accepted } => rect.partial.accepted[accepted] x=(px(x - r + 1.0)) y=(px(y - r + 1.0))
                    width=(px(2.0 * r - 2.0)) height=(px(2.0 * r - 2.0)) {},
            }
        }
    }
}

/// Without the outermost tenth at each end: a round that is far out stands at the edge, rather than flattening the rest.
pub(super) fn middle(rounds: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = rounds.iter().copied().filter(|v| v.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let edge = sorted.len() / 10;
    sorted.drain(..edge);
    sorted.truncate(sorted.len() - edge);
    sorted
}

/// Points whose day is written: at most eight, evenly, and none whose day stands there already.
fn days(points: &[Point]) -> Vec<usize> {
    const MOST: usize = 8;
    let every = points.len().div_ceil(MOST).max(1);
    let mut shown: Vec<usize> = (0..points.len()).step_by(every).collect();
    shown.dedup_by(|b, a| points[*b].day == points[*a].day);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(values: &[f64]) -> History {
        let point = |(i, value): (usize, &f64)| Point {
            value: *value,
            kind: PointKind::Accepted,
            day: format!("{:02} Nov", 1 + i / 2),
            label: format!("sweep {i}"),
            link: Some(format!("/sweep/{i}")),
            chosen: i == 1,
        };
        History {
            title: "a <toll>".into(),
            axis: Axis::Toll,
            points: values.iter().enumerate().map(point).collect(),
            levels: vec![Level { from: 0, to: values.len(), middle: 12.0 }],
            band: Some((0, 10.0, 14.0)),
            threshold: Some(17.0),
            marks: vec![Mark { at: 2, number: 1, label: "runc 1.1 → 1.3".into() }],
            rounds: Vec::new(),
        }
    }

    #[test]
    fn snapshot() {
        let drawn = history(&[12.0, 11.0, 13.0, f64::NAN, 14.0]).draw().into_string();
        insta::assert_snapshot!(drawn.replace("><", ">\n<"));
    }

    #[test]
    fn what_was_not_measured_has_no_dot_and_text_stays_text() {
        let drawn = history(&[12.0, 11.0, 13.0, f64::NAN, 14.0]).draw().into_string();
        assert_eq!(drawn.matches("circle class=\"accepted\"").count(), 4);
        assert!(drawn.contains("a &lt;toll&gt;") && !drawn.contains("NaN"));
    }

    #[test]
    fn chosen_cells_are_squares_full_where_they_are_accepted() {
        let mut of = history(&[12.0, 11.0, 13.0]);
        of.points[0].kind = PointKind::Partial { accepted: true };
        of.points[1].kind = PointKind::Partial { accepted: false };
        let drawn = of.draw().into_string();
        for class in ["partial accepted", "partial"] {
            assert_eq!(drawn.matches(&format!("rect class=\"{class}\"")).count(), 1, "{drawn}");
        }
    }

    #[test]
    fn rounds_are_dots_and_a_page_that_stands_alone_has_no_links() {
        let mut alone = history(&[12.0, 11.0, 13.0]);
        alone.points.iter_mut().for_each(|p| p.link = None);
        alone.rounds = vec![12.0, 14.0, f64::NAN];
        let drawn = alone.draw().into_string();
        assert_eq!(drawn.matches("circle class=\"round\"").count(), 2);
        assert!(!drawn.contains("<a ") && drawn.contains("sweep 2"));
    }

    #[test]
    fn of_no_points_there_is_a_frame() {
        let mut empty = history(&[]);
        (empty.levels, empty.marks) = (Vec::new(), Vec::new());
        assert!(empty.draw().into_string().contains("</svg>"));
    }

    #[test]
    fn a_day_is_written_once() {
        assert_eq!(days(&history(&[1.0; 6]).points), [0, 2, 4]);
    }
}
