//! The service with real sweeps: stopped in the middle of one it leaves the host clean, goes on with it at the next start, and
//! tells what it found; killed in the middle of one, too.

mod common;

use common::bed::{Bed, processes, text};
use serde_json::Value;
use std::fs;
use std::process::Child;
use std::time::{Duration, Instant};

const SETTINGS: &str = "[profile.smoke]\nrounds = 12\nworkloads = [\"xz\"]\nenvironments = [\"native\", \"docker\"]\n\
                        budget = \"0\"\n[gate]\nmin_baseline = 1\n[watch]\nprofile = \"smoke\"\nlisten = \"\"\nfollow = []\n";

fn queue(bed: &Bed) -> Value {
    let text = fs::read(bed.state.path().join("queue.json")).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

fn wait(bed: &Bed, service: &mut Child, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let queue = queue(bed);
        if is(&queue) {
            return queue;
        }
        let ended = service.try_wait().expect("a status");
        assert!(ended.is_none() && began.elapsed() < Duration::from_secs(300), "{what}: {ended:?} {queue}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn stop(service: &mut Child) {
    let pid = rustix::process::Pid::from_child(service);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("told to stop");
    assert!(service.wait().expect("it ends").success());
}

#[tokio::test]
async fn a_service_that_is_stopped_goes_on_with_its_sweep_and_tells_what_it_found() {
    if !common::real(common::not_everything()) {
        return;
    }
    let _alone = common::alone().await;
    let bed = Bed::new();
    fs::write(bed.state.path().join("tollgate.toml"), SETTINGS).expect("written");

    let mut service = bed.start(&["watch"]);
    let first = wait(&bed, &mut service, "the baseline is empty", |q| q["running"].is_object());
    assert_eq!(first["running"]["job"]["reason"]["why"], "no-baseline");
    bed.wait_for_trials(4, &mut service);
    stop(&mut service);
    assert_eq!(processes(bed.state.path()), Vec::<String>::new(), "the host is clean");
    let measured = bed.trials().len();
    let stopped = queue(&bed);
    assert_eq!(stopped["running"]["sweep"], first["running"]["sweep"], "the job is kept");

    let mut service = bed.start(&["watch"]);
    let done = wait(&bed, &mut service, "the job ends", |q| q["finished"][0].is_object());
    let finished = &done["finished"][0];
    assert_eq!(finished["sweep"], first["running"]["sweep"], "the same sweep");
    assert_eq!(finished["job"]["id"], first["running"]["job"]["id"]);
    assert!(finished["outcome"]["judged"].is_string(), "{finished}");
    assert!(bed.trials().len() > measured, "it went on");
    let name = finished["sweep"].as_str().expect("a name");
    let sweep = fs::read(bed.state.path().join(format!("sweeps/{name}.json"))).expect("kept");
    let sweep: Value = serde_json::from_slice(&sweep).expect("JSON");
    assert_eq!(sweep["resumed"], 1);

    let asked = bed.run(&["trigger", "--always"]);
    assert!(text(&asked.stdout).contains("is in the queue"), "{asked:?}");
    let again = wait(&bed, &mut service, "it runs", |q| q["running"].is_object());
    assert_eq!(again["running"]["job"]["reason"]["why"], "trigger");
    // Killed in the middle of it: the next service finds job and journal, and removes what is left on the host.
    bed.wait_for_trials(3, &mut service);
    service.kill().expect("killed");
    service.wait().expect("it is gone");
    let mut service = bed.start(&["watch"]);
    let id = again["running"]["job"]["id"].clone();
    let done = wait(&bed, &mut service, "it ends", |q| q["finished"][0]["job"]["id"] == id);
    assert_eq!(done["finished"][0]["sweep"], again["running"]["sweep"], "the same sweep");
    assert_eq!(done["finished"].as_array().map(Vec::len), Some(2), "each job once");
    stop(&mut service);
    bed.assert_clean();
}
