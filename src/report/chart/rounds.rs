//! The rounds of one sweep: an environment beside native, round by round.

use super::{Axis, Scale, px};
use maud::{Markup, html};

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 14.0;
const RIGHT: f64 = 76.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 28.0;

/// What the chart shows. Texts are cleaned.
#[derive(Debug, Clone, PartialEq)]
pub struct Rounds {
    /// Says what it is to those who cannot see it.
    pub title: String,
    /// Of the values.
    pub axis: Axis,
    /// A value a round; none where the round failed.
    pub environment: Vec<Option<f64>>,
    /// The same of native; empty where the environment is native.
    pub native: Vec<Option<f64>>,
}

impl Rounds {
    fn count(&self) -> usize {
        self.environment.len().max(self.native.len()).max(1)
    }

    fn x(&self, round: usize) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * (round as f64 + 0.5) / self.count() as f64
    }

    /// The drawing: squares for native, circles for the environment, a line between the two of a round.
    pub fn draw(&self) -> Markup {
        let all = self.environment.iter().chain(&self.native).flatten().copied();
        let scale = Scale::over(all, HEIGHT - BOTTOM, TOP);
        let value = |of: &[Option<f64>], round: usize| of.get(round).copied().flatten();
        let every = self.count().div_ceil(15);
        html! {
            svg.rounds viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" {
                title { (self.title) }
                text.axis x=(px(WIDTH - 4.0)) y="14" text-anchor="end" { (self.axis.name()) }
                @for tick in &scale.ticks {
                    line.grid x1=(px(LEFT)) x2=(px(WIDTH - RIGHT)) y1=(px(scale.at(*tick))) y2=(px(scale.at(*tick))) {}
                    text.tick x=(px(WIDTH - RIGHT + 8.0)) y=(px(scale.at(*tick) + 4.0)) { (self.axis.tick(*tick)) }
                }
                @for round in 0..self.count() {
                    @let (here, native) = (value(&self.environment, round), value(&self.native, round));
                    @let x = self.x(round);
                    @if let (Some(here), Some(native)) = (here, native) {
                        line.pair x1=(px(x)) x2=(px(x)) y1=(px(scale.at(here))) y2=(px(scale.at(native))) {}
                    }
                    @if let Some(native) = native {
                        rect.native x=(px(x - 3.0)) y=(px(scale.at(native) - 3.0)) width="6" height="6" {
                            title { "round " (round + 1) ", native: " (self.axis.label(native)) }
                        }
                    }
                    @if let Some(here) = here {
                        circle.accepted cx=(px(x)) cy=(px(scale.at(here))) r="3.8" {
                            title { "round " (round + 1) ": " (self.axis.label(here)) }
                        }
                    }
                    @if round % every == 0 {
                        text.tick x=(px(x)) y=(px(HEIGHT - 8.0)) text-anchor="middle" { (round + 1) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_round_has_no_mark() {
        let rounds = Rounds {
            title: "rounds".into(),
            axis: Axis::Unit("us".into()),
            environment: vec![Some(30.0), None, Some(31.0)],
            native: vec![Some(20.0), Some(21.0), None],
        };
        let drawn = rounds.draw().into_string();
        assert_eq!(drawn.matches("<circle").count(), 2);
        assert_eq!(drawn.matches("class=\"native\"").count(), 2);
        assert_eq!(drawn.matches("class=\"pair\"").count(), 1);
        assert!(drawn.contains("round 3: 31.0 us"));
    }
}
