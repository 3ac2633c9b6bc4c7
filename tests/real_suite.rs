//! The whole suite by the real program: every cell is measured or says why not; and bad days: a guest and a container that
//! are gone in the middle of a sweep.

mod common;

use common::bed::{Bed, engine, text};
use common::stage::{exec, image, kvm, stage};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};
use tollgate::environment::Environment;
use tollgate::environment::image::GuestKernel;

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

/// State and reason of each environment's cell of a case.
fn states(sweep: &Value, case: &str) -> BTreeSet<(String, String, String)> {
    let cells = sweep["cells"].as_array().expect("cells").iter().filter(|cell| cell["case"] == case);
    let word = |cell: &Value, key: &str| cell[key].as_str().unwrap_or_default().to_owned();
    cells.map(|cell| (word(cell, "environment"), word(cell, "state"), word(cell, "reason"))).collect()
}

fn ok(environments: &[&str]) -> BTreeSet<(String, String, String)> {
    environments.iter().map(|e| ((*e).to_owned(), "ok".to_owned(), String::new())).collect()
}

/// Waits for the process that makes the data directory of `MariaDB` in the container of `environment`; its pid.
fn making_mysql(bed: &Bed, environment: &str, child: &mut Child) -> String {
    let begun = Instant::now();
    loop {
        let journal = bed.journal().and_then(|j| Some(j.file_stem()?.to_string_lossy().into_owned()));
        let answer =
            engine(&format!("/containers/tollgate-{}-{environment}/json", journal.unwrap_or_default()));
        let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
        let making = answer["Id"].as_str().and_then(|container| {
            let processes = fs::read_dir("/proc").expect("/proc").flatten();
            processes.map(|entry| entry.path()).find(|process| {
                let read = |name: &str| fs::read(process.join(name)).unwrap_or_default();
                text(&read("cmdline")).contains("\0--bootstrap") && text(&read("cgroup")).contains(container)
            })
        });
        if let Some(process) = making {
            // Somewhere in the middle.
            std::thread::sleep(Duration::from_millis(200));
            return process.file_name().expect("a pid").to_string_lossy().into_owned();
        }
        assert!(child.try_wait().expect("asked").is_none(), "it ended before a data directory was made");
        assert!(begun.elapsed() < Duration::from_secs(300), "no data directory is made");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_that_is_half_made_fails_its_cell_and_says_so() {
    if !common::real(common::not_everything()) {
        return;
    }
    let _alone = common::alone().await;
    let bed = Bed::new();
    let case = ["sweep", "--only", "mysql/read-only-t4", "--environments", "docker,docker+layer"];
    let mut child = bed.start(&[&case[..], &["--rounds", "3", "--format=json"]].concat());
    let pid = tokio::task::block_in_place(|| making_mysql(&bed, "docker", &mut child));
    assert!(Command::new("kill").args(["-9", &pid]).status().expect("kill runs").success());
    let ended = tokio::task::block_in_place(|| child.wait_with_output().expect("ended"));
    assert!(ended.status.success(), "docker+layer was measured: {}", text(&ended.stderr));
    let states = states(&stored(&bed), "read-only-t4");
    let failed: Vec<_> = states.iter().filter(|(_, state, _)| state != "ok").collect();
    let [(environment, state, reason)] = failed[..] else { panic!("{states:?}") };
    assert_eq!((environment.as_str(), state.as_str()), ("docker", "measurement-failed"));
    assert!(reason.starts_with("preparation: sh ended with exit code"), "{reason}");
    bed.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_that_a_killed_sweep_left_half_made_is_made_anew() {
    if !common::real(common::not_everything()) {
        return;
    }
    let _alone = common::alone().await;
    let bed = Bed::new();
    let case = ["sweep", "--only", "mysql/read-only-t4", "--environments", "docker", "--rounds", "3"];
    let mut child = bed.start(&case);
    tokio::task::block_in_place(|| making_mysql(&bed, "docker", &mut child));
    child.kill().expect("killed");
    child.wait().expect("ended");
    let journal = bed.journal().expect("a journal");
    let sweep = journal.file_stem().expect("a name").to_string_lossy().into_owned();
    let data = bed.state.path().join("scratch").join(&sweep).join(format!("tollgate-{sweep}-docker/mysql"));
    assert!(data.exists(), "{} is what is half made", data.display());
    let resumed = tokio::task::block_in_place(|| bed.run(&["sweep", "--resume", "--format=json"]));
    assert!(resumed.status.success(), "{}", text(&resumed.stderr));
    assert_eq!(states(&stored(&bed), "read-only-t4"), ok(&["native", "docker"]));
    bed.assert_clean();
}

/// The modules of an initrd as a directory of modules.
fn modules(initrd: &Path, to: &Path) {
    fs::create_dir_all(to.join("kernel")).expect("made");
    let mut rest: Box<dyn std::io::Read> = Box::new(fs::File::open(initrd).expect("an initrd"));
    loop {
        let mut reader = cpio::newc::Reader::new(rest).expect("an entry");
        if reader.entry().is_trailer() {
            return;
        }
        let name = reader.entry().name().to_owned();
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).expect("read");
        if let Some(module) = name.strip_prefix("modules/").filter(|name| *name != "order") {
            fs::write(to.join("kernel").join(module), bytes).expect("written");
        }
        rest = reader.finish().expect("the next entry");
    }
}

/// Kernels that QEMU is booting or has booted.
fn booted_kernels() -> BTreeSet<String> {
    let lines = fs::read_dir("/proc").expect("/proc").flatten();
    let lines = lines.map(|e| fs::read(e.path().join("cmdline")).unwrap_or_default());
    let of = |line: Vec<u8>| {
        let line = text(&line);
        let mut words = line.split('\0').skip_while(|word| *word != "-kernel");
        line.starts_with("qemu").then(|| words.nth(1).map(str::to_owned)).flatten()
    };
    lines.filter_map(of).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kernel_by_path_is_what_the_guest_boots_and_what_the_fingerprint_names() {
    if !common::real(common::not_everything()) {
        return;
    }
    let _alone = common::alone().await;
    let image = image().await;
    let bed = Bed::new();
    let (kernel, of_kernel) = (bed.state.path().join("vmlinuz-of-mine"), bed.state.path().join("modules"));
    fs::copy(image.kernel(), &kernel).expect("copied");
    modules(&image.initrd(), &of_kernel);
    let settings =
        format!("[kvm]\nkernel = \"{}\"\nmodules = \"{}\"\n", kernel.display(), of_kernel.display());
    fs::write(bed.state.path().join("tollgate.toml"), settings).expect("written");
    let case = ["sweep", "--only", "memory/faults-128m", "--environments", "kvm", "--rounds", "5"];
    let mut child = bed.start(&[&case[..], &["--format=json"]].concat());
    tokio::task::block_in_place(|| bed.wait_for_trials(2, &mut child));
    assert_eq!(booted_kernels(), BTreeSet::from([kernel.display().to_string()]));
    let ended = tokio::task::block_in_place(|| child.wait_with_output().expect("ended"));
    assert!(ended.status.success(), "{}", text(&ended.stderr));
    let sweep = stored(&bed);
    assert_eq!(states(&sweep, "faults-128m"), ok(&["native", "kvm"]));
    let named = sweep["fingerprint"]["components"]["guest-kernel"].as_str().expect("a guest's kernel");
    assert_eq!(Some(named.to_owned()), GuestKernel::version(&kernel));
    assert!(named.starts_with("vmlinuz-of-mine sha256:"), "{named}");
    bed.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kernel_that_does_not_boot_fails_the_guests_cells_and_nothing_else() {
    if !common::real(common::not_everything()) {
        return;
    }
    let _alone = common::alone().await;
    let bed = Bed::new();
    let kernel = bed.state.path().join("vmlinuz-broken");
    fs::write(&kernel, vec![0x90; 1 << 20]).expect("written");
    let settings =
        format!("[kvm]\nkernel = \"{}\"\nboot_timeout_s = 20\nprobe_timeout_s = 5\n", kernel.display());
    fs::write(bed.state.path().join("tollgate.toml"), settings).expect("written");
    let case = ["sweep", "--only", "memory/faults-128m", "--environments", "docker,kvm", "--rounds", "3"];
    let swept = tokio::task::block_in_place(|| bed.run(&[&case[..], &["--format=json"]].concat()));
    assert!(swept.status.success(), "docker was measured: {}", text(&swept.stderr));
    let states = states(&stored(&bed), "faults-128m");
    let failed: Vec<_> = states.iter().filter(|(_, state, _)| state != "ok").collect();
    let [(environment, state, reason)] = failed[..] else { panic!("{states:?}") };
    assert_eq!((environment.as_str(), state.as_str()), ("kvm", "measurement-failed"));
    assert!(reason.starts_with("it did not start"), "{reason}");
    bed.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gibibyte_and_a_hundred_layers_are_measured_in_full_and_vanish_after_a_kill() {
    if !common::real(common::not_everything()) {
        return;
    }
    let _alone = common::alone().await;
    let bed = Bed::new();
    let places = ["docker", "docker+layer+layers=1", "docker+layer+layers=20", "docker+layer+layers=100"];
    let wanted = places.join(",");
    let case =
        ["sweep", "--profile", "full", "--only", "copy-up", "--environments", &wanted, "--rounds", "3"];
    let mut child = bed.start(&case);
    tokio::task::block_in_place(|| bed.wait_for_trials(1, &mut child));
    child.kill().expect("killed");
    child.wait().expect("ended");
    let left = engine("/images/json?filters=%7B%22label%22%3A%5B%22tollgate.sweep%22%5D%7D");
    assert_eq!(left.matches("tollgate/layers-").count(), 3, "the killed sweep's images are there: {left}");
    let swept =
        tokio::task::block_in_place(|| bed.run(&["sweep", "--profile", "full", "--resume", "--format=json"]));
    assert!(swept.status.success(), "{}", text(&swept.stderr));
    let sweep = stored(&bed);
    let all = [&["native"], &places[..]].concat();
    for case in ["file-1m", "file-64m", "file-1g"] {
        assert_eq!(states(&sweep, case), ok(&all), "{case}");
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
