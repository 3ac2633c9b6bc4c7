//! The service on a host, with jobs and with a clock that the test holds.

#[path = "common/watching.rs"]
mod watching;

use std::fs;
use std::time::Duration;
use tollgate::service::Service;
use tollgate::service::runner::Ran;
use tollgate::service::wake::Sources;
use tollgate::watch::{FinishedAs, Outbox, Priority, Reason, Source};
use watching::{FakeHost, FakeRunner, Held, Link, config, service};

const NOON: &str = "2026-11-25T12:00:00Z";

fn failed(for_good: bool) -> Ran {
    Ran::Failed { why: "no space left".into(), for_good }
}

#[tokio::test]
async fn an_upgrade_is_noticed_measured_and_not_measured_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = config(dir.path(), "");
    let (host, runner, clock) = (FakeHost::settled(), FakeRunner::default(), Held::at(NOON));
    service(&config, &host, &runner, &clock, |mut link: Link| {
        let (host, runner, clock) = (&host, &runner, &clock);
        async move {
            let status = link.until("the first look", |s| s.fingerprint.is_some()).await;
            assert!(status.queue.is_empty() && status.running.is_none());
            host.upgrade("2");
            link.wake(Source::File).await;
            let status = link.turns().await;
            assert!(status.running.is_none() && status.queue.is_empty(), "the burst may go on");
            clock.advance(11);
            let status = link.until("the job", |s| s.running.is_some()).await;
            let running = status.running.as_ref().expect("running");
            assert!(running.job.reason.sentence().contains("docker-engine from 1 to 2"));
            assert_eq!(running.sweep.as_ref(), Some(&runner.orders()[0].sweep));
            runner.judged("2");
            let status = link.until("its end", |s| s.finished.len() == 1 && s.running.is_none()).await;
            assert!(matches!(status.finished[0].outcome, FinishedAs::Judged(_)));
            link.wake(Source::Signal).await;
            let status = link.turns().await;
            assert!(status.running.is_none() && status.queue.is_empty(), "{status:?}");
            assert_eq!(status.wakeups.get("file"), Some(&1));
        }
    })
    .await;
    assert_eq!(runner.orders().len(), 1);
}

#[tokio::test]
async fn a_change_during_a_sweep_stops_it_and_its_reverse_leaves_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = config(dir.path(), "");
    let (host, runner, clock) = (FakeHost::settled(), FakeRunner::default(), Held::at(NOON));
    host.upgrade("2");
    service(&config, &host, &runner, &clock, |mut link: Link| {
        let (host, runner) = (&host, &runner);
        async move {
            link.until("the first job", |s| s.running.is_some()).await;
            host.upgrade("3");
            link.wake(Source::Signal).await;
            let second =
                link.until("the second", |s| s.running.as_ref().is_some_and(|r| r.job.id == 2)).await;
            assert_eq!(second.finished[0].outcome, FinishedAs::Invalidated);
            let orders = runner.orders().clone();
            assert_ne!(orders[0].sweep, orders[1].sweep, "the stopped sweep is not gone on with");
            host.upgrade("1");
            link.wake(Source::Signal).await;
            let status = link.until("both stopped", |s| s.finished.len() == 2 && s.running.is_none()).await;
            assert!(status.queue.is_empty(), "back where it was");
        }
    })
    .await;
    assert_eq!(runner.orders().len(), 2);
}

#[tokio::test]
async fn a_sweep_that_saw_a_change_at_its_end_begins_anew_with_what_the_host_is_now() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = config(dir.path(), "");
    let (host, runner, clock) = (FakeHost::settled(), FakeRunner::default(), Held::at(NOON));
    host.upgrade("2");
    service(&config, &host, &runner, &clock, |mut link: Link| {
        let (host, runner) = (&host, &runner);
        async move {
            link.until("the job", |s| s.running.is_some()).await;
            // Nothing wakes the service.
            host.upgrade("3");
            runner.end(Ran::Stale("docker-engine changed from 2 to 3".into()));
            let status =
                link.until("it begins anew", |s| runner.orders().len() == 2 && s.running.is_some()).await;
            let job = status.running.as_ref().map(|r| &r.job).expect("running");
            assert!(job.reason.sentence().contains("from 1 to 3"), "{job:?}");
            runner.judged("3");
            let status = link.until("its end", |s| s.finished.len() == 1).await;
            assert!(matches!(status.finished[0].outcome, FinishedAs::Judged(_)), "{status:?}");
        }
    })
    .await;
    let orders = runner.orders();
    assert_ne!(orders[0].sweep, orders[1].sweep);
    assert_eq!(orders.len(), 2);
}

