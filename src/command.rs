//! Host programs run to their end: iproute2, mmdebstrap, mke2fs, tar, apt.

use std::process::Stdio;
use tokio::process::Command;

/// A host program that failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It could not be started.
    #[error("{program} could not be started: {source}; `tollgate provision` installs what is missing")]
    Start {
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// It ended with a failure.
    #[error("`{command}` failed ({status}): {output}")]
    Failed {
        /// The whole command line.
        command: String,
        /// Exit code or signal.
        status: String,
        /// The last lines of what it printed.
        output: String,
    },
}

/// So many of the last lines of a failed program's output are kept.
const LINES: usize = 12;

/// Runs `argv` to its end without standard input and returns its standard output. The program dies when the
/// returned future is dropped.
pub async fn run(argv: &[&str]) -> Result<String, CommandError> {
    run_with(argv, &[]).await
}

/// [`run`] with additional environment variables.
pub async fn run_with(argv: &[&str], env: &[(&str, &str)]) -> Result<String, CommandError> {
    let (program, rest) = argv.split_first().unwrap_or((&"", &[]));
    let child = Command::new(program)
        .args(rest)
        .envs(env.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let start = |source| CommandError::Start { program: (*program).to_owned(), source };
    let output = child.map_err(start)?.wait_with_output().await.map_err(start)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let text =
        format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    Err(CommandError::Failed {
        command: argv.join(" "),
        status: output.status.to_string(),
        output: lines[lines.len().saturating_sub(LINES)..].join("\n"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn failures_show_the_command_and_its_last_words() {
        assert_eq!(run(&["echo", "hello"]).await.expect("runs"), "hello\n");
        let error = run(&["sh", "-c", "echo why >&2; exit 3"]).await.expect_err("fails").to_string();
        assert!(error.contains("exit status: 3") && error.contains("why"), "{error}");
        let error = run(&["/no/such/program"]).await.expect_err("missing").to_string();
        assert!(error.contains("/no/such/program") && error.contains("tollgate provision"), "{error}");
    }
}
