//! Client and webhooks against a server that answers by script: redirects, foreign links, broken answers, signatures.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use std::io::{self, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tollgate::notify::github::{Auth, Client, Limits, ReadError, Settings, WriteError};
use tollgate::notify::webhook::{Sender, Webhook, WebhookError, signature};
use tollgate::notify::{Clock, Secret};

const TOKEN: &str = "ghs_abcdef0123456789abcdef";

/// Stands still; notes what was slept.
#[derive(Debug, Default)]
struct Still(Mutex<Vec<Duration>>);

#[async_trait]
impl Clock for Still {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).expect("a time")
    }

    async fn sleep(&self, time: Duration) {
        self.0.lock().expect("lock").push(time);
    }
}

/// Answers one connection after the other; an empty text closes it, `hang` says nothing for a while.
struct Script {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Script {
    fn start(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for answer in answers {
                let Ok((mut stream, _)) = listener.accept() else { return };
                let request = request(&mut stream).expect("a request");
                log.lock().expect("lock").push(request);
                if answer == "hang" {
                    std::thread::sleep(Duration::from_secs(6));
                } else {
                    stream.write_all(answer.as_bytes()).expect("written");
                }
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("lock").clone()
    }
}

fn request(stream: &mut impl io::Read) -> io::Result<String> {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        text.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&text).to_lowercase();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    let mut body = String::new();
    stream.take(length).read_to_string(&mut body)?;
    Ok(format!("{}{body}", String::from_utf8_lossy(&text)))
}

fn answer(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}")
}

fn client(url: &str) -> Client {
    let settings = Settings {
        api_url: url.into(),
        repository: "o/r".parse().expect("a name"),
        auth: Auth::Token(Secret::new(TOKEN)),
        login: None,
        limits: Limits { attempts: 2, ..Limits::default() },
    };
    Client::new(settings, Arc::new(Still::default())).expect("good settings")
}

async fn read(client: &Client) -> Result<Vec<Value>, ReadError> {
    client.get_all(&client.repo("issues"), &[("labels", "a b&c")], 9).await
}

async fn write(client: &Client) -> Result<Value, WriteError> {
    client.write(reqwest::Method::POST, &client.repo("issues"), &json!({ "title": "t" })).await
}

#[tokio::test]
async fn a_renamed_repository_is_followed_on_the_same_host() {
    let moved = answer(301, "location: /repositories/7/issues?page=1\r\n", "");
    let script = Script::start(vec![moved, answer(200, "", "[1]")]);
    assert_eq!(read(&client(&script.url)).await, Ok(vec![json!(1)]));
    let asked = script.asked();
    assert!(asked[0].starts_with("GET /repos/o/r/issues?labels=a+b%26c&per_page=100 "), "{}", asked[0]);
    assert!(
        asked[1].starts_with("GET /repositories/7/issues?page=1 ") && asked[1].contains(TOKEN),
        "{}",
        asked[1]
    );
}

#[tokio::test]
async fn a_write_follows_307_and_no_301() {
    let moved = |status| answer(status, "location: /repositories/7/issues\r\n", "{}");
    let script = Script::start(vec![moved(307), answer(201, "", "{\"number\":1}")]);
    assert_eq!(write(&client(&script.url)).await, Ok(json!({ "number": 1 })));
    assert!(
        script.asked()[1].starts_with("POST /repositories/7/issues ")
            && script.asked()[1].ends_with("{\"title\":\"t\"}")
    );
    let script = Script::start(vec![moved(301), answer(200, "", "[]")]);
    let error = write(&client(&script.url)).await.expect_err("not done").to_string();
    assert!(error.contains("with 301; the repository was renamed or moved"), "{error}");
    assert_eq!(script.asked().len(), 1);
}

#[tokio::test]
async fn another_host_gets_nothing() {
    let other = Script::start(vec![answer(200, "", "[]"); 3]);
    let elsewhere = format!("location: {}/x\r\n", other.url);
    let next = format!("link: <{}/x?page=2>; rel=\"next\"\r\n", other.url);
    let script = Script::start(vec![
        answer(302, &elsewhere, ""),
        answer(200, &next, "[]"),
        answer(307, &elsewhere, ""),
    ]);
    let client = client(&script.url);
    let redirected = read(&client).await.expect_err("refused").to_string();
    assert!(redirected.contains("redirects to another host"), "{redirected}");
    let paged = read(&client).await.expect_err("refused").to_string();
    assert!(paged.contains("next page leads to another host"), "{paged}");
    assert!(matches!(write(&client).await, Err(WriteError::Refused(_))));
    assert!(other.asked().is_empty());
}

#[tokio::test]
async fn circles_and_garbage_are_told() {
    let script = Script::start(vec![answer(301, "location: /repos/o/r/issues\r\n", ""); 4]);
    let circle = read(&client(&script.url)).await.expect_err("a circle").to_string();
    assert!(circle.contains("redirects in circles"), "{circle}");
    let script = Script::start(vec![answer(200, "", "<html>"), answer(201, "", "<html>")]);
    let client = client(&script.url);
    let garbage = read(&client).await.expect_err("no JSON").to_string();
    assert!(garbage.starts_with("unexpected answer to GET /repos/o/r/issues: "), "{garbage}");
    assert!(matches!(write(&client).await, Err(WriteError::Ambiguous { .. })), "201 was done");
}