#[tokio::test]
async fn a_stopped_service_goes_on_with_its_sweep_at_the_next_start() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = config(dir.path(), "");
    let (host, runner, clock) = (FakeHost::settled(), FakeRunner::default(), Held::at(NOON));
    host.upgrade("2");
    service(&config, &host, &runner, &clock, |mut link: Link| async move {
        link.until("the job", |s| s.running.is_some()).await;
    })
    .await;
    assert!(dir.path().join("queue.json").exists());
    service(&config, &host, &runner, &clock, |mut link: Link| {
        let runner = &runner;
        async move {
            link.until("the job again", |s| s.running.is_some()).await;
            runner.judged("2");
            link.until("its end", |s| s.finished.len() == 1).await;
        }
    })
    .await;
    let orders = runner.orders();
    assert_eq!(orders.len(), 2);
    assert_eq!((orders[0].job.id, &orders[0].sweep), (orders[1].job.id, &orders[1].sweep));
}

#[tokio::test]
async fn a_busy_host_is_waited_for() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = config(dir.path(), "");
    let (host, runner, clock) = (FakeHost::settled(), FakeRunner::default(), Held::at(NOON));
    host.upgrade("2");
    *host.busy.lock().expect("lock") = Some("another sweep runs".into());
    service(&config, &host, &runner, &clock, |mut link: Link| {
        let (host, runner, clock) = (&host, &runner, &clock);
        async move {
            let waits = |s: &tollgate::watch::Status| s.queue.first().is_some_and(|j| j.last_error.is_some());
            let status = link.until("it waits", waits).await;
            assert_eq!((status.queue[0].attempts, status.running.is_some()), (0, false));
            *host.busy.lock().expect("lock") = None;
            link.turns().await;
            assert!(runner.orders().is_empty(), "not at once");
            clock.advance(61);
            link.until("the job", |s| s.running.is_some()).await;
        }
    })
    .await;
}

