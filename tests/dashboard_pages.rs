//! The pages over a real connection: what they say, that links lead somewhere, and that hostile names stay text.

#[path = "common/dashboard.rs"]
mod dashboard;
#[path = "common/recorded.rs"]
mod recorded;

use dashboard::{Dashboard, Setup, busy, idle, job};
use recorded::{Recorded, id};
use serde_json::json;
use std::collections::BTreeSet;
use tollgate::service::http::Tracker;
use tollgate::watch::{Candidate, Reason, Status};

const GROUP: &str = "class=amd-epyc-2c-24g&profile=smoke";

/// One element a line.
fn readable(page: &str) -> String {
    page.replace("><", ">\n<")
}

async fn regressed() -> Dashboard {
    let setup = Setup { status: busy(), ..Setup::regressed() };
    std::fs::write(setup.config.state.join("alerts.json"), dashboard::alerts()).expect("written");
    setup.start().await
}

#[tokio::test]
async fn what_the_pages_say() {
    let at = regressed().await;
    let pages = [
        ("overview", "/".to_owned()),
        ("queue", "/queue".to_owned()),
        ("alerts", "/alerts".to_owned()),
        ("metric", format!("/metric?{GROUP}&workload=rr&case=tcp&metric=p50&environment=docker%2Bnat")),
    ];
    for (name, path) in pages {
        insta::assert_snapshot!(name, readable(&at.page(&path).await));
    }
    at.stop().await;
}

#[tokio::test]
async fn an_empty_service_says_what_to_do() {
    let at = Setup::empty().start().await;
    insta::assert_snapshot!("empty", readable(&at.page("/").await));
    assert!(at.page("/alerts").await.contains("No alert"));
    assert!(at.page("/compare").await.contains("There is no sweep to compare"));
    assert!(at.page("/queue").await.contains("Nothing waits"));
    at.stop().await;
}

#[tokio::test]
async fn where_alerts_are_issues_nothing_is_said_of_what_stands() {
    let repository = "owner/name".parse().expect("a repository");
    let tracker = Some(Tracker { repository, api_url: "https://api.github.com".into() });
    let setup = Setup { tracker, ..Setup::empty() };
    std::fs::create_dir_all(&setup.config.state).expect("made");
    // Of the time before there was a repository.
    std::fs::write(setup.config.state.join("alerts.json"), dashboard::alerts()).expect("written");
    let at = setup.start().await;
    let page = at.page("/alerts").await;
    let issues = "https://github.com/owner/name/issues?q=is%3Aissue+label%3Atollgate";
    assert!(page.contains(&issues.replace('&', "&amp;")) && page.contains("not known here"), "{page}");
    for wrong in ["nothing stands", "No alert", "1 open", "docker+nat"] {
        assert!(!page.contains(wrong), "{wrong}: {page}");
    }
    let document = at.get("/api/v1/alerts").await.json();
    assert_eq!(document["kept"], "github", "{document}");
    assert_eq!((&document["tracker"], &document["alerts"]), (&json!(issues), &json!([])));
    at.stop().await;
}

/// Addresses of a page, as a browser would follow them.
fn links(page: &str) -> BTreeSet<String> {
    page.split("href=\"")
        .skip(1)
        .filter_map(|rest| rest.split_once('"').map(|(link, _)| link.replace("&amp;", "&")))
        .filter(|link| link.starts_with('/'))
        .map(|link| link.split('#').next().unwrap_or_default().to_owned())
        .collect()
}

#[tokio::test]
async fn every_link_leads_somewhere() {
    let at = regressed().await;
    let mut seen = BTreeSet::from(["/".to_owned()]);
    let mut next = vec!["/".to_owned()];
    while let Some(path) = next.pop() {
        let answer = at.get(&path).await;
        // The job that ended long ago names a sweep of which only a part is kept here.
        assert_eq!(answer.status, 200, "{path}");
        // Of the many metrics and rounds a few: every page of a kind is made by the same code.
        for link in links(&answer.body) {
            let kind = link.split('?').next().unwrap_or_default().to_owned();
            let of_kind = seen.iter().filter(|s| s.starts_with(&format!("{kind}?"))).count();
            if of_kind < 12 && seen.insert(link.clone()) {
                next.push(link);
            }
        }
    }
    for kind in ["/group?", "/metric?", "/sweep/", "/compare?", "/queue", "/alerts", "/api/v1/history?"] {
        assert!(seen.iter().any(|s| s.starts_with(kind)), "{kind} is not linked: {seen:?}");
    }
    at.stop().await;
}

