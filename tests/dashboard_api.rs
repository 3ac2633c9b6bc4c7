//! The JSON API and the metrics over a real connection, and that docs/api.md tells of all of it.

#[path = "common/dashboard.rs"]
mod dashboard;
#[path = "common/openmetrics.rs"]
mod openmetrics;
#[path = "common/recorded.rs"]
mod recorded;

use dashboard::{Dashboard, Setup, busy};
use recorded::{Recorded, id};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use tollgate::service::http::ROUTES;

const GROUP: &str = "class=amd-epyc-2c-24g&profile=smoke";
const NAT: &str = "&workload=rr&case=tcp&metric=p50&environment=docker%2Bnat";

async fn regressed() -> Dashboard {
    let setup = Setup { status: busy(), ..Setup::regressed() };
    std::fs::write(setup.config.state.join("alerts.json"), dashboard::alerts()).expect("written");
    setup.start().await
}

/// The document, in which numbers have three digits so that a snapshot tells what matters.
async fn ask(at: &Dashboard, path: &str) -> Value {
    let answer = at.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
    rounded(answer.json())
}

fn rounded(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(rounded).collect(),
        Value::Object(map) => Value::Object(map.into_iter().map(|(k, v)| (k, rounded(v))).collect()),
        Value::Number(n) if n.is_f64() => {
            let x = n.as_f64().expect("a float");
            format!("{x:.2e}").parse::<f64>().map_or(Value::Null, |x| json!(x))
        }
        other => other,
    }
}

#[tokio::test]
async fn the_documents() {
    let at = regressed().await;
    insta::assert_json_snapshot!("status", ask(&at, "/api/v1/status").await);
    insta::assert_json_snapshot!("groups", ask(&at, "/api/v1/groups").await);
    insta::assert_json_snapshot!("history", ask(&at, &format!("/api/v1/history?{GROUP}{NAT}")).await);
    let compare = format!("/api/v1/compare?from={}&to={}", id(5), id(8));
    let mut compared = ask(&at, &compare).await;
    compared["rows"].as_array_mut().expect("rows").retain(|r| r["kind"] == "component");
    insta::assert_json_snapshot!("compare", compared);
    insta::assert_json_snapshot!("sweeps", ask(&at, &format!("/api/v1/sweeps?{GROUP}&limit=2")).await);
    insta::assert_json_snapshot!("alerts", ask(&at, "/api/v1/alerts").await);
    at.stop().await;
}

#[tokio::test]
async fn verdicts_are_those_of_the_fresh_sweeps_too() {
    let at = regressed().await;
    let group = ask(&at, &format!("/api/v1/group?{GROUP}")).await;
    assert_eq!(group["verdicts"]["decision"], "regressed");
    let rows = group["metrics"].as_array().expect("rows");
    let of = |environment: &str| {
        let found =
            |r: &&Value| r["workload"] == "rr" && r["case"] == "tcp" && r["environment"] == environment;
        rows.iter().filter(found).collect::<Vec<_>>()
    };
    assert!(!of("docker+nat").is_empty());
    assert!(of("docker+nat").iter().any(|r| r["verdict"] == "regressed"));
    assert!(of("docker").iter().all(|r| r["verdict"] != "regressed"));
    assert!(of("native").iter().all(|r| r["verdict"].is_null() && r["median"].as_f64().is_some()));
    // The whole document of a sweep is the one of `gate`.
    let sweep = ask(&at, &format!("/api/v1/sweeps/{}", id(8))).await;
    assert_eq!((&sweep["decision"], &sweep["sweep"]), (&json!("regressed"), &json!(id(8))));
    let rounds = ask(&at, &format!("/api/v1/rounds?{GROUP}{NAT}&rounds={}", id(8))).await;
    let values = rounds["values"].as_array().expect("rounds");
    assert!(!values.is_empty() && values.len() == rounds["native"].as_array().expect("native").len());
    at.stop().await;
}

