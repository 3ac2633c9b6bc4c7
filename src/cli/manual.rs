//! `completions` and `man`: made from the command line's own grammar.

use super::args::{Cli, Shell};
use super::{Failure, output};
use crate::exit::Outcome;
use clap::CommandFactory as _;
use std::path::Path;

/// Prints a shell's completions.
pub fn completions(shell: Shell) -> Result<Outcome, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "tollgate", &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(Outcome::Done)
}

/// Writes a manual page for the program and each command.
pub fn man(dir: &Path) -> Result<Outcome, Failure> {
    let failed = |e: std::io::Error| Failure::usage(format!("{}: {e}", dir.display()));
    std::fs::create_dir_all(dir).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), dir).map_err(failed)?;
    eprintln!("manual pages: {}; `man {0}/tollgate.1` shows the first", dir.display());
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command that a person can call, with those of `baseline`.
    fn commands(of: &clap::Command) -> Vec<clap::Command> {
        of.get_subcommands()
            .filter(|c| c.get_name() != "help")
            .flat_map(|c| {
                let below = commands(c);
                if below.is_empty() { vec![c.clone()] } else { below }
            })
            .collect()
    }

    #[test]
    fn the_help_of_every_command_has_an_example() {
        let mut without = Vec::new();
        for command in commands(&Cli::command()) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            if !help.contains("tollgate ") {
                without.push(command.get_name().to_owned());
            }
        }
        assert_eq!(without, [""; 0]);
    }

    #[test]
    fn a_page_for_each_command_is_written() {
        let dir = tempfile::tempdir().expect("a directory");
        man(dir.path()).expect("written");
        for page in ["tollgate.1", "tollgate-gate.1", "tollgate-baseline-accept.1"] {
            let text = std::fs::read_to_string(dir.path().join(page)).expect(page);
            assert!(text.contains(".TH"), "{page}");
        }
    }
}
