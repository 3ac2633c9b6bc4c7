//! Whoever means no good, over real connections: refused, counted, and nobody else waits for it.

#[path = "common/dashboard.rs"]
mod dashboard;
#[path = "common/recorded.rs"]
mod recorded;

use dashboard::{Answer, Dashboard, Setup};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tollgate::model::hex;
use tollgate::notify::Secret;
use tollgate::service::http::{HttpError, Limits};
use tollgate::watch::Source;

const SECRET: &str = "a secret of the hook";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn hooked() -> Setup {
    Setup { hook_secret: Some(Secret::new(SECRET)), ..Setup::empty() }
}

fn sign(secret: &str, body: &[u8]) -> String {
    let mut mac = <Hmac<Sha256>>::new_from_slice(secret.as_bytes()).expect("any length");
    mac.update(body);
    format!("x-hub-signature-256: sha256={}\r\n", hex(&mac.finalize().into_bytes()))
}

async fn hook(at: &Dashboard, secret: &str, delivery: &str, body: &[u8]) -> Answer {
    let fields = format!("x-github-delivery: {delivery}\r\n{}", sign(secret, body));
    at.post("/hook", &fields, body).await
}

async fn refused(at: &Dashboard, reason: &str) -> f64 {
    at.metric(&format!("tollgate_http_refused_total{{reason=\"{reason}\"}}")).await
}

#[tokio::test]
async fn a_signed_hook_wakes_once_and_a_replay_does_not() {
    let mut at = hooked().start().await;
    let answer = hook(&at, SECRET, "d-1", b"{\"ref\":\"main\"}").await;
    assert_eq!((answer.status, answer.body.as_str()), (202, "{\"woken\":\"the host is looked at\"}"));
    let woken = at.woken.try_recv().expect("woken");
    assert_eq!((woken.source, woken.force, woken.profile), (Source::Hook, false, None));
    assert_eq!(woken.delivery.as_deref(), Some("d-1"));
    // The same again; the same under another delivery, which is not signed; another body under the same delivery.
    assert_eq!(hook(&at, SECRET, "d-1", b"{\"ref\":\"main\"}").await.status, 409);
    assert_eq!(hook(&at, SECRET, "d-2", b"{\"ref\":\"main\"}").await.status, 409);
    assert_eq!(hook(&at, SECRET, "d-1", b"{\"ref\":\"other\"}").await.status, 409);
    assert!(at.woken.try_recv().is_err());
    assert_eq!(refused(&at, "replay").await.to_bits(), 3_f64.to_bits());
    assert_eq!(hook(&at, SECRET, "d-3", b"{}").await.status, 202);
    at.stop().await;
}

