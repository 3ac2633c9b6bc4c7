//! The service as a program whose wall clock jumps while time itself goes on: libfaketime(1) gives it another one, from a file.

mod common;
#[path = "common/debian.rs"]
mod debian;
#[path = "common/dispatching.rs"]
mod dispatching;
#[path = "common/github/mod.rs"]
mod github;
#[path = "common/running.rs"]
mod running;

use chrono::{TimeDelta, Timelike as _, Utc};
use dispatching::{Service, Start, finished};
use github::FakeGitHub;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// The library that stands before the C library's clocks.
fn library() -> Result<PathBuf, String> {
    let root = debian::unpacked("faketime", &debian::suite()?, &["libfaketime"], |_| Ok(()))?;
    let places = fs::read_dir(root.join("usr/lib")).map_err(|e| e.to_string())?.flatten();
    let mut found = places.map(|e| e.path().join("faketime/libfaketimeMT.so.1"));
    found.find(|path| path.exists()).ok_or_else(|| "the package has no libfaketimeMT.so.1".to_owned())
}

/// A wall clock that a program reads afresh each time.
struct Wall(PathBuf);

impl Wall {
    /// So much ahead of the host's.
    fn ahead(&self, by: TimeDelta) {
        let next = self.0.with_extension("next");
        fs::write(&next, format!("{:+}", by.num_seconds())).expect("written");
        fs::rename(next, &self.0).expect("replaced");
    }
}

/// Jobs that a schedule made, waiting and ended.
fn scheduled(queue: &Value) -> usize {
    let waiting = queue["waiting"].as_array().map_or(0, Vec::len);
    let ended = queue["finished"].as_array().into_iter().flatten();
    waiting + ended.filter(|f| f["job"]["reason"]["why"] == "schedule").count()
}

fn missing(library: &Result<PathBuf, String>) -> Option<String> {
    let why = library.as_ref().err().map(|why| format!("libfaketime cannot be had: {why}"));
    github::missing().or(why)
}

#[tokio::test]
async fn a_schedule_is_kept_once_however_the_wall_clock_jumps() {
    let library = library();
    if !common::real(missing(&library)) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let wall = Wall(dir.path().join("clock"));
    wall.ahead(TimeDelta::zero());
    let fake = FakeGitHub::start();
    // Due in about twelve hours, and not again for a day.
    let due = (Utc::now() + TimeDelta::hours(12)).hour();
    let settings = format!(
        "listen = \"\"\nfiles = []\ntime_zone = \"UTC\"\njitter = \"0s\"\n[watch.schedules]\n\
         nightly = {{ cron = \"0 {due} * * *\" }}\n"
    );
    let env = [
        ("LD_PRELOAD", library.expect("it is there").into_os_string()),
        ("FAKETIME_TIMESTAMP_FILE", wall.0.clone().into_os_string()),
        ("FAKETIME_NO_CACHE", "1".into()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
    ];
    let start = Start { settings, env: env.into(), ..Start::default() };
    let mut service = Service::start(dir.path(), &fake, start);
    service.until_finished(1);
    assert_eq!(scheduled(&service.queue()), 0, "it is not due yet");
    // The service rests for up to a minute: a look wakes it, as anything else would.
    wall.ahead(TimeDelta::hours(13));
    service.look();
    let queue = service.until("the schedule", |queue| scheduled(queue) == 1 && finished(queue) == 2);
    let ended = queue["finished"][0]["ended"].as_str().expect("a time").to_owned();
    let later = (Utc::now() + TimeDelta::hours(12)).to_rfc3339();
    assert!(ended > later, "{ended}: the program sees that clock");
    // Back, and there again: the same night.
    for hours in [0, 13, 12, 13] {
        wall.ahead(TimeDelta::hours(hours));
        service.look();
        service.look();
        assert_eq!(scheduled(&service.queue()), 1, "{hours} h ahead: {:#}", service.queue());
    }
    // Over several nights at once: one sweep makes up for them.
    wall.ahead(TimeDelta::hours(13 + 24 * 5));
    service.look();
    service.until("the schedule again", |queue| scheduled(queue) == 2 && finished(queue) == 3);
    service.look();
    assert_eq!(scheduled(&service.queue()), 2, "not one for each night: {:#}", service.queue());
    service.stop();
}
