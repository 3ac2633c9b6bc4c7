//! What an operator does to Docker's engine, under the eyes of the service: an upgrade (the host's engine and, on the same socket and
//! data, Debian trixie's), and an edited `daemon.json`. The engines run in a network and a mount namespace of their own; the host's engine, bridge and rules are not concerned.

mod common;
#[path = "common/debian.rs"]
mod debian;
#[path = "common/dispatching.rs"]
mod dispatching;
#[path = "common/github/mod.rs"]
mod github;
#[path = "common/newer_engine.rs"]
mod newer_engine;
#[path = "common/private_engine.rs"]
mod private_engine;
#[path = "common/running.rs"]
mod running;

use common::bed::{Host, output};
use common::stage::free_port;
use dispatching::{Service, Start, finished};
use github::FakeGitHub;
use private_engine::{Place, processes};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

/// The version of a part of an engine.
fn part(version: &Value, name: &str) -> String {
    let parts = version["Components"].as_array().expect("components");
    let found = parts.iter().find(|p| p["Name"] == name).unwrap_or_else(|| panic!("no {name}: {version}"));
    found["Version"].as_str().expect("a version").to_owned()
}

/// Why there is no upgrade to be had here.
fn missing() -> Option<String> {
    let no_engine =
        || (!Path::new("/usr/sbin/dockerd").exists()).then(|| "dockerd is not installed".to_owned());
    common::no_root().or_else(no_engine).or_else(github::missing)
}

/// What must be the same afterwards.
fn host() -> (Host, String) {
    (Host::now(), output("ip", &["-o", "addr", "show"]))
}

/// A host before anything was done to it, a place for an engine, and a GitHub to be told.
struct Scene {
    before: (Host, String),
    dir: tempfile::TempDir,
    place: Place,
    fake: FakeGitHub,
}

impl Scene {
    fn set() -> Self {
        let before = host();
        let dir = tempfile::Builder::new().prefix("tollgate-test").tempdir_in("/tmp").expect("a directory");
        let place = Place::new(dir.path().join("engine"));
        Self { before, dir, place, fake: FakeGitHub::start() }
    }
}

#[tokio::test]
async fn an_upgrade_of_the_engine_makes_one_job_that_names_what_changed() {
    if !common::real(missing()) {
        return;
    }
    let newer = newer_engine::unpacked();
    if !common::real(newer.as_ref().err().map(|why| format!("trixie's engine cannot be had: {why}"))) {
        return;
    }
    let newer = newer.expect("it is there");
    let _alone = common::alone().await;
    let Scene { before, dir, place, fake } = Scene::set();

    let (engine, old) = place.start(Path::new("/"));
    assert!(
        processes(&place.dir).len() > 1,
        "dockerd and containerd carry the mark that is looked for below"
    );
    let settings =
        format!("listen = \"\"\nfiles = []\n[docker]\nsocket = \"{}\"\n", place.socket().display());
    let mut service = Service::start(dir.path(), &fake, Start { settings, ..Start::default() });
    let first = service.until_finished(1);
    assert_eq!(first["finished"][0]["job"]["reason"]["why"], "no-baseline", "nothing was measured here");
    engine.stop();
    let (engine, new) = place.start(&newer);
    let (was, is) = (part(&old, "Engine"), part(&new, "Engine"));
    assert_ne!(was, is, "the engines are two versions");
    let upgraded = service.until_finished(2);
    let reason = &upgraded["finished"][0]["job"]["reason"];
    assert_eq!(reason["why"], "change", "{upgraded:#}");
    let mut expected = Vec::new();
    for (name, component) in [("Engine", "docker-engine"), ("containerd", "containerd"), ("runc", "runc")] {
        let (was, is) = (part(&old, name), part(&new, name));
        if was != is {
            expected.push(json!({ "component": component, "before": was, "after": is }));
        }
    }
    assert_eq!(reason["changed"], json!(expected), "what changed, and nothing else");
    assert!(expected.len() > 1, "containerd, too: {expected:?}");

    service.look();
    service.look();
    let queue = service.queue();
    assert_eq!(finished(&queue), 2, "one job for the upgrade: {queue:#}");
    assert_eq!(queue["waiting"], json!([]));
    let told: Vec<String> = fake.dispatches().iter().map(|d| d.payload["reason"].to_string()).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[1].contains(&format!("docker-engine from {was} to {is}")), "{told:?}");
    service.stop();
    engine.stop();
    assert_eq!(processes(&place.dir), [], "no process is left");
    assert_eq!(host(), before, "the host is as it was");
}

/// Puts a directory in the place of the host's own /etc/docker, for what runs under it alone.
const ETC: &str = "mount --bind \"$0\" /etc/docker && exec \"$@\"";

#[tokio::test]
async fn an_edited_daemon_json_is_looked_at_and_what_it_changes_is_a_job_once_the_engine_runs_with_it() {
    if !common::real(missing()) {
        return;
    }
    let _alone = common::alone().await;
    let Scene { before, dir, place, fake } = Scene::set();
    let (engine, _) = place.start(Path::new("/"));
    let port = free_port();
    let etc = place.config().parent().expect("a directory").to_owned();
    let mut under: Vec<_> = ["unshare", "--mount", "sh", "-c", ETC].map(Into::into).into();
    under.push(etc.into());
    let settings = format!(
        "listen = \"127.0.0.1:{port}\"\nfiles = [\"/etc/docker/daemon.json\"]\n[docker]\nsocket = \"{}\"\n",
        place.socket().display()
    );
    let mut service = Service::start(dir.path(), &fake, Start { under, settings, ..Start::default() });
    let first = service.until_finished(1);
    assert_eq!(first["finished"][0]["job"]["reason"]["why"], "no-baseline", "nothing was measured here");

    place.configure("overlay2");
    let began = Instant::now();
    let status = loop {
        let answer = output("curl", &["-s", &format!("http://127.0.0.1:{port}/api/v1/status")]);
        let status: Value = serde_json::from_str(&answer).unwrap_or_default();
        let read = status["status"]["fingerprint"]["context"]["daemon-json"].as_str().unwrap_or_default();
        if read.contains("overlay2") {
            break status["status"].clone();
        }
        assert!(began.elapsed() < Duration::from_secs(30), "the file is seen: {status:#}");
        std::thread::sleep(Duration::from_millis(100));
    };
    assert!(status["wakeups"]["file"].as_u64() > Some(0), "the file woke it, not time: {status:#}");
    assert_eq!(
        status["fingerprint"]["components"]["storage-driver"], "vfs",
        "the engine has read the old one"
    );
    assert_eq!(
        (status["queue"].clone(), finished(&service.queue())),
        (json!([]), 1),
        "a file alone is no change"
    );

    engine.stop();
    let (engine, _) = place.start(Path::new("/"));
    let changed = service.until_finished(2);
    let reason = &changed["finished"][0]["job"]["reason"];
    let parts = reason["changed"].as_array().map_or(0, Vec::len);
    assert_eq!((reason["why"].as_str(), parts), (Some("change"), 1), "{changed:#}");
    let driver = &reason["changed"][0];
    assert_eq!(
        (driver["component"].as_str(), driver["before"].as_str()),
        (Some("storage-driver"), Some("vfs"))
    );
    // It also names the filesystem below.
    assert!(driver["after"].as_str().is_some_and(|is| is.starts_with("overlay2")), "{driver}");
    service.stop();
    engine.stop();
    assert_eq!(host(), before, "the host is as it was");
}
