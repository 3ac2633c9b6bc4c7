//! The built-in workloads: those that no package of the bench image gives as short trials.
//!
//! `tollgate-agent bench NAME [--option value]...` is an ordinary trial command: it prints one line of JSON, or says
//! on standard error why it could not. Everything that is no part of the measurement (making, touching, verifying,
//! cleaning) is outside the times that it prints.

mod faults;
mod file;
mod first_write;
mod hold;
mod oom;
mod options;
mod random_access;
mod rr;
mod small_files;
mod stream;

use options::Options;
use serde::Serialize;
use std::fmt;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "usage: tollgate-agent bench NAME [--option value]...
  stream        --mib M --ms T [--threads N]
  randomaccess  --mib M --ms T
  rr-server     --listen IP --port P
  rr            --proto tcp|udp --host IP --port P --ms T [--request N] [--response N]
  small-files   --dir D --count N
  first-write   --file F [--prepare-from SRC]
  faults        --mib M
  hold          --mib M --ms T
  oom           --mib M
  read-file     --file F [--evict]
  evict         --file F";

/// Why a workload gave no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// It was called wrongly: exit code 2.
    Usage(String),
    /// It could not be measured: exit code 1.
    Failed(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Usage(message) | Self::Failed(message)) = self;
        f.write_str(message)
    }
}

impl From<String> for Trouble {
    fn from(message: String) -> Self {
        Self::Failed(message)
    }
}

/// Runs the workload that `args` name, and prints what it found.
pub fn main(args: &[String]) -> ExitCode {
    let name = args.first().map_or("", String::as_str);
    let (message, code) = match run(name, args.get(1..).unwrap_or_default()) {
        Ok(line) => {
            println!("{line}");
            return ExitCode::SUCCESS;
        }
        Err(Trouble::Usage(message)) => (format!("{message}\n{USAGE}"), 2),
        Err(Trouble::Failed(message)) => (message, 1),
    };
    eprintln!("tollgate-agent: bench {name}: {message}");
    ExitCode::from(code)
}

fn run(name: &str, args: &[String]) -> Result<String, Trouble> {
    let options = |valued: &[&str]| Options::read(args, valued, &[]);
    match name {
        "stream" => line(&stream::run(&options(&["mib", "ms", "threads"])?)?),
        "randomaccess" => line(&random_access::run(&options(&["mib", "ms"])?)?),
        "rr-server" => match rr::serve(&options(&["listen", "port"])?)? {},
        "rr" => line(&rr::run(&options(&["proto", "host", "port", "ms", "request", "response"])?)?),
        "small-files" => line(&small_files::run(&options(&["dir", "count"])?)?),
        "first-write" => line(&first_write::run(&options(&["file", "prepare-from"])?)?),
        "faults" => line(&faults::run(&options(&["mib"])?)?),
        "hold" => line(&hold::run(&options(&["mib", "ms"])?)?),
        "oom" => line(&oom::run(&options(&["mib"])?)?),
        "read-file" => line(&file::read(&Options::read(args, &["file"], &["evict"])?)?),
        "evict" => line(&file::evict(&options(&["file"])?)?),
        "" => Err(Trouble::Usage("which workload?".to_owned())),
        other => Err(Trouble::Usage(format!("there is no workload {other}"))),
    }
}

fn line(report: &impl Serialize) -> Result<String, Trouble> {
    serde_json::to_string(report).map_err(|e| Trouble::Failed(format!("write the result as JSON: {e}")))
}

/// Events per second. An error where the clock did not move: a rate without a time is none.
fn per_second(count: f64, took: Duration) -> Result<f64, Trouble> {
    if took.is_zero() {
        return Err(Trouble::Failed(
            "the clock did not move during the measurement; measure more".to_owned(),
        ));
    }
    Ok(count / took.as_secs_f64())
}

/// What went wrong with a file: what was done, to which, why. Nothing is formatted before there is an error: this
/// stands within measured times.
fn file_error(what: &str, path: &Path) -> impl FnOnce(std::io::Error) -> Trouble {
    move |error| Trouble::Failed(format!("{what} {}: {error}", path.display()))
}

/// Options as the command line gives them, for tests.
#[cfg(test)]
fn given(args: &[&str]) -> Options {
    let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
    let names: Vec<&str> = args.iter().filter_map(|a| a.strip_prefix("--")).collect();
    Options::read(&args, &names, &[]).expect("options")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_workload_and_an_unknown_option_are_usage_errors() {
        let wrong = |name: &str, args: &[&str]| {
            let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
            run(name, &args).expect_err("wrong")
        };
        assert_eq!(wrong("streem", &[]), Trouble::Usage("there is no workload streem".into()));
        assert!(matches!(wrong("", &[]), Trouble::Usage(_)));
        assert!(matches!(wrong("faults", &["--ms", "3"]), Trouble::Usage(m) if m.contains("--ms")));
        assert!(
            matches!(wrong("read-file", &["--file", "/no/such"]), Trouble::Failed(m) if m.contains("/no/such"))
        );
    }

    #[test]
    fn a_rate_needs_a_time() {
        assert!(per_second(1.0, Duration::ZERO).is_err());
        assert!((per_second(3.0, Duration::from_millis(500)).expect("a rate") - 6.0).abs() < 1e-12);
    }
}
