//! Progress of a sweep: a bar on a terminal, plain lines elsewhere.

use crate::report;
use crate::sweep::{Progress, Step};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::Instant;

/// Shows steps on standard error.
#[derive(Debug)]
pub struct Shown {
    bar: Option<ProgressBar>,
    began: Instant,
    tenth: Mutex<usize>,
}

impl Shown {
    /// A bar when standard error is a terminal.
    pub fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style =
                ProgressStyle::with_template("{msg:24} {wide_bar} {percent:>3} %  {elapsed}, {eta} left")
                    .unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(1).with_style(style)
        });
        Self { bar, began: Instant::now(), tenth: Mutex::new(0) }
    }

    fn say(&self, text: &str) {
        // Reasons hold what trials printed: no control characters, no line that a CI system takes for a command.
        let text = &report::clean::one_line(text, 1000);
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{text}")),
            None => eprintln!("[{:>4} s] {text}", self.began.elapsed().as_secs()),
        }
    }

    fn message(&self, text: String) {
        match &self.bar {
            Some(bar) => bar.set_message(text),
            None => self.say(&text),
        }
    }

    fn blocks(&self, done: usize, of: usize, failed: usize) {
        let failures = if failed > 0 { format!(", {failed} trials failed") } else { String::new() };
        if let Some(bar) = &self.bar {
            bar.set_length(of as u64);
            bar.set_position(done as u64);
            bar.set_message(format!("measuring{failures}"));
            return;
        }
        let tenth = done * 10 / of.max(1);
        let Ok(mut last) = self.tenth.lock() else { return };
        if tenth < *last {
            // The next sweep.
            *last = 0;
        }
        if tenth > *last {
            *last = tenth;
            self.say(&format!("measured {done} of {of} rounds{failures}"));
        }
    }

    /// Takes the bar away.
    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Progress for Shown {
    fn step(&self, step: Step) {
        match step {
            Step::Starting(environment) => self.message(format!("starting {environment}")),
            Step::Preparing => self.message("preparing".to_owned()),
            Step::WarmingUp => self.message("warming up".to_owned()),
            Step::Stopping => self.message("stopping".to_owned()),
            Step::Blocks { done, of, failed } => self.blocks(done, of, failed),
            Step::Lost { environment, reason } => self.say(&format!("{environment} takes no part: {reason}")),
            Step::GivenUp { case, environment, reason } => {
                self.say(&format!("{case} in {environment} is given up: {reason}"));
            }
            Step::Note(text) => self.say(&text),
        }
    }
}
