//! The whole suite by the real program: every cell is measured or says why not; and bad days: a guest and a container that
//! are gone in the middle of a sweep.

mod common;

use common::bed::{Bed, text};
use common::stage::{exec, kvm, stage};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use tollgate::environment::Environment;

/// The sweep that was stored.
fn stored(bed: &Bed) -> Value {
    let mut files = fs::read_dir(bed.state.path().join("sweeps")).expect("sweeps").flatten();
    let file = files.next().expect("a sweep");
    serde_json::from_slice(&fs::read(file.path()).expect("read")).expect("JSON")
}

#[tokio::test]
async fn every_cell_of_the_smoke_profile_is_measured_or_says_why_not() {
    if !common::real(common::not_everything()) {
        return;
    }
    let _alone = common::alone().await;
    let bed = Bed::new();
    let swept = bed.run(&["sweep", "--rounds", "3", "--format=json"]);
    assert!(swept.status.success(), "{}", text(&swept.stderr));
    let sweep = stored(&bed);
    let cells = sweep["cells"].as_array().expect("cells");
    let mut workloads = BTreeSet::new();
    for cell in cells {
        let name = format!("{}/{} in {}", cell["workload"], cell["case"], cell["environment"]);
        workloads.insert(cell["workload"].as_str().expect("a name").to_owned());
        let reason = cell["reason"].as_str().unwrap_or_default();
        match cell["state"].as_str().expect("a state") {
            "ok" => {}
            // Only an emulated guest may leave something out here.
            "unavailable" => {
                assert!(cell["environment"] == "kvm" && reason.contains("TCG"), "{name}: {reason}");
            }
            other => panic!("{name} is {other}: {reason}"),
        }
    }
    let all: BTreeSet<String> = tollgate::workload::all().iter().map(|w| w.name().to_owned()).collect();
    assert_eq!(workloads, all);
    for series in sweep["series"].as_array().expect("series") {
        let values = series["values"].as_array().expect("values");
        let ratio = series["scale"].is_null();
        let measured = values.iter().filter_map(Value::as_f64).all(|v| v.is_finite() && (!ratio || v > 0.0));
        assert!(measured, "{series}");
    }
    bed.assert_clean();
}

/// Kills the process that runs this environment's guest or container, from outside.
fn kill(bed: &Bed, sweep: &str, environment: &str) {
    if environment == "kvm" {
        let needle = format!("{}/kvm/agent", bed.state.path().join("scratch").join(sweep).display());
        let found = fs::read_dir("/proc").expect("/proc").flatten().find(|entry| {
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line);
            line.starts_with("qemu") && line.contains(&needle)
        });
        let pid = found.expect("QEMU runs").file_name();
        assert!(Command::new("kill").arg("-9").arg(pid).status().expect("kill runs").success());
        return;
    }
    let name = format!("tollgate-{sweep}-{}", environment.replace('+', "-"));
    let url = format!("http://docker/containers/{name}/kill");
    let killed = Command::new("curl")
        .args(["-s", "-f", "-X", "POST", "--unix-socket", "/var/run/docker.sock", &url])
        .status();
    assert!(killed.expect("curl runs").success(), "{name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_and_a_container_that_are_killed_fail_their_cells_and_nothing_else() {
    if !common::real(common::not_everything()) {
        return;
    }
    let _alone = common::alone().await;
    let bed = Bed::new();
    let mut child = bed.start(&[
        "sweep",
        "--only",
        "rr/tcp",
        "--environments",
        "docker,docker+nat,kvm",
        "--rounds",
        "30",
        "--format=json",
    ]);
    tokio::task::block_in_place(|| bed.wait_for_trials(8, &mut child));
    let journal = bed.journal().expect("a journal");
    let sweep = journal.file_stem().expect("a name").to_string_lossy().into_owned();
    kill(&bed, &sweep, "kvm");
    kill(&bed, &sweep, "docker+nat");
    let ended = tokio::task::block_in_place(|| child.wait_with_output().expect("ended"));
    assert!(ended.status.success(), "docker was measured: {}", text(&ended.stderr));
    let sweep = stored(&bed);
    for (environment, state) in [
        ("native", "ok"),
        ("docker", "ok"),
        ("docker+nat", "measurement-failed"),
        ("kvm", "measurement-failed"),
    ] {
        let cells = sweep["cells"].as_array().expect("cells");
        let cell = cells.iter().find(|c| c["environment"] == environment).expect("the cell");
        assert_eq!(cell["state"], state, "{cell}");
        assert_eq!(cell["reason"].is_string(), state != "ok", "a failure has its reason: {}", cell["reason"]);
    }
    bed.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_panics_is_an_error_with_a_reason_and_ends() {
    if !common::real(common::not_everything()) {
        return;
    }
    let _alone = common::alone().await;
    let stage = stage().await;
    let mut session = kvm(stage.state.path(), None).start(&stage.context).await.expect("starts");
    let mut panic = exec(&["sh", "-c", "echo c > /proc/sysrq-trigger; sleep 20"]);
    panic.timeout_ms = 20_000;
    let error = session.agent().exec(panic).await.expect_err("a kernel that panics answers nothing");
    assert!(!error.to_string().is_empty());
    assert!(session.rest().await.is_err(), "QEMU has ended, since the guest reboots at once");
    session.stop().await.expect("nothing is left to stop");
    stage.end().await;
}
