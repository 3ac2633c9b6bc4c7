//! Standard error as whatever writes there shares it: lines go above the progress display, never through it.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tracing_subscriber::fmt::MakeWriter;

/// Standard error with the display on its last lines, if there is one. Clones share it.
#[derive(Debug, Clone)]
pub struct Screen {
    /// The lines of the display; none where nothing can change in place.
    display: Option<Arc<Mutex<Vec<String>>>>,
}

impl Screen {
    /// Of this process. Only a terminal that can move its cursor gets a display.
    pub fn of_stderr() -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|t| t == "dumb");
        Self { display: (std::io::stderr().is_terminal() && !dumb).then(Arc::default) }
    }

    /// Whether lines can be shown that change in place.
    pub fn is_live(&self) -> bool {
        self.display.is_some()
    }

    /// Does what writes to standard error while the display is out of the way. `write` must not come back here.
    pub fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        let Some(lines) = self.lines() else { return write() };
        if lines.is_empty() {
            return write();
        }
        put(&erased(&lines, Self::size().0));
        let done = write();
        put(&painted(&lines));
        done
    }

    /// Shows these lines instead of those before; none take the display away. Each must be narrower than the terminal, and all of
    /// them fewer than its rows.
    pub fn show(&self, new: Vec<String>) {
        let Some(mut lines) = self.lines() else { return };
        put(&(erased(&lines, Self::size().0) + &painted(&new)));
        *lines = new;
    }

    /// Columns and rows of this process's terminal.
    pub fn size() -> (usize, usize) {
        let size = rustix::termios::tcgetwinsize(std::io::stderr()).ok();
        let known = size.filter(|s| s.ws_col > 0 && s.ws_row > 0);
        known.map_or((80, 24), |s| (s.ws_col.into(), s.ws_row.into()))
    }

    fn lines(&self) -> Option<MutexGuard<'_, Vec<String>>> {
        self.display.as_ref().map(|lines| lines.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A terminal that has gone away is told nothing.
fn put(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}

/// From the end of `lines` back to the beginning of the first, and nothing behind that. A terminal that became narrower than a line
/// shows it in several rows.
fn erased(lines: &[String], columns: usize) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let rows: usize = lines.iter().map(|l| l.chars().count().div_ceil(columns.max(1)).max(1)).sum();
    let mut text = "\r".to_owned();
    if rows > 1 {
        // Writing to a String cannot fail.
        let _ = write!(text, "\u{1b}[{}A", rows - 1);
    }
    text + "\u{1b}[J"
}

/// The cursor stays behind the last line: what a terminal echoes there (`^C`) goes with it.
fn painted(lines: &[String]) -> String {
    lines.join("\n")
}

/// What the log writes through.
pub struct Aside<'a>(&'a Screen);

impl Write for Aside<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // An event is one write.
        self.0.aside(|| std::io::stderr().write_all(bytes)).map(|()| bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Screen {
    type Writer = Aside<'a>;

    fn make_writer(&'a self) -> Aside<'a> {
        Aside(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As much of a terminal as is written to here.
    struct Terminal {
        columns: usize,
        rows: Vec<Vec<char>>,
        at: (usize, usize),
    }

    impl Terminal {
        fn new(columns: usize) -> Self {
            Self { columns, rows: vec![Vec::new()], at: (0, 0) }
        }

        fn newline(&mut self) {
            self.at = (self.at.0 + 1, 0);
            if self.rows.len() <= self.at.0 {
                self.rows.push(Vec::new());
            }
        }

        fn write(&mut self, text: &str) {
            let mut chars = text.chars();
            while let Some(c) = chars.next() {
                match c {
                    '\r' => self.at.1 = 0,
                    '\n' => self.newline(),
                    '\u{1b}' => {
                        let code: String = chars.by_ref().skip(1).take_while(char::is_ascii_digit).collect();
                        if code.is_empty() {
                            self.rows.truncate(self.at.0 + 1);
                            self.rows[self.at.0].truncate(self.at.1);
                        } else {
                            self.at.0 =
                                self.at.0.checked_sub(code.parse().expect("a number")).expect("a row");
                        }
                    }
                    c => {
                        if self.at.1 == self.columns {
                            self.newline();
                        }
                        let (row, column) = self.at;
                        self.rows[row].truncate(column);
                        self.rows[row].push(c);
                        self.at.1 += 1;
                    }
                }
            }
        }

        fn shown(&self) -> Vec<String> {
            self.rows.iter().map(|r| r.iter().collect()).collect()
        }
    }

    fn lines(all: &[&str]) -> Vec<String> {
        all.iter().map(|l| (*l).to_owned()).collect()
    }

    #[test]
    fn lines_change_in_place_and_what_is_said_stays_above_them() {
        let mut terminal = Terminal::new(20);
        terminal.write("before\n");
        let (one, two) = (lines(&["starting"]), lines(&["native 1", "docker 1", "10 %"]));
        terminal.write(&painted(&one));
        terminal.write(&(erased(&one, 20) + &painted(&two)));
        assert_eq!(terminal.shown(), ["before", "native 1", "docker 1", "10 %"]);
        terminal.write("^C");
        terminal.write(&erased(&two, 20));
        terminal.write("stopping, and that is more than a line\n");
        terminal.write(&painted(&two));
        let above = ["before", "stopping, and that i", "s more than a line"];
        assert_eq!(terminal.shown(), [&above[..], &["native 1", "docker 1", "10 %"]].concat());
        terminal.write(&(erased(&two, 20) + &painted(&[])));
        assert_eq!(terminal.shown(), [&above[..], &[""]].concat(), "nothing is left of it");
    }

    #[test]
    fn a_terminal_that_became_narrower_is_cleared_all_the_same() {
        // It lays out anew what it shows.
        let mut terminal = Terminal::new(5);
        let drawn = lines(&["1234567", "12345", "123"]);
        terminal.write("x\n");
        terminal.write(&painted(&drawn));
        terminal.write(&erased(&drawn, 5));
        assert_eq!(terminal.shown(), ["x", ""]);
    }
}
