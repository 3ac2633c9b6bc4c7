//! What a host is made of: the part of the fingerprint that files tell (Docker's part comes from its engine).
//!
//! No subprocess when the files suffice, so that it can run often; a file that is missing or cannot be
//! understood leaves its entry out.

mod cpu;
mod daemon_json;
mod dpkg;

use super::{
    files,
    mountinfo::{self, Mount},
    processes,
};
use crate::model::{Component, HostClass};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Reads the host whose filesystem is at a root path.
#[derive(Debug, Clone)]
pub struct Probe {
    root: PathBuf,
    state: PathBuf,
}

impl Probe {
    /// For the host at `root`, `/` for this one, with the state directory where it usually is.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), state: PathBuf::from("/var/lib/tollgate") }
    }

    /// With another state directory: its filesystem is part of the context. A path as the host sees it.
    #[must_use]
    pub fn with_state(mut self, state: &Path) -> Self {
        state.clone_into(&mut self.state);
        self
    }

    /// Kernel and QEMU, as far as they are there.
    pub fn components(&self) -> BTreeMap<Component, String> {
        let found = [(Component::Kernel, self.kernel()), (Component::Qemu, self.qemu())];
        found.into_iter().filter_map(|(component, version)| Some((component, version?))).collect()
    }

    /// What explains a number but does not start a sweep: one line of text for each name that is known here.
    pub fn context(&self) -> BTreeMap<String, String> {
        let root = self.root.as_path();
        let info = cpu::Info::read(root);
        let mounts = mountinfo::read(root);
        let state = self.state_mount(&mounts);
        let found = [
            ("boot-command-line", self.kernel_command_line()),
            ("cgroup", cgroup_version(&mounts)),
            (
                "clocksource",
                files::value(root, "/sys/devices/system/clocksource/clocksource0/current_clocksource"),
            ),
            ("cpu", info.model),
            ("cpu-count", info.count.map(|count| count.to_string())),
            (
                "daemon-json",
                files::read(root, "/etc/docker/daemon.json").map(|text| daemon_json::normalised(&text)),
            ),
            ("distribution", self.distribution()),
            ("dmi-product", self.dmi_product()),
            ("governor", cpu::governor(root)),
            ("hypervisor", info.hypervisor.map(|yes| if yes { "yes" } else { "no" }.to_owned())),
            ("init", files::value(root, "/proc/1/comm")),
            ("memory", memory_kib(root).map(|kib| format!("{:.1} GiB", kib as f64 / f64::from(1 << 20)))),
            ("microcode", info.microcode),
            ("mitigations", cpu::mitigations(root)),
            ("page-size", self.page_size()),
            ("smt", files::value(root, "/sys/devices/system/cpu/smt/control")),
            ("state-disk", state.and_then(|mount| self.disk(mount))),
            ("state-filesystem", state.map(|mount| format!("{} {}", mount.kind, mount.options))),
            ("thp", selected(root, "/sys/kernel/mm/transparent_hugepage/enabled")),
            ("thp-defrag", selected(root, "/sys/kernel/mm/transparent_hugepage/defrag")),
            ("turbo", cpu::turbo(root).map(|on| if on { "on" } else { "off" }.to_owned())),
        ];
        found.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }

    /// A name for hosts like this one, `intel-xeon-2.90ghz-2c-24g`: CPU model, processors, memory in GiB.
    ///
    /// # Panics
    /// Never: the text always begins with a letter or digit.
    pub fn default_host_class(&self) -> HostClass {
        let info = cpu::Info::read(&self.root);
        let model = info.model.as_deref().map(cpu::short_model).filter(|model| !model.is_empty());
        let count = info.count.map_or_else(|| "unknown".to_owned(), |count| count.to_string());
        let gib = memory_kib(&self.root).map_or_else(
            || "unknown".to_owned(),
            |kib| format!("{:.0}", (kib as f64 / f64::from(1 << 20)).max(1.0)),
        );
        let text = format!("{} {count}c {gib}g", model.as_deref().unwrap_or("unknown-cpu"));
        HostClass::slug(&text).expect("letters and digits make a name")
    }

    /// Release of the running kernel.
    pub fn kernel_release(&self) -> Option<String> {
        files::value(&self.root, "/proc/sys/kernel/osrelease")
    }

    /// Releases of the kernels that can be booted: `6.1.0-25-amd64` of `/boot/vmlinuz-6.1.0-25-amd64`.
    pub fn installed_kernels(&self) -> Vec<String> {
        let copy = |release: &str| [".old", ".bak", ".dpkg-"].iter().any(|mark| release.contains(mark));
        let names = files::names(&self.root, "/boot");
        let releases = names.iter().filter_map(|name| name.strip_prefix("vmlinuz-"));
        releases.filter(|release| !copy(release)).map(str::to_owned).collect()
    }

    /// The random id of this boot: part of the lock, never of a fingerprint.
    pub fn boot_id(&self) -> Option<String> {
        processes::boot_id(&self.root)
    }

    /// Release and build: two builds of one release differ in their patches.
    fn kernel(&self) -> Option<String> {
        let release = self.kernel_release()?;
        // Linux version 6.1.0-25-amd64 (builder@host) (gcc ...) #1 SMP PREEMPT_DYNAMIC Debian 6.1.106-3 (2024-08-26)
        let version = files::value(&self.root, "/proc/version");
        let build = version.as_deref().and_then(|text| text.find(" #").map(|at| &text[at + 1..]));
        Some(build.map_or_else(|| release.clone(), |build| format!("{release} {build}")))
    }

    /// The package's version, unless another QEMU comes before it on the search path.
    fn qemu(&self) -> Option<String> {
        const PROGRAM: &str = "qemu-system-x86_64";
        let program = files::program(&self.root, PROGRAM);
        let local = program.as_ref().is_some_and(|path| path.starts_with("/usr/local"));
        let package = if local { None } else { dpkg::installed_version(&self.root, "qemu-system-x86") };
        // A package's record suffices: no process is started.
        package.or_else(|| {
            let program = program.filter(|_| self.is_this_host())?;
            let output = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            // QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)
            let version = text.lines().next()?.split_once(" version ")?.1.trim();
            (output.status.success() && !version.is_empty()).then(|| version.to_owned())
        })
    }

    fn is_this_host(&self) -> bool {
        self.root == Path::new("/")
    }

    /// What was chosen at boot, without what names disks or may hold keys.
    fn kernel_command_line(&self) -> Option<String> {
        const TUNING: [&str; 18] = [
            "mitigations",
            "nosmt",
            "isolcpus",
            "nohz_full",
            "nohz",
            "rcu_nocbs",
            "intel_pstate",
            "amd_pstate",
            "intel_idle.max_cstate",
            "processor.max_cstate",
            "idle",
            "hugepages",
            "hugepagesz",
            "default_hugepagesz",
            "transparent_hugepage",
            "clocksource",
            "tsc",
            "preempt",
        ];
        let line = files::value(&self.root, "/proc/cmdline")?;
        let tuning = |word: &&str| TUNING.contains(&word.split('=').next().unwrap_or_default());
        let words: Vec<&str> = line.split(' ').filter(tuning).collect();
        (!words.is_empty()).then(|| words.join(" "))
    }

    fn distribution(&self) -> Option<String> {
        let text = ["/etc/os-release", "/usr/lib/os-release"]
            .iter()
            .find_map(|path| files::read(&self.root, path))?;
        os_release(&text, "PRETTY_NAME").or_else(|| os_release(&text, "ID"))
    }

    fn dmi_product(&self) -> Option<String> {
        let read = |name: &str| files::value(&self.root, format!("/sys/class/dmi/id/{name}"));
        let parts: Vec<String> = ["sys_vendor", "product_name"].into_iter().filter_map(read).collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    }

    fn page_size(&self) -> Option<String> {
        self.is_this_host().then(|| rustix::param::page_size().to_string())
    }

    fn state_mount<'a>(&self, mounts: &'a [Mount]) -> Option<&'a Mount> {
        let mut path = self.state.clone();
        if self.is_this_host() {
            // The directory need not exist yet; the nearest that does decides, symbolic links resolved.
            path = self.state.ancestors().find_map(|path| path.canonicalize().ok()).unwrap_or(path);
        }
        mountinfo::mount_of(mounts, &path)
    }

    /// Kind of disk and I/O scheduler of a mount, `non-rotational, scheduler none`, as the kernel says (virtual
    /// disks often call themselves rotational); none when no block device is behind it.
    fn disk(&self, mount: &Mount) -> Option<String> {
        let device = format!("/sys/dev/block/{}", mount.device);
        // A partition's queue is that of its disk.
        let queue = [format!("{device}/queue"), format!("{device}/../queue")];
        let read =
            |name: &str| queue.iter().find_map(|queue| files::value(&self.root, format!("{queue}/{name}")));
        let kind = if read("rotational")? == "0" { "non-rotational" } else { "rotational" };
        let scheduler = read("scheduler").and_then(|text| bracketed(&text));
        Some(scheduler.map_or_else(|| kind.to_owned(), |name| format!("{kind}, scheduler {name}")))
    }
}

