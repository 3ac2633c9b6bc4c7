//! `notify`, `gate --notify` and `baseline propose`.

use super::args::NotifyArgs;
use super::github::Job;
use super::{Failure, output};
use crate::actions;
use crate::alert::{AlertPolicy, intake};
use crate::config::Config;
use crate::exit::Outcome;
use crate::model::GateResult;
use crate::notify::webhook::Webhook;
use crate::notify::{Clock as _, Secret, SystemClock};
use crate::pipeline::notify::{self as pipeline, Hook, Notifier, Parts, Report};
use crate::pipeline::policy;
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

/// Tells a result from a file, and what earlier runs could not.
pub async fn notify(config: &Config, args: &NotifyArgs) -> Result<Outcome, Failure> {
    let result = args.result.as_deref().map(read).transpose()?;
    let job = Job::read()?;
    let notifier = notifier(config, &job)?;
    if args.dry_run {
        let Some(result) = result else { return Ok(Outcome::Done) };
        let report = notifier.preview(&told(&job, result)).await?;
        print(&report)?;
        return Ok(Outcome::Done);
    }
    tell(&job, &notifier, result).await
}

fn told(job: &Job, result: GateResult) -> pipeline::Job {
    pipeline::Job::new(result, job.origin(), job.run_url())
}

/// Tells a result, and what earlier runs could not. The result is kept before anybody is asked anything.
pub async fn tell(job: &Job, notifier: &Notifier, result: Option<GateResult>) -> Result<Outcome, Failure> {
    let fresh = match result {
        Some(result) => notifier.keep(&told(job, result))?,
        None => None,
    };
    let report = notifier.flush(fresh).await?;
    print(&report)?;
    Ok(match &report {
        report if report.is_complete() => Outcome::Done,
        report if report.needs_a_person() => Outcome::Refused,
        _ => Outcome::Unsent,
    })
}

/// The file, within its limit.
fn read(path: &Path) -> Result<GateResult, Failure> {
    let name = path.display().to_string();
    let mut bytes = Vec::new();
    let limit = intake::LARGEST as u64 + 1;
    std::fs::File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .map_err(|e| Failure::usage(format!("--result {name}: {e}")))?;
    intake::read(&name, &bytes, SystemClock.now()).map_err(Failure::usage)
}

/// Who tells; an error when there is nobody to tell.
pub fn notifier(config: &Config, job: &Job) -> Result<Notifier, Failure> {
    let notifier = notifier_of_host(config, job)?;
    if !notifier.is_heard() {
        return Err(Failure::usage(format!(
            "nobody to tell: set GITHUB_REPOSITORY and GITHUB_TOKEN, or name a webhook in {}",
            config.policy.display()
        )));
    }
    if notifier.github().is_none() && job.event.run.is_some() {
        // Where the result of another run belongs, only GitHub knows.
        return Err(Failure::usage("a workflow_run needs GITHUB_REPOSITORY and GITHUB_TOKEN"));
    }
    Ok(notifier)
}

/// A notifier that remembers alerts on this host also where there is nobody to tell.
pub(super) fn notifier_of_host(config: &Config, job: &Job) -> Result<Notifier, Failure> {
    let rules = policy::rules(config)?;
    let hooks = hooks(&rules.alert);
    let github = job.client(config)?;
    let mut secrets = job.secrets.clone();
    for target in hooks.iter().filter_map(|h| h.target.as_ref()) {
        secrets.push(target.url.clone());
        secrets.extend(target.key.clone());
    }
    let parts = Parts {
        templates: pipeline::templates(&config.policy)?,
        policy: rules.alert,
        policy_text: std::fs::read_to_string(&config.policy).unwrap_or_default(),
        policy_path: config.policy.display().to_string(),
        github,
        hooks,
        state: config.state.clone(),
        secrets,
        clock: Arc::new(SystemClock),
    };
    Ok(Notifier::new(parts)?)
}

fn hooks(policy: &AlertPolicy) -> Vec<Hook> {
    let secret =
        |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty()).map(|v| Secret::new(v.trim()));
    let hook = |(name, of): (&String, &crate::alert::Webhook)| {
        let url = secret(&of.url_env);
        let key = of.secret_env.as_deref().and_then(secret);
        // What should be signed is never sent unsigned.
        let unsigned = of.secret_env.clone().filter(|_| key.is_none());
        let target = url.filter(|_| unsigned.is_none()).map(|url| Webhook { name: name.clone(), url, key });
        let variable = match &target {
            None => unsigned.unwrap_or_else(|| of.url_env.clone()),
            Some(_) => of.url_env.clone(),
        };
        Hook { name: name.clone(), format: of.format, variable, target }
    };
    policy.webhook.iter().map(hook).collect()
}

fn print(report: &Report) -> Result<(), Failure> {
    let mut text = String::new();
    for (word, lines) in [
        ("", &report.said),
        ("silent: ", &report.silent),
        ("waiting in the outbox: ", &report.waiting),
        ("refused for good: ", &report.refused),
        ("look at this: ", &report.trouble),
    ] {
        for line in lines {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{word}{}", actions::harmless(line));
        }
    }
    if text.is_empty() {
        text.push_str("nothing to say\n");
    }
    output::print(&text)
}

/// Proposes the accepted sweeps in a pull request.
pub async fn propose(config: &Config, base: &str, branch: &str, into: &str) -> Result<Outcome, Failure> {
    let job = Job::read()?;
    let missing = "no repository or token: set GITHUB_REPOSITORY and GITHUB_TOKEN";
    let client = job.client(config)?.ok_or_else(|| Failure::usage(missing))?;
    let proposed = pipeline::propose(config, &client, base, branch, into).await?;
    output::print(&format!("{proposed}\n"))?;
    Ok(Outcome::Done)
}
