//! What a private engine is made of, and why there may be none.

use crate::command::CommandFailure;
use crate::environment::docker::axes::Driver;
use serde_json::json;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

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
    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
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

impl EngineSpec {
    /// The engine's configuration, for `--config-file`.
    pub(super) fn configuration(&self, dir: &Path, data_root: &Path, cgroup: &str) -> serde_json::Value {
        let runtimes: serde_json::Map<String, serde_json::Value> = self
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
            "iptables": self.iptables,
            "ip6tables": false,
            "ip-forward": self.iptables,
            "storage-driver": self.driver.engine_name(),
            "features": { "containerd-snapshotter": self.driver == Driver::Containerd },
            "cgroup-parent": cgroup,
            "exec-opts": ["native.cgroupdriver=cgroupfs"],
            "shutdown-timeout": 5,
            "runtimes": runtimes,
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn spec(driver: Driver) -> EngineSpec {
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
            spec(Driver::Containerd).configuration(Path::new("/s/e0"), Path::new("/s/e0/d"), "/t/e0");
        assert_eq!(written["bridge"], "none");
        assert_eq!(written["iptables"], false);
        assert_eq!(written["hosts"][0], "unix:///s/e0/docker.sock");
        assert_eq!(written["data-root"], "/s/e0/d");
        assert_eq!(written["cgroup-parent"], "/t/e0");
        assert_eq!(written["storage-driver"], "overlayfs");
        assert_eq!(written["features"]["containerd-snapshotter"], true);
        assert_eq!(written["runtimes"]["runsc"]["runtimeArgs"][0], "--network=host");
    }
}
