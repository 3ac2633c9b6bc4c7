//! A Docker engine of the sweep's own, beside the host's and without touching it.
//!
//! It gets the engines' network namespace, a mount namespace of its own with private propagation, and an empty
//! /run in it: the run directories of engine, containerd, shims and runtimes are then its own, and vanish with
//! its last process. In the host's network namespace an engine with another bridge than the host's would
//! delete docker0 and rewrite the host's rules; [`PrivateEngine::start`] refuses that.

mod disk;
mod pool;
pub mod remains;
mod spec;

pub use pool::{EnginePlace, EnginePool, Lease};
pub use spec::{EngineError, EngineSpec, Runtime};

use super::engine;
use crate::command;
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};

/// How long an engine may take until it answers.
const START: Duration = Duration::from_secs(90);
/// How long it may take to end after SIGTERM; it gives its containers five seconds of that.
const STOP: Duration = Duration::from_secs(20);
/// How long killed processes, mounts and loop devices may take to vanish.
const VANISH: Duration = Duration::from_secs(10);
/// The variable that names the engine's directory in the environment of its processes.
pub const ENGINE_VARIABLE: &str = "TOLLGATE_ENGINE";

/// Run by sh in the new mount namespace: file of a filesystem (or nothing), mount point, command. The loop
/// device is given back at once: the kernel keeps it until the mount goes (losetup(8), lazy detach). crun takes a
/// v1 host whose unified hierarchy has controllers for a mixture that it refuses; in here it is not seen.
const INSIDE: &str = r#"set -e
mount -t tmpfs -o mode=755 tmpfs /run
if [ -n "$(cat /sys/fs/cgroup/unified/cgroup.controllers 2>/dev/null)" ]; then umount /sys/fs/cgroup/unified; fi
file=$1 point=$2
shift 2
if [ -n "$file" ]; then
  device=$(losetup --find --show --direct-io=on "$file")
  mount "$device" "$point" || { losetup --detach "$device"; exit 1; }
  losetup --detach "$device"
fi
exec "$@"
"#;

/// A running engine. [`PrivateEngine::stop`] ends it; when it is dropped, its processes are killed and its
/// directory stays for `clean`.
#[derive(Debug)]
pub struct PrivateEngine {
    child: Child,
    dir: PathBuf,
    data_root: PathBuf,
    netns: PathBuf,
    cgroup: String,
    stopped: bool,
}

impl PrivateEngine {
    /// Starts an engine with its files in `dir`, which must not exist, and waits until it answers. `sweep` marks
    /// its processes.
    pub async fn start(
        spec: &EngineSpec,
        dir: &Path,
        netns: &Path,
        sweep: &str,
    ) -> Result<Self, EngineError> {
        refuse_host_network(netns)?;
        let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let socket = dir.join("docker.sock");
        if socket.as_os_str().len() > 107 {
            return Err(EngineError::LongPath(socket));
        }
        let disk = dir.join("disk");
        std::fs::create_dir_all(&disk).map_err(EngineError::io(&disk))?;
        let file = disk::make(spec, dir).await?;
        let data_root = disk.join("root");
        let cgroup = format!("/tollgate-{sweep}/engines/{name}");
        let config = dir.join("daemon.json");
        let text =
            serde_json::to_vec_pretty(&spec.configuration(dir, &data_root, &cgroup)).unwrap_or_default();
        std::fs::write(&config, text).map_err(EngineError::io(&config))?;
        let log = dir.join("engine.log");
        let output = std::fs::File::create(&log).map_err(EngineError::io(&log))?;
        let errors = output.try_clone().map_err(EngineError::io(&log))?;
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net={}", netns.display()))
            .args(["unshare", "--mount", "--propagation", "private", "sh", "-c", INSIDE, "sh"])
            .arg(file.as_deref().unwrap_or(Path::new("")))
            .arg(&disk)
            .arg(&spec.program)
            .arg("--config-file")
            .arg(&config)
            .env_clear()
            .env("PATH", &spec.search)
            .env("LC_ALL", "C.UTF-8")
            .env("TOLLGATE_SWEEP", sweep)
            .env(ENGINE_VARIABLE, dir)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .process_group(0)
            .kill_on_drop(true);
        let child = command.spawn().map_err(EngineError::io("nsenter"))?;
        let (dir, netns) = (dir.to_owned(), netns.to_owned());
        let mut engine = Self { child, dir, data_root, netns, cgroup, stopped: false };
        match engine.answers(&socket).await {
            Ok(()) => Ok(engine),
            Err(what) => {
                let text = std::fs::read(&log).unwrap_or_default();
                let words = command::last_lines(&String::from_utf8_lossy(&text), 6);
                let program = spec.program.clone();
                // The first error is the one that tells something.
                let _ = engine.stop().await;
                Err(EngineError::NoAnswer { program, what, words })
            }
        }
    }

