//! Background programs: databases and load servers that trials talk to.

use crate::{exec, sys};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::net::{SocketAddr, TcpStream};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tollgate_agent::protocol::{Answer, Start};

/// So many bytes of a failed server's output are put into the error.
const TAIL_BYTES: i64 = 2000;

/// How long one attempt to connect may take.
const TRY: Duration = Duration::from_millis(200);

#[derive(Debug)]
struct Running {
    pid: u32,
    log: File,
    ended: Option<sys::Ended>,
}

/// The background programs of this agent.
#[derive(Debug, Default)]
pub struct Servers {
    adopts_orphans: bool,
    running: BTreeMap<String, Running>,
}

impl Servers {
    /// For a process that is PID 1 or a subreaper: it also collects children that are not its own.
    pub fn adopting_orphans() -> Self {
        Self { adopts_orphans: true, ..Self::default() }
    }

    /// Starts a server and waits until it is ready.
    pub fn start(&mut self, start: &Start) -> Result<Answer, String> {
        self.reap();
        let name = start.name.clone();
        if self.running.get(&name).is_some_and(|r| r.ended.is_none()) {
            return Err(format!("server {name} is running already"));
        }
        let address = match &start.ready_tcp {
            Some(text) => {
                Some(text.parse::<SocketAddr>().map_err(|e| format!("server {name}: address {text}: {e}"))?)
            }
            None => None,
        };
        // Or a stranger's answer would be taken for the server's.
        if let Some(address) = address.filter(|a| TcpStream::connect_timeout(a, TRY).is_ok()) {
            return Err(format!("server {name}: something else listens on {address} already"));
        }
        let log = log_file(&name).map_err(|e| format!("server {name}: its log file: {e}"))?;
        let clone = || log.try_clone().map_err(|e| format!("server {name}: its log file: {e}"));
        let mut command = exec::command(&start.argv)?;
        command.envs(&start.env).stdout(Stdio::from(clone()?)).stderr(Stdio::from(clone()?));
        sys::child_dies_with_us(&mut command);
        let begun = Instant::now();
        let child = command.spawn().map_err(|e| format!("server {name}: start {}: {e}", start.argv[0]))?;
        let pid = child.id();
        self.running.insert(name.clone(), Running { pid, log, ended: None });
        match self.wait_until_ready(&name, address, begun, start.ready_timeout_ms) {
            Ok(()) => {
                let ready_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
                Ok(Answer::Started { pid, ready_ms })
            }
            Err(why) => {
                self.stop(&name, 0);
                Err(why)
            }
        }
    }

