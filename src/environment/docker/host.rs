//! What the host has for private engines, found without starting anything but `dockerd --version`.

use super::Unavailable;
use super::axes::{Axes, Driver};
use super::private::{EngineSpec, Runtime};
use crate::command::{self, PROGRAM_DIRECTORIES};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// OCI runtimes that tollgate can give a private engine, with arguments: crun, and gVisor's runsc. runsc takes the
/// network of the namespace it is in, as the other runtimes of these environments do.
const RUNTIMES: [(&str, &[&str]); 2] = [("crun", &[]), ("runsc", &["--network=host"])];
/// First major version of the engine that runs on containerd's snapshotters when it is told to.
const SNAPSHOTTER: u32 = 24;
/// Last major version of the engine with AUFS (release notes of 24.0).
const AUFS: u32 = 23;

/// A host to look at.
#[derive(Debug, Clone)]
pub struct Host {
    /// Root path, `/` for this one.
    pub root: PathBuf,
    /// Directory of another engine (with dockerd, containerd and the shim in it, in `bin` and `sbin`, or in
    /// `usr/bin` and `usr/sbin`), preferred to the host's own.
    pub engine_dir: Option<PathBuf>,
}

impl Host {
    /// Directories of programs, the configured engine's first.
    fn directories(&self) -> Vec<PathBuf> {
        let below = ["", "bin", "sbin", "usr/bin", "usr/sbin"];
        let configured = self.engine_dir.iter().flat_map(|d| below.map(|b| d.join(b)));
        let configured: Vec<PathBuf> = configured.filter(|d| d.is_dir()).collect();
        configured.into_iter().chain(PROGRAM_DIRECTORIES.map(PathBuf::from)).collect()
    }

    fn under(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Where a program is.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        self.directories().into_iter().map(|d| d.join(name)).find(|path| {
            std::fs::metadata(self.under(path))
                .is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
        })
    }

    /// Whether the kernel has a filesystem, loaded or as a module.
    fn kernel_has(&self, filesystem: &str) -> bool {
        let read = |path: &str| std::fs::read_to_string(self.under(Path::new(path))).unwrap_or_default();
        let loaded = read("/proc/filesystems");
        let modules = format!("/lib/modules/{}/modules.dep", read("/proc/sys/kernel/osrelease").trim());
        loaded.lines().any(|line| line.split_whitespace().last() == Some(filesystem))
            || read(&modules).lines().any(|line| line.contains(&format!("/{filesystem}.ko")))
    }

    /// What a private engine for these axes is made of, or what is missing. `disk_mib` is the size of its
    /// filesystem where it gets one of its own.
    pub async fn private(&self, axes: &Axes, disk_mib: u64) -> Result<EngineSpec, Unavailable> {
        for (name, package) in [
            ("dockerd", "docker.io"),
            ("containerd", "containerd"),
            ("unshare", "util-linux"),
            ("ip", "iproute2"),
        ] {
            self.need(name, package)?;
        }
        let program = self.need("dockerd", "docker.io")?;
        let driver = axes.driver.unwrap_or(Driver::Overlay2Ext4);
        self.check_driver(driver)?;
        match driver {
            Driver::Containerd => {
                let needs = format!("containerd's snapshotter needs version {SNAPSHOTTER} or later");
                engine_is(&program, |version| version >= SNAPSHOTTER, &needs, "a newer").await?;
            }
            Driver::Aufs => {
                let needs = format!("AUFS needs version {AUFS} or earlier");
                engine_is(&program, |version| version <= AUFS, &needs, "an older").await?;
            }
            _ => {}
        }
        let runtimes: BTreeMap<String, Runtime> = RUNTIMES
            .iter()
            .filter_map(|(name, arguments)| {
                let arguments = arguments.iter().map(|a| (*a).to_owned()).collect();
                Some(((*name).to_owned(), Runtime { path: self.program(name)?, arguments }))
            })
            .collect();
        if let Some(runtime) = axes.runtime.as_deref().filter(|r| *r != "runc" && !runtimes.contains_key(*r))
        {
            return Err(Unavailable {
                reason: format!(
                    "the OCI runtime {runtime} is not installed, and the engine does not list it"
                ),
                remedy: format!("install the package {runtime}, or add it to the engine's `runtimes`"),
            });
        }
        if axes.proxy {
            self.need("docker-proxy", "docker.io")?;
        }
        let iptables = axes.nat && !axes.proxy;
        if iptables {
            self.need("iptables", "iptables")?;
        }
        let search = std::env::join_paths(self.directories()).map_err(|e| Unavailable {
            reason: format!("the directory of the engine cannot be part of PATH: {e}"),
            remedy: "choose a docker.engine_dir without a colon in its name".to_owned(),
        })?;
        Ok(EngineSpec { program, search, driver, disk_mib, runtimes, iptables })
    }

