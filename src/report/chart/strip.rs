//! A history on a stamp: the same as [`super::History`], so small that a page holds hundreds. Dots are strokes without
//! length in one path, a few bytes each.

use super::history::{PointKind, middle};
use super::{Axis, Scale};
use maud::{Markup, html};
use std::fmt::Write as _;

const WIDTH: f64 = 272.0;
const HEIGHT: f64 = 84.0;
const LEFT: f64 = 6.0;
/// Sweeps end here; then come the rounds of the newest, then the labels of the axis.
const SWEEPS: f64 = 188.0;
const ROUNDS: f64 = 204.0;
const LABELS: f64 = 214.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 78.0;

/// What the chart shows. Texts are cleaned.
#[derive(Debug, Clone, PartialEq)]
pub struct Strip<'a> {
    /// Says what it is to those who cannot see it, and to those who point at it.
    pub title: String,
    /// Of the values.
    pub axis: Axis,
    /// A value a sweep, oldest first, and what the sweep is; NaN where it has none. The last is the judged one.
    pub sweeps: &'a [(f64, PointKind)],
    /// The rounds of the judged sweep.
    pub rounds: &'a [f64],
    /// Within which the accepted sweeps lie: from which sweep, low, high.
    pub band: Option<(usize, f64, f64)>,
    /// From where on a rise is worth a person's time.
    pub threshold: Option<f64>,
    /// Sweeps with which a component changed.
    pub changes: &'a [usize],
}

impl Strip<'_> {
    fn x(&self, at: usize) -> f64 {
        LEFT + (SWEEPS - LEFT) * (at as f64 + 0.5) / self.sweeps.len().max(1) as f64
    }

    /// The drawing.
    pub fn draw(&self) -> Markup {
        let scale = self.scale();
        let (low, high) = (scale.low, scale.high);
        html! {
            svg.strip viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" {
                title { (self.title) }
                (self.background(&scale))
                path.rounds d=(self.round_dots(&scale)) {}
                (self.sweep_path(&scale, "apart", PointKind::Apart))
                (self.sweep_path(&scale, "measured", PointKind::Measured))
                (self.sweep_path(&scale, "measured partial", PointKind::Partial { accepted: false }))
                (self.sweep_path(&scale, "accepted", PointKind::Accepted))
                (self.sweep_path(&scale, "accepted partial", PointKind::Partial { accepted: true }))
                @if let Some((value, _)) = self.sweeps.last().filter(|(v, _)| v.is_finite()) {
                    circle.now cx=(whole(self.x(self.sweeps.len() - 1))) cy=(whole(scale.at(*value))) r="5" {}
                }
                text x=(LABELS) y=(TOP + 5.0) { (self.axis.tick(high)) }
                text x=(LABELS) y=(BOTTOM + 2.0) { (self.axis.tick(low)) }
            }
        }
    }

    fn scale(&self) -> Scale {
        let band = self.band.into_iter().flat_map(|(_, low, high)| [low, high]);
        let zero = matches!(self.axis, Axis::Toll).then_some(0.0);
        let values = self.sweeps.iter().map(|(v, _)| *v);
        Scale::over(
            values.chain(band).chain(middle(self.rounds)).chain(self.threshold).chain(zero),
            BOTTOM,
            TOP,
        )
    }

    fn background(&self, scale: &Scale) -> Markup {
        html! {
            @if let Some((from, low, high)) = self.band.filter(|(from, ..)| *from < self.sweeps.len()) {
                @let left = self.x(from) - 3.0;
                rect.band x=(whole(left)) width=(whole(SWEEPS - left)) y=(whole(scale.at(high)))
                    height=(whole((scale.at(low) - scale.at(high)).max(1.0))) {}
            }
            @if matches!(self.axis, Axis::Toll) && scale.low <= 0.0 && scale.high >= 0.0 {
                path.zero d={ "M" (LEFT) " " (whole(scale.at(0.0))) "H" (ROUNDS) } {}
            }
            @if let Some(threshold) = self.threshold {
                path.threshold d={ "M" (LEFT) " " (whole(scale.at(threshold))) "H" (ROUNDS) } {}
            }
            @if !self.changes.is_empty() { path.change d=(self.change_lines()) {} }
        }
    }

    fn change_lines(&self) -> String {
        let half = (SWEEPS - LEFT) / self.sweeps.len().max(1) as f64 / 2.0;
        self.changes.iter().fold(String::new(), |mut path, at| {
            let _ = write!(path, "M{} {TOP}V{BOTTOM}", whole(self.x(*at) - half.min(6.0)));
            path
        })
    }

    /// The sweeps of a kind, nothing where there are none. Those that are not accepted are open: a smaller dot of paper on each.
    fn sweep_path(&self, scale: &Scale, class: &str, kind: PointKind) -> Markup {
        let dots = self.sweep_dots(scale, kind);
        let open = matches!(kind, PointKind::Measured | PointKind::Partial { accepted: false });
        html! {
            @if !dots.is_empty() {
                path class=(class) d=(dots) {}
                @if open { path class={ (class) " inside" } d=(dots) {} }
            }
        }
    }

    fn sweep_dots(&self, scale: &Scale, wanted: PointKind) -> String {
        let of = |(at, (value, kind)): (usize, &(f64, PointKind))| {
            (*kind == wanted && value.is_finite()).then(|| (self.x(at), scale.at(*value)))
        };
        dots(self.sweeps.iter().enumerate().filter_map(of))
    }

    fn round_dots(&self, scale: &Scale) -> String {
        let place = |(i, value): (usize, &f64)| {
            // Side by side by turns, so that equal ones are seen to be several.
            let aside = [0.0, -4.0, 4.0][i % 3];
            (ROUNDS - 6.0 + aside, scale.at(*value))
        };
        dots(self.rounds.iter().enumerate().filter(|(_, v)| v.is_finite()).map(place))
    }
}

