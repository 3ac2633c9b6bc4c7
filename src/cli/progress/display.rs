//! The lines of the display: a line an environment, and one for the whole. Pure.

use crate::report::number;
use crate::sweep::Forecast;
use crate::sweep::forecast::Row;
use std::time::Duration;

/// Columns of the bar, at most.
const BAR: usize = 24;

/// What is shown.
#[derive(Debug, Default)]
pub(super) struct Display {
    phase: String,
    /// While trials are counted.
    pub measuring: Option<Measuring>,
}

/// How far the trials are.
#[derive(Debug)]
pub(super) struct Measuring {
    /// Of the environments.
    pub forecast: Forecast,
    /// Rounds done.
    pub done: usize,
    /// All rounds; 0 while that is not told.
    pub of: usize,
}

impl Display {
    /// A part of the sweep in which no trials are counted.
    pub fn begin(&mut self, phase: &str) {
        phase.clone_into(&mut self.phase);
        self.measuring = None;
    }

    /// Rounds are done.
    pub fn rounds(&mut self, done: usize, of: usize) {
        if let Some(measuring) = &mut self.measuring {
            (measuring.done, measuring.of) = (done, of);
        }
    }

    /// Tells the forecast something.
    pub fn forecast(&mut self, tell: impl FnOnce(&mut Forecast)) {
        if let Some(measuring) = &mut self.measuring {
            tell(&mut measuring.forecast);
        }
    }

    /// Lines that are narrower than `columns`, and fewer than `rows`: then the terminal neither wraps nor scrolls.
    pub fn lines(&self, elapsed: Duration, columns: usize, rows: usize) -> Vec<String> {
        // Also room for the echo of Ctrl-C behind the last one.
        let room = columns.saturating_sub(4).max(1);
        let mut lines = match &self.measuring {
            Some(measuring) => measuring.lines(elapsed, room, rows),
            None => vec![format!("{} ({} so far)", self.phase, whole(elapsed))],
        };
        for line in &mut lines {
            *line = line.chars().take(room).collect();
        }
        lines
    }
}

impl Measuring {
    fn lines(&self, elapsed: Duration, columns: usize, rows: usize) -> Vec<String> {
        let environments = self.forecast.rows();
        let name = environments.iter().map(|r| r.environment.to_string().chars().count()).max().unwrap_or(0);
        // One line of what was said last stays in sight, and one is for the whole.
        let room = rows.saturating_sub(3).max(1);
        let shown = if environments.len() > room { room - 1 } else { environments.len() };
        let mut lines: Vec<String> = environments.iter().take(shown).map(|row| line(row, name)).collect();
        if shown < environments.len() {
            lines.push(format!("  and {} more environments", environments.len() - shown));
        }
        lines.push(self.whole(&environments, elapsed, columns));
        lines
    }

    /// Bar, share, rounds, time, time left, in `columns`: what a short bar leaves over is for the words.
    fn whole(&self, environments: &[Row], elapsed: Duration, columns: usize) -> String {
        let (done, of) = environments
            .iter()
            .fold((0, 0), |(done, of), r| (done + u64::from(r.done), of + u64::from(r.of)));
        let share = if of > 0 { done as f64 / of as f64 } else { 0.0 };
        let rounds = match self.of {
            0 => format!("measuring, {} so far", whole(elapsed)),
            of => format!("{} of {of} rounds in {}", self.done, whole(elapsed)),
        };
        let left = match self.forecast.left() {
            Some(left) => format!("about {} left", whole(left)),
            None => "time left not known yet".to_owned(),
        };
        let words = format!("{:>3.0} %  {rounds}, {left}", (share * 100.0).floor());
        let room = columns.saturating_sub(words.chars().count() + 1).clamp(8, BAR);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a few columns"
        )]
        let full = ((share * room as f64).floor() as usize).min(room);
        format!("{}{} {words}", "█".repeat(full), "░".repeat(room - full))
    }
}

