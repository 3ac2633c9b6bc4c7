//! Docker engines of the sweep's own: every driver and runtime that this host has is what its label says, a lie is
//! caught, the host's engine is not touched, and nothing is left behind.

mod common;
#[path = "common/engines.rs"]
mod engines;

use common::stage::{SOCKET, Stage, exec, stage};
use engines::{assert_gone, environment, has_xfs, host_state, proofs, refuted, serve, started, stop};
use std::path::Path;
use std::time::Instant;
use tollgate::environment::docker::axes::{Axes, Driver};
use tollgate::environment::docker::host::Host;
use tollgate::environment::docker::private::{EngineSpec, PrivateEngine, remains};
use tollgate::environment::docker::{clean, engine};
use tollgate::environment::fleet::InstanceOptions;
use tollgate::environment::image::COPYUP;
use tollgate::environment::{Context, Environment, EnvironmentError, Session};
use tollgate::host::leftovers;

#[tokio::test(flavor = "multi_thread")]
async fn every_driver_of_this_host_is_what_it_says_and_the_host_is_untouched() {
    if !common::real(common::not_everything()) {
        return;
    }
    let _alone = common::alone().await;
    let stage = stage().await;
    let before = host_state().await;
    let mut ran = Vec::new();
    for driver in Driver::ALL {
        let name = format!("docker+layer+driver={}", driver.word());
        if let Err(why) = environment(&name).check().await {
            eprintln!("{name}: unavailable: {why}");
            continue;
        }
        let mut session = started(&name, &stage.context).await;
        assert_eq!(host_state().await, before, "{name}: while its engine runs");
        let found = proofs(&mut session, 0).await;
        assert_eq!(refuted(&found), [""; 0], "{name}: {found:#?}");
        assert!(found.iter().any(|p| p.claim.contains("driver of its label")), "{found:#?}");
        let written = session.agent().exec(exec(&["sh", "-c", "echo hello > /data/x && cat /data/x"])).await;
        assert_eq!(written.expect("runs").stdout, "hello\n", "{name}");
        if driver == Driver::Overlay2Ext4 {
            assert!(serve(&name, &mut session, &stage, stage.context.ports["redis"]).await);
        }
        stop(&name, session).await;
        assert_gone(&stage);
        ran.push(driver);
    }
    assert!(ran.contains(&Driver::Overlay2Ext4) && ran.contains(&Driver::Vfs), "{ran:?}");
    assert_eq!(host_state().await, before);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runtimes_and_the_proxy_share_one_engine_and_are_what_they_say() {
    if !common::real(common::not_everything()) {
        return;
    }
    let _alone = common::alone().await;
    let stage = stage().await;
    let before = host_state().await;
    let mut sessions = Vec::new();
    for (name, offset) in [("docker+nat+proxy", 0), ("docker+runtime=crun", 1), ("docker+runtime=runsc", 2)] {
        // They share a network, so each has a port of its own.
        let port = 17_301 + offset;
        let context = Context { ports: [("redis".to_owned(), port)].into(), ..stage.context.clone() };
        if let Err(why) = environment(name).check().await {
            eprintln!("{name}: unavailable: {why}");
            continue;
        }
        let mut session = started(name, &context).await;
        assert!(serve(name, &mut session, &stage, port).await, "{name}");
        let found = proofs(&mut session, 1).await;
        assert_eq!(refuted(&found), [""; 0], "{name}: {found:#?}");
        for proof in &found {
            eprintln!("{name}: {}: {}", proof.claim, proof.observed);
        }
        sessions.push((name, session));
    }
    let engines = std::fs::read_dir(&stage.context.scratch).expect("scratch").flatten();
    let engines = engines.filter(|e| e.path().join("daemon.json").exists()).count();
    assert_eq!(engines, 1, "one engine serves them all");
    for (name, session) in sessions {
        stop(name, session).await;
    }
    assert_gone(&stage);
    assert_eq!(host_state().await, before);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn seccomp_and_the_rules_of_published_ports_are_proven_on_the_hosts_engine() {
    if !common::real(common::not_everything()) {
        return;
    }
    let _alone = common::alone().await;
    let stage = stage().await;
    for (name, claim) in [
        ("docker", "runs under a seccomp filter"),
        ("docker+unconfined", "runs without a seccomp filter"),
        ("docker+nat", "connections to the published ports are translated by DNAT rules"),
    ] {
        let mut session = started(name, &stage.context).await;
        assert!(serve(name, &mut session, &stage, stage.context.ports["redis"]).await, "{name}");
        let found = proofs(&mut session, 1).await;
        assert_eq!(refuted(&found), [""; 0], "{name}: {found:#?}");
        assert!(found.iter().any(|p| p.claim == claim), "{name}: {found:#?}");
        if name == "docker+nat" {
            // A million trials that nobody ran have left no connections in the rule's counter.
            let found = proofs(&mut session, 1_000_000).await;
            assert!(refuted(&found).contains(&claim), "{found:#?}");
        }
        stop(name, session).await;
    }
    stage.end().await;
}

/// A session of `truth` that is proven under the name of `lie`.
async fn refuted_as(lie: &str, truth: &str, stage: &Stage) -> Vec<String> {
    let mut session = environment(truth)
        .start_as(&lie.parse().expect("a name"), &stage.context)
        .await
        .unwrap_or_else(|e: EnvironmentError| panic!("{truth}: {e}"));
    let found = proofs(&mut session, 0).await;
    stop(truth, session).await;
    refuted(&found).into_iter().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lie_is_caught_for_each_axis() {
    if !common::real(common::not_everything()) {
        return;
    }
    let _alone = common::alone().await;
    let stage = stage().await;
    for (lie, truth, claim) in [
        ("docker+unconfined", "docker", "runs without a seccomp filter"),
        ("docker", "docker+unconfined", "runs under a seccomp filter"),
        ("docker+layer", "docker", "the data directory is in the container's layer"),
        ("docker+layer+layers=20", "docker+layer", "its image has 21 layers"),
        ("docker+layer+layers=2", "docker+layer", "the files of copy-up lie below 2 layers on the disk"),
        ("docker+runtime=crun", "docker", "the container's shim was given the runtime of its label"),
        ("docker+runtime=runsc", "docker", "runs on gVisor's kernel"),
        ("docker+nat+proxy", "docker+nat", "docker-proxy listens on the published ports"),
        ("docker+nat+proxy", "docker+nat", "no DNAT rule takes the published ports"),
        ("docker+layer+driver=vfs", "docker+layer+driver=overlay2-ext4", "its root filesystem is ext4"),
        (
            "docker+layer+driver=overlay2-xfs",
            "docker+layer+driver=overlay2-ext4",
            "the engine's data is on xfs",
        ),
        (
            "docker+layer+driver=fuse-overlayfs",
            "docker+layer+driver=overlay2-ext4",
            "the engine that runs it keeps layers with the driver of its label",
        ),
    ] {
        let caught = refuted_as(lie, truth, &stage).await;
        assert!(caught.iter().any(|c| c == claim), "{truth} called {lie}: {caught:?}");
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_containers_agent_tells_a_warm_file_of_the_image_from_an_evicted_one() {
    if !common::real(common::not_everything()) {
        return;
    }
    let _alone = common::alone().await;
    let stage = stage().await;
    let mut session = started("docker", &stage.context).await;
    let file = format!("/{COPYUP}/64m");
    let mut found = Vec::new();
    for bench in ["read-file", "read-file", "evict", "read-file"] {
        let line = ["/usr/local/bin/tollgate-agent", "bench", bench, "--file", &file];
        let told = session.agent().exec(exec(&line)).await.expect("runs").stdout;
        let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
        found.push(told["cached_bytes_before"].as_u64().expect("bytes"));
    }
    // What page-cache takes for warm, and for cold.
    assert_eq!(found[1..3], [64 << 20; 2], "just read: {found:?}");
    assert!(found[3] <= 1 << 20, "just evicted: {found:?}");
    stop("docker", session).await;
    stage.end().await;
}

/// What the first write to a file costs in a fresh instance, milliseconds.
async fn first_write(session: &mut Box<dyn Session>, file: &str) -> (f64, u64) {
    let fleet = session.fleet();
    let options = InstanceOptions { number: 0, memory_mib: None };
    let mut instance = fleet.launch(options).await.expect("a fresh instance");
    let line = ["/usr/local/bin/tollgate-agent", "bench", "first-write", "--file", file];
    let written = instance.agent().exec(exec(&line)).await.expect("runs");
    instance.stop().await.expect("stops");
    let output: serde_json::Value =
        serde_json::from_str(&written.stdout).unwrap_or_else(|e| panic!("{e}: {written:?}"));
    let ms = output["first_write_ms"].as_f64().expect("milliseconds");
    (ms, output["bytes"].as_u64().expect("bytes"))
}

#[tokio::test(flavor = "multi_thread")]
async fn files_lie_as_deep_as_the_label_says_and_a_sweeps_images_vanish() {
    if !common::real(common::not_everything()) {
        return;
    }
    let _alone = common::alone().await;
    let stage = stage().await;
    // The bench image is there before the others are counted.
    stop("docker+layer", started("docker+layer", &stage.context).await).await;
    let before = host_state().await;
    let mut sessions = Vec::new();
    for name in
        ["docker+layer+layers=1", "docker+layer+layers=100", "docker+layer+driver=overlay2-xfs+layers=20"]
    {
        if let Err(why) = environment(name).check().await {
            eprintln!("{name}: unavailable: {why}");
            continue;
        }
        let mut session = started(name, &stage.context).await;
        for (file, mib) in [("1m", 1), ("64m", 64), ("1g", 1024)] {
            let path = if file == "1g" { "/data/copyup-1g".to_owned() } else { format!("/{COPYUP}/{file}") };
            let (ms, bytes) = first_write(&mut session, &path).await;
            assert_eq!(bytes, mib << 20, "{name}: {file}");
            eprintln!("{name}: first write to {file}: {ms:.2} ms");
        }
        let found = proofs(&mut session, 0).await;
        assert_eq!(refuted(&found), [""; 0], "{name}: {found:#?}");
        assert!(found.iter().any(|p| p.claim.contains("layers on the disk")), "{name}: {found:#?}");
        sessions.push((name, session));
    }
    // What `clean` would find of them in the host's engine.
    let docker = engine::connect(Path::new(SOCKET)).await.expect("the engine");
    let left = clean::find(&docker, |sweep| sweep == stage.context.sweep).await.expect("a list");
    let images = left.iter().filter(|l| matches!(l, clean::Leftover::Image(_))).count();
    assert_eq!(images, 2, "one for each environment of the host's engine: {left:?}");
    // A container whose file was changed is no proof any more.
    let (name, session) = sessions.first_mut().expect("one at least");
    let touched = session.agent().exec(exec(&["touch", &format!("/{COPYUP}/64m")])).await.expect("runs");
    assert_eq!(touched.code, Some(0));
    let found = proofs(session, 0).await;
    assert_eq!(refuted(&found), ["the files of copy-up are in no layer of the container's own"], "{name}");
    for (name, session) in sessions {
        stop(name, session).await;
    }
    assert_gone(&stage);
    assert_eq!(host_state().await, before);
    stage.end().await;
}

async fn spec(name: &str) -> EngineSpec {
    let host = Host { root: "/".into(), engine_dir: None };
    let axes = Axes::of(&name.parse().expect("a name")).expect("axes");
    host.private(&axes, 2048).await.unwrap_or_else(|u| panic!("{u}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_whose_tollgate_was_killed_is_found_and_removed_whole() {
    if !common::real(common::not_everything()) || !has_xfs().await {
        return;
    }
    let _alone = common::alone().await;
    let stage = stage().await;
    let before = host_state().await;
    let name = "docker+layer+driver=overlay2-xfs";
    let session = started(name, &stage.context).await;
    // What kill -9 does: nobody stops it, nothing is dropped.
    std::mem::forget(session);
    std::mem::forget(stage.context.engines.clone());
    let found = leftovers::find(stage.state.path(), Path::new("/")).expect("found");
    let tail = stage.plan.engine_namespace.trim_start_matches("tge").to_owned();
    let sweep = stage.context.sweep.clone();
    let ours: Vec<_> = found
        .into_iter()
        .filter(|l| {
            let text = l.to_string();
            let process =
                text.strip_prefix("process ").and_then(|t| t.split(' ').next()?.parse::<u32>().ok());
            text.contains(&tail) || process.is_some_and(|pid| belongs(pid, &sweep))
        })
        .collect();
    let text = ours.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    for expected in
        ["(dockerd)", "(containerd)", "(containerd-shim", "namespace tge", "loop device", "directory"]
    {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
    let failed = leftovers::remove_all(&ours).await;
    assert!(failed.is_empty(), "{failed:?}");
    remains::remove_cgroups(&format!("/tollgate-{sweep}/engines/e0"));
    assert!(!stage.context.scratch.exists());
    std::fs::create_dir_all(&stage.context.scratch).expect("for the look below");
    assert_gone(&stage);
    assert!(!Path::new("/run/netns").join(&stage.plan.engine_namespace).exists());
    assert_eq!(host_state().await, before);
    stage.end().await;
}

/// Pids and resident memory (KiB) of the engine in `dir`.
fn engine_processes(dir: &Path) -> Vec<(String, u64)> {
    let mark = format!("TOLLGATE_ENGINE={}", dir.display());
    let entries = std::fs::read_dir("/proc").expect("processes").flatten().map(|e| e.path());
    let ours = entries.filter(|p| {
        let environ = std::fs::read(p.join("environ")).unwrap_or_default();
        p.join("fd").exists() && environ.split(|b| *b == 0).any(|v| v == mark.as_bytes())
    });
    ours.map(|p| {
        let read = |name: &str| std::fs::read_to_string(p.join(name)).unwrap_or_default();
        let status = read("status");
        let rss =
            status.lines().find_map(|l| l.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok());
        (read("comm").trim().to_owned(), rss.unwrap_or(0))
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_dropped_takes_its_processes_and_its_disk_along() {
    if !common::real(common::not_everything()) || !has_xfs().await {
        return;
    }
    let _alone = common::alone().await;
    let stage = stage().await;
    let netns = &stage.context.engines.place().netns;
    let xfs = spec("docker+layer+driver=overlay2-xfs").await;
    let dir = stage.context.scratch.join("e0");
    let begun = Instant::now();
    let engine = PrivateEngine::start(&xfs, &dir, netns, &stage.context.sweep).await.expect("starts");
    let processes = engine_processes(&dir);
    eprintln!("an empty engine on xfs: started in {:?}, idle {processes:?} (KiB)", begun.elapsed());
    assert!(processes.iter().any(|(name, _)| name == "dockerd"), "{processes:?}");
    assert_eq!(engine.backing().expect("asked"), "xfs");
    drop(engine);
    for _ in 0..500 {
        if engine_processes(&dir).is_empty() && !remains::is_looped(&dir) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(engine_processes(&dir).is_empty() && !remains::is_looped(&dir));
    // Its files are for `clean`, which knows them by the scratch directory.
    assert!(dir.join("engine.log").exists());
    let begun = Instant::now();
    let again =
        PrivateEngine::start(&xfs, &stage.context.scratch.join("e1"), netns, &stage.context.sweep).await;
    again.expect("starts").stop().await.expect("stops");
    eprintln!("the same, started and stopped in {:?}", begun.elapsed());
    std::fs::remove_dir_all(&dir).expect("removed");
    assert_gone(&stage);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_engine_translates_ports_in_its_own_namespace_only() {
    if !common::real(common::not_everything()) || !has_xfs().await {
        return;
    }
    let name = "docker+nat+driver=overlay2-xfs";
    let _alone = common::alone().await;
    let stage = stage().await;
    let before = host_state().await;
    let mut session = started(name, &stage.context).await;
    assert!(serve(name, &mut session, &stage, stage.context.ports["redis"]).await);
    assert_eq!(host_state().await, before, "while its engine writes rules");
    let found = proofs(&mut session, 1).await;
    assert_eq!(refuted(&found), [""; 0], "{found:#?}");
    assert!(found.iter().any(|p| p.claim.contains("DNAT rules")), "{found:#?}");
    stop(name, session).await;
    assert_gone(&stage);
    assert_eq!(host_state().await, before);
    stage.end().await;
}

fn belongs(pid: u32, sweep: &str) -> bool {
    let read = |name: &str| std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
    [read("environ"), read("cgroup")].iter().any(|text| String::from_utf8_lossy(text).contains(sweep))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_cannot_start_says_its_last_words_and_leaves_nothing() {
    if !common::real(common::not_everything()) || !has_xfs().await {
        return;
    }
    let _alone = common::alone().await;
    let stage = stage().await;
    let netns = &stage.context.engines.place().netns;
    let broken =
        EngineSpec { program: "/bin/false".into(), ..spec("docker+layer+driver=overlay2-xfs").await };
    let dir = stage.context.scratch.join("e0");
    let why = PrivateEngine::start(&broken, &dir, netns, &stage.context.sweep).await.expect_err("no engine");
    assert!(why.to_string().contains("/bin/false ended at the start"), "{why}");
    assert!(!dir.exists());
    assert_gone(&stage);
    stage.end().await;
}
