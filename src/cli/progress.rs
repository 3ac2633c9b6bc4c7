//! Progress of a sweep: a few lines that change in place on a terminal, plain lines elsewhere.

mod display;

use super::screen::Screen;
use crate::report;
use crate::sweep::{Forecast, Progress, Step};
use display::{Display, Measuring};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The display is drawn at most as often as this. It is drawn between trials only, never by a clock: what draws while a trial
/// runs would be measured with it.
const OFTEN: Duration = Duration::from_millis(200);

/// Shows steps on standard error.
#[derive(Debug)]
pub struct Shown {
    screen: Screen,
    began: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    display: Display,
    drawn: Option<Instant>,
    /// Tenths of the sweep that a log was told.
    tenth: usize,
}

impl Shown {
    /// Lines that change in place where the screen can show them.
    pub fn new(screen: &Screen) -> Self {
        Self { screen: screen.clone(), began: Instant::now(), state: Mutex::default() }
    }

    fn say(&self, text: &str) {
        // Reasons hold what trials printed: no control characters, no line that a CI system takes for a command.
        let text = &report::clean::one_line(text, 1000);
        if self.screen.is_live() {
            self.screen.aside(|| eprintln!("{text}"));
        } else {
            eprintln!("[{:>4} s] {text}", self.began.elapsed().as_secs());
        }
    }

    /// Changes what is shown, and draws it if that is due.
    fn change(&self, at_once: bool, change: impl FnOnce(&mut Display)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state.display);
        if !self.screen.is_live() {
            return;
        }
        let now = Instant::now();
        if at_once || state.drawn.is_none_or(|drawn| now.duration_since(drawn) >= OFTEN) {
            state.drawn = Some(now);
            let (columns, rows) = Screen::size();
            self.screen.show(state.display.lines(self.began.elapsed(), columns, rows));
        }
    }

    fn phase(&self, text: &str) {
        self.change(true, |display| display.begin(text));
        if !self.screen.is_live() {
            self.say(text);
        }
    }

    fn blocks(&self, done: usize, of: usize, failed: usize) {
        self.change(done == of, |display| display.rounds(done, of));
        if self.screen.is_live() {
            return;
        }
        let tenth = done * 10 / of.max(1);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let told = std::mem::replace(&mut state.tenth, tenth);
        // Fewer than before are those of the next sweep.
        let is_news = tenth > told || (tenth < told && tenth > 0);
        drop(state);
        if is_news {
            let failures = if failed > 0 { format!(", {failed} trials failed") } else { String::new() };
            self.say(&format!("measured {done} of {of} rounds{failures}"));
        }
    }

    /// Takes the lines away.
    pub fn end(&self) {
        self.screen.show(Vec::new());
    }
}

impl Progress for Shown {
    fn step(&self, step: Step) {
        match step {
            Step::Starting(environment) => self.phase(&format!("starting {environment}")),
            Step::Preparing => self.phase("preparing"),
            Step::WarmingUp => self.phase("warming up"),
            Step::Stopping => self.phase("stopping"),
            Step::Planned(cells) => {
                let forecast = Forecast::new(cells);
                self.change(true, |d| d.measuring = Some(Measuring { forecast, done: 0, of: 0 }));
            }
            Step::Trial { case, environment, took, failed } => {
                self.change(false, |d| d.forecast(|f| f.trial(&case, &environment, took, failed)));
            }
            Step::Blocks { done, of, failed } => self.blocks(done, of, failed),
            Step::Lost { environment, reason } => self.say(&format!("{environment} takes no part: {reason}")),
            Step::GivenUp { case, environment, reason } => {
                self.change(true, |d| d.forecast(|f| f.give_up(&case, &environment)));
                self.say(&format!("{case} in {environment} is given up: {reason}"));
            }
            Step::Note(text) => self.say(&text),
        }
    }
}