#[tokio::test]
async fn a_hook_whose_sender_does_not_wait_is_not_remembered_without_waking() {
    let mut at = Setup { wakeups: 64, ..hooked() }.start().await;
    let mut known = 0;
    for n in 0..20 {
        let (delivery, body) = (format!("d-{n}"), format!("{n}"));
        let signed = sign(SECRET, body.as_bytes());
        let mut stream = TcpStream::connect(at.address).await.expect("connected");
        let request = format!(
            "POST /hook HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\nx-github-delivery: {delivery}\r\n\
             {signed}\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.expect("sent");
        drop(stream);
        tokio::time::sleep(Duration::from_millis(50)).await;
        // Whether the service heard enough of it or not: it is woken once by the first or by the second try.
        let again = hook(&at, SECRET, &delivery, body.as_bytes()).await.status;
        assert!([202, 409].contains(&again), "{again}");
        known += usize::from(again == 409);
        let woken = at.woken.try_recv().map(|wake| wake.delivery);
        assert_eq!(woken, Ok(Some(delivery)), "{again}");
        assert!(at.woken.try_recv().is_err());
    }
    assert!(known > 0, "no first try was heard, so that nothing was tested");
    at.stop().await;
}

#[tokio::test]
async fn a_replay_is_known_after_a_restart() {
    let setup = hooked();
    let state = setup.config.state.clone();
    let at = setup.start().await;
    assert_eq!(hook(&at, SECRET, "d-1", b"{}").await.status, 202);
    let dir = at.stop_and_keep().await;
    let mut again = hooked();
    again.config.state = state;
    let at = again.start().await;
    assert_eq!(hook(&at, SECRET, "d-9", b"{}").await.status, 409);
    at.stop().await;
    drop(dir);
}

#[tokio::test]
async fn wrong_signatures_wake_nobody() {
    let mut at = hooked().start().await;
    let body = b"{}";
    assert_eq!(hook(&at, "another secret", "d-1", body).await.status, 401);
    let delivery = "x-github-delivery: d-1\r\n";
    let unsigned = at.post("/hook", delivery, body).await;
    assert_eq!(unsigned.status, 401);
    let of_another = format!("{delivery}{}", sign(SECRET, b"[]"));
    assert_eq!(at.post("/hook", &of_another, body).await.status, 401);
    let old = format!("{delivery}x-hub-signature: sha1={}\r\n", "0".repeat(40));
    assert_eq!(at.post("/hook", &old, body).await.status, 401);
    assert_eq!(refused(&at, "signature").await.to_bits(), 4_f64.to_bits());
    // Signed, but without an identity.
    assert_eq!(at.post("/hook", &sign(SECRET, body), body).await.status, 400);
    assert_eq!(refused(&at, "malformed").await.to_bits(), 1_f64.to_bits());
    assert_eq!(at.get("/hook").await.status, 405);
    assert!(at.woken.try_recv().is_err());
    at.stop().await;
}

#[tokio::test]
async fn without_a_secret_there_is_no_hook() {
    let at = Setup::empty().start().await;
    assert_eq!(hook(&at, SECRET, "d-1", b"{}").await.status, 404);
    at.stop().await;
}

#[tokio::test]
async fn a_hook_that_finds_no_room_may_come_again() {
    let mut at = Setup { wakeups: 1, ..hooked() }.start().await;
    assert_eq!(hook(&at, SECRET, "d-1", b"1").await.status, 202);
    let full = hook(&at, SECRET, "d-2", b"2").await;
    assert_eq!(full.status, 503);
    at.woken.recv().await.expect("the first");
    assert_eq!(hook(&at, SECRET, "d-2", b"2").await.status, 202);
    at.stop().await;
}

#[tokio::test]
async fn an_oversized_hook_is_refused_whether_it_says_its_size_or_not() {
    let limits = Limits { hook_bytes: 4096, ..Limits::default() };
    let at = Setup { limits, ..hooked() }.start().await;
    let large = vec![b'x'; 5000];
    assert_eq!(hook(&at, SECRET, "d-1", &large).await.status, 413);
    let mut chunked = format!(
        "POST /hook HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\
         x-github-delivery: d-1\r\n{}\r\n",
        sign(SECRET, &large)
    )
    .into_bytes();
    chunked.extend_from_slice(b"1388\r\n");
    chunked.extend_from_slice(&large);
    chunked.extend_from_slice(b"\r\n0\r\n\r\n");
    assert_eq!(at.raw(&chunked).await.status, 413);
    assert_eq!(refused(&at, "large").await.to_bits(), 2_f64.to_bits());
    assert_eq!(hook(&at, SECRET, "d-2", &large[..4000]).await.status, 202);
    at.stop().await;
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_called_too_large() {
    let mut at = hooked().start().await;
    let head = format!("POST /hook HTTP/1.1\r\nhost: localhost\r\n{}", sign(SECRET, b"{}"));
    for body in ["transfer-encoding: chunked\r\n\r\nno size\r\n", "content-length: 99\r\n\r\n{"] {
        let mut stream = TcpStream::connect(at.address).await.expect("connected");
        stream.write_all(format!("{head}{body}").as_bytes()).await.expect("sent");
        stream.shutdown().await.expect("no more");
        let mut said = String::new();
        stream.read_to_string(&mut said).await.expect("an end");
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 400 "), "{said}");
    }
    assert_eq!(refused(&at, "large").await.to_bits(), 0_f64.to_bits());
    assert!(refused(&at, "malformed").await >= 2.0);
    assert!(at.woken.try_recv().is_err());
    at.stop().await;
}

fn hasty() -> Limits {
    let short = Duration::from_millis(400);
    Limits { head: short, body: short, stall: short, ..Limits::default() }
}

#[tokio::test]
async fn slow_clients_are_dropped_and_nobody_waits_for_them() {
    let at = Setup { limits: hasty(), ..hooked() }.start().await;
    let send = async |text: String| {
        let mut stream = TcpStream::connect(at.address).await.expect("connected");
        stream.write_all(text.as_bytes()).await.expect("sent");
        stream
    };
    let signed = sign(SECRET, b"{}");
    let mut slow = vec![
        send("GET / HTTP/1.1\r\nhost: local".into()).await,
        send(String::new()).await,
        send(format!("POST /hook HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n{signed}\r\n{{")).await,
    ];
    assert_eq!(at.get("/healthz").await.body, "ok\n");
    for stream in &mut slow {
        let mut said = Vec::new();
        let end = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut said)).await;
        assert!(end.is_ok(), "dropped");
    }
    // Trickling does not help: a head has its time as a whole.
    let mut trickle = send("GET /".into()).await;
    let began = Instant::now();
    while trickle.write_all(b"a").await.is_ok() && began.elapsed() < Duration::from_secs(5) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(began.elapsed() < Duration::from_secs(5), "dropped");
    assert!(refused(&at, "slow").await >= 4.0);
    at.stop().await;
}

