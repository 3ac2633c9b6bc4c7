//! When the service tells what is offered: after its start, when it has changed, and never at the cost of a job.

#[path = "common/watching.rs"]
mod watching;

use serde_json::json;
use tollgate::alert::candidates::Statement;
use tollgate::service::follow::Feeds;
use tollgate::watch::Source;
use watching::{FakeHost, FakeRunner, HANGS, Held, Link, config, service};

const NOON: &str = "2026-11-25T12:00:00Z";

/// What moby offers, beside a kernel.org that was heard or not.
fn feeds(version: &str, kernel_heard: bool) -> Feeds {
    let offer = json!({ "component": "docker-engine", "version": version, "installed": null, "url": null,
                        "seen_at": NOON });
    let feeds = json!({ "moby": { "heard": true, "offers": [offer] }, "kernel": { "heard": kernel_heard } });
    serde_json::from_value(feeds).expect("feeds")
}

/// Settings that [`config`] has already are replaced.
fn settings(dir: &std::path::Path, more: &str) -> tollgate::config::Config {
    let mut config = config(dir, more);
    config.watch.follow = vec![tollgate::config::Feed::Moby, tollgate::config::Feed::Kernel];
    config
}

fn told(runner: &FakeRunner) -> Vec<Statement> {
    runner.offered.lock().expect("lock").clone()
}

fn versions(statement: &Statement) -> Vec<&str> {
    statement.candidates.iter().map(|c| c.offered.as_str()).collect()
}

async fn until_told(link: &mut Link, runner: &FakeRunner, times: usize) {
    link.until("it is told", |_| told(runner).len() >= times).await;
    let now = told(runner);
    assert_eq!(now.len(), times, "{now:?}");
}

#[tokio::test]
async fn what_is_offered_is_told_after_the_start_and_when_it_changes() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = settings(dir.path(), "");
    let (host, runner, clock) = (FakeHost::settled(), FakeRunner::default(), Held::at(NOON));
    service(&config, &host, &runner, &clock, |mut link: Link| {
        let (runner, clock) = (&runner, &clock);
        async move {
            link.turns().await;
            assert!(told(runner).is_empty(), "before any feed was heard nothing is known");
            link.offers.send_replace(feeds("2.0.0", false));
            until_told(&mut link, runner, 1).await;
            link.offers.send_replace(feeds("2.0.0", true));
            until_told(&mut link, runner, 2).await;
            clock.advance(3600);
            link.wake(Source::Signal).await;
            link.turns().await;
            link.turns().await;
            assert_eq!(told(runner).len(), 2, "the same is told once");
            link.offers.send_replace(feeds("2.0.1", true));
            until_told(&mut link, runner, 3).await;
        }
    })
    .await;
    let told = told(&runner);
    assert_eq!(told[0].unheard.iter().collect::<Vec<_>>(), ["kernel"]);
    assert!(told[1].unheard.is_empty());
    assert_eq!([versions(&told[1]), versions(&told[2])], [["2.0.0"], ["2.0.1"]]);
    assert_eq!(told[2].components, watching::engine("1"));
    // The next service tells it once more: nothing remembers what the last one told.
    service(&config, &host, &runner, &clock, |mut link: Link| {
        let runner = &runner;
        async move {
            link.offers.send_replace(feeds("2.0.1", true));
            until_told(&mut link, runner, 4).await;
        }
    })
    .await;
}

#[tokio::test]
async fn an_upgrade_is_a_candidate_until_it_is_measured() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = settings(dir.path(), "");
    let (host, runner, clock) = (FakeHost::settled(), FakeRunner::default(), Held::at(NOON));
    service(&config, &host, &runner, &clock, |mut link: Link| {
        let (host, runner) = (&host, &runner);
        async move {
            link.offers.send_replace(feeds("2", true));
            until_told(&mut link, runner, 1).await;
            host.upgrade("2");
            link.wake(Source::Signal).await;
            let status = link.until("the job", |s| s.running.is_some()).await;
            assert!(status.candidates.is_empty(), "{status:?}");
            link.wake(Source::Signal).await;
            link.turns().await;
            assert_eq!(told(runner).len(), 1, "it is not measured yet");
            runner.judged("2");
            until_told(&mut link, runner, 2).await;
        }
    })
    .await;
    let told = told(&runner);
    assert!(told[1].candidates.is_empty());
    assert_eq!(told[1].components, watching::engine("2"));
}

#[tokio::test]
async fn telling_that_fails_or_hangs_holds_up_no_job() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = settings(dir.path(), "");
    let (host, runner, clock) = (FakeHost::settled(), FakeRunner::default(), Held::at(NOON));
    *runner.deaf.lock().expect("lock") = Some("no space left".to_owned());
    service(&config, &host, &runner, &clock, |mut link: Link| {
        let (host, runner, clock) = (&host, &runner, &clock);
        async move {
            link.offers.send_replace(feeds("9.0.0", true));
            until_told(&mut link, runner, 1).await;
            for _ in 0..3 {
                link.wake(Source::Signal).await;
                link.turns().await;
            }
            assert_eq!(told(runner).len(), 1, "not at full speed");
            *runner.deaf.lock().expect("lock") = Some(HANGS.to_owned());
            clock.advance(1801);
            link.wake(Source::Signal).await;
            until_told(&mut link, runner, 2).await;
            host.upgrade("2");
            link.wake(Source::Signal).await;
            link.until("the job begins all the same", |s| s.running.is_some()).await;
            runner.judged("2");
            link.until("and ends", |s| s.finished.len() == 1 && s.running.is_none()).await;
        }
    })
    .await;
}

#[tokio::test]
async fn without_notices_nothing_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = settings(dir.path(), "notices = false");
    let (host, runner, clock) = (FakeHost::settled(), FakeRunner::default(), Held::at(NOON));
    service(&config, &host, &runner, &clock, |mut link: Link| async move {
        link.offers.send_replace(feeds("2.0.0", true));
        link.wake(Source::Signal).await;
        link.until("it is shown", |s| !s.candidates.is_empty()).await;
        link.turns().await;
    })
    .await;
    assert!(told(&runner).is_empty());
}