#[tokio::test]
async fn rounds_come_on_demand() {
    let at = regressed().await;
    let metric = format!("/metric?{GROUP}&workload=rr&case=tcp&metric=p50&environment=docker%2Bnat");
    assert!(!at.page(&metric).await.contains("Rounds of"));
    let with = at.page(&format!("{metric}&rounds={}", id(8))).await;
    assert!(
        with.contains("Rounds of <a")
            && with.contains("in the same round")
            && with.contains("class=\"chosen\"")
    );
    let part = at.page(&format!("{metric}&rounds={}&part=rounds", id(8))).await;
    assert!(part.starts_with("<section>") && !part.contains("<html"), "{part}");
    assert_eq!(at.get(&format!("{metric}&part=rounds")).await.status, 400);
    // Without an environment the one that pays most.
    let any = at.page(&format!("/metric?{GROUP}&workload=rr&case=tcp&metric=p50")).await;
    assert!(any.contains("aria-current=\"page\""));
    at.stop().await;
}

const EVIL: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u{202e}&";

fn evil_status() -> Status {
    let mut evil = job(1, Reason::Trigger { by: EVIL.into() });
    evil.profile = EVIL.into();
    evil.last_error = Some(EVIL.into());
    let component = tollgate::model::Component::Kernel;
    Status {
        queue: vec![evil],
        candidates: vec![Candidate {
            component,
            installed: Some(EVIL.into()),
            offered: EVIL.into(),
            source: EVIL.into(),
            url: Some("javascript:alert(3)".into()),
            seen_at: dashboard::now(),
        }],
        wakeups: std::collections::BTreeMap::from([(EVIL.into(), 1)]),
        ..idle()
    }
}

#[tokio::test]
async fn hostile_names_are_shown_and_not_run() {
    let setup = Setup { status: evil_status(), ..Setup::empty() };
    let recorded = Recorded { hour: 1, engine: EVIL, nat: 1.0 };
    for hour in [1, 2] {
        let mut sweep = Recorded { hour, ..recorded }.sweep();
        sweep["profile"] = json!(EVIL);
        sweep["fingerprint"]["context"][EVIL] = json!(EVIL);
        for part in ["series", "cells"] {
            for item in sweep[part].as_array_mut().expect("a list") {
                for name in ["workload", "case", "metric", "unit", "reason"] {
                    if item.get(name).is_some() {
                        item[name] = json!(EVIL);
                    }
                }
            }
            let items = sweep[part].as_array_mut().expect("a list");
            let mut environments = BTreeSet::new();
            items.retain(|i| environments.insert(i["environment"].to_string()));
        }
        std::fs::create_dir_all(setup.sweeps()).expect("made");
        std::fs::write(setup.sweeps().join(format!("{}.json", id(hour))), sweep.to_string())
            .expect("written");
    }
    let at = setup.start().await;
    let overview = at.page("/").await;
    let group = links(&overview).into_iter().find(|l| l.starts_with("/group?")).expect("the group");
    let metric =
        links(&at.page(&group).await).into_iter().find(|l| l.starts_with("/metric?")).expect("a metric");
    let compare = format!("/compare?from={}&to={}", id(1), id(2));
    let sweep = format!("/sweep/{}", id(2));
    let rounds = format!("{metric}&rounds={}", id(2));
    for path in ["/", "/queue", &group, &metric, &rounds, &compare, &sweep] {
        let page = at.page(path).await;
        assert!(page.contains("&lt;script&gt;alert(1)"), "{path} does not show it");
        for bad in ["<script>", "<img src=x", "\u{202e}", "javascript:"] {
            assert!(!page.contains(bad), "{path}: {bad}");
        }
        assert_eq!(page.matches("<script").count(), 1, "{path}: only our own");
    }
    at.stop().await;
}

#[tokio::test]
async fn pages_load_nothing_from_elsewhere() {
    let at = regressed().await;
    let metric = format!("/metric?{GROUP}&workload=rr&case=tcp&metric=p50&rounds={}", id(8));
    let sweep = format!("/sweep/{}", id(8));
    for path in ["/", "/queue", "/compare", "/alerts", &format!("/group?{GROUP}"), &metric, &sweep] {
        let page = at.page(path).await;
        for bad in [
            "src=\"http",
            "<link rel=\"stylesheet\" href=\"http",
            "url(",
            "@import",
            " style=",
            "onclick",
            "<style",
        ] {
            assert!(!page.contains(bad), "{path}: {bad}");
        }
    }
    assert!(!at.page("/style.css").await.contains("url("));
    at.stop().await;
}