#[tokio::test]
async fn slow_hooks_hold_up_no_page() {
    let limits = Limits { hooks: 2, requests: 1, ..Limits::default() };
    let at = Setup { limits, ..hooked() }.start().await;
    let signed = sign(SECRET, b"{}");
    let mut slow = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(at.address).await.expect("connected");
        let head = format!("POST /hook HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n{signed}\r\n{{");
        stream.write_all(head.as_bytes()).await.expect("sent");
        slow.push(stream);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(hook(&at, SECRET, "d-1", b"1").await.status, 503);
    assert_eq!(at.get("/queue").await.status, 200);
    assert_eq!(at.get("/healthz").await.status, 200);
    assert_eq!(refused(&at, "busy").await.to_bits(), 1_f64.to_bits());
    drop(slow);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(hook(&at, SECRET, "d-1", b"1").await.status, 202);
    at.stop().await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_without_being_counted_as_slow() {
    let at = Setup { limits: hasty(), ..Setup::empty() }.start().await;
    let before = refused(&at, "slow").await;
    let mut stream = TcpStream::connect(at.address).await.expect("connected");
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("sent");
    let mut said = String::new();
    tokio::time::timeout(Duration::from_secs(5), stream.read_to_string(&mut said))
        .await
        .expect("closed")
        .expect("read");
    assert!(said.ends_with("ok\n"), "{said}");
    assert_eq!(refused(&at, "slow").await.to_bits(), before.to_bits());
    at.stop().await;
}

#[tokio::test]
async fn who_never_reads_its_answers_is_dropped() {
    let at = Setup { limits: hasty(), ..Setup::regressed() }.start().await;
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(2048).expect("small");
    let mut stream = socket.connect(at.address).await.expect("connected");
    let ask = "GET /style.css HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let began = Instant::now();
    // Answers of some 25 kB each fill every buffer on the way; then the server stops listening, and drops us.
    while stream.write_all(ask.repeat(50).as_bytes()).await.is_ok()
        && began.elapsed() < Duration::from_secs(20)
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(began.elapsed() < Duration::from_secs(20), "dropped");
    assert!(refused(&at, "slow").await >= 1.0);
    at.stop().await;
}

#[tokio::test]
async fn paths_lead_nowhere_but_to_routes() {
    let at = Setup::regressed().start().await;
    std::fs::write(at.state().join("state/secret.json"), "precious").expect("written");
    let long = format!("/sweep/{}", "a".repeat(5000));
    for path in [
        "/../state/secret.json",
        "/sweep/../../secret",
        "/sweep/..%2f..%2fsecret",
        "/sweep/%2e%2e%2fsecret",
        "/sweep/secret%00.json",
        "/sweep/..\\secret",
        "/api/v1/sweeps/..%2F..%2Fsecret",
        "//etc/passwd",
        "/style.css/../metrics",
        "/sweep/",
        "/.git/config",
        &long,
    ] {
        let answer = at.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.body.contains("precious") && !answer.body.contains("secret.json"), "{path}");
    }
    let secret = "/metric?class=..%2F..&profile=smoke&workload=a&case=b&metric=c";
    for path in [secret, "/compare?from=..%2Fsecret&to=x", "/metric?class=a", "/group?class=a&profile=b&x=y"]
    {
        let answer = at.get(path).await;
        assert!([400, 404].contains(&answer.status), "{path}: {}", answer.status);
    }
    for (request, status) in [
        ("GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n".replace("{}", &"y".repeat(40_000)), 431),
        (format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "z".repeat(40_000)), 431),
        ("rubbish\r\n\r\n".to_owned(), 400),
        (format!("GET /healthz HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(100)), 431),
    ] {
        let answer = at.raw(request.as_bytes()).await;
        assert!(answer.status == status || answer.status == 414, "{}: {}", &request[..20], answer.status);
    }
    for method in ["POST", "PUT", "DELETE", "TRACE", "CONNECT"] {
        let request = format!("{method} / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        assert!([400, 404, 405].contains(&at.raw(request.as_bytes()).await.status), "{method}");
    }
    assert!(refused(&at, "malformed").await >= 3.0);
    at.stop().await;
}

#[tokio::test]
async fn who_only_asks_whether_it_is_ready_is_told_when_the_store_is_there_again() {
    let setup = Setup::empty();
    let (state, sweeps) = (setup.config.state.clone(), setup.sweeps());
    std::fs::create_dir_all(state).expect("made");
    std::fs::write(&sweeps, "no directory").expect("written");
    let at = setup.start_cold().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(at.get("/readyz").await.status, 503);
    std::fs::remove_file(&sweeps).expect("removed");
    std::fs::create_dir(&sweeps).expect("made");
    let began = Instant::now();
    while at.get("/readyz").await.status != 200 {
        assert!(began.elapsed() < Duration::from_secs(20), "never ready");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    at.stop().await;
}

/// Both ends of all connections are files of this process.
fn enough_files(least: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < least) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(least), ..limit }).expect("enough files");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_connections_leave_room_for_the_next() {
    enough_files(8192);
    let limits = Limits { head: Duration::from_secs(3), ..Limits::default() };
    let at = Setup { limits, ..Setup::empty() }.start().await;
    let mut open = Vec::new();
    for _ in 0..2000 {
        open.push(TcpStream::connect(at.address).await.expect("connected"));
    }
    // Most are told that they are too many, the others have time for a head.
    let mut turned_away = 0;
    for stream in &mut open {
        let mut said = [0; 12];
        let heard = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut said)).await;
        turned_away += usize::from(heard.is_ok_and(|n| n.is_ok_and(|n| n > 0 && said.ends_with(b"503"))));
    }
    assert!(turned_away >= 2000 - 256 - 10, "{turned_away}");
    drop(open);
    let mut answer = at.get("/healthz").await;
    for _ in 0..100 {
        if answer.status == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        answer = at.get("/healthz").await;
    }
    assert_eq!(answer.status, 200);
    assert!(refused(&at, "connections").await >= 1700.0);
    assert!(at.metric("tollgate_http_connections").await < 10.0);
    at.stop().await;
}

