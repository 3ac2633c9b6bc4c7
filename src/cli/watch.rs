//! `watch` and `trigger`.

use super::args::{TriggerArgs, WatchArgs};
use super::github::{Job, variable};
use super::{Failure, notify, output};
use crate::alert::candidates::Statement;
use crate::config::{Config, WatchMode};
use crate::exit::Outcome;
use crate::model::GateResult;
use crate::notify::{Clock as _, Secret, SystemClock};
use crate::pipeline::accept::AcceptRequest;
use crate::pipeline::notify::{self as telling, Notifier, accept_requests};
use crate::pipeline::{self, candidates, policy};
use crate::service::dispatch::Dispatch;
use crate::service::host::{Host as _, ThisHost};
use crate::service::local::{Local, Voice};
use crate::service::runner::Runner;
use crate::service::wake::Sources;
use crate::service::wake::socket::{self, Wish};
use crate::service::{Parts, Service, http};
use crate::workload::Profile;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The service.
pub async fn watch(
    config: &Config,
    args: &WatchArgs,
    cancel: &CancellationToken,
) -> Result<Outcome, Failure> {
    let mut config = config.clone();
    if args.listen.is_some() {
        config.watch.listen = args.listen;
    }
    if config.watch.must_have_token() {
        return Err(Failure::usage(
            "--listen: others than this host can reach it: set watch.token_file, or listen on 127.0.0.1",
        ));
    }
    let job = Job::read()?;
    policy::rules(&config)?;
    let doors = Doors::open(&config, &job)?;
    match config.watch.mode {
        WatchMode::Dispatch => {
            let missing = "watch.mode is \"dispatch\", but there is no repository or token: set GITHUB_REPOSITORY \
                           and GITHUB_TOKEN (tollgate notify --help)";
            let voice = Speaker::new(&config, &job)?;
            let client = voice.notifier.github().ok_or_else(|| Failure::usage(missing))?;
            if args.check_config {
                return check(&config, &format!("repository    {}", client.repository()));
            }
            let class = pipeline::host_class(&config);
            serve(&config, &Dispatch { client, class, voice: &voice }, doors, cancel).await
        }
        WatchMode::Local => {
            let voice = Speaker::new(&config, &job)?;
            let told = match voice.notifier.github() {
                Some(client) => format!("alerts        {}", client.repository()),
                None => format!("alerts        {}", config.state.join("alerts.json").display()),
            };
            if args.check_config {
                return check(&config, &told);
            }
            if !rustix::process::geteuid().is_root() {
                let why =
                    "a service that measures needs root, as a sweep does; or set watch.mode = \"dispatch\"";
                return Err(Failure::host(why));
            }
            serve(&config, &Local { config: &config, voice: &voice }, doors, cancel).await
        }
    }
}

async fn serve(
    config: &Config,
    runner: &dyn Runner,
    doors: Option<Doors>,
    cancel: &CancellationToken,
) -> Result<Outcome, Failure> {
    let host = ThisHost::new(config);
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        host_class = %host.class(),
        profile = config.watch.profile.as_str(),
        state = %config.state.display(),
        "the service starts"
    );
    if config.watch.is_always_quiet() {
        tracing::warn!("watch.quiet_hours cover the whole day: nothing is measured but what is asked for");
    }
    let parts = Parts { config, host: &host, runner, clock: Arc::new(SystemClock), seed: rand::random() };
    let service = Service::open(parts).map_err(Failure::host)?;
    let _sources = Sources::start(config, &service).map_err(Failure::host)?;
    let ended = CancellationToken::new();
    let dashboard = match doors {
        Some(doors) => Some(dashboard(config, &service, doors, &ended).await?),
        None => None,
    };
    let ran = service.run(cancel).await;
    ended.cancel();
    if let Some(task) = dashboard {
        // It ends within seconds; what it may have failed with was logged.
        let _ = task.await;
    }
    ran.map_err(Failure::host)?;
    tracing::info!("the service has stopped");
    Ok(Outcome::Done)
}