    async fn answers(&mut self, socket: &Path) -> Result<(), String> {
        let begun = Instant::now();
        loop {
            match engine::connect(socket).await {
                Ok(_) => return Ok(()),
                Err(why) if begun.elapsed() > START => return Err(format!("did not answer: {}", why.reason)),
                Err(_) => {}
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("ended at the start ({status})"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.join("docker.sock")
    }

    /// The network namespace that it runs in.
    pub fn netns(&self) -> &Path {
        &self.netns
    }

    /// Its pid; none when it has ended.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Type of the filesystem that its data is on, asked of the kernel through its own mount namespace.
    pub fn backing(&self) -> Result<String, EngineError> {
        let below = self.data_root.strip_prefix("/").unwrap_or(&self.data_root);
        disk::filesystem_of(&self.root().join(below))
    }

    /// The root directory as it sees it.
    pub fn root(&self) -> PathBuf {
        let pid = self.child.id().unwrap_or(0);
        Path::new("/proc").join(pid.to_string()).join("root")
    }

    /// Ends it with containerd, shims and containers, and removes its files and cgroups.
    pub async fn stop(mut self) -> Result<(), EngineError> {
        if let Some(pid) = self.child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)) {
            let _ = kill_process(pid, Signal::TERM);
            if tokio::time::timeout(STOP, self.child.wait()).await.is_err() {
                let _ = self.child.kill().await;
            }
        }
        let begun = Instant::now();
        loop {
            let pids = remains::kill(&self.dir, &self.cgroup);
            if pids.is_empty() && !remains::is_looped(&self.dir) {
                break;
            }
            if begun.elapsed() > VANISH {
                return Err(EngineError::Stuck { pids, dir: self.dir.clone() });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.stopped = true;
        remains::remove_cgroups(&self.cgroup);
        std::fs::remove_dir_all(&self.dir).map_err(EngineError::io(&self.dir))
    }
}

impl Drop for PrivateEngine {
    fn drop(&mut self) {
        if !self.stopped {
            let _ = self.child.start_kill();
            remains::kill(&self.dir, &self.cgroup);
        }
    }
}

/// The engines' namespace must be another than ours and than init's.
fn refuse_host_network(netns: &Path) -> Result<(), EngineError> {
    let id = |path: &Path| std::fs::metadata(path).map(|m| (m.dev(), m.ino()));
    let wanted = id(netns).map_err(EngineError::io(netns))?;
    // Init's cannot be read in every sandbox; ours always can.
    let hosts = ["/proc/self/ns/net", "/proc/1/ns/net"].into_iter().filter_map(|p| id(Path::new(p)).ok());
    if hosts.into_iter().any(|host| host == wanted) {
        return Err(EngineError::HostNetwork(netns.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::docker::axes::Driver;

    #[tokio::test]
    async fn the_hosts_network_is_refused_before_anything_starts() {
        let dir = tempfile::tempdir().expect("a directory");
        let netns = Path::new("/proc/self/ns/net");
        let refused =
            PrivateEngine::start(&spec::tests::spec(Driver::Vfs), &dir.path().join("e0"), netns, "s").await;
        assert!(matches!(refused, Err(EngineError::HostNetwork(_))), "{refused:?}");
        assert!(!dir.path().join("e0").exists());
    }
}
