//! The host's own tools run to their end (iproute2, mmdebstrap, mke2fs, apt), keeping what they say when they fail.

use crate::model::is_private;
use std::ffi::OsStr;
use std::fmt;
use std::process::Stdio;
use tokio::process::Command;

/// The programs' directories: those of `PATH` and those that a user's `PATH` lacks on Debian.
pub const PROGRAM_DIRECTORIES: [&str; 6] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// A tool that could not be started or did not end with 0.
#[derive(Debug, thiserror::Error)]
pub struct CommandFailure {
    /// The command line.
    pub command: String,
    /// The last lines of what it printed, or the error of the attempt to start it.
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

/// The value of `PATH` for the host's own tools.
pub fn search_path() -> String {
    PROGRAM_DIRECTORIES.join(":")
}

/// A command that finds the programs in `/usr/sbin` too and speaks English, with no input and without the
/// variables that may hold a secret. It dies when the future that runs it is dropped.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_private(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    command.env("PATH", search_path()).env("LC_ALL", "C.UTF-8").stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs a program with its arguments to its end and returns its stdout.
pub async fn run(argv: &[impl AsRef<OsStr>]) -> Result<String, CommandFailure> {
    let (program, rest) = match argv.split_first() {
        Some((program, rest)) => (program.as_ref(), rest),
        None => (OsStr::new(""), argv),
    };
    let mut command = command(program);
    command.args(rest);
    run_command(command).await
}

/// Runs a prepared command to its end and returns its stdout.
pub async fn run_command(mut command: Command) -> Result<String, CommandFailure> {
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
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let said = format!("{e}; `tollgate provision` installs what is missing");
            Err(CommandFailure { command: line, said, code: None })
        }
        Err(e) => Err(CommandFailure { command: line, said: e.to_string(), code: None }),
    }
}

/// The last lines that are not empty.
pub fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn failures_show_the_command_and_its_last_words() {
        assert_eq!(run(&["echo", "hello"]).await.expect("runs"), "hello\n");
        let error = run(&["sh", "-c", "echo why >&2; exit 3"]).await.expect_err("fails").to_string();
        assert!(error.contains("ended with 3") && error.contains("why"), "{error}");
        let error = run(&["/no/such/program"]).await.expect_err("missing").to_string();
        assert!(error.contains("/no/such/program") && error.contains("tollgate provision"), "{error}");
    }
}
