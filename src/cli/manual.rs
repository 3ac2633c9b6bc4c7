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
    use clap::Parser as _;

    /// The program, every command and every command below one, each with its full name: `tollgate baseline list`.
    fn commands(of: &clap::Command, above: &str) -> Vec<(String, clap::Command)> {
        let name = format!("{above}{}", of.get_name());
        let below = of.get_subcommands().filter(|c| c.get_name() != "help");
        let below: Vec<_> = below.flat_map(|c| commands(c, &format!("{name} "))).collect();
        std::iter::once((name, of.clone())).chain(below).collect()
    }

    /// The examples of a help text, as arguments: without what a shell or a reader needs besides.
    fn examples(help: &str) -> Vec<Vec<String>> {
        let of_line = |line: &str| {
            let line = line.trim_start().trim_start_matches("Examples: ").trim_start_matches("Example: ");
            let line = line.trim_start_matches("sudo ");
            let ends = ["  ", ";", "&&", ">", "|"].iter().filter_map(|end| line.find(end)).min();
            let command = line[..ends.unwrap_or(line.len())].trim().to_owned();
            command.starts_with("tollgate ").then_some(command)
        };
        let id = "20261123T205047Z-dfb0c3";
        let words = |command: String| {
            // The reason of `baseline accept` is the only quoted one, and last.
            let (plain, quoted) = command.split_once('"').unwrap_or((&command, ""));
            let plain = plain.split_whitespace().map(|w| match w {
                "SWEEP" | "FRESH1" | "FRESH2" => id.to_owned(),
                other => other.to_owned(),
            });
            let quoted = (!quoted.is_empty()).then(|| quoted.trim_end_matches('"').to_owned());
            plain.chain(quoted).collect()
        };
        help.lines().filter_map(of_line).map(words).collect()
    }

    #[test]
    fn the_help_of_every_command_has_an_example_that_the_grammar_takes() {
        let mut seen = 0;
        for (name, command) in commands(&Cli::command(), "") {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let examples = examples(&help);
            let own: Vec<String> = name.split(' ').map(str::to_owned).collect();
            assert!(examples.iter().any(|e| e.starts_with(&own)), "{name}: {help}");
            for example in examples {
                let parsed = Cli::try_parse_from(&example);
                assert!(
                    parsed.is_ok(),
                    "{example:?}: {}",
                    parsed.err().map(|e| e.to_string()).unwrap_or_default()
                );
                seen += 1;
            }
        }
        assert!(seen > 25, "{seen}");
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
