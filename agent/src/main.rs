//! The small static program inside each environment that starts trials and measures them.
//!
//! It is the same file everywhere: a child of `tollgate` that puts itself into a chroot (native), PID 1 of a
//! container (Docker), `/init` of a guest (KVM). See `docs/architecture.md`.

mod bench;
mod describe;
mod enter;
mod exec;
mod guest;
mod launch;
mod serve;
mod servers;
mod sys;

use std::process::ExitCode;

const USAGE: &str = "usage:
  tollgate-agent serve [--root DIR] [--bind SRC:DST]... [--netns PATH] [--group FILE]... [--cpus LIST]
  tollgate-agent launch [--netns PATH] [--cpus LIST] [--die-with-parent] -- ARGV...
  tollgate-agent bench NAME [--option value]...
  tollgate-agent --version
As /init of a guest it needs no arguments.";

fn main() -> ExitCode {
    sys::set_name();
    let mut args = std::env::args();
    let program = args.next().unwrap_or_default();
    if std::process::id() == 1 && program.ends_with("init") {
        guest::main();
    }
    let args: Vec<String> = args.collect();
    if args.first().is_some_and(|command| command == "bench") {
        return bench::main(&args[1..]);
    }
    let outcome = match args.first().map(String::as_str) {
        Some("serve") => serve_command(&args[1..]),
        Some("launch") => launch::main(&args[1..]),
        Some("--version") => {
            println!("tollgate-agent {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("tollgate-agent: {message}");
            ExitCode::from(2)
        }
    }
}

fn serve_command(args: &[String]) -> Result<(), String> {
    let place = enter::Place::from_args(args).map_err(|e| format!("{e}\n{USAGE}"))?;
    place.enter()?;
    std::env::set_current_dir("/").map_err(|e| format!("chdir /: {e}"))?;
    sys::clean_environment();
    if std::process::id() == 1 {
        sys::exit_on_sigterm();
    } else {
        sys::become_subreaper();
    }
    let mut stdin = std::io::stdin().lock();
    let mut stdout = std::io::stdout().lock();
    serve::serve(&mut stdin, &mut stdout, &mut servers::Servers::adopting_orphans());
    Ok(())
}
