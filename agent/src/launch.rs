//! `launch`: starts a host program inside a network namespace, tied to the life of its parent.

use crate::sys;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Replaces this process with the program; returns only when that fails.
pub fn main(args: &[String]) -> Result<(), String> {
    let mut args = args.iter();
    loop {
        match args.next().map(String::as_str) {
            Some("--netns") => {
                let path = args.next().ok_or("--netns needs a value")?;
                sys::enter_network_namespace(path).map_err(|e| format!("network namespace {path}: {e}"))?;
            }
            Some("--cpus") => {
                let list = args.next().ok_or("--cpus needs a value")?;
                let cpus = crate::enter::cpu_list(list)?;
                sys::use_cpus(&cpus).map_err(|e| format!("processors {list}: {e}"))?;
            }
            Some("--die-with-parent") => {
                sys::die_with_parent().map_err(|e| format!("die with parent: {e}"))?;
            }
            Some("--") => break,
            Some(other) => return Err(format!("launch: unknown argument {other}")),
            None => return Err("launch: nothing to start; give -- ARGV...".to_owned()),
        }
    }
    let program = args.next().ok_or("launch: nothing to start after --")?;
    let error = Command::new(program).args(args).exec();
    Err(format!("{program}: {error}"))
}
