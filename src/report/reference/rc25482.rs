//! What IBM measured in 2014: report RC25482, "An Updated Performance Comparison of Virtual Machines and Linux Containers"
//! (Felter, Ferreira, Rajamony, Rubio), with its tables and figures.
//!
//! Where the trials of a row are public (the logs that the authors published), it has their mean, standard deviation and number;
//! elsewhere what the report says, mostly as a change of the rate or time in percent, without a spread and a number of trials.

use super::old::{Old, Published, Trials};
use super::{Fact, Figure};

const LOGS: &str = "logs of the authors";
const REPORT: &str = "report";

const fn trials(n: u32, mean: f64, sd: f64) -> Old {
    Old::Trials(Trials { n, mean, sd })
}

/// A change against native as it was published, in percent of a rate: -10 is a tenth slower.
const fn rate(low: f64, high: f64) -> Old {
    Old::Published(Published::Rate { low, high })
}

/// A change against native as it was published, in percent of a time: +80 takes 1.8 times as long.
const fn time(pct: f64) -> Old {
    Old::Published(Published::Time { pct })
}

/// The report has no digits: NAT "about doubles" a round trip.
const ABOUT_DOUBLE: Old = Old::Published(Published::AboutTime { pct: 100.0 });

/// Of what the suite does not measure in the same way.
pub const NO_COUNTERPART: (&str, &str, &str) = ("", "", "");

/// The facts, in the order of the study.
pub(super) const FACTS: [Fact; 26] = [
    Fact {
        figure: Figure::TableOne,
        what: "PXZ compression",
        unit: "MB/s",
        source: REPORT,
        native: Old::Unknown,
        docker: rate(-4.0, -4.0),
        nat: Old::Unknown,
        kvm: rate(-22.0, -22.0),
        tuned: rate(-18.0, -18.0),
        today: ("xz", "", "throughput"),
    },
    Fact {
        figure: Figure::TableOne,
        what: "Linpack",
        unit: "GFLOPS",
        // The report's table has another figure for the guest that is not tuned: `Figure::note`.
        source: LOGS,
        native: trials(10, 290.829, 1.133),
        docker: trials(10, 290.868, 0.981),
        nat: Old::Unknown,
        kvm: trials(10, 130.283, 7.566),
        tuned: trials(10, 284.199, 1.450),
        today: ("linpack", "", "gflops"),
    },
    Fact {
        figure: Figure::TableOne,
        what: "RandomAccess, two sockets",
        unit: "GUP/s",
        source: LOGS,
        native: trials(10, 0.012_61, 0.000_29),
        docker: trials(10, 0.012_40, 0.000_44),
        nat: Old::Unknown,
        kvm: trials(10, 0.012_48, 0.000_32),
        tuned: Old::Unknown,
        // A host of today has as many sockets as it has: its number stands beside one socket.
        today: NO_COUNTERPART,
    },
    Fact {
        figure: Figure::TableOne,
        what: "RandomAccess, one socket",
        unit: "GUP/s",
        source: LOGS,
        native: trials(10, 0.045_79, 0.001_44),
        docker: trials(10, 0.045_74, 0.001_87),
        nat: Old::Unknown,
        kvm: trials(10, 0.039_36, 0.001_48),
        tuned: Old::Unknown,
        today: ("randomaccess", "", "gups"),
    },
    stream("Stream copy", [(41.267, 0.065), (41.202, 0.089), (40.051, 0.226)], "copy"),
    stream("Stream scale", [(41.246, 0.082), (41.235, 0.058), (40.006, 0.162)], "scale"),
    stream("Stream add", [(45.793, 0.218), (45.623, 0.585), (44.990, 0.204)], "add"),
    stream("Stream triad", [(45.600, 0.125), (45.631, 0.515), (45.021, 0.209)], "triad"),
    bulk_rate("transmitting", "send"),
    bulk_rate("receiving", "receive"),
    bulk_cost("transmitting: CPU per byte", "send"),
    bulk_cost("receiving: CPU per byte", "receive"),
    Fact {
        figure: Figure::RoundTrips,
        what: "TCP round trips",
        unit: "1/s",
        source: REPORT,
        native: Old::Value(26_600.0),
        docker: Old::Unknown,
        nat: ABOUT_DOUBLE,
        kvm: time(81.0),
        tuned: Old::Unknown,
        today: ("rr", "tcp", "transactions"),
    },
    Fact {
        figure: Figure::RoundTrips,
        what: "UDP round trips",
        unit: "1/s",
        source: REPORT,
        native: Old::Value(27_800.0),
        docker: Old::Unknown,
        nat: ABOUT_DOUBLE,
        kvm: time(78.0),
        tuned: Old::Unknown,
        today: ("rr", "udp", "transactions"),
    },
    fio("sequential read, queue depth 1", "MB/s", [524.2, 524.8, 434.7], ("seqread-qd1", "throughput")),
    fio("sequential read, queue depth 2", "MB/s", [826.0, 825.6, 804.2], ("seqread-qd2", "throughput")),
    // The log names no depth: its 733 requests per second take 21.8 ms each, so that 16 were under way.
    fio("sequential write, queue depth 16", "MB/s", [769.0, 769.6, 743.8], ("seqwrite-qd16", "throughput")),
    fio("random read, queue depth 16", "1/s", [58_729.0, 58_407.0, 24_793.0], ("randread-qd16", "iops")),
    fio("random read, 8 jobs", "1/s", [84_044.0, 84_092.0, 42_543.0], ("randread-qd16-x8", "iops")),
    fio("random write, queue depth 16", "1/s", [72_807.0, 84_226.0, 18_936.0], ("randwrite-qd16", "iops")),
    fio("random write, 8 jobs", "1/s", [112_034.0, 112_048.0, 56_160.0], ("randwrite-qd16-x8", "iops")),
    fio(
        "mixed, 8 jobs: reads (today with the writes)",
        "1/s",
        [73_177.0, 73_173.0, 34_470.0],
        ("mixed-qd32-x8", "iops"),
    ),
    // One range each was published, for GET and SET and for OLTP as a whole: two rows would make two facts of it (`Figure::note`).
    redis(
        "Redis GET (2014: GET, SET; 1 to 120 connections; today 1)",
        "get-c1",
        REPORT,
        [rate(0.0, 0.0), rate(-48.0, -22.0), rate(-65.0, -7.0)],
    ),
    redis("Redis SET (today 1 connection)", "set-c1", "", [Old::Unknown; 3]),
    mysql("MySQL (SysBench OLTP), reading", "read-only-t4", "", [Old::Unknown; 3]),
    mysql(
        "MySQL (SysBench OLTP), reading and writing",
        "read-write-t4",
        REPORT,
        [rate(-13.0, -1.0), rate(-24.0, -6.0), rate(-63.0, -40.0)],
    ),
];

