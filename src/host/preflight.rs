//! Whether the host can measure, and what makes it noisier than it need be.

mod heat;
mod settings;

use super::{
    cgroup,
    cpu_clock::HostClock,
    files,
    lock::HostLock,
    probe::{self, Probe},
};
use serde::{Deserialize, Serialize};
use std::{
    fs::OpenOptions,
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FindingState {
    /// As it should be, or not visible on this host.
    Ok,
    /// It can be measured, with more noise or fewer environments.
    Warn,
    /// A sweep would fail.
    Fail,
}

/// One check of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Short name, `free-disk`.
    pub name: String,
    /// How it came out.
    pub state: FindingState,
    /// What was seen, with units.
    pub observed: String,
    /// What to do; none when it is ok.
    pub remedy: Option<String>,
}

impl Finding {
    /// A finding with the remedy left out when it is not needed.
    pub fn new(name: &str, state: FindingState, observed: impl Into<String>, remedy: &str) -> Self {
        let remedy = (state != FindingState::Ok).then(|| remedy.to_owned());
        Self { name: name.to_owned(), state, observed: observed.into(), remedy }
    }
}

/// What to look at, and what is asked for.
#[derive(Debug, Clone)]
pub struct Preflight {
    /// Root path of the host.
    pub root: PathBuf,
    /// State directory, as this process sees it.
    pub state: PathBuf,
    /// Free space that the state directory's filesystem must have, bytes.
    pub need_disk: u64,
    /// Memory that must be available, bytes.
    pub need_memory: u64,
    /// How long to watch the processors for work of others and stolen time; zero leaves this out.
    pub watch: Duration,
}

const GIB: u64 = 1 << 30;

impl Preflight {
    /// With what an image build and one small guest need: 4 GiB of disk, 1 GiB of memory; watches for a second.
    pub fn new(root: &Path, state: &Path) -> Self {
        Self {
            root: root.to_owned(),
            state: state.to_owned(),
            need_disk: 4 * GIB,
            need_memory: GIB,
            watch: Duration::from_secs(1),
        }
    }

    /// With what a sweep needs besides its image, and without watching the processors, so that it costs nothing.
    /// `need_disk` in bytes.
    pub fn of_sweep(root: &Path, state: &Path, need_disk: u64) -> Self {
        Self { need_disk, watch: Duration::ZERO, ..Self::new(root, state) }
    }

    /// Runs all checks, in the order in which they are shown. What the host does not tell is left out.
    pub async fn run(&self) -> Vec<Finding> {
        let mut findings = vec![self.user(), self.other_sweeps(), self.disk()];
        findings.extend([self.memory(), self.swap(), self.load()].into_iter().flatten());
        let throttled = heat::throttled(&self.root);
        findings.extend(self.processors().await);
        findings.extend(heat::finding(&self.root, throttled));
        findings.push(self.kvm());
        let context = Probe::new(&self.root).with_state(&self.state).context();
        findings.extend(settings::findings(&context));
        findings.extend([self.numa_balancing(), self.control_groups()].into_iter().flatten());
        findings
    }