#[tokio::test]
async fn what_is_not_there_is_said_in_json() {
    let at = regressed().await;
    for (path, status) in [
        ("/api/v1/sweeps/20200101T000000Z-000000".to_owned(), 404),
        ("/api/v1/sweeps/a%20b".to_owned(), 404),
        ("/api/v1/group?class=x&profile=y".to_owned(), 404),
        ("/api/v1/group".to_owned(), 400),
        (format!("/api/v1/history?{GROUP}&workload=a&case=b&metric=c"), 404),
        (format!("/api/v1/history?{GROUP}{NAT}&last=none"), 400),
        (format!("/api/v1/history?{GROUP}&workload=rr&case=tcp&metric=p50&environment=podman"), 400),
        (format!("/api/v1/rounds?{GROUP}{NAT}"), 400),
        (format!("/api/v1/compare?from={}", id(1)), 400),
        ("/api/v1/nothing".to_owned(), 404),
    ] {
        let answer = at.get(&path).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert!(answer.json()["error"].is_string(), "{path}");
    }
    at.stop().await;
}

/// Waits until the pages look at the store again.
async fn later() {
    tokio::time::sleep(Duration::from_millis(1100)).await;
}

#[tokio::test]
async fn the_index_follows_the_store() {
    let setup = Setup::empty();
    let (sweeps, baselines) = (setup.sweeps(), setup.baselines());
    let at = setup.start().await;
    let count = async || {
        later().await;
        let groups = ask(&at, "/api/v1/groups").await;
        let group = &groups["groups"][0];
        (
            group["sweeps"].as_u64(),
            group["accepted"].as_u64(),
            groups["damaged"].as_object().map(serde_json::Map::len),
        )
    };
    assert_eq!(count().await, (None, None, Some(0)));
    let one = Recorded { hour: 1, engine: "20.10.24", nat: 1.0 };
    let path = one.write(&sweeps);
    assert_eq!(count().await, (Some(1), Some(0), Some(0)));
    one.accept(&baselines);
    assert_eq!(count().await, (Some(1), Some(1), Some(0)));
    // Rejected: the measured one stays.
    let accepted = baselines.join("amd-epyc-2c-24g/smoke").join(format!("{}.json", id(1)));
    std::fs::remove_file(accepted).expect("rejected");
    assert_eq!(count().await, (Some(1), Some(0), Some(0)));
    // A file that is none, and one with the name of another sweep.
    std::fs::write(sweeps.join(format!("{}.json", id(2))), "{").expect("written");
    std::fs::copy(&path, sweeps.join(format!("{}.json", id(3)))).expect("copied");
    assert_eq!(count().await, (Some(1), Some(0), Some(2)));
    Recorded { hour: 2, ..one }.write(&sweeps);
    std::fs::remove_file(sweeps.join(format!("{}.json", id(3)))).expect("removed");
    assert_eq!(count().await, (Some(2), Some(0), Some(0)));
    std::fs::remove_file(path).expect("removed");
    assert_eq!(count().await, (Some(1), Some(0), Some(0)));
    at.stop().await;
}

