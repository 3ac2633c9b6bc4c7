//! Every environment with a real Docker engine and a real QEMU guest: it starts, its label is proven, a lie is
//! caught, and nothing is left behind.

mod common;

use common::stage::{SOCKET, exec, kvm, kvm_of, stage};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tollgate::command::run as command;
use tollgate::environment::Environment;
use tollgate::environment::docker::{DockerEnvironment, clean, engine};
use tollgate::environment::fleet::InstanceOptions;
use tollgate::environment::kvm::Accelerator;
use tollgate::environment::native::Native;
use tollgate::model::EnvironmentName;
use tollgate_agent::protocol::Start;

/// Starts, proves, uses and stops one environment.
async fn exercise(environment: &dyn Environment, stage: &common::stage::Stage) {
    let name = environment.name().to_string();
    environment.check().await.unwrap_or_else(|u| panic!("{name}: {u}"));
    let mut session = environment.start(&stage.context).await.unwrap_or_else(|e| panic!("{name}: {e}"));
    for proof in session.prove(0).await.expect("proofs") {
        assert!(proof.holds, "{name}: {proof:?}");
    }
    let port = stage.context.ports["redis"];
    let address = session.server_address();
    session
        .agent()
        .start(Start {
            name: "redis".into(),
            argv: [
                "redis-server",
                "--port",
                &port.to_string(),
                "--bind",
                &address.listen.to_string(),
                "--save",
                "",
                "--protected-mode",
                "no",
            ]
            .map(str::to_owned)
            .to_vec(),
            env: BTreeMap::new(),
            ready_tcp: Some(format!("{}:{port}", address.inside)),
            ready_timeout_ms: 60_000,
        })
        .await
        .unwrap_or_else(|e| panic!("{name}: {e}"));
    let written =
        session.agent().exec(exec(&["sh", "-c", "echo hello > /data/x && cat /data/x"])).await.expect("runs");
    assert_eq!((written.stdout.as_str(), written.code), ("hello\n", Some(0)), "{name}");
    let netns = PathBuf::from("/run/netns").join(&stage.plan.client_namespace);
    let ping = tollgate::command::run(&[
        "nsenter",
        &format!("--net={}", netns.display()),
        "chroot",
        &stage.context.image.rootfs().to_string_lossy(),
        "redis-cli",
        "-h",
        &address.client.to_string(),
        "-p",
        &port.to_string(),
        "ping",
    ])
    .await
    .unwrap_or_else(|e| panic!("{name}: {e}"));
    assert_eq!(ping.trim(), "PONG", "{name}");
    session.rest().await.expect("rests");
    session.wake().await.expect("wakes");
    let mut times = Vec::new();
    for _ in 0..50 {
        let begun = std::time::Instant::now();
        session.agent().exec(exec(&["/bin/true"])).await.expect("runs");
        times.push(begun.elapsed());
    }
    times.sort();
    eprintln!("{name}: dispatch median {:?}", times[25]);
    session.stop().await.unwrap_or_else(|e| panic!("{name}: {e}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn native_and_docker_environments_are_what_they_say() {
    if !common::real(common::not_everything()) {
        return;
    }
    let _alone = common::alone().await;
    let stage = stage().await;
    exercise(&Native, &stage).await;
    for name in ["docker", "docker+nat", "docker+layer"] {
        exercise(&DockerEnvironment::new(name.parse().expect("a name"), SOCKET.into()), &stage).await;
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_a_killed_process_left_taken_is_had_again_but_never_anothers() {
    if !common::real(common::not_everything()) {
        return;
    }
    let _alone = common::alone().await;
    let stage = stage().await;
    let environment = DockerEnvironment::new("docker".parse().expect("a name"), SOCKET.into());
    let session = environment.start(&stage.context).await.expect("starts");
    let fleet = session.fleet();
    let one = InstanceOptions { number: 7, memory_mib: None };
    // The process dies: the engine's container stays, and nobody waits for it.
    drop(fleet.launch(one).await.expect("starts"));
    let mut next = fleet.launch(one).await.expect("the same name again");
    next.agent().exec(exec(&["/bin/true"])).await.expect("runs");
    // Its removal is under way, of somebody who does not wait for it.
    let docker = engine::connect(Path::new(SOCKET)).await.expect("the engine");
    let of_sweep = |sweep: &str| sweep == stage.context.sweep;
    let containers = async || {
        let mut found = clean::find(&docker, of_sweep).await.expect("a list");
        found.retain(|leftover| matches!(leftover, clean::Leftover::Container(_)));
        found
    };
    let found = containers().await;
    assert_eq!(found.len(), 2, "the environment's and the instance's: {found:?}");
    let removing = found.iter().map(|leftover| clean::remove(&docker, leftover));
    let again = found.iter().map(|leftover| clean::remove(&docker, leftover));
    let (removed, again) =
        tokio::join!(futures_util::future::join_all(removing), futures_util::future::join_all(again));
    assert!(removed.iter().chain(&again).all(Result::is_ok), "{removed:?} {again:?}");
    assert_eq!(containers().await, [], "removed means gone");
    // A container of this name that is not this sweep's stays.
    let name = format!("tollgate-{}-docker-i7", stage.context.sweep);
    let image = engine::tag(&stage.context.image);
    command(&["docker", "create", "--name", &name, &image, "true"]).await.expect("created");
    let refused = fleet.launch(one).await.err().expect("somebody else's").to_string();
    command(&["docker", "rm", &name]).await.expect("it is still there");
    assert!(refused.contains("already in use"), "{refused}");
    session.stop().await.expect("what is gone already is fine");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_is_what_it_says_under_the_accelerator_that_works_here() {
    if !common::real(common::not_everything()) {
        return;
    }
    let _alone = common::alone().await;
    let stage = stage().await;
    let guest = kvm(stage.state.path(), None);
    exercise(&guest, &stage).await;
    stage.end().await;
}

/// QEMU behind a script that emulates where KVM is asked for.
const LIAR: &str = r#"#!/bin/bash
words=()
for word in "$@"; do
  case "$word" in kvm) words+=("tcg,thread=multi");; host) words+=(qemu64);; *) words+=("$word");; esac
done
exec qemu-system-x86_64 "${words[@]}"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_emulated_guest_that_is_called_kvm_is_caught() {
    if !common::real(common::not_everything()) {
        return;
    }
    let _alone = common::alone().await;
    let stage = stage().await;
    let program = stage.state.path().join("qemu");
    std::fs::write(&program, LIAR).expect("written");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, executable).expect("executable");
    let guest = kvm_of(&program.to_string_lossy(), stage.state.path(), Some(Accelerator::Kvm));
    let mut session = guest.start(&stage.context).await.expect("starts");
    let refuted: Vec<_> = session.prove(0).await.expect("proofs").into_iter().filter(|p| !p.holds).collect();
    assert_eq!(refuted.len(), 1, "{refuted:?}");
    assert_eq!(refuted[0].claim, "its instructions run under kvm");
    session.stop().await.expect("stops");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_on_the_host_network_that_is_called_nat_is_caught() {
    if !common::real(common::not_everything()) {
        return;
    }
    let _alone = common::alone().await;
    let stage = stage().await;
    let name: EnvironmentName = "docker".parse().expect("a name");
    let environment = DockerEnvironment::new(name, SOCKET.into());
    let mut session = environment.start(&stage.context).await.expect("starts");
    let here = session.agent().describe("/data").await.expect("a description");
    let mut proofs = tollgate::environment::proof::Proofs::of(&"docker+nat".parse().expect("a name"));
    proofs.namespace(&here, "net", false);
    assert!(!proofs.all[0].holds, "the host's network is no NAT");
    session.stop().await.expect("stops");
    stage.end().await;
}