const fn stream(what: &'static str, of: [(f64, f64); 3], metric: &'static str) -> Fact {
    Fact {
        figure: Figure::TableTwo,
        what,
        unit: "GB/s",
        source: LOGS,
        native: trials(10, of[0].0, of[0].1),
        docker: trials(10, of[1].0, of[1].1),
        nat: Old::Unknown,
        kvm: trials(10, of[2].0, of[2].1),
        tuned: Old::Unknown,
        today: ("stream", "", metric),
    }
}

/// Line rate in whatever the study's network was measured in: no loss.
const fn bulk_rate(what: &'static str, case: &'static str) -> Fact {
    Fact {
        figure: Figure::Bulk,
        what,
        unit: "Gb/s",
        source: REPORT,
        native: Old::Unknown,
        docker: Old::Unknown,
        nat: rate(0.0, 0.0),
        kvm: rate(0.0, 0.0),
        tuned: Old::Unknown,
        today: ("bulk-tcp", case, "throughput"),
    }
}

/// What told the study's environments apart at line rate, but the logs have no network and the figure no numbers that are at hand
/// here. Today's stand alone.
const fn bulk_cost(what: &'static str, case: &'static str) -> Fact {
    Fact {
        figure: Figure::Bulk,
        what,
        unit: "CPU-s/GB",
        source: "",
        native: Old::Unknown,
        docker: Old::Unknown,
        nat: Old::Unknown,
        kvm: Old::Unknown,
        tuned: Old::Unknown,
        today: ("bulk-tcp", case, "cpu-cost"),
    }
}

/// One run each: native, Docker with a volume, KVM with virtio and native I/O.
const fn fio(
    what: &'static str,
    unit: &'static str,
    of: [f64; 3],
    today: (&'static str, &'static str),
) -> Fact {
    Fact {
        figure: Figure::Fio,
        what,
        unit,
        source: LOGS,
        native: Old::Single(of[0]),
        docker: Old::Single(of[1]),
        nat: Old::Unknown,
        kvm: Old::Single(of[2]),
        tuned: Old::Unknown,
        today: ("fio", today.0, today.1),
    }
}

