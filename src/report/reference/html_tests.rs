use super::*;
use crate::model::{
    Better, CellState, CellSummary, EnvironmentName, Family, Fingerprint, Scale, Series, Timing,
};
use crate::report::fixtures;
use chrono::{DateTime, Utc};

/// Values of five rounds: around `middle`, with a scatter of about 2 %.
fn rounds(middle: f64) -> Vec<f64> {
    [0.99, 1.0, 1.02, 1.0, 0.97].iter().map(|f| middle * f).collect()
}

/// Workload, case, metric, unit, native, tolls of docker, docker+nat, kvm.
type Measured = (&'static str, &'static str, &'static str, &'static str, f64, [Option<f64>; 3]);

/// A result and its sweep.
fn measured(rows: &[Measured]) -> (GateResult, Sweep) {
    let mut result = GateResult { cells: Vec::new(), ..fixtures::small_regression() };
    let started_at: DateTime<Utc> = result.started_at.expect("a time");
    let mut sweep = Sweep {
        format: 1,
        sweep: result.sweep.clone().expect("a sweep"),
        tollgate: String::new(),
        host_class: result.host_class.clone(),
        profile: result.profile.clone(),
        parameters: String::new(),
        bench_image: String::new(),
        accelerator: result.accelerator.clone(),
        seed: 0,
        rounds: 5,
        partial: false,
        started_at,
        finished_at: started_at,
        resumed: 0,
        fingerprint: Fingerprint::default(),
        timing: Timing::default(),
        accepted: None,
        proofs: Vec::new(),
        cells: Vec::new(),
        series: Vec::new(),
    };
    for (workload, case, metric, unit, native, tolls) in rows {
        let environments = ["native", "docker", "docker+nat", "kvm"];
        for (name, toll) in environments.into_iter().zip([None].into_iter().chain(tolls.iter().copied())) {
            let environment: EnvironmentName = name.parse().expect("a name");
            if toll.is_none() && !environment.is_native() {
                continue;
            }
            let better = if *metric == "cpu-cost" { Better::Lower } else { Better::Higher };
            let median = native * (1.0 + toll.unwrap_or(0.0) / 100.0).powf(better.sign());
            let (workload, case, metric) = ((*workload).to_owned(), (*case).to_owned(), (*metric).to_owned());
            result.cells.push(CellSummary {
                workload: workload.clone(),
                case: case.clone(),
                metric: metric.clone(),
                unit: (*unit).to_owned(),
                better,
                environment: environment.clone(),
                state: CellState::Ok,
                reason: None,
                rounds: 5,
                median: Some(median),
                toll_pct: toll,
            });
            let mut values = rounds(median);
            if !environment.is_native() {
                values.reverse();
            }
            sweep.series.push(Series {
                workload,
                case,
                metric,
                unit: (*unit).to_owned(),
                better,
                family: Family::Cpu,
                tail: false,
                resolution: None,
                scale: Scale::Ratio,
                environment,
                values: values.into_iter().map(Some).collect(),
            });
        }
    }
    (result, sweep)
}

fn some() -> (GateResult, Sweep) {
    measured(&[
        ("xz", "slice-1m", "throughput", "MB/s", 5.87, [Some(0.3), None, Some(812.0)]),
        ("bulk-tcp", "send", "throughput", "Gb/s", 27.7, [Some(1.6), Some(26.0), Some(543.0)]),
        ("bulk-tcp", "send", "cpu-cost", "CPU-s/GB", 0.52, [Some(0.1), Some(61.0), Some(1400.0)]),
        ("rr", "tcp", "transactions", "1/s", 31_000.0, [Some(4.0), Some(38.0), Some(1581.0)]),
        ("fio", "randread-qd16", "iops", "1/s", 84_312.0, [Some(-3.0), None, Some(540.0)]),
        ("redis", "get-c1", "requests", "1/s", 21_400.0, [Some(0.6), Some(24.0), Some(930.0)]),
    ])
}

/// One element a line, without the style sheets.
fn readable(page: &str) -> String {
    let (before, rest) = page.split_once("<style>").expect("a style");
    let (_, after) = rest.split_once("</style>").expect("its end");
    format!("{before}{after}").replace("><", ">\n<")
}

#[test]
fn the_page_of_a_small_sweep() {
    let (result, sweep) = some();
    insta::assert_snapshot!(readable(&rc25482_html(&result, &sweep)));
}

#[test]
fn every_caption_says_that_the_guest_was_emulated() {
    let (result, sweep) = some();
    assert!(result.is_emulated());
    let page = rc25482_html(&result, &sweep);
    let said = page.matches("ran under TCG emulation").count();
    assert_eq!(said, 1 + Figure::ALL.len(), "the warning and each caption");
    assert_eq!(page.matches("<svg").count(), 5);
    let kvm = GateResult { accelerator: Some("kvm".into()), ..result };
    assert!(!rc25482_html(&kvm, &sweep).contains("TCG"));
}

#[test]
fn rounds_and_spread_of_today_stand_beside_those_of_2014() {
    let (result, sweep) = some();
    let page = rc25482_html(&result, &sweep);
    // Native's rounds are 0.97 to 1.02 of 84,312 per second: their middle half.
    assert!(
        page.contains("84.3k/s <small>[83.5k, 84.3k] (5)</small>")
            || page.contains("84.3k/s<small>[83.5k, 84.3k] (5)</small>"),
        "{page}"
    );
    assert!(page.contains("± 1.13 (10)") && page.contains("Today: 5 rounds"));
    assert!(page.contains("2014: logs of the authors, n = 10. Today: not measured."), "the second table");
}

#[test]
fn bulk_transfers_stand_at_line_rate_and_their_processor_time_stands_alone() {
    let (result, sweep) = some();
    let page = rc25482_html(&result, &sweep);
    let from = page.find("Network: bulk TCP").expect("the section");
    let bulk = &page[from..from + page[from..].find("</section>").expect("its end")];
    assert_eq!(bulk.matches("2014, Docker NAT: ~0 (report)").count(), 2, "both ways: {bulk}");
    assert!(bulk.contains("today, docker+nat: +61 %"), "a higher cost is worse: {bulk}");
    assert!(bulk.contains("of that no figures of 2014 are at hand") && !bulk.contains("2014, Docker:"));
}

#[test]
fn an_empty_sweep_shows_2014_alone() {
    let (result, sweep) = measured(&[]);
    let page = rc25482_html(&result, &sweep);
    assert!(!page.contains("class=\"now\"><title>") && page.contains("class=\"then\"><title>"));
}

#[test]
fn nothing_is_loaded_and_hostile_names_are_shown() {
    let (mut result, sweep) = some();
    result.profile = "<script>alert(1)</script>\u{202e}".into();
    for cell in &mut result.cells {
        cell.unit = "<b>|\"</b>".into();
    }
    let page = rc25482_html(&result, &sweep);
    for bad in ["<script", "<b>|", "src=", "href=", "url(", "@import", "\u{202e}"] {
        assert!(!page.contains(bad), "{bad}");
    }
    assert!(page.contains("&lt;script&gt;"));
}
