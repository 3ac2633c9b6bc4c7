//! What one dispatch of a no-op costs in each environment, beside `docker exec`: it bounds how short a trial can be.
//!
//! `cargo bench --bench dispatch` prints the median and the 99th percentile of 200 dispatches of `/bin/true`.
//! Needs root, Docker and QEMU.

#[path = "../tests/common/mod.rs"]
mod common;

use common::stage::{SOCKET, Stage, exec, kvm, stage};
use std::time::{Duration, Instant};
use tollgate::environment::Environment;
use tollgate::environment::docker::DockerEnvironment;
use tollgate::environment::native::Native;

const DISPATCHES: usize = 200;

fn show(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |share: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
        let index = ((times.len() - 1) as f64 * share) as usize;
        times[index].as_secs_f64() * 1e3
    };
    println!("{what:<16} p50 {:>7.2} ms   p99 {:>7.2} ms", at(0.5), at(0.99));
}

async fn dispatch(environment: &dyn Environment, stage: &Stage) {
    let mut session = environment.start(&stage.context).await.expect("starts");
    let mut times = Vec::new();
    for round in 0..DISPATCHES + 20 {
        let begun = Instant::now();
        session.agent().exec(exec(&["/bin/true"])).await.expect("runs");
        if round >= 20 {
            times.push(begun.elapsed());
        }
    }
    show(&environment.name().to_string(), times);
    if environment.name().to_string() == "docker" {
        docker_exec(stage).await;
    }
    session.stop().await.expect("stops");
}

/// The same through the command-line client, for comparison.
async fn docker_exec(stage: &Stage) {
    let container = format!("tollgate-{}-docker", stage.context.sweep);
    let mut times = Vec::new();
    for _ in 0..30 {
        let begun = Instant::now();
        let done = tollgate::command::run(&["docker", "exec", &container, "/bin/true"]).await;
        if let Err(error) = done {
            println!("docker exec      not measured: {error}");
            return;
        }
        times.push(begun.elapsed());
    }
    show("docker exec", times);
}

#[tokio::main]
async fn main() {
    // `cargo test` runs benches with --test: there is nothing to test here.
    if std::env::args().any(|a| a == "--test") || !common::real(common::not_everything()) {
        return;
    }
    let _alone = common::alone().await;
    let stage = stage().await;
    dispatch(&Native, &stage).await;
    for name in ["docker", "docker+nat"] {
        dispatch(&DockerEnvironment::new(name.parse().expect("a name"), SOCKET.into()), &stage).await;
    }
    dispatch(&kvm(stage.state.path(), None), &stage).await;
    stage.end().await;
}