/// Where the dashboard listens and who may come in: all of it that the configuration and the environment say.
struct Doors {
    address: SocketAddr,
    keys: http::Keys,
    tracker: Option<http::Tracker>,
}

impl Doors {
    /// Reads and checks the secrets; none where there is no dashboard.
    fn open(config: &Config, job: &Job) -> Result<Option<Self>, Failure> {
        let Some(address) = config.watch.listen else { return Ok(None) };
        let keys = http::Keys {
            token: config.watch.token_file.as_deref().map(read_token).transpose()?,
            hook_secret: variable(&config.watch.hook_secret_env).map(Secret::new),
        };
        keys.check(address).map_err(Failure::usage)?;
        Ok(Some(Self { address, keys, tracker: job.tracker(config)? }))
    }
}

/// Serves the dashboard beside the loop. It fails now, or never stops the service.
async fn dashboard(
    config: &Config,
    service: &Service<'_>,
    doors: Doors,
    ended: &CancellationToken,
) -> Result<JoinHandle<()>, Failure> {
    let Doors { address, keys, tracker } = doors;
    let listener = TcpListener::bind(address).await.map_err(|e| {
        Failure::host(format!(
            "the dashboard cannot listen at {address}: {e}; set watch.listen, \"\" for none"
        ))
    })?;
    let state = http::State {
        status: service.status(),
        wake: service.waker(),
        config: Arc::new(config.clone()),
        keys,
        tracker,
        clock: Arc::new(SystemClock),
        limits: http::Limits::default(),
    };
    tracing::info!("the dashboard is at http://{address}/");
    let ended = ended.clone();
    Ok(tokio::spawn(async move {
        if let Err(error) = http::serve(listener, state, ended).await {
            tracing::error!(%error, "the dashboard ended");
        }
    }))
}

fn read_token(path: &Path) -> Result<Secret, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Failure::usage(format!("watch.token_file: {}: {e}", path.display())))?;
    Ok(Secret::new(text.lines().next().unwrap_or_default()))
}

/// What the configuration means.
fn check(config: &Config, told: &str) -> Result<Outcome, Failure> {
    output::print(&meaning(config, told, SystemClock.now()))?;
    Ok(Outcome::Done)
}

fn meaning(config: &Config, told: &str, now: DateTime<Utc>) -> String {
    let watch = &config.watch;
    let local = |at: DateTime<Utc>| at.with_timezone(&watch.time_zone).format("%Y-%m-%d %H:%M %Z");
    let mode = match watch.mode {
        WatchMode::Local => "local: measures here",
        WatchMode::Dispatch => "dispatch: wakes a workflow of GitHub Actions",
    };
    let mut text = format!("mode          {mode}\nprofile       {}\n{told}\n", watch.profile.as_str());
    // Writing to a String cannot fail.
    let _ = writeln!(text, "state         {}", config.state.display());
    for schedule in &watch.schedules {
        let profile = schedule.profile.unwrap_or(watch.profile).as_str();
        let next = schedule.cron.after(now, watch.time_zone).map(|at| local(at).to_string());
        let next = next.unwrap_or_else(|| "never".to_owned());
        let (name, cron) = (&schedule.name, schedule.cron.as_str());
        let _ = writeln!(text, "schedule      {name} ({cron}, {profile}): next {next}");
    }
    if watch.schedules.is_empty() {
        text.push_str("schedule      none: measures on changes only\n");
    }
    for hours in &watch.quiet_hours {
        let (from, to) = (hours.from.format("%H:%M"), hours.to.format("%H:%M"));
        let _ = writeln!(text, "quiet         {from} to {to} {}", watch.time_zone);
    }
    if watch.is_always_quiet() {
        text.push_str("quiet         the whole day: nothing is measured but what `tollgate trigger --always` asks for\n");
    }
    for file in &watch.files {
        let there = if file.exists() { "" } else { " (not there yet)" };
        let _ = writeln!(text, "watches       {}{there}", file.display());
    }
    let listen = watch.listen.map_or_else(|| "none".to_owned(), |address| format!("http://{address}/"));
    let _ = writeln!(text, "dashboard     {listen}");
    text.push_str("the configuration can be used\n");
    text
}

