//! Agents that are child processes of tollgate: the native environment and the network clients.

use super::client::{AgentClient, AgentError};
use crate::model::CpuList;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

/// A child process that serves, and the connection to it. Dropping it kills the child.
#[derive(Debug)]
pub struct AgentProcess {
    child: Child,
    /// The connection.
    pub client: AgentClient,
}

/// Where the child serves.
#[derive(Debug, Clone, Default)]
pub struct Place<'a> {
    /// The root filesystem to change into; the host's own when absent.
    pub root: Option<&'a Path>,
    /// Host directories to bind into the root: source, destination.
    pub binds: Vec<(&'a Path, &'a str)>,
    /// The network namespace to enter.
    pub netns: Option<&'a Path>,
    /// Files into which it writes its pid, to move itself into control groups.
    pub groups: &'a [PathBuf],
    /// The processors that it may use; all when absent.
    pub cpus: Option<&'a CpuList>,
}

impl AgentProcess {
    /// Starts the program at `agent` in `place`. `sweep` marks the process, so that `clean` finds it.
    pub async fn start(agent: &Path, place: &Place<'_>, sweep: &str) -> Result<Self, AgentError> {
        let mut command = Command::new(agent);
        command.arg("serve");
        if let Some(root) = place.root {
            command.arg("--root").arg(root);
        }
        for (source, destination) in &place.binds {
            command.arg("--bind").arg(format!("{}:{destination}", source.display()));
        }
        if let Some(netns) = place.netns {
            command.arg("--netns").arg(netns);
        }
        for group in place.groups {
            command.arg("--group").arg(group);
        }
        if let Some(cpus) = place.cpus {
            command.arg("--cpus").arg(cpus.to_string());
        }
        command
            .env_clear()
            .env("TOLLGATE_SWEEP", sweep)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        let missing = || AgentError::Io(std::io::Error::other("a pipe of the agent is missing"));
        let stdin = child.stdin.take().ok_or_else(missing)?;
        let stdout = child.stdout.take().ok_or_else(missing)?;
        match AgentClient::connect(stdout, stdin, Duration::from_secs(10)).await {
            Ok(client) => Ok(Self { child, client }),
            Err(AgentError::Closed(_)) => Err(AgentError::Closed(last_words(&mut child).await)),
            Err(other) => Err(other),
        }
    }

    /// Its process id on the host; none when it has ended.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Stops its servers and ends it; kills it when it does not end within five seconds.
    pub async fn stop(mut self) {
        let _ = self.client.shutdown().await;
        if tokio::time::timeout(Duration::from_secs(5), self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }
}

/// What the child wrote to stderr before it ended.
async fn last_words(child: &mut Child) -> String {
    let mut text = String::new();
    if let Some(stderr) = child.stderr.as_mut() {
        let mut stderr = stderr.take(4096);
        let _ = tokio::time::timeout(Duration::from_secs(1), stderr.read_to_string(&mut text)).await;
    }
    if text.trim().is_empty() { String::new() } else { format!(": {}", text.trim()) }
}
