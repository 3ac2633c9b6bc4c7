//! One trial of each kind, on a started environment. What the harness has to do itself is here.

use super::perform::{exec, failure};
use crate::environment::fleet::{Fleet, Instance, InstanceOptions, ms_since};
use crate::host::memory;
use crate::model::CgroupMemory;
use crate::workload::{
    CommandTemplate, InstanceTimes, InstancesReport, InstancesTrial, LoadReport, LoadTrial, Target,
};
use futures_util::{StreamExt, stream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tollgate_agent::protocol::ExecResult;

/// Time that one instance may take to end, on top of everything else.
const END: Duration = Duration::from_secs(60);

/// What became of a command in a fresh instance.
pub(super) struct InFresh {
    pub(super) result: ExecResult,
    pub(super) cgroup: Option<CgroupMemory>,
}

/// Runs a command in an instance of its own.
pub(super) async fn in_fresh(
    fleet: &dyn Fleet,
    memory_mib: Option<u32>,
    command: &CommandTemplate,
    target: &Target,
    output_limit: usize,
) -> Result<InFresh, String> {
    let options = InstanceOptions { number: 0, memory_mib };
    let mut instance =
        fleet.launch(options).await.map_err(|e| format!("a fresh instance did not start: {e}"))?;
    let before = instance.memory();
    let result = instance.agent().exec(exec(command, target, output_limit)).await;
    let after = instance.memory();
    let stopped = instance.stop().await;
    let result = result.map_err(|e| e.to_string())?;
    stopped.map_err(|e| format!("a fresh instance did not end: {e}"))?;
    let cgroup =
        before.zip(after).map(|(b, a)| CgroupMemory { limit: a.limit, before: b.before, peak: a.peak });
    Ok(InFresh { result, cgroup })
}

/// Starts the instances of a trial, looks at them and removes them. Whatever happens, none is left.
pub(super) async fn instances(
    fleet: &dyn Fleet,
    trial: &InstancesTrial,
    target: &Target,
    output_limit: usize,
) -> Result<InstancesReport, String> {
    let limit = Duration::from_secs(trial.timeout_s.into());
    let deadline = Instant::now() + limit;
    let daemons = fleet.daemons().await;
    let daemons_before = pss_mib(&daemons);
    let (mut up, up_s, mut trouble) = launch_all(fleet, trial, deadline).await;
    let looked = if trouble.is_none() {
        let looking = look(&mut up, trial, target, output_limit);
        match tokio::time::timeout(deadline.saturating_duration_since(Instant::now()), looking).await {
            Ok(looked) => looked,
            Err(_) => Err(format!("it took longer than {} s", limit.as_secs())),
        }
    } else {
        Err(String::new())
    };
    let daemons_mib = pss_mib(&daemons) - daemons_before;
    let begun: Vec<InstanceTimes> = up.iter().map(|(times, _)| *times).collect();
    let (ended, down_s) = stop_all(up.into_iter().map(|(_, i)| i).collect(), trial.parallel).await;
    if let Some(why) = trouble.take() {
        return Err(why);
    }
    let Looked { pss_mib, cached_mib, outputs } = looked?;
    let mut instances = begun;
    for (times, ended) in instances.iter_mut().zip(ended) {
        let ended = ended?;
        (times.stop_ms, times.remove_ms) = (ended.0, ended.1);
    }
    Ok(InstancesReport { instances, up_s, down_s, pss_mib, daemons_mib, cached_mib, outputs })
}

type Up = Vec<(InstanceTimes, Box<dyn Instance>)>;

/// Those that came up, in order; the seconds; and why one did not, if so.
async fn launch_all(
    fleet: &dyn Fleet,
    trial: &InstancesTrial,
    deadline: Instant,
) -> (Up, f64, Option<String>) {
    let (present, given_up) = (AtomicU32::new(0), AtomicBool::new(false));
    let begun = Instant::now();
    let count = trial.count;
    let launches = stream::iter(0..count).map(|number| {
        let (present, given_up) = (&present, &given_up);
        async move {
            if given_up.load(Ordering::Relaxed) {
                return Err("not begun".to_owned());
            }
            let others = present.load(Ordering::Relaxed);
            let left = deadline.saturating_duration_since(Instant::now());
            let launched =
                tokio::time::timeout(left, fleet.launch(InstanceOptions { number, memory_mib: None })).await;
            match launched {
                Ok(Ok(instance)) => {
                    present.fetch_add(1, Ordering::Relaxed);
                    let b = instance.begun();
                    let times = InstanceTimes {
                        present: others,
                        create_ms: b.create_ms,
                        start_ms: b.start_ms,
                        ..InstanceTimes::default()
                    };
                    Ok((number, times, instance))
                }
                Ok(Err(error)) => Err(format!("instance {} of {count} did not start: {error}", number + 1)),
                Err(_) => {
                    // What was being started belongs to nobody.
                    fleet.discard(number).await;
                    Err(format!("instance {} of {count} did not start in time", number + 1))
                }
            }
        }
    });
    let mut launches = Box::pin(launches.buffer_unordered(trial.parallel.max(1) as usize));
    let mut up = Vec::new();
    let mut trouble = None;
    while let Some(launched) = launches.next().await {
        match launched {
            Ok(one) => up.push(one),
            // Those under way are waited for, so that they can be stopped, too; no other is begun.
            Err(why) => {
                trouble.get_or_insert(why);
                given_up.store(true, Ordering::Relaxed);
            }
        }
    }
    let up_s = begun.elapsed().as_secs_f64();
    up.sort_by_key(|(number, ..)| *number);
    let up = up.into_iter().map(|(_, times, instance)| (times, instance)).collect();
    (up, up_s, trouble)
}

struct Looked {
    pss_mib: f64,
    cached_mib: f64,
    outputs: Vec<ExecResult>,
}

async fn look(
    up: &mut Up,
    trial: &InstancesTrial,
    target: &Target,
    output_limit: usize,
) -> Result<Looked, String> {
    for (_, instance) in up.iter_mut() {
        run_in(instance.as_mut(), trial.settle.as_ref(), target, output_limit).await?;
    }
    let cached = |when: &str| {
        memory::cached_kib(Path::new("/")).ok_or_else(|| format!("/proc/meminfo cannot be read {when}"))
    };
    let before = cached("before the commands")?;
    let mut outputs = Vec::new();
    for (_, instance) in up.iter_mut() {
        outputs.extend(run_in(instance.as_mut(), trial.each.as_ref(), target, output_limit).await?);
    }
    let after = cached("after the commands")?;
    let mut processes = Vec::new();
    for (_, instance) in up.iter() {
        processes.extend(instance.processes());
    }
    processes.sort_unstable();
    processes.dedup();
    let cached_mib = after.saturating_sub(before) as f64 / 1024.0;
    Ok(Looked { pss_mib: pss_mib(&processes), cached_mib, outputs })
}

async fn run_in(
    instance: &mut dyn Instance,
    command: Option<&CommandTemplate>,
    target: &Target,
    output_limit: usize,
) -> Result<Option<ExecResult>, String> {
    let Some(command) = command else { return Ok(None) };
    let result =
        instance.agent().exec(exec(command, target, output_limit)).await.map_err(|e| e.to_string())?;
    let program = command.argv.first().map_or("nothing", String::as_str);
    failure(program, &result).map_or(Ok(Some(result)), Err)
}

/// Stops all; the times of each, or why it did not end. The seconds are those of all together.
async fn stop_all(
    instances: Vec<Box<dyn Instance>>,
    parallel: u32,
) -> (Vec<Result<(f64, f64), String>>, f64) {
    let begun = Instant::now();
    let ending = stream::iter(instances.into_iter().enumerate()).map(|(index, instance)| async move {
        let ended = match tokio::time::timeout(END, instance.stop()).await {
            Ok(Ok(ended)) => Ok((ended.stop_ms, ended.remove_ms)),
            Ok(Err(error)) => Err(format!("an instance did not end: {error}")),
            Err(_) => Err(format!("an instance did not end within {} s", END.as_secs())),
        };
        (index, ended)
    });
    let mut ended: Vec<_> = ending.buffer_unordered(parallel.max(1) as usize).collect().await;
    let down_s = begun.elapsed().as_secs_f64();
    ended.sort_by_key(|(index, _)| *index);
    (ended.into_iter().map(|(_, ended)| ended).collect(), down_s)
}

/// The memory of processes, MiB; one that is gone has none.
fn pss_mib(pids: &[u32]) -> f64 {
    let kib: u64 = pids.iter().filter_map(|pid| memory::pss_kib(Path::new("/"), *pid)).sum();
    kib as f64 / 1024.0
}

/// The tar of a load trial, made once a sweep.
pub(super) async fn tar_of(trial: &LoadTrial, rootfs: &Path, scratch: &Path) -> Result<PathBuf, String> {
    let name = if trial.of.is_empty() { "all".to_owned() } else { trial.of.join("-").replace('/', "_") };
    let tar = scratch.join(format!("load-{name}.tar"));
    if tar.exists() {
        return Ok(tar);
    }
    let making = tar.with_extension("part");
    let (to, from) = (making.display().to_string(), rootfs.display().to_string());
    let mut argv = vec!["tar", "--numeric-owner", "--sort=name", "-cf", &to, "-C", &from];
    if trial.of.is_empty() {
        argv.extend(["--exclude=./proc/*", "--exclude=./sys/*", "."]);
    }
    argv.extend(trial.of);
    crate::command::run(&argv).await.map_err(|e| e.to_string())?;
    // Under its name only when it is whole.
    std::fs::rename(&making, &tar).map_err(|e| format!("{}: {e}", tar.display()))?;
    Ok(tar)
}

/// Loads and removes an image.
pub(super) async fn load(fleet: &dyn Fleet, tar: &Path) -> Result<LoadReport, String> {
    let bytes = std::fs::metadata(tar).map_err(|e| format!("{}: {e}", tar.display()))?.len();
    let begun = Instant::now();
    let loaded = fleet.load(tar, 0).await;
    let seconds = ms_since(begun) / 1e3;
    let removed = fleet.unload(0).await;
    loaded.map_err(|e| format!("load: {e}"))?;
    removed.map_err(|e| format!("remove the loaded image: {e}"))?;
    Ok(LoadReport { seconds, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::EnvironmentError;
    use crate::environment::agent::AgentClient;
    use crate::environment::fleet::{Begun, Ended};
    use async_trait::async_trait;
    use std::sync::Arc;

    const HELLO: &[u8] = b"{\"id\":1,\"answer\":\"hello\",\"version\":1,\"pid\":1}\n";

    /// A fleet whose instance of one number does not start, and which counts those that are up.
    #[derive(Default)]
    struct Flaky {
        broken: Option<u32>,
        hangs: Option<u32>,
        launched: AtomicU32,
        discarded: AtomicU32,
        up: Arc<AtomicU32>,
    }

    struct Fake(AgentClient, Arc<AtomicU32>);

    #[async_trait]
    impl Fleet for Flaky {
        async fn launch(&self, options: InstanceOptions) -> Result<Box<dyn Instance>, EnvironmentError> {
            self.launched.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(2)).await;
            if self.broken == Some(options.number) {
                return Err(EnvironmentError::Guest("no space left on device".to_owned()));
            }
            if self.hangs == Some(options.number) {
                std::future::pending::<()>().await;
            }
            self.up.fetch_add(1, Ordering::Relaxed);
            let client = AgentClient::connect(HELLO, tokio::io::sink(), Duration::from_secs(1)).await?;
            Ok(Box::new(Fake(client, self.up.clone())))
        }

        async fn discard(&self, _: u32) {
            self.discarded.fetch_add(1, Ordering::Relaxed);
        }

        async fn daemons(&self) -> Vec<u32> {
            Vec::new()
        }

        async fn load(&self, _: &Path, _: u32) -> Result<(), EnvironmentError> {
            Ok(())
        }

        async fn unload(&self, _: u32) -> Result<(), EnvironmentError> {
            Ok(())
        }
    }

    #[async_trait]
    impl Instance for Fake {
        fn agent(&mut self) -> &mut AgentClient {
            &mut self.0
        }

        fn begun(&self) -> Begun {
            Begun { create_ms: 1.0, start_ms: 2.0 }
        }

        fn processes(&self) -> Vec<u32> {
            vec![std::process::id()]
        }

        fn memory(&self) -> Option<CgroupMemory> {
            None
        }

        async fn stop(self: Box<Self>) -> Result<Ended, EnvironmentError> {
            self.1.fetch_sub(1, Ordering::Relaxed);
            Ok(Ended { stop_ms: 3.0, remove_ms: 4.0 })
        }
    }

    fn many(count: u32, timeout_s: u32) -> InstancesTrial {
        InstancesTrial { count, parallel: 4, settle: None, each: None, timeout_s, parse: |_| Ok(Vec::new()) }
    }

    fn target() -> Target {
        Target { data: "/data".into(), host: String::new(), port: 0, port2: 0, slice: 0 }
    }

    #[tokio::test]
    async fn all_instances_are_counted_timed_and_gone() {
        let fleet = Flaky::default();
        let report = instances(&fleet, &many(20, 60), &target(), 100).await.expect("a report");
        assert_eq!((report.instances.len(), fleet.up.load(Ordering::Relaxed)), (20, 0));
        assert!((report.instances[0].remove_ms - 4.0).abs() < 1e-9 && report.pss_mib > 0.0);
        assert!(report.instances.iter().any(|i| i.present >= 10), "later ones find others up");
    }

    #[tokio::test]
    async fn one_of_a_thousand_that_will_not_start_is_named_and_the_others_are_stopped() {
        let fleet = Flaky { broken: Some(500), ..Flaky::default() };
        let why = instances(&fleet, &many(1000, 60), &target(), 100).await.expect_err("one is broken");
        assert_eq!(why, "instance 501 of 1000 did not start: guest: no space left on device");
        assert_eq!(fleet.up.load(Ordering::Relaxed), 0);
        assert!(fleet.launched.load(Ordering::Relaxed) < 520, "no more are begun");
    }

    #[tokio::test]
    async fn one_that_hangs_ends_the_trial_in_time_and_the_others_are_stopped() {
        let fleet = Flaky { hangs: Some(3), ..Flaky::default() };
        let why = instances(&fleet, &many(8, 1), &target(), 100).await.expect_err("one hangs");
        assert!(why.starts_with("instance 4 of 8 did not start in time"), "{why}");
        assert_eq!(fleet.discarded.load(Ordering::Relaxed), 1, "what hung half-made is removed");
        assert_eq!(fleet.up.load(Ordering::Relaxed), 0);
    }
}
