//! Running the host's own tools, and keeping what they say when they fail.

use super::files::PROGRAM_DIRECTORIES;
use std::{ffi::OsStr, fmt, process::Stdio};
use tokio::process::Command;

/// A tool that could not be started or did not end with 0.
#[derive(Debug, thiserror::Error)]
pub struct CommandFailure {
    /// The command line.
    pub command: String,
    /// The last lines of its stderr, or the error of the attempt to start it.
    pub said: String,
    /// Its exit code; none when it was not started or died of a signal.
    pub code: Option<i32>,
}

impl fmt::Display for CommandFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ", self.command)?;
        match self.code {
            Some(code) => write!(f, "ended with {code}")?,
            None => write!(f, "did not run to its end")?,
        }
        if self.said.is_empty() { write!(f, " and said nothing") } else { write!(f, ": {}", self.said) }
    }
}

/// A command that finds the programs in `/usr/sbin` too and speaks English, with no input.
pub(super) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env("PATH", search_path()).env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    command
}

/// The value of `PATH` for the host's own tools.
pub(super) fn search_path() -> String {
    PROGRAM_DIRECTORIES.join(":")
}

/// Runs it to its end and returns its stdout.
pub(super) async fn run(program: &str, args: &[impl AsRef<OsStr>]) -> Result<String, CommandFailure> {
    let mut command = command(program);
    command.args(args);
    run_command(command).await
}

/// Runs a prepared command to its end and returns its stdout.
pub(super) async fn run_command(mut command: Command) -> Result<String, CommandFailure> {
    let line = {
        let command = command.as_std();
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
    };
    match command.output().await {
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(output) => {
            let stderr = String::from_utf8_lossy(&output.stderr);
            Err(CommandFailure { command: line, said: last_lines(&stderr, 8), code: output.status.code() })
        }
        Err(e) => Err(CommandFailure { command: line, said: e.to_string(), code: None }),
    }
}

/// The last lines that are not empty.
pub(super) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
