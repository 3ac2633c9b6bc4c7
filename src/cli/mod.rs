//! Floor 5: the command line. Reads arguments, files and the environment, and calls the pipeline.
//!
//! Results go to standard output, everything else to standard error.

mod args;
mod baseline;
mod baselines;
mod compare;
mod gate;
mod github;
mod host;
mod import;
mod list;
mod manual;
mod notify;
mod output;
mod parquet;
mod progress;
mod screen;
mod watch;

use crate::config::{Config, ConfigError};
use crate::exit::Outcome;
use crate::pipeline::PipelineError;
use args::{Cli, Command, Global, LogFormat};
use clap::Parser;
use screen::Screen;
use std::io::ErrorKind;
use std::path::Path;
use std::process::ExitCode;
use tokio_util::sync::CancellationToken;

/// A command that failed: what to print, and how to end.
#[derive(Debug)]
struct Failure {
    message: String,
    outcome: Outcome,
}

impl Failure {
    fn usage(message: impl std::fmt::Display) -> Self {
        Self { message: message.to_string(), outcome: Outcome::Usage }
    }

    fn host(message: impl std::fmt::Display) -> Self {
        Self { message: message.to_string(), outcome: Outcome::NotMeasured }
    }
}

impl From<PipelineError> for Failure {
    fn from(error: PipelineError) -> Self {
        let outcome = match &error {
            PipelineError::Lock(_) | PipelineError::Busy(_) => Outcome::Busy,
            error if error.is_usage() => Outcome::Usage,
            _ => Outcome::NotMeasured,
        };
        Self { message: error.to_string(), outcome }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(error)
    }
}

impl From<crate::pipeline::notify::NotifyError> for Failure {
    fn from(error: crate::pipeline::notify::NotifyError) -> Self {
        Self::host(error)
    }
}

impl From<crate::store::StoreError> for Failure {
    fn from(error: crate::store::StoreError) -> Self {
        PipelineError::from(error).into()
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let screen = Screen::of_stderr();
    start_log(&cli, &screen);
    let format = cli.global.log_format;
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("tollgate: the runtime cannot start: {error}");
            return ExitCode::from(Outcome::NotMeasured.code());
        }
    };
    let outcome = runtime.block_on(async {
        let cancel = CancellationToken::new();
        stop_on_signals(cancel.clone(), format, screen.clone());
        // One command's future is large; it is made once.
        Box::pin(run(cli, &screen, &cancel)).await
    });
    let outcome = outcome.unwrap_or_else(|failure| {
        say(format, &screen, &failure.message);
        failure.outcome
    });
    // Tasks that wait for signals or blocked reads are not waited for.
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    ExitCode::from(outcome.code())
}

fn start_log(cli: &Cli, screen: &Screen) {
    // Of a service the log is all there is to see.
    let is_service = matches!(cli.command, Command::Watch(_));
    let level = match cli.global.verbose {
        0 if !is_service => "warn",
        0 | 1 => "tollgate=info,warn",
        _ => "tollgate=debug,info",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("TOLLGATE_LOG").unwrap_or_else(|_| level.into());
    let log =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(screen.clone()).with_target(false);
    match cli.global.log_format {
        LogFormat::Text => log.with_ansi(output::is_coloured(&std::io::stderr())).init(),
        LogFormat::Json => log.json().init(),
    }
}

/// Says something on standard error that no log level hides. Where every line is to be JSON, it is.
fn say(format: LogFormat, screen: &Screen, text: &str) {
    match format {
        // What failed may repeat a stranger's words, and a runner reads commands from here, too.
        LogFormat::Text => screen.aside(|| eprintln!("tollgate: {}", crate::actions::harmless(text))),
        LogFormat::Json => tracing::error!("{text}"),
    }
}

/// SIGINT and SIGTERM stop the work and clean up; a second one ends the process at once.
fn stop_on_signals(cancel: CancellationToken, format: LogFormat, screen: Screen) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    tokio::spawn(async move {
        loop {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
            if cancel.is_cancelled() {
                screen.show(Vec::new());
                say(format, &screen, "ended at once; `tollgate clean` removes what is left");
                std::process::exit(130);
            }
            say(format, &screen, "stopping: cleaning up, the journal is kept (once more to end at once)");
            cancel.cancel();
        }
    });
}

/// The configuration: `--config`, or `tollgate.toml` when it is there, with `--state` and `--baselines` on top.
fn config(global: &Global) -> Result<Config, Failure> {
    let (path, required) = match &global.config {
        Some(path) => (path.as_path(), true),
        None => (Path::new("tollgate.toml"), false),
    };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(e) if e.kind() == ErrorKind::NotFound && !required => None,
        Err(e) => return Err(Failure::usage(format!("configuration {}: {e}", path.display()))),
    };
    let name = path.display().to_string();
    let mut config = Config::resolve(text.as_deref().map(|t| (name.as_str(), t)))?;
    if let Some(state) = &global.state {
        config.state.clone_from(state);
    }
    if let Some(baselines) = &global.baselines {
        config.baselines.clone_from(baselines);
    }
    // QEMU's and Docker's view of a relative path would be another.
    config.state = std::path::absolute(&config.state).map_err(|e| Failure::usage(format!("--state: {e}")))?;
    Ok(config)
}

async fn run(cli: Cli, screen: &Screen, cancel: &CancellationToken) -> Result<Outcome, Failure> {
    let config = config(&cli.global)?;
    match cli.command {
        Command::Gate(args) => Box::pin(gate::gate(&config, &args, screen, cancel)).await,
        Command::Sweep(args) => gate::sweep(&config, &args, screen, cancel).await,
        Command::Judge(args) if args.self_test => baselines::self_test(&config, &args),
        Command::Judge(args) => compare::judge(&config, &args),
        Command::Power(args) => baselines::power(&config, &args),
        Command::Report(args) => compare::report(&config, &args),
        Command::Import(args) => import::import(&args),
        Command::Export(args) => import::export(&config, &args),
        Command::Notify(args) => notify::notify(&config, &args).await,
        Command::Baseline(command) => baseline::baseline(&config, &command).await,
        Command::List(args) => list::list(&config, &args).await,
        Command::Fingerprint(args) => host::fingerprint(&config, &args).await,
        Command::Doctor(args) => host::doctor(&config, &args).await,
        Command::Provision => host::provision(&config).await,
        Command::Watch(args) => watch::watch(&config, &args, cancel).await,
        Command::Trigger(args) => watch::trigger(&config, &args),
        Command::Clean(args) => host::clean(&config, &args).await,
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { directory } => manual::man(&directory),
    }
}
