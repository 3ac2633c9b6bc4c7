//! A good host, a bad one, and none.

use super::*;
use std::fs;

fn write(root: &Path, path: &str, text: &str) {
    let path = files::under(root, path);
    fs::create_dir_all(path.parent().expect("parent")).expect("mkdir");
    fs::write(path, text).expect("write");
}

async fn check(files: &[(&str, &str)], change: impl FnOnce(&mut Preflight)) -> Vec<Finding> {
    let dir = tempfile::tempdir().expect("tempdir");
    for (path, text) in files {
        write(dir.path(), path, text);
    }
    let mut preflight = Preflight::new(dir.path(), &dir.path().join("state/not/yet"));
    preflight.watch = Duration::from_millis(1);
    preflight.need_disk = 1;
    change(&mut preflight);
    preflight.run().await
}

fn states(findings: &[Finding], wanted: FindingState) -> Vec<&str> {
    findings.iter().filter(|f| f.state == wanted).map(|f| f.name.as_str()).collect()
}

#[tokio::test]
async fn a_good_host_is_ok() {
    let findings = check(
        &[
            ("/proc/self/status", "Name:\tx\nUid:\t1000\t0\t0\t0\n"),
            ("/proc/meminfo", "MemTotal: 8388608 kB\nMemAvailable:   8000000 kB\n"),
            ("/proc/swaps", "Filename Type Size Used Priority\n"),
            ("/proc/loadavg", "0.10 0.20 0.30 1/100 4711\n"),
            ("/proc/stat", "cpu  1 2 3 4 5 6 7 8 0 0\n"),
            ("/dev/kvm", ""),
            ("/sys/devices/system/cpu/online", "0-3"),
            ("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance"),
            ("/sys/devices/system/cpu/intel_pstate/no_turbo", "1"),
            ("/sys/devices/system/cpu/smt/control", "off"),
            ("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never"),
            ("/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc"),
            ("/sys/devices/system/cpu/vulnerabilities/meltdown", "Mitigation: PTI"),
            ("/sys/devices/system/cpu/vulnerabilities/mds", "Not affected"),
            ("/sys/devices/system/node/online", "0"),
            ("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu memory"),
            ("/proc/sys/kernel/numa_balancing", "1"),
            ("/sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "9"),
        ],
        |_| {},
    )
    .await;
    assert_eq!(findings.len(), 18, "{findings:#?}");
    assert!(findings.iter().all(|f| f.state == FindingState::Ok && f.remedy.is_none()), "{findings:#?}");
}

#[tokio::test]
async fn a_bad_host_is_told_what_to_do() {
    let findings = check(
        &[
            ("/proc/self/status", "Uid:\t1000\t1000\t0\t0\n"),
            ("/proc/meminfo", "MemAvailable:   1000 kB\n"),
            ("/proc/swaps", "Filename Type Size Used Priority\n/swap file 100 7 -2\n"),
            ("/proc/loadavg", "3.00 0.20 0.30 1/100 4711\n"),
            ("/sys/devices/system/cpu/online", "0-3"),
            ("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave"),
            ("/sys/devices/system/cpu/cpufreq/boost", "1"),
            ("/sys/devices/system/cpu/smt/control", "on"),
            ("/sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never"),
            ("/sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet"),
            ("/sys/devices/system/cpu/vulnerabilities/meltdown", "Vulnerable"),
            ("/sys/devices/system/node/online", "0-1"),
            ("/sys/fs/cgroup/memory/cgroup.procs", ""),
            ("/proc/sys/kernel/numa_balancing", "1"),
            ("/sys/class/thermal/thermal_zone0/temp", "94000"),
            ("/sys/class/thermal/thermal_zone0/trip_point_0_temp", "95000"),
            ("/sys/class/thermal/thermal_zone0/trip_point_0_type", "passive"),
        ],
        |preflight| preflight.need_disk = u64::MAX,
    )
    .await;
    assert_eq!(states(&findings, FindingState::Fail), ["root", "free-disk", "free-memory"]);
    assert_eq!(
        states(&findings, FindingState::Warn),
        [
            "swap",
            "load",
            "thermal",
            "kvm",
            "governor",
            "turbo",
            "smt",
            "mitigations",
            "thp",
            "clocksource",
            "numa-balancing",
            "control-groups"
        ]
    );
    assert!(findings.iter().all(|f| (f.state == FindingState::Ok) == f.remedy.is_none()));
}

#[tokio::test]
async fn an_empty_or_mad_root_is_no_panic() {
    let empty = check(&[], |_| {}).await;
    assert_eq!(states(&empty, FindingState::Fail), ["root"]);
    let mad = ["/proc/self/status", "/proc/meminfo", "/proc/swaps", "/proc/loadavg", "/proc/stat"];
    let mad: Vec<_> = mad
        .iter()
        .map(|path| (*path, "Uid:\nMemAvailable: kB\n\u{0} nan -1 99999999999999999999 9\n"))
        .collect();
    assert_eq!(states(&check(&mad, |_| {}).await, FindingState::Fail), ["root"]);
}