    fn need(&self, program: &str, package: &str) -> Result<PathBuf, Unavailable> {
        self.program(program).ok_or_else(|| Unavailable {
            reason: format!("{program} is not installed"),
            remedy: format!("install the package {package}, or run `tollgate provision`"),
        })
    }

    fn check_driver(&self, driver: Driver) -> Result<(), Unavailable> {
        if let Some(filesystem) = driver.backing() {
            if !self.kernel_has(filesystem.as_str()) {
                return Err(Unavailable {
                    reason: format!("this kernel has no {filesystem}", filesystem = filesystem.as_str()),
                    remedy: "boot a kernel that has it".to_owned(),
                });
            }
            self.need(filesystem.mkfs()[0], filesystem.package())?;
            self.need("losetup", "mount")?;
        }
        match driver {
            Driver::FuseOverlayfs => {
                self.need("fuse-overlayfs", "fuse-overlayfs")?;
                if !self.under(Path::new("/dev/fuse")).exists() {
                    return Err(Unavailable {
                        reason: "there is no /dev/fuse".to_owned(),
                        remedy: "load the module: `modprobe fuse`".to_owned(),
                    });
                }
                Ok(())
            }
            Driver::Aufs if self.kernel_has("aufs") => Ok(()),
            Driver::Zfs if self.kernel_has("zfs") => Err(unsupported(
                "zfs keeps layers in a pool that the kernel shares with the whole host, and tollgate makes none",
            )),
            Driver::Aufs | Driver::Zfs => Err(not_in_kernel(driver)),
            Driver::Devicemapper => {
                let misc = std::fs::read_to_string(self.under(Path::new("/proc/misc"))).unwrap_or_default();
                if !misc.contains("device-mapper") {
                    return Err(not_in_kernel(driver));
                }
                Err(unsupported(
                    "devicemapper keeps layers in mapped devices of the whole host, which would stay when the engine is killed",
                ))
            }
            _ => Ok(()),
        }
    }
}

fn not_in_kernel(driver: Driver) -> Unavailable {
    let word = driver.word();
    Unavailable {
        reason: format!("this kernel has no {word}"),
        remedy: format!("leave the environment out, or boot a kernel with {word}"),
    }
}

/// A driver that needs more than a directory or a file.
fn unsupported(reason: &str) -> Unavailable {
    Unavailable { reason: reason.to_owned(), remedy: "leave the environment out".to_owned() }
}

/// That the engine's major version is one that `fits`; otherwise it says what is `needed` and how to get `other`.
async fn engine_is(
    program: &Path,
    fits: impl Fn(u32) -> bool,
    needed: &str,
    other: &str,
) -> Result<(), Unavailable> {
    let remedy = format!("install {other} Docker, or unpack one and name its directory in docker.engine_dir");
    let printed = command::run(&[program.as_os_str(), "--version".as_ref()]).await;
    let printed = printed.map_err(|e| Unavailable { reason: e.to_string(), remedy: remedy.clone() })?;
    match major(&printed) {
        Some(version) if fits(version) => Ok(()),
        _ => Err(Unavailable {
            reason: format!("{} is \"{}\"; {needed}", program.display(), printed.trim()),
            remedy,
        }),
    }
}