/// A value of an os-release(5) file without its quotes.
pub(super) fn os_release(text: &str, key: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
    let value = value.trim().trim_matches(['"', '\'']);
    (!value.is_empty()).then(|| value.to_owned())
}

/// `MemTotal` in KiB.
fn memory_kib(root: &Path) -> Option<u64> {
    meminfo(root, "MemTotal")
}

/// A value of `/proc/meminfo` in KiB.
pub(super) fn meminfo(root: &Path, key: &str) -> Option<u64> {
    let text = files::read(root, "/proc/meminfo")?;
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    value.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// The chosen word of a file like `always [madvise] never`.
pub(super) fn selected(root: &Path, path: &str) -> Option<String> {
    bracketed(&files::value(root, path)?)
}

fn bracketed(text: &str) -> Option<String> {
    let word = text.split(' ').find_map(|word| word.strip_prefix('[')?.strip_suffix(']'));
    // A scheduler file with one choice has no brackets in some kernels.
    word.or_else(|| (!text.contains(' ') && !text.is_empty()).then_some(text)).map(str::to_owned)
}

/// `v2`, `v1`, or `hybrid` when both hierarchies are mounted.
fn cgroup_version(mounts: &[Mount]) -> Option<String> {
    let top = mountinfo::mount_of(mounts, Path::new("/sys/fs/cgroup"))?;
    let below = |kind: &str| mounts.iter().any(|m| m.kind == kind && m.point.starts_with("/sys/fs/cgroup"));
    let version = match top.kind.as_str() {
        "cgroup2" => "v2",
        "tmpfs" if below("cgroup") && below("cgroup2") => "hybrid",
        _ if below("cgroup") => "v1",
        _ => return None,
    };
    Some(version.to_owned())
}

#[cfg(test)]
mod tests;