fn line(row: &Row, name: usize) -> String {
    let failed = if row.failed > 0 { format!(", {} failed", row.failed) } else { String::new() };
    let trials = format!("{:>4} of {:>4} trials{failed}", row.done, row.of);
    let left = match row.left {
        _ if row.done >= row.of => String::new(),
        Some(left) => format!("{} left", whole(left)),
        None => String::new(),
    };
    format!("  {:name$}  {trials:<34}  {left}", row.environment.to_string()).trim_end().to_owned()
}

/// Seconds below two minutes, then minutes: nobody knows it better.
fn whole(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 120.0 {
        format!("{seconds:.0} s")
    } else {
        number::duration((seconds / 60.0).round() * 60.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::EnvironmentName;
    use crate::sweep::PlannedCell;

    fn measuring(environments: &[&str]) -> Display {
        let names: Vec<EnvironmentName> = environments.iter().map(|e| e.parse().expect("a name")).collect();
        let cell = |environment: &EnvironmentName| PlannedCell {
            case: "xz/slice-1m".into(),
            environment: environment.clone(),
            done: 0,
            of: 30,
            given_up: false,
        };
        let forecast = Forecast::new(names.iter().map(cell).collect());
        let mut display = Display::default();
        display.begin("warming up");
        display.measuring = Some(Measuring { forecast, done: 0, of: 0 });
        display
    }

    fn after(mut display: Display, environments: &[&str], rounds: usize) -> Display {
        for round in 1..=rounds {
            for (i, environment) in environments.iter().enumerate() {
                let environment: EnvironmentName = environment.parse().expect("a name");
                let took = Duration::from_millis(400 * (1 + i as u64 * 9));
                let failed = i == 1 && round % 5 == 0;
                display.forecast(|f| f.trial("xz/slice-1m", &environment, took, failed));
            }
            display.rounds(round, 30);
        }
        display
    }

    #[test]
    fn a_sweep_from_its_beginning_to_its_end() {
        let names = ["native", "docker+nat", "kvm"];
        let mut display = Display::default();
        display.begin("starting docker+nat");
        let s = Duration::from_secs;
        let mut shown = display.lines(s(3), 80, 24);
        shown.extend(measuring(&names).lines(s(30), 80, 24));
        shown.extend(after(measuring(&names), &names, 11).lines(s(163), 80, 24));
        shown.extend(after(measuring(&names), &names, 30).lines(s(400), 80, 24));
        insta::assert_snapshot!("progress_80", shown.join("\n"));
    }

    #[test]
    fn a_lost_environment_has_no_more_trials() {
        let names = ["native", "kvm"];
        let mut display = after(measuring(&names), &names, 10);
        display.forecast(|f| f.give_up("xz/slice-1m", &"kvm".parse().expect("a name")));
        let lines = display.lines(Duration::from_secs(60), 80, 24);
        assert!(lines[1].contains("10 of   10 trials, 2 failed") && !lines[1].contains("left"), "{lines:?}");
        assert!(lines[2].contains("about 8 s left"), "{lines:?}");
    }

    #[test]
    fn neither_a_narrow_nor_a_low_terminal_wraps_or_scrolls() {
        let names = [
            "native",
            "docker",
            "docker+nat",
            "docker+layer",
            "docker+runtime=crun",
            "docker+runtime=runsc",
            "docker+unconfined",
            "kvm",
            "kvm+tuned",
        ];
        for (columns, rows) in [(80, 24), (40, 6), (20, 4), (1, 1)] {
            let display = after(measuring(&names), &names, 7);
            let lines = display.lines(Duration::from_secs(4000), columns, rows);
            assert!(lines.len() < rows.max(4), "{columns} x {rows}: {lines:?}");
            assert!(
                lines.iter().all(|l| l.chars().count() < columns.max(2)),
                "{columns} x {rows}: {lines:?}"
            );
        }
        let low = after(measuring(&names), &names, 7).lines(Duration::ZERO, 80, 6);
        assert_eq!(low[2], "  and 7 more environments", "{low:?}");
    }
}
