//! A Docker engine of the sweep's own, beside the host's and without touching it.
//!
//! It gets the engines' network namespace, a mount namespace of its own with private propagation, and an empty
//! /run in it: the run directories of engine, containerd, shims and runtimes are then its own, and vanish with
//! its last process. In the host's network namespace an engine with another bridge than the host's would
//! delete docker0 and rewrite the host's rules; [`PrivateEngine::start`] refuses that.

mod pool;
pub mod remains;

pub use pool::{EnginePlace, EnginePool, Lease};

use super::axes::{Driver, Filesystem};
use super::engine;
use crate::command::{self, CommandFailure};
use rustix::fs::{statfs, statvfs};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::collections::BTreeMap;
use std::ffi::OsString;
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
  device=$(losetup --find --show --direct-io=on "$file" || losetup --find --show "$file")
  mount "$device" "$point" || { losetup --detach "$device"; exit 1; }
  losetup --detach "$device"
fi
exec "$@"
"#;

/// Why there is no private engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A file of it.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A command of the host.
    #[error("{0}")]
    Command(#[from] CommandFailure),
    /// Its filesystem does not fit.
    #[error(
        "its filesystem may need {need_mib} MiB in {path}, {free_mib} MiB are free; make room or choose another place with --state"
    )]
    DiskFull {
        /// Where.
        path: PathBuf,
        /// Free MiB.
        free_mib: u64,
        /// Needed MiB.
        need_mib: u64,
    },
    /// The path of its socket is too long (unix(7), `sun_path`).
    #[error("{} is too long for a socket; choose a shorter --state", .0.display())]
    LongPath(PathBuf),
    /// The namespace is the host's.
    #[error(
        "{} is not a network namespace of its own; an engine started there would change the host's docker0 and rules",
        .0.display()
    )]
    HostNetwork(PathBuf),
    /// It ended, or it does not answer.
    #[error("{program} {what}; the end of its log:\n{words}")]
    NoAnswer {
        /// The engine's program.
        program: PathBuf,
        /// What happened.
        what: String,
        /// The last lines of its log.
        words: String,
    },
    /// Processes of it do not end.
    #[error("processes {pids:?} of the engine in {} do not end; look at /proc/<pid>/stack", dir.display())]
    Stuck {
        /// Their pids.
        pids: Vec<u32>,
        /// The engine's directory.
        dir: PathBuf,
    },
}

impl EngineError {
    fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        |source| Self::Io { path, source }
    }
}

/// An OCI runtime that the engine is given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Runtime {
    /// Its program.
    pub path: PathBuf,
    /// Arguments before its own.
    pub arguments: Vec<String>,
}

/// What an engine is made of. Environments with an equal one share an engine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EngineSpec {
    /// dockerd.
    pub program: PathBuf,
    /// `PATH` in which it finds containerd, the shim, runc, docker-proxy and fuse-overlayfs.
    pub search: OsString,
    /// Its storage driver.
    pub driver: Driver,
    /// Size of its filesystem, MiB, where it gets one in a file.
    pub disk_mib: u64,
    /// Runtimes beside runc.
    pub runtimes: BTreeMap<String, Runtime>,
    /// Whether it publishes ports with rules of the firewall in its namespace.
    pub iptables: bool,
}

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
        let file = filesystem(spec, dir).await?;
        let data_root = disk.join("root");
        let cgroup = format!("/tollgate-{sweep}/engines/{name}");
        let config = dir.join("daemon.json");
        let text =
            serde_json::to_vec_pretty(&configuration(spec, dir, &data_root, &cgroup)).unwrap_or_default();
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
        let pid = self.child.id().unwrap_or(0);
        let below = self.data_root.strip_prefix("/").unwrap_or(&self.data_root);
        let path = Path::new("/proc").join(pid.to_string()).join("root").join(below);
        let found = statfs(&path).map_err(|e| EngineError::io(&path)(e.into()))?;
        Ok(filesystem_name(u64::try_from(found.f_type).unwrap_or(0)))
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