    fn wait_until_ready(
        &mut self,
        name: &str,
        address: Option<SocketAddr>,
        begun: Instant,
        timeout_ms: u64,
    ) -> Result<(), String> {
        let Some(address) = address else { return Ok(()) };
        loop {
            let accepted = TcpStream::connect_timeout(&address, TRY).is_ok();
            self.reap();
            let server = self.running.get_mut(name).ok_or("the server is gone")?;
            // Something else may answer on the port; a server that has ended is never ready.
            if let Some(ended) = server.ended {
                return Err(format!(
                    "server {name} ended with {} before it was ready: {}",
                    ended.describe(),
                    tail(&mut server.log)
                ));
            }
            if accepted {
                return Ok(());
            }
            if begun.elapsed() > Duration::from_millis(timeout_ms) {
                return Err(format!(
                    "server {name} did not accept a connection on {address} within {timeout_ms} ms: {}",
                    tail(&mut server.log)
                ));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Stops a server: SIGTERM, then SIGKILL after the grace period. Nothing happens when it is not there.
    pub fn stop(&mut self, name: &str, grace_ms: u64) {
        let Some(pid) = self.running.get(name).map(|r| r.pid) else { return };
        let deadline = Instant::now() + Duration::from_millis(grace_ms);
        if grace_ms > 0 {
            sys::kill_group(pid, libc::SIGTERM);
        }
        while Instant::now() < deadline && self.is_running(name) {
            std::thread::sleep(Duration::from_millis(5));
        }
        sys::kill_group(pid, libc::SIGKILL);
        if self.is_running(name) {
            let _ = sys::wait(Some(pid), true);
        }
        self.running.remove(name);
    }

    fn is_running(&mut self, name: &str) -> bool {
        self.reap();
        self.running.get(name).is_some_and(|r| r.ended.is_none())
    }

    /// Stops all of them.
    pub fn stop_all(&mut self) {
        let names: Vec<String> = self.running.keys().cloned().collect();
        for name in names {
            self.stop(&name, 2000);
        }
        self.reap_all();
        if self.adopts_orphans {
            end_orphans();
        }
    }

    /// Collects the servers that have ended, without waiting.
    fn reap(&mut self) {
        for server in self.running.values_mut().filter(|s| s.ended.is_none()) {
            server.ended = sys::wait(Some(server.pid), false).ok().flatten();
        }
    }

    /// Collects every child that has ended, adopted orphans included, without waiting.
    pub fn reap_all(&mut self) {
        self.reap();
        while self.adopts_orphans && matches!(sys::wait(None, false), Ok(Some(_))) {}
    }
}

/// Kills what was adopted: programs that left their process group to become daemons. Killing one can orphan
/// others to us, so it is repeated, but not for ever (a process in an uninterruptible wait cannot be killed).
fn end_orphans() {
    for _ in 0..200 {
        while matches!(sys::wait(None, false), Ok(Some(_))) {}
        let children = children();
        if children.is_empty() {
            return;
        }
        for pid in children {
            sys::kill(pid);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The children of this process, from the parent field of every /proc/PID/stat (proc(5)).
fn children() -> Vec<u32> {
    let us = std::process::id().to_string();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            // The name, in parentheses, may hold anything; the state and the parent follow the last one.
            stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)) == Some(us.as_str())
        })
        .collect()
}

/// An unlinked file in /tmp (a tmpfs in every environment but the layer's).
fn log_file(name: &str) -> std::io::Result<File> {
    let path = std::env::temp_dir().join(format!(
        "tollgate-agent-{}-{}.log",
        std::process::id(),
        name.replace('/', "_")
    ));
    let file = File::options().read(true).append(true).create(true).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

fn tail(log: &mut File) -> String {
    let mut bytes = Vec::new();
    let length = log.metadata().map_or(0, |m| i64::try_from(m.len()).unwrap_or(0));
    let read = log.seek(SeekFrom::End(-TAIL_BYTES.min(length))).and_then(|_| log.read_to_end(&mut bytes));
    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
    if read.is_err() || text.is_empty() {
        "it printed nothing".to_owned()
    } else {
        format!("its last output: {text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(name: &str, script: &str, ready_tcp: Option<String>) -> Start {
        Start {
            name: name.into(),
            argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
            env: BTreeMap::new(),
            ready_tcp,
            ready_timeout_ms: 300,
        }
    }

    /// Children are reaped process-wide, so these cases share one test.
    #[test]
    fn servers_start_fail_and_stop() {
        let mut servers = Servers::default();
        let Ok(Answer::Started { pid, .. }) = servers.start(&start("a", "exec sleep 100", None)) else {
            panic!("starts")
        };
        assert!(servers.start(&start("a", "exec sleep 100", None)).expect_err("twice").contains("already"));
        servers.stop("a", 1000);
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());

        let nobody = Some("127.0.0.1:9".to_owned());
        let died =
            servers.start(&start("b", "echo no such option; exit 4", nobody.clone())).expect_err("dies");
        assert!(died.contains("exit code 4") && died.contains("no such option"), "{died}");
        let slow = servers.start(&start("c", "exec sleep 100", nobody)).expect_err("never ready");
        assert!(slow.contains("127.0.0.1:9") && slow.contains("printed nothing"), "{slow}");
        assert!(servers.running.is_empty());
        servers.stop("not there", 10);
    }
}