#[tokio::test]
async fn metrics_are_read_by_a_strict_reader() {
    let mut setup = Setup { status: busy(), ..Setup::regressed() };
    setup.status.wakeups.insert("a\"b\\c\nd".into(), 3);
    let at = setup.start().await;
    let answer = at.get("/metrics").await;
    assert!(
        answer
            .header("content-type")
            .is_some_and(|t| t.starts_with("application/openmetrics-text; version=1.0.0"))
    );
    let families = openmetrics::parse(&answer.body).expect("strict");
    let described: Vec<String> = families
        .iter()
        .map(|(name, f)| {
            let labels: BTreeSet<&String> = f.samples.iter().flat_map(|(l, _)| l.keys()).collect();
            format!("{name} {} {:?} {labels:?}: {}", f.kind, f.unit, f.help)
        })
        .collect();
    insta::assert_snapshot!("families", described.join("\n"));
    let value = |family: &str, of: &[(&str, &str)]| {
        let has = |labels: &std::collections::BTreeMap<String, String>| {
            of.iter().all(|(k, v)| labels.get(*k).is_some_and(|l| l == v))
        };
        let found: Vec<f64> =
            families[family].samples.iter().filter(|(l, _)| has(l)).map(|(_, v)| *v).collect();
        assert_eq!(found.len(), 1, "{family} {of:?}");
        found[0]
    };
    let nat = [("environment", "docker+nat"), ("workload", "rr"), ("case", "tcp"), ("metric", "p50")];
    assert!(value("tollgate_toll_ratio", &nat) > 0.3);
    assert!(value("tollgate_verdicts", &[("verdict", "regressed")]) >= 1.0);
    assert!((value("tollgate_sweeps", &[("accepted", "true")]) - 6.0).abs() < 1e-9);
    assert!((value("tollgate_queue_jobs", &[]) - 2.0).abs() < 1e-9);
    assert!((value("tollgate_outbox_jobs", &[("state", "refused")]) - 1.0).abs() < 1e-9);
    assert!(value("tollgate_last_job_timestamp_seconds", &[("outcome", "judged")]) > 1.7e9);
    // Controls are made visible, quotes and backslashes escaped.
    assert!((value("tollgate_wakeups", &[("source", "a\"b\\c d")]) - 3.0).abs() < 1e-9);
    at.stop().await;
}

#[test]
fn the_strict_reader_is_strict() {
    let good = "# HELP a Words.\n# TYPE a gauge\na{b=\"c\\\"\"} 1.5\na 2\n# EOF\n";
    assert_eq!(openmetrics::parse(good).expect("good")["a"].samples.len(), 2);
    for bad in [
        "# HELP a W.\n# TYPE a gauge\na 1\n",
        "# HELP a W.\n# TYPE a gauge\na 1\na 1\n# EOF\n",
        "# HELP a W.\n# TYPE a counter\na 1\n# EOF\n",
        "# HELP a W.\n# TYPE a gauge\na{b=\"c\"d\"} 1\n# EOF\n",
        "# HELP a W.\n# TYPE a gauge\na{b=\"\\x\"} 1\n# EOF\n",
        "# HELP a W.\n# TYPE a gauge\na{b=\"c\",b=\"d\"} 1\n# EOF\n",
        "# TYPE a gauge\na 1\n# EOF\n",
        "a 1\n# EOF\n",
        "# HELP a W.\n# TYPE a gauge\na one\n# EOF\n",
    ] {
        assert!(openmetrics::parse(bad).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn every_route_answers_and_is_documented() {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/api.md")).expect("docs/api.md");
    let documented: BTreeSet<(&str, &str)> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`')?.0.split_once(' '))
        .filter(|(method, _)| ["GET", "POST"].contains(method))
        .collect();
    assert_eq!(documented, BTreeSet::from(ROUTES));
    let at = regressed().await;
    let query = |path: &str| match path {
        "/group" | "/api/v1/group" => format!("{path}?{GROUP}"),
        "/metric" | "/api/v1/history" => format!("{path}?{GROUP}{NAT}"),
        "/api/v1/rounds" => format!("{path}?{GROUP}{NAT}&rounds={}", id(8)),
        "/api/v1/compare" => format!("{path}?from={}&to={}", id(1), id(8)),
        _ => path.replace("{id}", &id(8)),
    };
    for (method, path) in ROUTES.into_iter().filter(|(_, p)| !p.ends_with("/live") && !p.ends_with("/events"))
    {
        let answer = if method == "GET" { at.get(&query(path)).await } else { at.post(path, "", b"").await };
        // Without a secret there is no hook.
        let expected = if path == "/hook" { 404 } else { 200 };
        assert_eq!(answer.status, expected, "{path}: {}", answer.body);
    }
    at.stop().await;
}
