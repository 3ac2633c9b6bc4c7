//! What the host is set to: each word of the fingerprint's context that makes numbers noisier or unlike others'.

use super::{Finding, FindingState};
use std::collections::BTreeMap;

/// The findings of a context, in the order in which they are shown.
pub(super) fn findings(context: &BTreeMap<String, String>) -> Vec<Finding> {
    let get = |name: &str| context.get(name).map(String::as_str);
    let found = [
        Some(governor(get("governor"))),
        turbo(get("turbo")),
        smt(get("smt")),
        mitigations(get("mitigations")),
        thp(get("thp")),
        clocksource(get("clocksource")),
    ];
    found.into_iter().flatten().collect()
}

fn governor(value: Option<&str>) -> Finding {
    let state = match value {
        None | Some("performance") => FindingState::Ok,
        Some(_) => FindingState::Warn,
    };
    let observed = value.unwrap_or("not scaled from here");
    Finding::new("governor", state, observed, "`cpupower frequency-set -g performance`")
}

fn turbo(value: Option<&str>) -> Option<Finding> {
    let state = if value? == "on" { FindingState::Warn } else { FindingState::Ok };
    let remedy = "its frequency depends on heat and neighbours; `echo 1 > /sys/devices/system/cpu/intel_pstate/no_turbo` \
                  or `echo 0 > /sys/devices/system/cpu/cpufreq/boost`";
    Some(Finding::new("turbo", state, value?, remedy))
}

fn smt(value: Option<&str>) -> Option<Finding> {
    let state = if value? == "on" { FindingState::Warn } else { FindingState::Ok };
    let remedy = "two threads share a core; `echo off > /sys/devices/system/cpu/smt/control`, or keep siblings together";
    Some(Finding::new("smt", state, value?, remedy))
}

fn thp(value: Option<&str>) -> Option<Finding> {
    let state = if value? == "always" { FindingState::Warn } else { FindingState::Ok };
    let remedy =
        "khugepaged works when it likes; `echo madvise > /sys/kernel/mm/transparent_hugepage/enabled`";
    Some(Finding::new("thp", state, value?, remedy))
}

fn clocksource(value: Option<&str>) -> Option<Finding> {
    // Those that are read without a system call.
    const FAST: [&str; 4] = ["tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter"];
    let state = if FAST.contains(&value?) { FindingState::Ok } else { FindingState::Warn };
    let remedy = "reading the time costs a system call or more; \
                  `echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource` if it is stable";
    Some(Finding::new("clocksource", state, value?, remedy))
}

fn mitigations(value: Option<&str>) -> Option<Finding> {
    // One entry for each weakness that this processor has: `spectre_v2: Mitigation: Retpolines; ...`
    let affected: Vec<&str> = value?.split(" | ").collect();
    let open: Vec<&str> = affected
        .iter()
        .filter(|entry| entry.split_once(": ").is_some_and(|(_, state)| state.starts_with("Vulnerable")))
        .map(|entry| entry.split(':').next().unwrap_or(entry))
        .collect();
    let remedy = "system calls and guest exits cost less than on a host that is protected, so tolls are not those of \
                  production: update microcode and kernel, and take `mitigations=off` off its command line";
    let (state, observed) = match (value? == "none needed", open.is_empty()) {
        (true, _) => (FindingState::Ok, "none needed".to_owned()),
        (false, true) => (FindingState::Ok, format!("on for {} weaknesses", affected.len())),
        (false, false) => (FindingState::Warn, format!("off or missing for {}", open.join(", "))),
    };
    Some(Finding::new("mitigations", state, observed, remedy))
}