/// The major version in `Docker version 28.5.2+dfsg4, build 3ef3c07`.
fn major(printed: &str) -> Option<u32> {
    printed.split_whitespace().nth(2)?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(dir: &Path, programs: &[&str], filesystems: &str) -> Host {
        for (path, text) in [("proc/filesystems", filesystems), ("proc/misc", "229 fuse\n")] {
            let path = dir.join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(path, text).expect("written");
        }
        let bin = dir.join("usr/sbin");
        std::fs::create_dir_all(&bin).expect("made");
        for name in programs {
            std::fs::write(bin.join(name), "").expect("written");
            std::fs::set_permissions(bin.join(name), std::fs::Permissions::from_mode(0o755)).expect("mode");
        }
        Host { root: dir.to_owned(), engine_dir: None }
    }

    async fn verdict(host: &Host, name: &str) -> Result<EngineSpec, Unavailable> {
        host.private(&Axes::of(&name.parse().expect("a name")).expect("axes"), 1000).await
    }

    const ENGINE: [&str; 6] = ["dockerd", "containerd", "unshare", "ip", "losetup", "mke2fs"];

    #[tokio::test]
    async fn what_is_missing_is_named_with_a_remedy() {
        let dir = tempfile::tempdir().expect("a directory");
        let none = host(dir.path(), &[], "");
        assert!(verdict(&none, "docker+nat+proxy").await.expect_err("no engine").reason.contains("dockerd"));
        let some = host(dir.path(), &ENGINE, "nodev\toverlay\n\text4\n\txfs\n");
        let why = |name: &'static str| {
            let some = some.clone();
            async move { verdict(&some, name).await.expect_err("unavailable") }
        };
        assert!(why("docker+layer+driver=overlay2-xfs").await.remedy.contains("xfsprogs"));
        assert!(why("docker+layer+driver=btrfs").await.reason.contains("no btrfs"));
        assert!(why("docker+layer+driver=fuse-overlayfs").await.remedy.contains("fuse-overlayfs"));
        assert!(why("docker+runtime=crun").await.remedy.contains("crun"));
        assert!(why("docker+runtime=youki").await.reason.contains("youki"));
        assert!(why("docker+nat+proxy").await.reason.contains("docker-proxy"));
        for gone in ["zfs", "aufs", "devicemapper"] {
            let why = verdict(&some, &format!("docker+layer+driver={gone}")).await.expect_err("gone");
            assert!(why.reason.contains(&format!("no {gone}")), "{why}");
        }
    }

    #[tokio::test]
    async fn environments_that_differ_in_runtime_and_proxy_only_share_an_engine() {
        let dir = tempfile::tempdir().expect("a directory");
        let programs = [&ENGINE[..], &["crun", "runsc", "docker-proxy", "iptables"]].concat();
        let host = host(dir.path(), &programs, "\text4\n");
        let crun = verdict(&host, "docker+runtime=crun").await.expect("crun");
        assert_eq!(crun, verdict(&host, "docker+runtime=runsc").await.expect("runsc"));
        assert_eq!(crun, verdict(&host, "docker+nat+proxy").await.expect("proxy"));
        assert_eq!(crun, verdict(&host, "docker+layer+driver=overlay2-ext4").await.expect("driver"));
        assert_ne!(crun, verdict(&host, "docker+layer+driver=vfs").await.expect("driver"));
        assert_ne!(crun, verdict(&host, "docker+nat+runtime=crun").await.expect("needs iptables"));
    }

    /// An engine that says this version. Programs are run at their own path, and so it lies in a configured directory.
    fn saying(dir: &Path, version: &str, filesystems: &str) -> Host {
        let mut host = host(dir, &ENGINE, filesystems);
        let engine = dir.join("engine");
        std::fs::create_dir_all(&engine).expect("made");
        let program = engine.join("dockerd");
        std::fs::write(&program, format!("#!/bin/sh\necho 'Docker version {version}, build 0'\n"))
            .expect("written");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("mode");
        let inside = dir.join(engine.strip_prefix("/").expect("absolute"));
        std::fs::create_dir_all(&inside).expect("made");
        std::fs::copy(&program, inside.join("dockerd")).expect("copied");
        host.engine_dir = Some(engine);
        host
    }

    #[tokio::test]
    async fn a_driver_of_old_or_of_new_engines_needs_one_of_its_time() {
        let dir = tempfile::tempdir().expect("a directory");
        let (aufs, containerd) = ("docker+layer+driver=aufs", "docker+layer+driver=containerd");
        let old = saying(dir.path(), "20.10.24+dfsg1", "nodev\taufs\n\text4\n");
        assert_eq!(verdict(&old, aufs).await.expect("AUFS").driver, Driver::Aufs);
        let why = verdict(&old, containerd).await.expect_err("too old");
        assert!(why.reason.contains("20.10.24") && why.remedy.contains("a newer Docker"), "{why}");
        let new = saying(dir.path(), "28.5.2", "nodev\taufs\n\text4\n");
        assert_eq!(verdict(&new, containerd).await.expect("containerd").driver, Driver::Containerd);
        let why = verdict(&new, aufs).await.expect_err("too new");
        assert!(why.reason.contains("28.5.2") && why.remedy.contains("an older Docker"), "{why}");
    }

    #[tokio::test]
    async fn drivers_whose_state_would_outlive_an_engine_are_unavailable_and_say_so() {
        let dir = tempfile::tempdir().expect("a directory");
        let host = host(dir.path(), &ENGINE, "nodev\tzfs\n\text4\n");
        std::fs::write(dir.path().join("proc/misc"), "236 device-mapper\n").expect("written");
        for (driver, word) in [("zfs", "pool"), ("devicemapper", "mapped devices")] {
            let why =
                verdict(&host, &format!("docker+layer+driver={driver}")).await.expect_err("unavailable");
            assert!(why.reason.contains(word), "{why}");
        }
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(major("Docker version 20.10.24+dfsg1, build 5d6db84\n"), Some(20));
        assert_eq!(major("Docker version 28.5.2+dfsg4, build 3ef3c07"), Some(28));
        assert_eq!(major("garbage"), None);
    }
}
