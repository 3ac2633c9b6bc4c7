//! Where results go.

use super::Failure;
use crate::report::TerminalStyle;
use std::io::{IsTerminal, Write};
use std::path::Path;

/// Width and colour of this terminal. No colour in pipes, with `NO_COLOR`, or on a dumb terminal.
pub fn style() -> TerminalStyle {
    let terminal = std::io::stdout().is_terminal();
    let columns = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
    let measured = rustix::termios::tcgetwinsize(std::io::stdout()).ok().map(|s| s.ws_col).filter(|c| *c > 0);
    TerminalStyle {
        width: if terminal { measured.or(columns).unwrap_or(100) } else { columns.unwrap_or(100) },
        colour: is_coloured(&std::io::stdout()),
    }
}

/// Whether colours may be written there.
pub fn is_coloured(stream: &impl IsTerminal) -> bool {
    stream.is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
        && std::env::var_os("TERM").is_none_or(|t| t != "dumb")
}

/// Prints a result. A reader that has gone away (a pipe to `head`) is no failure.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::host(format!("standard output: {e}")))
        }
        _ => Ok(()),
    }
}

/// Prints a value as JSON.
pub fn print_json(value: &serde_json::Value) -> Result<(), Failure> {
    print(&format!("{value:#}\n"))
}

/// Writes a report whole or not at all.
pub fn write(path: &Path, text: &str) -> Result<(), Failure> {
    crate::durable::write(path, text.as_bytes(), 0o644)
        .map_err(|e| Failure::host(format!("{} cannot be written: {e}", path.display())))
}

/// Writes a report into a file, or prints it where no file is named.
pub fn deliver(path: Option<&Path>, text: &str) -> Result<(), Failure> {
    match path {
        Some(path) => write(path, text),
        None => print(text),
    }
}

/// Fails now rather than after the measurement when `dir` cannot be written to.
pub fn check_writable(dir: &Path) -> Result<(), Failure> {
    let probe = dir.join(format!(".tollgate-{}.new", std::process::id()));
    std::fs::create_dir_all(dir)
        .and_then(|()| std::fs::File::options().write(true).create_new(true).open(&probe).map(drop))
        .and_then(|()| std::fs::remove_file(&probe))
        .map_err(|e| Failure::usage(format!("--output {}: {e}", dir.display())))
}
