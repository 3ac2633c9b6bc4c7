//! What one dispatch costs: `/bin/true` through the agent over pipes. It bounds how short a trial can be.
#![allow(missing_docs, reason = "criterion's macros make public items without documentation")]

use criterion::{Criterion, criterion_group, criterion_main};
use std::collections::BTreeMap;
use tokio::sync::Mutex;
use tollgate::environment::agent::embedded;
use tollgate::environment::agent::process::{AgentProcess, Place};
use tollgate_agent::protocol::Exec;

fn dispatch(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let dir = tempfile::tempdir().expect("a directory");
    let path = embedded::install(dir.path()).expect("installs");
    let agent = runtime.block_on(AgentProcess::start(&path, &Place::default(), "bench")).expect("starts");
    let agent = Mutex::new(agent);
    let exec = Exec {
        argv: vec!["/bin/true".to_owned()],
        env: BTreeMap::new(),
        cwd: None,
        timeout_ms: 10_000,
        output_limit: 1000,
    };
    criterion.bench_function("dispatch /bin/true over pipes", |bencher| {
        bencher
            .to_async(&runtime)
            .iter(|| async { agent.lock().await.client.exec(exec.clone()).await.expect("runs") });
    });
    runtime.block_on(agent.into_inner().stop());
}

criterion_group!(benches, dispatch);
criterion_main!(benches);