/// Docker, NAT and KVM.
const fn redis(what: &'static str, case: &'static str, source: &'static str, of: [Old; 3]) -> Fact {
    Fact {
        figure: Figure::Redis,
        what,
        unit: "1/s",
        source,
        native: Old::Unknown,
        docker: of[0],
        nat: of[1],
        kvm: of[2],
        tuned: Old::Unknown,
        today: ("redis", case, "requests"),
    }
}

/// Docker with a volume, NAT with AUFS, and KVM.
const fn mysql(what: &'static str, case: &'static str, source: &'static str, of: [Old; 3]) -> Fact {
    Fact {
        figure: Figure::Mysql,
        what,
        unit: "1/s",
        source,
        native: Old::Unknown,
        docker: of[0],
        nat: of[1],
        kvm: of[2],
        tuned: Old::Unknown,
        today: ("mysql", case, "transactions"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of native, from the logs: requests per second and their mean latency from submission to completion, us, in the order of the facts.
    const LITTLE: [(f64, f64); 7] = [
        (499.0, 1993.81),
        (787.0, 2533.53),
        (733.0, 21_810.0),
        (58_729.0, 270.57),
        (84_044.0, 1519.79),
        (72_807.0, 218.60),
        (112_034.0, 1140.45),
    ];

    /// `seqwrite-qd16` has 16 requests under way, `randread-qd16-x8` 128.
    fn under_way(case: &str) -> f64 {
        let (_, depths) = case.split_once("-qd").expect("a depth");
        depths.split("-x").map(|n| n.parse::<f64>().expect("a number")).product()
    }

    #[test]
    fn each_fio_row_stands_beside_the_case_of_its_queue_depth() {
        let rows: Vec<&Fact> = FACTS.iter().filter(|f| f.figure == Figure::Fio).collect();
        // The mix has its reads and writes in two lines of the log, with a latency each.
        assert_eq!(rows.len(), LITTLE.len() + 1);
        for (fact, (rate, latency)) in rows.iter().zip(LITTLE) {
            let expected = under_way(fact.today.1);
            // Little's law: what is under way is rate times latency.
            let of_the_log = rate * latency / 1e6;
            assert!((of_the_log / expected - 1.0).abs() < 0.01, "{}: {of_the_log} of {expected}", fact.what);
        }
        let mix = (73_177.0 * 2500.61 + 31_376.0 * 2320.75) / 1e6;
        assert!((mix / under_way(rows[7].today.1) - 1.0).abs() < 0.01, "{mix}");
    }

    #[test]
    fn a_range_that_was_published_once_is_a_fact_once() {
        for (figure, case) in [(Figure::Redis, "get-c1"), (Figure::Mysql, "read-write-t4")] {
            let known: Vec<&str> = FACTS
                .iter()
                .filter(|f| f.figure == figure && f.then().iter().any(|old| old.is_known()))
                .map(|f| f.today.1)
                .collect();
            assert_eq!(known, [case]);
            assert!(figure.note().is_some_and(|note| note.contains("one range")));
        }
    }

    #[test]
    fn a_fact_has_a_source_and_what_is_none_has_none() {
        for fact in &FACTS {
            assert_eq!(
                fact.then().iter().any(|old| old.is_known()),
                !fact.source.is_empty(),
                "{}",
                fact.what
            );
        }
    }

    #[test]
    fn round_trips_have_no_number_of_trials() {
        for fact in FACTS.iter().filter(|f| f.figure == Figure::RoundTrips) {
            assert!(fact.then().iter().all(|old| old.n().is_none()), "{}", fact.what);
            assert_eq!(fact.nat.toll_text(fact.native).as_deref(), Some("about +100 %"));
        }
    }

    #[test]
    fn both_figures_of_linpack_in_a_guest_are_named() {
        let linpack = FACTS.iter().find(|f| f.what == "Linpack").expect("a row");
        let of_the_logs = linpack.kvm.toll_text(linpack.native).expect("a toll");
        let as_published = rate(-17.0, -17.0).toll_text(Old::Unknown).expect("a toll");
        let note = linpack.figure.note().expect("a note");
        for said in ["17 %", &as_published, "55 %", &of_the_logs] {
            assert!(note.contains(said), "{said}: {note}");
        }
    }
}
