//! What the running job shows of itself.

use crate::sweep::{Progress, Step};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Rounds are shown at most as often as this: trials wait for whoever shows them.
const OFTEN: Duration = Duration::from_secs(1);

/// The state of the running job.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shown {
    /// What it does, in words.
    pub step: String,
    /// Rounds that are done.
    pub done: usize,
    /// All rounds.
    pub total: usize,
    /// Seconds that the rest will take.
    pub left_s: Option<f64>,
}

#[derive(Debug, Default)]
struct State {
    shown: Shown,
    /// When the first round of this run was done, and which it was.
    first: Option<(Instant, usize)>,
    told: Option<Instant>,
}

/// Where the running job writes, and the service reads.
#[derive(Debug, Default)]
pub struct Board {
    state: Mutex<State>,
    news: Notify,
}

impl Board {
    /// Forgets the last job.
    pub fn clear(&self) {
        *self.lock() = State::default();
    }

    /// What there is to show now.
    pub fn shown(&self) -> Shown {
        self.lock().shown.clone()
    }

    /// Waits until there is something new.
    pub async fn news(&self) {
        self.news.notified().await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, text: String) {
        let mut state = self.lock();
        state.shown.step = text;
        drop(state);
        self.news.notify_one();
    }

    fn blocks(&self, done: usize, of: usize, failed: usize) {
        let now = Instant::now();
        let mut state = self.lock();
        if state.shown.total != of || state.shown.done > done {
            // The next sweep of this job.
            state.first = None;
        }
        let (began, first) = *state.first.get_or_insert((now, done));
        let each = began.elapsed().as_secs_f64() / done.saturating_sub(first).max(1) as f64;
        let failures = if failed > 0 { format!(", {failed} trials failed") } else { String::new() };
        state.shown = Shown {
            step: format!("measuring{failures}"),
            done,
            total: of,
            left_s: (done > first).then(|| each * of.saturating_sub(done) as f64),
        };
        let due = state.told.is_none_or(|told| now.duration_since(told) >= OFTEN) || done == of;
        if due {
            state.told = Some(now);
        }
        drop(state);
        if due {
            self.news.notify_one();
        }
    }
}

impl Progress for Board {
    fn step(&self, step: Step) {
        match step {
            Step::Starting(environment) => self.say(format!("starting {environment}")),
            Step::Preparing => self.say("preparing".to_owned()),
            Step::WarmingUp => self.say("warming up".to_owned()),
            Step::Stopping => self.say("stopping".to_owned()),
            Step::Blocks { done, of, failed } => self.blocks(done, of, failed),
            // Readers want rounds; a trial more is no news.
            Step::Planned(_) | Step::Trial { .. } => {}
            Step::Lost { environment, reason } => {
                tracing::warn!(%environment, reason, "an environment takes no part");
            }
            Step::GivenUp { case, environment, reason } => {
                tracing::warn!(case, %environment, reason, "a cell is given up");
            }
            Step::Note(text) => tracing::info!("{text}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn rounds_are_counted_and_a_rest_is_reckoned_from_the_second_on() {
        let board = Board::default();
        board.step(Step::WarmingUp);
        board.news().await;
        assert_eq!(board.shown().step, "warming up");
        // A resumed sweep has rounds behind it.
        board.step(Step::Blocks { done: 40, of: 60, failed: 0 });
        assert_eq!((board.shown().done, board.shown().left_s), (40, None));
        std::thread::sleep(Duration::from_millis(20));
        board.step(Step::Blocks { done: 41, of: 60, failed: 2 });
        let shown = board.shown();
        let left = shown.left_s.expect("reckoned");
        assert!((0.38..60.0).contains(&left), "{left}");
        assert_eq!(shown.step, "measuring, 2 trials failed");
        board.step(Step::Blocks { done: 1, of: 30, failed: 0 });
        assert_eq!(board.shown().left_s, None, "another sweep");
        board.clear();
        assert_eq!(board.shown(), Shown::default());
    }
}