#[tokio::test]
async fn half_an_answer_is_no_answer() {
    let half = "HTTP/1.1 201 X\r\ncontent-length: 100\r\n\r\n{\"number\":1".to_owned();
    let script = Script::start(vec![half.clone(), half.replace("201", "200"), answer(200, "", "[]")]);
    let client = client(&script.url);
    assert!(matches!(write(&client).await, Err(WriteError::Ambiguous { .. })));
    assert_eq!(read(&client).await, Ok(Vec::new()));
}

#[tokio::test]
async fn a_server_that_repeats_the_token_does_not_get_it_into_an_error() {
    let echo =
        json!({ "message": format!("no {TOKEN}"), "errors": [{ "message": TOKEN, "code": TOKEN }, TOKEN] });
    let echo = echo.to_string();
    let script = Script::start(vec![
        answer(422, "", &echo),
        answer(502, "", &echo),
        answer(403, "", &echo),
        answer(500, "", TOKEN),
        answer(500, "", &echo),
    ]);
    let client = client(&script.url);
    let mut said = vec![format!("{:?}", client)];
    for _ in 0..2 {
        let error = write(&client).await.expect_err("refused");
        said.push(format!("{error} {error:?}"));
    }
    for _ in 0..2 {
        let error = read(&client).await.expect_err("refused");
        said.push(format!("{error} {error:?}"));
    }
    assert!(said.iter().all(|text| !text.contains("abcdef")), "{said:?}");
    assert!(said[1].contains("no ***") && said[4].contains("no ***"), "{said:?}");
}

fn hook(url: &str) -> Webhook {
    let url = Secret::new(format!("{url}/services/T0/B0/hunter2?key=hunter3"));
    Webhook { name: "lab".into(), url, key: Some(Secret::new("hunter4")) }
}

fn sender(clock: &Arc<Still>) -> Sender {
    let limits =
        Limits { attempts: 3, request_timeout: Duration::from_secs(3), seed: 7, ..Limits::default() };
    Sender::new(limits, Arc::<Still>::clone(clock)).expect("a sender")
}

#[tokio::test]
async fn a_delivery_is_signed_and_keeps_its_id_when_it_is_repeated() {
    let script = Script::start(vec![answer(500, "", ""), String::new(), answer(200, "", "ok")]);
    let clock = Arc::default();
    let body = br#"{"text":"Toll rose"}"#;
    sender(&clock).send(&hook(&script.url), body, "d-1").await.expect("the third time");
    let asked = script.asked();
    assert_eq!((asked.len(), clock.0.lock().expect("lock").len()), (3, 2));
    let signed =
        format!("x-tollgate-signature-256: {}\r\n", signature(&Secret::new("hunter4"), "1800000000", body));
    for request in asked {
        assert!(request.starts_with("POST /services/T0/B0/hunter2?key=hunter3 "), "{request}");
        assert!(request.contains("x-tollgate-delivery: d-1\r\n") && request.contains(&signed), "{request}");
        assert!(request.contains("x-tollgate-timestamp: 1800000000\r\n"), "{request}");
        assert!(request.ends_with("\r\n\r\n{\"text\":\"Toll rose\"}"), "{request}");
    }
}

#[tokio::test]
async fn a_receiver_that_asks_to_wait_is_waited_for_up_to_the_cap() {
    let wait = |seconds: u32| answer(429, &format!("retry-after: {seconds}\r\n"), "");
    let script = Script::start(vec![wait(5), answer(204, "", ""), wait(100_000)]);
    let clock = Arc::default();
    let sender = sender(&clock);
    sender.send(&hook(&script.url), b"{}", "d").await.expect("after the wait");
    assert_eq!(*clock.0.lock().expect("lock"), [Duration::from_secs(5)]);
    let error = sender.send(&hook(&script.url), b"{}", "d").await.expect_err("too long");
    assert!(matches!(error, WebhookError::Failed { attempts: 1, .. }), "{error}");
}

#[tokio::test]
async fn a_refusal_and_a_redirect_are_not_repeated_and_name_the_host_alone() {
    for (status, for_good) in [(400, true), (404, false), (302, false)] {
        let script = Script::start(vec![answer(status, "location: /elsewhere\r\n", "hunter2"); 2]);
        let error = sender(&Arc::default()).send(&hook(&script.url), b"{}", "d").await.expect_err("refused");
        assert_eq!(
            error.to_string(),
            format!(
                "webhook lab: 127.0.0.1 refused the delivery with {status}; check its URL and what it accepts"
            )
        );
        assert_eq!((error.is_for_good(), script.asked().len()), (for_good, 1));
    }
}

#[tokio::test]
async fn no_failure_of_a_webhook_shows_its_url_or_key() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let hanging = Script::start(vec!["hang".to_owned(); 3]);
    let urls = [
        format!("http://{nobody}"),
        hanging.url,
        "nonsense".into(),
        "ftp://x".into(),
        "http://h.invalid".into(),
    ];
    for url in urls {
        let error = sender(&Arc::default()).send(&hook(&url), b"{}", "d").await.expect_err("nobody");
        let said = format!("{error} {error:?} {:?}", hook(&url));
        assert!(
            said.contains("webhook lab: ") && !said.contains("hunter") && !said.contains("services"),
            "{said}"
        );
        assert!(!error.is_for_good());
    }
}