#[tokio::test]
async fn a_token_is_needed_where_there_is_one_and_is_in_no_answer() {
    let at = Setup { token: Some(Secret::new(TOKEN)), ..Setup::regressed() }.start().await;
    for path in ["/", "/metrics", "/api/v1/status", "/style.css", "/live", "/nowhere"] {
        let answer = at.get(path).await;
        assert_eq!(answer.status, 401, "{path}");
        assert!(answer.header("www-authenticate").is_some_and(|v| v.starts_with("basic")), "{}", answer.head);
    }
    assert_eq!(at.get("/healthz").await.status, 200);
    let bearer = format!("authorization: Bearer {TOKEN}\r\n");
    for path in ["/", "/queue", "/metrics", "/api/v1/status", "/alerts", "/api/v1/groups", "/compare"] {
        let answer = at.get_with(path, &bearer).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(!answer.body.contains(TOKEN) && !answer.head.contains(TOKEN), "{path}");
    }
    let wrong = at.get_with("/", "authorization: Bearer 0123456789abcdef0123456789abcdee\r\n").await;
    assert_eq!(wrong.status, 401);
    // With a token any name leads here.
    let named = format!("GET /queue HTTP/1.1\r\nhost: lab.example\r\nconnection: close\r\n{bearer}\r\n");
    assert_eq!(at.raw(named.as_bytes()).await.status, 200);
    at.stop().await;
}