/// Asks the service of the state directory.
pub fn trigger(config: &Config, args: &TriggerArgs) -> Result<Outcome, Failure> {
    let profile = args.profile.map(|p| p.as_str().to_owned());
    let wish = Wish { always: args.always, profile };
    let answer = socket::trigger(&config.state, &wish).map_err(Failure::host)?;
    output::print(&format!("{answer}\n"))?;
    Ok(Outcome::Done)
}

/// Tells what the service found, as `gate --notify` does.
struct Speaker<'a> {
    config: &'a Config,
    job: &'a Job,
    notifier: Notifier,
}

impl<'a> Speaker<'a> {
    fn new(config: &'a Config, job: &'a Job) -> Result<Self, Failure> {
        Ok(Self { config, job, notifier: notify::notifier_of_host(config, job)? })
    }

    /// Says what is kept; `fresh` is what this process kept just now.
    async fn flush(&self, fresh: Option<u64>) -> Result<(), String> {
        let report = self.notifier.flush(fresh).await.map_err(|e| e.to_string())?;
        for line in &report.said {
            tracing::info!("told: {line}");
        }
        for line in &report.silent {
            tracing::info!("not told: {line}");
        }
        for line in &report.refused {
            tracing::error!("refused for good: {line}");
        }
        for line in &report.trouble {
            tracing::error!("look at this: {line}");
        }
        if report.is_complete() {
            return Ok(());
        }
        let left: Vec<&str> =
            report.waiting.iter().chain(&report.refused).chain(&report.trouble).map(String::as_str).collect();
        Err(left.join("; "))
    }
}

#[async_trait(?Send)]
impl Voice for Speaker<'_> {
    async fn tell(&self, result: &GateResult) -> Result<(), String> {
        let kept = telling::Job::new(result.clone(), self.job.origin(), self.job.run_url());
        let fresh = self.notifier.keep(&kept).map_err(|e| e.to_string())?;
        self.flush(fresh).await
    }

    async fn tell_kept(&self) -> Result<(), String> {
        self.flush(None).await
    }

    async fn tell_offered(&self, offered: Statement) -> Result<(), String> {
        // A job of a branch or a pull request opens no issue, and without GitHub there is none.
        if self.notifier.github().is_none() || !self.job.origin().speaks_for_the_host() {
            return Ok(());
        }
        let statement = candidates::complete(self.config, offered).await;
        self.notifier.keep_candidates(&statement).map_err(|e| e.to_string())?;
        if let Err(error) = self.flush(None).await {
            tracing::warn!(error, "what is offered waits in the outbox");
        }
        Ok(())
    }

    async fn accepted(&self, profile: Profile) -> Vec<AcceptRequest> {
        let Some(client) = self.notifier.github() else { return Vec::new() };
        let class = pipeline::host_class(self.config);
        accept_requests(client, &class, profile.as_str()).await.unwrap_or_else(|error| {
            // Measuring does not depend on GitHub.
            tracing::warn!(%error, "nobody could be asked for tollgate:accept");
            Vec::new()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_configuration_means_is_told() {
        let text = "state = \"/var/lib/tollgate\"\n[watch]\nprofile = \"smoke\"\ntime_zone = \"Europe/Berlin\"\n\
                    quiet_hours = [\"08:00-18:30\"]\nfiles = [\"/proc\", \"/nowhere/x\"]\n\
                    [watch.schedules]\nnightly = { cron = \"30 2 * * *\" }\n\
                    monthly = { cron = \"0 4 1 * *\", profile = \"full\" }\n";
        let config = Config::resolve(Some(("tollgate.toml", text))).expect("valid");
        let now = "2026-11-25T12:00:00Z".parse().expect("a time");
        insta::assert_snapshot!(meaning(&config, "alerts        owner/name", now));
    }
}