fn dots(places: impl Iterator<Item = (f64, f64)>) -> String {
    places.fold(String::new(), |mut path, (x, y)| {
        let _ = write!(path, "M{} {}h0", whole(x), whole(y));
        path
    })
}

/// On a stamp, a pixel is fine enough.
fn whole(x: f64) -> String {
    format!("{:.0}", x + 0.0)
}

#[cfg(test)]
mod tests {
    use super::PointKind::*;
    use super::*;

    fn strip<'a>(sweeps: &'a [(f64, PointKind)], rounds: &'a [f64]) -> Strip<'a> {
        Strip {
            title: "toll of <docker>".into(),
            axis: Axis::Toll,
            sweeps,
            rounds,
            band: Some((0, 10.0, 14.0)),
            threshold: Some(17.0),
            changes: &[2],
        }
    }

    #[test]
    fn snapshot() {
        let sweeps =
            [(9.0, Apart), (12.0, Accepted), (13.0, Accepted), (f64::NAN, Accepted), (19.0, Measured)];
        let drawn = strip(&sweeps, &[18.0, 19.0, 20.0, 90.0]).draw().into_string();
        insta::assert_snapshot!(drawn.replace("><", ">\n<"));
    }

    #[test]
    fn each_sweep_and_each_round_is_a_dot_and_what_is_missing_is_none() {
        let sweeps = [(12.0, Accepted), (f64::NAN, Accepted), (13.0, Partial { accepted: true })];
        let drawn = strip(&sweeps, &[12.0, f64::NAN, 14.0]).draw().into_string();
        assert_eq!(drawn.matches("h0").count(), 4, "{drawn}");
        assert!(!drawn.contains("NaN") && drawn.contains("toll of &lt;docker&gt;"));
    }

    #[test]
    fn what_is_not_accepted_is_open_and_chosen_cells_are_squares() {
        let sweeps = [
            (12.0, Accepted),
            (13.0, Measured),
            (13.0, Partial { accepted: true }),
            (14.0, Partial { accepted: false }),
        ];
        let drawn = strip(&sweeps, &[]).draw().into_string();
        let classes = [
            "accepted",
            "measured",
            "measured inside",
            "accepted partial",
            "measured partial",
            "measured partial inside",
        ];
        for class in classes {
            assert_eq!(drawn.matches(&format!("path class=\"{class}\"")).count(), 1, "{class} in {drawn}");
        }
    }

    #[test]
    fn a_round_far_out_does_not_flatten_the_rest() {
        let mut rounds = vec![12.0; 19];
        rounds.push(4000.0);
        let scale = strip(&[(12.0, Accepted)], &rounds).scale();
        assert!(scale.high < 40.0, "{scale:?}");
    }

    #[test]
    fn a_hundred_sweeps_take_little_room() {
        let sweeps: Vec<(f64, PointKind)> = (0..100).map(|i| (10.0 + f64::from(i % 7), Accepted)).collect();
        let drawn = strip(&sweeps, &[12.0; 10]).draw().into_string();
        assert!(drawn.len() < 2000, "{}", drawn.len());
    }
}
