//! Webhooks with the real program: without GitHub the memory is a file of the host, and a receiver that is down gets what it
//! missed, in order and signed.

#[path = "common/recorded.rs"]
mod recorded;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use hmac::{Hmac, KeyInit as _, Mac as _};
use recorded::Recorded;
use serde_json::Value;
use sha2::Sha256;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::{Arc, Mutex};

type Inbox = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

const SECRET: &str = "correct horse battery staple";
const PATH: &str = "/services/T00/B00/s3cr3t-of-the-address";
const POLICY: &str = "[alert.webhook.ops]\nurl_env = \"OPS_WEBHOOK_URL\"\nsecret_env = \"OPS_SECRET\"\n\
                      [alert.webhook.chat]\nurl_env = \"OPS_WEBHOOK_URL\"\nformat = \"slack\"\n";

/// Receives at an address until the test ends.
fn receive(at: SocketAddr) -> Inbox {
    let inbox: Inbox = Arc::default();
    let listener = TcpListener::bind(at).expect("the port");
    listener.set_nonblocking(true).expect("a socket");
    let state = Arc::clone(&inbox);
    std::thread::spawn(move || {
        let take = |State(inbox): State<Inbox>, headers: HeaderMap, body: Bytes| async move {
            inbox.lock().expect("an inbox").push((headers, body));
            StatusCode::NO_CONTENT
        };
        let app = Router::new().route(PATH, post(take)).with_state(state);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
            axum::serve(listener, app).await.expect("serves");
        });
    });
    inbox
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn run(dir: &Path, at: SocketAddr, args: &[&str], files: &[PathBuf]) -> Output {
    let mut command = recorded::tollgate(dir);
    command.args(args).args(files);
    command.env("OPS_WEBHOOK_URL", format!("http://{at}{PATH}")).env("OPS_SECRET", SECRET);
    command.output().expect("runs")
}

#[test]
fn a_receiver_that_was_down_gets_each_notice_once_in_order_and_signed() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    std::fs::create_dir_all(dir.join("alerts")).expect("made");
    std::fs::write(dir.join("alerts/policy.toml"), POLICY).expect("written");
    for hour in 0..3 {
        Recorded { hour, engine: "20.10.24+dfsg1", nat: 1.0 }.accept(&dir.join("baselines"));
    }
    let mut hour = 3;
    let mut gate = |at, nat| {
        let files: Vec<PathBuf> = (0..3)
            .map(|n| Recorded { hour: hour + n, engine: "26.1.5", nat }.write(&dir.join("rec")))
            .collect();
        hour += 3;
        run(dir, at, &["gate", "--notify", "--replay"], &files)
    };
    let at = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port");
    let down = gate(at, 1.15);
    assert_eq!(down.status.code(), Some(1), "{}", text(&down));
    assert!(text(&down).contains("waiting in the outbox: webhook ops"), "{}", text(&down));

    let inbox = receive(at);
    let back = gate(at, 1.0);
    assert_eq!(back.status.code(), Some(0), "{}", text(&back));
    let again = run(dir, at, &["notify"], &[]);
    assert_eq!(String::from_utf8_lossy(&again.stdout), "nothing to say\n");

    let inbox = inbox.lock().expect("an inbox");
    let (signed, chat): (Vec<_>, Vec<_>) =
        inbox.iter().partition(|(headers, _)| headers.contains_key("x-tollgate-signature-256"));
    let documents: Vec<Value> =
        signed.iter().map(|(_, body)| serde_json::from_slice(body).expect("JSON")).collect();
    let transitions: Vec<&str> = documents.iter().filter_map(|d| d["transition"].as_str()).collect();
    assert_eq!(transitions, ["opened", "recovering"]);
    for ((headers, body), document) in signed.iter().zip(&documents) {
        let header = |name: &str| headers[name].to_str().expect("text").to_owned();
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key");
        mac.update(format!("{}.", header("x-tollgate-timestamp")).as_bytes());
        mac.update(body);
        let signature = header("x-tollgate-signature-256");
        let hex = signature.strip_prefix("sha256=").expect("an algorithm").as_bytes();
        let byte =
            |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("text"), 16).expect("hex");
        let bytes: Vec<u8> = hex.chunks(2).map(byte).collect();
        mac.verify_slice(&bytes).expect("the signature fits the body");
        assert_eq!(document["delivery"].as_str(), Some(header("x-tollgate-delivery").as_str()));
    }
    assert_eq!(chat.len(), 2);
    let first: Value = serde_json::from_slice(&chat[0].1).expect("JSON");
    assert!(
        first["text"].as_str().is_some_and(|t| t.contains("opened") && t.contains("rr/tcp/p50")),
        "{first}"
    );
    let said = text(&down) + &text(&back);
    assert!(!said.contains("s3cr3t") && !said.contains(SECRET), "a secret in the output");
    let memory = std::fs::read_to_string(dir.join("state/alerts.json")).expect("the memory");
    assert!(memory.contains("docker+nat") && !memory.contains("s3cr3t"));
}