#[tokio::test]
async fn without_a_token_another_name_or_address_is_refused() {
    let at = Setup::empty().start().await;
    for host in ["evil.example", "127.0.0.1.evil.example"] {
        let request = format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        assert_eq!(at.raw(request.as_bytes()).await.status, 421, "{host}");
    }
    assert_eq!(refused(&at, "host").await.to_bits(), 2_f64.to_bits());
    at.stop().await;
    let everywhere = Setup { listen: "0.0.0.0:0", ..Setup::empty() }.start_cold().await;
    assert!(matches!(everywhere.ended().await, Err(HttpError::TokenNeeded { .. })));
    let short = Setup { token: Some(Secret::new("short")), ..Setup::empty() }.start_cold().await;
    assert!(matches!(short.ended().await, Err(HttpError::ShortSecret { .. })));
}

#[tokio::test]
async fn every_answer_forbids_what_it_does_not_need() {
    let at = Setup::empty().start().await;
    for path in ["/", "/nowhere", "/api/v1/status", "/metrics", "/script.js", "/hook"] {
        let answer = at.get(path).await;
        let policy =
            answer.header("content-security-policy").unwrap_or_else(|| panic!("{path}: {}", answer.head));
        assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("x-frame-options"), Some("deny"), "{path}");
        assert!(answer.header("cache-control").is_some(), "{path}");
    }
    at.stop().await;
}

#[tokio::test]
async fn streams_are_limited_and_end_with_the_service() {
    let limits = Limits { streams: 2, ..Limits::default() };
    let at = Setup { limits, ..Setup::empty() }.start().await;
    let mut streams = Vec::new();
    for path in ["/live", "/api/v1/events"] {
        let mut stream = TcpStream::connect(at.address).await.expect("connected");
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut said = vec![0; 4096];
        let mut heard = 0;
        while !String::from_utf8_lossy(&said[..heard]).contains("event: status") {
            heard += stream.read(&mut said[heard..]).await.expect("read");
        }
        streams.push(stream);
    }
    assert_eq!(at.get("/live").await.status, 503);
    assert_eq!(refused(&at, "streams").await.to_bits(), 1_f64.to_bits());
    // One more status is one more event.
    at.status.send_modify(|s| *s = std::sync::Arc::new(dashboard::busy()));
    let mut said = vec![0; 16384];
    let heard = tokio::time::timeout(Duration::from_secs(5), streams[0].read(&mut said)).await;
    let heard = heard.expect("within five seconds").expect("read");
    assert!(String::from_utf8_lossy(&said[..heard]).contains("61 of 180 rounds"));
    at.stop().await;
    for mut stream in streams {
        let ended = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut Vec::new())).await;
        assert!(ended.is_ok(), "ended");
    }
}
