//! What a samples CSV does not say of a metric, guessed from names.

use crate::model::{Better, Family, MetricInfo, MetricKey, Scale};

/// Everything that can be said of a metric by its names and unit.
pub fn info_of(key: &MetricKey, unit: String, better: Better) -> MetricInfo {
    let scale = if unit == "count" { Scale::Count } else { Scale::Ratio };
    let (family, tail) = (family_of(&key.workload), is_tail(&key.metric));
    MetricInfo { unit, better, family, tail, resolution: None, scale }
}

/// The family of a workload by its name: the whole name first, then the first of its words (letters and digits) that
/// is known, so that `redis-7.2` is a database.
///
/// A name that says nothing is `cpu`: that family has the narrowest threshold, and a workload that nobody knows
/// must not be the one whose regressions pass. A policy can say otherwise for each metric.
pub fn family_of(workload: &str) -> Family {
    let name = workload.to_ascii_lowercase();
    known(&name)
        .or_else(|| name.split(|c: char| !c.is_ascii_alphanumeric()).find_map(known))
        .unwrap_or(Family::Cpu)
}

fn known(word: &str) -> Option<Family> {
    Some(match word {
        "xz" | "pxz" | "linpack" | "hpl" | "syscalls" | "syscall" | "cpu" => Family::Cpu,
        "stream" | "randomaccess" | "gups" | "memory" | "mem" => Family::Memory,
        "fio" | "copy-up" | "small-files" | "page-cache" | "image" | "disk" | "io" => Family::Disk,
        "bulk-tcp" | "rr" | "nuttcp" | "netperf" | "iperf" | "iperf3" | "sockperf" | "tcp" | "udp"
        | "network" | "net" => Family::Network,
        "redis" | "mysql" | "mariadb" | "postgres" | "postgresql" | "sysbench" | "database" => {
            Family::Database
        }
        "lifecycle" | "boot" | "density" | "startup" => Family::Lifecycle,
        _ => return None,
    })
}

/// Whether a metric is a tail latency: one of the words of its name is `p95` or a higher percentile (`p99`, `p999`,
/// `p99.9`), `max` alone is not one.
pub fn is_tail(metric: &str) -> bool {
    metric.to_ascii_lowercase().split(|c: char| !c.is_ascii_alphanumeric()).any(|word| {
        word.strip_prefix('p').is_some_and(|n| {
            n.len() >= 2 && n.starts_with('9') && n.bytes().all(|b| b.is_ascii_digit()) && n >= "95"
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_of_the_suite_and_of_relatives() {
        for (name, family) in [
            ("xz", Family::Cpu),
            ("randomaccess", Family::Memory),
            ("copy-up", Family::Disk),
            ("bulk-tcp", Family::Network),
            ("rr", Family::Network),
            ("Redis", Family::Database),
            ("redis-7.2", Family::Database),
            ("fio_randread", Family::Disk),
            ("boot", Family::Lifecycle),
            ("unheard-of", Family::Cpu),
            ("", Family::Cpu),
        ] {
            assert_eq!(family_of(name), family, "{name}");
        }
    }

    #[test]
    fn tails_begin_at_the_95th_percentile() {
        for tail in ["p95", "p99_us", "p999", "lat-p99.9", "P99", "latency_p95_ms"] {
            assert!(is_tail(tail), "{tail}");
        }
        for body in ["p50", "p90", "p9", "iops", "mean", "pages", "p", "p9x"] {
            assert!(!is_tail(body), "{body}");
        }
    }
}
