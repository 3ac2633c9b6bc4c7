//! `kvm+tuned`: what the study's tuned guest had, as far as this host has it. Virtual CPUs are pinned and disk I/O has a
//! thread of its own always; huge pages and vhost-net only where the host offers them, and the sweep's facts say so.

use super::machine::{Machine, Tuned};
use crate::environment::EnvironmentError;
use crate::environment::proof::Proofs;
use crate::model::CpuList;
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::fs;

/// What this host has for a guest of so much memory.
pub(super) fn host_has(memory_mib: u32) -> Tuned {
    let free = fs::read_to_string("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages").ok();
    let free: u32 = free.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    let mounted = fs::read_to_string("/proc/self/mountinfo").is_ok_and(|m| m.contains(" /dev/hugepages "));
    let vhost = fs::File::options().read(true).write(true).open("/dev/vhost-net").is_ok();
    Tuned { hugepages: mounted && u64::from(free) * 2 >= u64::from(memory_mib), vhost }
}

/// For the fingerprint's context.
pub(super) fn describe(tuned: Tuned) -> String {
    let part = |has: bool, with: &str, without: &str| if has { with.to_owned() } else { without.to_owned() };
    format!(
        "pinned virtual CPUs, I/O thread, {}, {}",
        part(tuned.hugepages, "huge pages", "no huge pages (not enough free ones: vm.nr_hugepages)"),
        part(tuned.vhost, "vhost-net", "no vhost-net (/dev/vhost-net cannot be opened)"),
    )
}

/// The host threads of the virtual CPUs, in order.
async fn threads(machine: &mut Machine) -> Result<Vec<Pid>, EnvironmentError> {
    let failed = |e: std::io::Error| EnvironmentError::Guest(e.to_string());
    let cpus = machine.qmp.execute("query-cpus-fast").await.map_err(failed)?;
    let ids = cpus.as_array().into_iter().flatten().filter_map(|cpu| cpu["thread-id"].as_i64());
    Ok(ids.filter_map(|id| Pid::from_raw(i32::try_from(id).ok()?)).collect())
}

/// Gives each virtual CPU a processor of its own, of those that the guest may use; in turn, where there are fewer.
pub(super) async fn pin(machine: &mut Machine, processors: &CpuList) -> Result<(), EnvironmentError> {
    let failed = |e: rustix::io::Errno| EnvironmentError::Guest(format!("pinning a virtual CPU: {e}"));
    let processors: Vec<u32> = processors.iter().collect();
    for (thread, processor) in threads(machine).await?.into_iter().zip(processors.iter().cycle()) {
        let mut one = CpuSet::new();
        one.set(*processor as usize);
        sched_setaffinity(Some(thread), &one).map_err(failed)?;
    }
    Ok(())
}

/// That a tuned guest is tuned, and a plain one is not.
pub(super) async fn prove(
    machine: &mut Machine,
    tuned: Option<Tuned>,
    proofs: &mut Proofs,
) -> Result<(), EnvironmentError> {
    let threads = threads(machine).await?;
    let widths: Vec<u32> =
        threads.iter().map(|thread| sched_getaffinity(Some(*thread)).map_or(0, |set| set.count())).collect();
    let io =
        machine.qmp.execute("query-iothreads").await.map_err(|e| EnvironmentError::Guest(e.to_string()))?;
    let io_threads = io.as_array().map_or(0, Vec::len);
    let pinned = !widths.is_empty() && widths.iter().all(|width| *width == 1);
    let observed = format!("virtual CPUs may run on {widths:?} processors, {io_threads} I/O threads");
    let Some(tuned) = tuned else {
        // On a host with one processor every thread is pinned to it.
        let one = sched_getaffinity(None).is_ok_and(|set| set.count() == 1);
        proofs.claim("is not tuned", io_threads == 0 && (one || !pinned), observed);
        return Ok(());
    };
    proofs.claim(
        "its virtual CPUs are pinned and its disk has an I/O thread",
        pinned && io_threads > 0,
        observed,
    );
    if tuned.hugepages {
        let status = machine.id().and_then(|pid| fs::read_to_string(format!("/proc/{pid}/status")).ok());
        let line = status.as_deref().unwrap_or("").lines().find(|l| l.starts_with("HugetlbPages:"));
        let line = line.unwrap_or("HugetlbPages: unknown").to_owned();
        let kib = line.split_ascii_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok());
        proofs.claim("its memory is on huge pages", kib.is_some_and(|kib| kib > 0), line);
    }
    Ok(())
}