/// An engine's configuration, for `--config-file`.
fn configuration(spec: &EngineSpec, dir: &Path, data_root: &Path, cgroup: &str) -> serde_json::Value {
    let runtimes: serde_json::Map<String, serde_json::Value> = spec
        .runtimes
        .iter()
        .map(|(name, runtime)| {
            let mut entry = json!({ "path": runtime.path });
            if !runtime.arguments.is_empty() {
                entry["runtimeArgs"] = json!(runtime.arguments);
            }
            (name.clone(), entry)
        })
        .collect();
    json!({
        "hosts": [format!("unix://{}", dir.join("docker.sock").display())],
        "pidfile": dir.join("docker.pid"),
        "data-root": data_root,
        "bridge": "none",
        "iptables": spec.iptables,
        "ip6tables": false,
        "ip-forward": spec.iptables,
        "storage-driver": spec.driver.engine_name(),
        "features": { "containerd-snapshotter": spec.driver == Driver::Containerd },
        "cgroup-parent": cgroup,
        "exec-opts": ["native.cgroupdriver=cgroupfs"],
        "shutdown-timeout": 5,
        "runtimes": runtimes,
    })
}

/// Makes the file with the engine's filesystem, unless its directory is on such a filesystem or on any that serves.
async fn filesystem(spec: &EngineSpec, dir: &Path) -> Result<Option<PathBuf>, EngineError> {
    let Some(wanted) = spec.driver.backing() else { return Ok(None) };
    let found = statfs(dir).map_err(|e| EngineError::io(dir)(e.into()))?;
    let here = filesystem_name(u64::try_from(found.f_type).unwrap_or(0));
    // The host's own ext4 is the usual place; the others are made, so that they are fresh and of one shape.
    if wanted == Filesystem::Ext4 && here == wanted.as_str() {
        return Ok(None);
    }
    let room = statvfs(dir).map_err(|e| EngineError::io(dir)(e.into()))?;
    let free_mib = room.f_bavail.saturating_mul(room.f_frsize) >> 20;
    if free_mib < spec.disk_mib {
        return Err(EngineError::DiskFull { path: dir.to_owned(), free_mib, need_mib: spec.disk_mib });
    }
    let file = dir.join("disk.img");
    let made = std::fs::File::create(&file).and_then(|f| f.set_len(spec.disk_mib << 20));
    made.map_err(EngineError::io(&file))?;
    let mut line: Vec<&std::ffi::OsStr> = wanted.mkfs().iter().map(std::ffi::OsStr::new).collect();
    line.push(file.as_os_str());
    command::run(&line).await?;
    Ok(Some(file))
}

/// The name of a filesystem's magic number (statfs(2)), or the number.
fn filesystem_name(magic: u64) -> String {
    match magic {
        0xEF53 => "ext4".to_owned(),
        0x5846_5342 => "xfs".to_owned(),
        0x9123_683E => "btrfs".to_owned(),
        0x0102_1994 => "tmpfs".to_owned(),
        0x794C_7630 => "overlay".to_owned(),
        0x2FC1_2FC1 => "zfs".to_owned(),
        other => format!("filesystem {other:#x}"),
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

    fn spec(driver: Driver) -> EngineSpec {
        let runsc = Runtime { path: "/usr/bin/runsc".into(), arguments: vec!["--network=host".into()] };
        EngineSpec {
            program: "/no/such/dockerd".into(),
            search: "/usr/sbin:/usr/bin:/sbin:/bin".into(),
            driver,
            disk_mib: 512,
            runtimes: [("runsc".to_owned(), runsc)].into(),
            iptables: false,
        }
    }

    #[test]
    fn a_configuration_names_everything_that_could_meet_the_host() {
        let written =
            configuration(&spec(Driver::Containerd), Path::new("/s/e0"), Path::new("/s/e0/d"), "/t/e0");
        assert_eq!(written["bridge"], "none");
        assert_eq!(written["iptables"], false);
        assert_eq!(written["hosts"][0], "unix:///s/e0/docker.sock");
        assert_eq!(written["data-root"], "/s/e0/d");
        assert_eq!(written["cgroup-parent"], "/t/e0");
        assert_eq!(written["storage-driver"], "overlayfs");
        assert_eq!(written["features"]["containerd-snapshotter"], true);
        assert_eq!(written["runtimes"]["runsc"]["runtimeArgs"][0], "--network=host");
    }

    #[tokio::test]
    async fn the_hosts_network_is_refused_before_anything_starts() {
        let dir = tempfile::tempdir().expect("a directory");
        let netns = Path::new("/proc/self/ns/net");
        let refused = PrivateEngine::start(&spec(Driver::Vfs), &dir.path().join("e0"), netns, "s").await;
        assert!(matches!(refused, Err(EngineError::HostNetwork(_))), "{refused:?}");
        assert!(!dir.path().join("e0").exists());
    }

    #[test]
    fn filesystems_are_known_by_their_numbers() {
        assert_eq!(filesystem_name(0xEF53), "ext4");
        assert_eq!(filesystem_name(1), "filesystem 0x1");
    }
}