#[tokio::test]
async fn failures_are_retried_given_up_and_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = config(dir.path(), "attempts = 2\nretry_wait = \"1m\"");
    let (host, runner, clock) = (FakeHost::settled(), FakeRunner::default(), Held::at(NOON));
    host.upgrade("2");
    runner.end(failed(false));
    service(&config, &host, &runner, &clock, |mut link: Link| {
        let (runner, clock) = (&runner, &clock);
        async move {
            let status =
                link.until("the failure", |s| s.queue.first().is_some_and(|j| j.attempts == 1)).await;
            assert_eq!(status.queue[0].last_error.as_deref(), Some("no space left"));
            assert!(runner.given_up.lock().expect("lock").is_empty());
            runner.end(failed(false));
            clock.advance(61);
            let status = link.until("it is given up", |s| s.finished.len() == 1).await;
            assert_eq!(status.finished[0].outcome, FinishedAs::GaveUp);
            link.until("it is told", |s| !s.finished[0].untold).await;
            assert_eq!(*runner.given_up.lock().expect("lock"), [status.finished[0].job.id]);
            clock.advance(3600);
            let status = link.turns().await;
            assert!(status.queue.is_empty() && status.running.is_none(), "not found again: {status:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn that_a_job_was_given_up_is_told_until_it_is_kept_also_by_the_next_service() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = config(dir.path(), "");
    let (host, runner, clock) = (FakeHost::settled(), FakeRunner::default(), Held::at(NOON));
    let told = || runner.given_up.lock().expect("lock").clone();
    host.upgrade("2");
    runner.end(failed(true));
    *runner.deaf.lock().expect("lock") = Some("no space left".into());
    service(&config, &host, &runner, &clock, |mut link: Link| {
        let (clock, told) = (&clock, &told);
        async move {
            let status = link.until("it is given up", |s| s.finished.len() == 1).await;
            assert!(status.finished[0].untold);
            link.until("it is told", |_| told() == [1]).await;
            link.turns().await;
            assert_eq!(told(), [1], "not again at once");
            clock.advance(1801);
            link.until("it is told again", |_| told() == [1, 1]).await;
        }
    })
    .await;
    *runner.deaf.lock().expect("lock") = None;
    // It stops while it tells; the notice is waited for.
    service(&config, &host, &runner, &clock, |mut link: Link| async move {
        link.until("it starts", |s| s.fingerprint.is_some()).await;
    })
    .await;
    assert_eq!(told(), [1, 1, 1]);
    service(&config, &host, &runner, &clock, |mut link: Link| async move {
        link.until("it starts", |s| s.fingerprint.is_some()).await;
        assert!(!link.turns().await.finished[0].untold);
    })
    .await;
    assert_eq!(told(), [1, 1, 1], "it was kept");
}

#[tokio::test]
async fn a_job_that_github_cannot_be_asked_for_waits_out_the_outage() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = config(dir.path(), "attempts = 2\nretry_wait = \"1m\"");
    let (host, runner, clock) = (FakeHost::settled(), FakeRunner::default(), Held::at(NOON));
    host.upgrade("2");
    service(&config, &host, &runner, &clock, |mut link: Link| {
        let (runner, clock) = (&runner, &clock);
        async move {
            for n in 1..=5 {
                runner.end(Ran::PutOff("no connection".into()));
                clock.advance(7201);
                let waits = |s: &tollgate::watch::Status| runner.orders().len() == n && s.queue.len() == 1;
                let status = link.until("it is put off", waits).await;
                assert_eq!((status.queue[0].attempts, status.finished.len()), (0, 0));
                assert_eq!(status.queue[0].last_error.as_deref(), Some("no connection"));
            }
            runner.end(Ran::Dispatched("docker-upgrade".into()));
            clock.advance(7201);
            let status = link.until("GitHub is back", |s| s.finished.len() == 1).await;
            assert_eq!(status.finished[0].outcome, FinishedAs::Dispatched);
        }
    })
    .await;
    assert!(runner.given_up.lock().expect("lock").is_empty());
}

#[tokio::test]
async fn clocks_jump_and_schedules_quiet_hours_and_people_have_their_way() {
    let dir = tempfile::tempdir().expect("a directory");
    let watch = "quiet_hours = [\"02:00-06:00\"]\n[watch.schedules]\nnightly = { cron = \"30 2 * * *\" }";
    let config = config(dir.path(), watch);
    let (host, runner, clock) = (FakeHost::settled(), FakeRunner::default(), Held::at(NOON));
    service(&config, &host, &runner, &clock, |mut link: Link| {
        let (runner, clock) = (&runner, &clock);
        async move {
            link.until("the first look", |s| s.fingerprint.is_some()).await;
            // The host slept over the time of the schedule, and woke in its quiet hours.
            clock.set("2026-11-26T03:00:00Z");
            let status = link.until("the schedule", |s| !s.queue.is_empty()).await;
            assert_eq!(status.queue[0].reason, Reason::Schedule { name: "nightly".into() });
            link.turns().await;
            assert!(runner.orders().is_empty(), "quiet hours");
            // Back by an hour: the schedule is not queued twice, and nothing begins.
            clock.set("2026-11-26T02:00:00Z");
            clock.advance(1800);
            let status = link.turns().await;
            assert_eq!((status.queue.len(), status.running.is_some()), (1, false));
            let said = link.trigger(None).await.expect("heard");
            assert!(said.contains("job 1"), "{said}: the same profile, the same job");
            assert!(said.contains("is in the queue"), "{said}");
            let status = link.until("the job", |s| s.running.is_some()).await;
            assert_eq!(status.running.as_ref().map(|r| r.job.priority), Some(Priority::High));
            let said = link.trigger(None).await.expect("heard");
            assert!(said.contains("job 1 (smoke) runs already"), "{said}");
            runner.judged("1");
            link.until("its end", |s| s.finished.len() == 1).await;
            // Years ahead for a moment, as a machine with an empty battery.
            clock.set("2031-01-01T03:00:00Z");
            link.until("one job, not a thousand", |s| s.queue.len() == 1).await;
            clock.set("2026-11-26T12:00:00Z");
            link.until("it begins, although its time was years ahead", |s| s.running.is_some()).await;
            runner.judged("1");
            link.until("its end", |s| s.finished.len() == 2).await;
            clock.set("2026-11-27T07:00:00Z");
            link.until("the next night", |s| s.running.is_some()).await;
        }
    })
    .await;
    assert_eq!(runner.orders().len(), 3);
}

#[tokio::test]
async fn a_baseline_that_is_too_small_is_filled() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = config(dir.path(), "");
    let (host, runner, clock) = (FakeHost::default(), FakeRunner::default(), Held::at(NOON));
    host.upgrade("1");
    service(&config, &host, &runner, &clock, |mut link: Link| {
        let (host, runner) = (&host, &runner);
        async move {
            for n in 1..=3_usize {
                let status = link.until("a job", |s| s.running.is_some()).await;
                assert_eq!(status.running.as_ref().map(|r| &r.job.reason), Some(&Reason::NoBaseline));
                host.look.lock().expect("lock").accepted = n;
                runner.judged("1");
                link.until("its end", |s| s.finished.len() == n).await;
            }
            let status = link.turns().await;
            assert!(status.queue.is_empty() && status.running.is_none(), "three are enough");
        }
    })
    .await;
}

#[tokio::test]
async fn no_job_begins_before_the_queue_can_be_written_down() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = config(dir.path(), "");
    let (host, runner, clock) = (FakeHost::settled(), FakeRunner::default(), Held::at(NOON));
    let path = dir.path().join("queue.json");
    service(&config, &host, &runner, &clock, |mut link: Link| {
        let (host, runner, path) = (&host, &runner, &path);
        async move {
            link.until("the first look", |s| s.fingerprint.is_some()).await;
            fs::remove_file(path).expect("removed");
            fs::create_dir(path).expect("in the way");
            host.upgrade("2");
            link.wake(Source::Signal).await;
            link.until("the job waits", |s| s.queue.len() == 1).await;
            link.turns().await;
            assert!(runner.orders().is_empty());
            let refused = link.trigger(None).await.expect_err("not written down");
            assert!(refused.contains("queue.json"), "{refused}");
            fs::remove_dir(path).expect("removed");
            link.until("the job", |s| s.running.is_some()).await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_waits_in_the_outbox_is_told_from_time_to_time() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = config(dir.path(), "");
    let (host, runner, clock) = (FakeHost::settled(), FakeRunner::default(), Held::at(NOON));
    service(&config, &host, &runner, &clock, |mut link: Link| {
        let (host, runner, clock) = (&host, &runner, &clock);
        async move {
            let told = || *runner.told.lock().expect("lock");
            clock.advance(3600);
            link.turns().await;
            assert_eq!(told(), 0, "nothing waits");
            *host.outbox.lock().expect("lock") = Outbox { waiting: 1, refused: 0 };
            link.turns().await;
            assert_eq!(told(), 0, "not yet again");
            clock.advance(3600);
            link.turns().await;
            assert_eq!(told(), 1);
        }
    })
    .await;
}

#[tokio::test]
async fn daemon_json_the_package_database_and_a_signal_wake_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path().join("root");
    let path = |name: &str| root.join(name);
    for made in ["etc/docker", "var/lib/dpkg", "boot", "lib/modules"] {
        fs::create_dir_all(path(made)).expect("made");
    }
    let files = ["etc/docker/daemon.json", "var/lib/dpkg/status", "boot", "lib/modules"].map(path);
    let watch = format!("debounce = \"1s\"\nfiles = {files:?}");
    let config = config(&dir.path().join("state"), &watch);
    let (host, runner) = (FakeHost::settled(), FakeRunner::default());
    let clock = std::sync::Arc::new(tollgate::notify::SystemClock);
    let parts = tollgate::service::Parts { config: &config, host: &host, runner: &runner, clock, seed: 7 };
    let opened = Service::open(parts).expect("opened");
    let _sources = Sources::start(&config, &opened).expect("started");
    let mut link = Link::to(&opened);
    let cancel = tokio_util::sync::CancellationToken::new();
    let acting = async {
        link.until("the first look", |s| s.fingerprint.is_some()).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let mut files = 0;
        for (file, text) in
            [("etc/docker/daemon.json", "{}"), ("var/lib/dpkg/status", "x"), ("boot/vmlinuz-6", "")]
        {
            let before = host.looks();
            let new = path(&format!("{file}.new"));
            fs::write(&new, text).expect("written");
            fs::rename(&new, path(file)).expect("replaced");
            let heard = |s: &tollgate::watch::Status| s.wakeups.get("file").copied().unwrap_or(0) > files;
            let status = link.until("the file", heard).await;
            files = status.wakeups["file"];
            link.until("a look", |_| host.looks() > before).await;
        }
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::HUP).expect("sent");
        link.until("the signal", |s| s.wakeups.contains_key("signal")).await;
        cancel.cancel();
    };
    let (ran, ()) = tokio::join!(opened.run(&cancel), acting);
    ran.expect("it ends well");
    assert!(runner.orders().is_empty(), "no component changed");
}