    fn user(&self) -> Finding {
        // Uid:	real	effective	saved	filesystem
        let status = files::read(&self.root, "/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("Uid:"));
        let uid = line.and_then(|line| line.split_ascii_whitespace().nth(1));
        let state = if uid == Some("0") { FindingState::Ok } else { FindingState::Fail };
        let observed = uid.map_or_else(|| "unknown user".to_owned(), |uid| format!("user id {uid}"));
        Finding::new("root", state, observed, "run as root: chroot, namespaces and Docker's socket need it")
    }

    fn other_sweeps(&self) -> Finding {
        let others: Vec<String> = HostLock::living(&self.root)
            .into_iter()
            .filter(|living| !living.is_ours())
            .map(|living| living.sweep.to_string())
            .collect();
        let state = if others.is_empty() { FindingState::Ok } else { FindingState::Fail };
        let observed = if others.is_empty() { "none".to_owned() } else { others.join(", ") };
        Finding::new(
            "other-sweeps",
            state,
            observed,
            "wait for the other sweep or stop it: both would be wrong",
        )
    }

    fn disk(&self) -> Finding {
        let remedy = format!(
            "free some space there, or choose another directory with --state; {} are needed",
            gib(self.need_disk)
        );
        // The directory need not exist yet.
        let stat = self.state.ancestors().find_map(|path| rustix::fs::statvfs(path).ok());
        if let Some(free) = stat.map(|stat| stat.f_bavail.saturating_mul(stat.f_frsize)) {
            let state = if free < self.need_disk { FindingState::Fail } else { FindingState::Ok };
            Finding::new("free-disk", state, format!("{} in {}", gib(free), self.state.display()), &remedy)
        } else {
            let observed = format!("{} cannot be looked at", self.state.display());
            Finding::new("free-disk", FindingState::Fail, observed, &remedy)
        }
    }

    fn memory(&self) -> Option<Finding> {
        let free = probe::meminfo(&self.root, "MemAvailable")?.saturating_mul(1024);
        let state = match free {
            free if free < self.need_memory => FindingState::Fail,
            free if free < self.need_memory.saturating_mul(2) => FindingState::Warn,
            _ => FindingState::Ok,
        };
        let remedy = "stop what uses the memory: reclaim and swapping would be measured";
        Some(Finding::new("free-memory", state, gib(free), remedy))
    }

    fn swap(&self) -> Option<Finding> {
        let text = files::read(&self.root, "/proc/swaps")?;
        // Filename  Type  Size  Used  Priority, KiB
        let used =
            text.lines().skip(1).filter_map(|l| l.split_ascii_whitespace().nth(3)?.parse::<u64>().ok());
        let used: u64 = used.fold(0, u64::saturating_add);
        let state = if used > 0 { FindingState::Warn } else { FindingState::Ok };
        let observed = if used > 0 { format!("{used} KiB used") } else { "none used".to_owned() };
        Some(Finding::new(
            "swap",
            state,
            observed,
            "free memory, then `swapoff -a`: pages read back disturb trials",
        ))
    }

    fn numa_balancing(&self) -> Option<Finding> {
        let nodes = files::value(&self.root, "/sys/devices/system/node/online")?;
        let on = files::value(&self.root, "/proc/sys/kernel/numa_balancing")? != "0";
        // With one node there is nowhere to move anything.
        let state = if on && nodes != "0" { FindingState::Warn } else { FindingState::Ok };
        let observed = format!("{}, nodes {nodes}", if on { "on" } else { "off" });
        let remedy = "the kernel moves memory in the middle of trials; `sysctl kernel.numa_balancing=0`";
        Some(Finding::new("numa-balancing", state, observed, remedy))
    }

    fn control_groups(&self) -> Option<Finding> {
        let lacking = cgroup::lacking(&self.root)?;
        let remedy = "native, Docker and the guest cannot have the same limits: mount the controllers, as systemd does, and \
                      take cgroup_disable= off the kernel's command line";
        Some(if lacking.is_empty() {
            Finding::new("control-groups", FindingState::Ok, "memory and cpuset", remedy)
        } else {
            let observed = format!("without {}", lacking.join(" and "));
            Finding::new("control-groups", FindingState::Warn, observed, remedy)
        })
    }

    fn load(&self) -> Option<Finding> {
        let text = files::value(&self.root, "/proc/loadavg")?;
        let load: f64 = text.split(' ').next()?.parse().ok().filter(|load: &f64| load.is_finite())?;
        let count = Probe::new(&self.root).context().get("cpu-count").and_then(|c| c.parse::<f64>().ok())?;
        let state = if load > count / 4.0 { FindingState::Warn } else { FindingState::Ok };
        let observed = format!("{load:.2} over the last minute, {count} processors");
        Some(Finding::new("load", state, observed, "stop other work, or wait until it has ended"))
    }

    /// Work of others and stolen time, while we do nothing.
    async fn processors(&self) -> Vec<Finding> {
        let start = Instant::now();
        let before = HostClock::read(&self.root);
        tokio::time::sleep(self.watch).await;
        let (Ok(before), Ok(now)) = (before, HostClock::read(&self.root)) else { return Vec::new() };
        let count = Probe::new(&self.root).context().get("cpu-count").and_then(|c| c.parse::<f64>().ok());
        let Some(count) = count.filter(|_| !self.watch.is_zero()) else { return Vec::new() };
        let delta = now.delta(&before);
        let all = start.elapsed().as_micros() as f64 * count;
        // The counters tick every 10 ms, so they may be ahead of the time.
        let share = |us: u64| (us as f64 / all).min(1.0);
        let finding = |name, share: f64, limit, remedy| {
            let state = if share > limit { FindingState::Warn } else { FindingState::Ok };
            let observed = format!(
                "{:.1} % of {count} processors over {:.1} s",
                share * 100.0,
                self.watch.as_secs_f64()
            );
            Finding::new(name, state, observed, remedy)
        };
        vec![
            finding("other-work", share(delta.busy_us), 0.10, "see with `top` what runs, and stop it"),
            finding(
                "steal",
                share(delta.steal_us),
                0.02,
                "the hypervisor gives processor time to others: use a dedicated host or instance, or more rounds",
            ),
        ]
    }

    fn kvm(&self) -> Finding {
        let remedy = "guests run under TCG, much slower: load kvm_intel or kvm_amd, switch virtualisation on in the \
                      firmware, or on a virtual machine use a type with nested virtualisation";
        let path = files::under(&self.root, "/dev/kvm");
        match OpenOptions::new().read(true).write(true).open(path) {
            // What it is worth only a real boot can tell.
            Ok(_) => Finding::new("kvm", FindingState::Ok, "/dev/kvm can be opened (a boot decides)", remedy),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                Finding::new("kvm", FindingState::Warn, "no /dev/kvm", remedy)
            }
            Err(e) => Finding::new("kvm", FindingState::Warn, format!("/dev/kvm: {e}"), remedy),
        }
    }
}

fn gib(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / GIB as f64)
}

#[cfg(test)]
mod tests;
