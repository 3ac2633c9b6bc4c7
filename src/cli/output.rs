//! Where results go.

use super::Failure;
use crate::report::TerminalStyle;
use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::Path;

/// Width and colour of this terminal.
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
    wants_colour(stream.is_terminal(), |name| std::env::var_os(name))
}

/// The conventions of <https://no-color.org> and <https://bixense.com/clicolors>: `NO_COLOR` forbids colours, else
/// `CLICOLOR_FORCE` (but 0) asks for them, also in a pipe; else a terminal has them, unless `CLICOLOR` is 0 or it is a dumb
/// one. Variables that are empty say nothing.
fn wants_colour(is_terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    if set("NO_COLOR").is_some() {
        return false;
    }
    if set("CLICOLOR_FORCE").is_some_and(|value| value != "0") {
        return true;
    }
    is_terminal
        && set("CLICOLOR").is_none_or(|value| value != "0")
        && set("TERM").is_none_or(|value| value != "dumb")
}

/// Prints a result. A reader that has gone away (a pipe to `head`) is no failure.
pub fn print(text: &str) -> Result<(), Failure> {
    print_bytes(text.as_bytes())
}

fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
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

/// Writes a report whole or not at all. Only a file is replaced: into a device, a pipe or a socket (`/dev/stdout`) it is written, and a
/// link stays one to what it names.
pub fn write(path: &Path, text: &str) -> Result<(), Failure> {
    write_bytes(path, text.as_bytes())
}

fn write_bytes(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    into(path, bytes).map_err(|e| Failure::host(format!("{} cannot be written: {e}", path.display())))
}

fn into(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    match std::fs::metadata(path) {
        Ok(there) if !there.is_file() && !there.is_dir() => {
            std::fs::File::options().write(true).open(path)?.write_all(bytes)
        }
        Ok(_) => crate::durable::write(&std::fs::canonicalize(path)?, bytes, 0o644),
        // Also of a link to nothing: it is replaced.
        Err(_) => crate::durable::write(path, bytes, 0o644),
    }
}

/// Writes a report into a file, or prints it where no file is named.
pub fn deliver(path: Option<&Path>, text: &str) -> Result<(), Failure> {
    deliver_bytes(path, text.as_bytes())
}

/// The same of what is no text.
pub fn deliver_bytes(path: Option<&Path>, bytes: &[u8]) -> Result<(), Failure> {
    match path {
        Some(path) => write_bytes(path, bytes),
        None => print_bytes(bytes),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_stays_a_device_and_a_link_a_link() {
        let dir = tempfile::tempdir().expect("a directory");
        let (file, link, pipe) = (dir.path().join("file"), dir.path().join("link"), dir.path().join("pipe"));
        into(&file, b"old").expect("made");
        std::os::unix::fs::symlink("file", &link).expect("a link");
        into(&link, b"new").expect("written");
        assert!(link.is_symlink());
        assert_eq!(std::fs::read(&file).expect("read"), b"new");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).expect("a pipe");
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || std::fs::read(pipe).expect("read")
        });
        into(&pipe, b"report").expect("written");
        assert_eq!(reader.join().expect("read"), b"report");
        into(Path::new("/dev/null"), b"nothing").expect("written");
        let null = std::fs::metadata("/dev/null").expect("there");
        assert!(!null.is_file() && !pipe.is_file());
        assert!(into(dir.path(), b"x").is_err(), "a directory is none");
    }

    #[test]
    fn colours_follow_the_conventions() {
        let wanted = |is_terminal, set: &[(&str, &str)]| {
            wants_colour(is_terminal, |name| {
                set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
            })
        };
        assert!(wanted(true, &[]) && !wanted(false, &[]));
        assert!(!wanted(true, &[("NO_COLOR", "1")]) && wanted(true, &[("NO_COLOR", "")]));
        assert!(!wanted(true, &[("CLICOLOR", "0")]) && wanted(true, &[("CLICOLOR", "1")]));
        assert!(!wanted(false, &[("CLICOLOR", "1")]), "it only lets a terminal have them");
        assert!(wanted(false, &[("CLICOLOR_FORCE", "1")]) && !wanted(false, &[("CLICOLOR_FORCE", "0")]));
        assert!(wanted(true, &[("CLICOLOR_FORCE", "1"), ("CLICOLOR", "0"), ("TERM", "dumb")]));
        assert!(!wanted(true, &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]), "it is the stronger");
        assert!(!wanted(true, &[("TERM", "dumb")]) && wanted(true, &[("TERM", "xterm-256color")]));
    }
}
