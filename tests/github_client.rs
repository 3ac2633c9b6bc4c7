//! The client's manners with the fake of GitHub: what is repeated, what never is, what is waited for.

mod common;
#[path = "common/github/mod.rs"]
mod github;
#[path = "common/github_bed.rs"]
mod github_bed;

use github::{APP_ID, APP_SLUG, FakeGitHub, Fault, JOB_LOGIN, Storm, When};
use github_bed::{Bed, token};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tollgate::notify::Secret;
use tollgate::notify::github::{Auth, Client, GithubError, ReadError, WriteError};

const ISSUES: &str = "/repos/*/*/issues";

async fn open(client: &Client) -> Result<Value, WriteError> {
    let body = json!({ "title": "Toll of fio rose", "body": "text", "labels": ["tollgate"] });
    client.write(Method::POST, &client.repo("issues"), &body).await
}

async fn list(client: &Client) -> Result<Vec<Value>, ReadError> {
    client.get_all(&client.repo("issues"), &[("labels", "tollgate"), ("state", "all")], 100).await
}

fn app(key: &str) -> Auth {
    Auth::App { id: APP_ID, key: Secret::new(key) }
}

fn app_key() -> String {
    std::fs::read_to_string(FakeGitHub::app_key()).expect("the app's key")
}

#[tokio::test]
async fn a_read_is_repeated_with_growing_waits_until_it_is_answered() {
    let Some(bed) = Bed::new("") else { return };
    for (n, fault) in (1..).zip([Fault::Before(500), Fault::After(502), Fault::DropBefore, Fault::DropAfter])
    {
        bed.fake().inject(When::nth(n, "GET", ISSUES), fault);
    }
    assert_eq!(list(&bed.job()).await, Ok(Vec::new()));
    assert_eq!(bed.count("GET", "/issues"), 5);
    let slept = bed.slept();
    assert_eq!(slept.len(), 4);
    assert!(slept.windows(2).all(|pair| pair[0] <= pair[1]), "{slept:?}");
}

#[tokio::test]
async fn a_read_is_given_up_after_the_attempts_and_says_so() {
    let Some(bed) = Bed::new("") else { return };
    bed.fake().inject(When::every("GET", ISSUES), Fault::Before(502));
    let error = list(&bed.job()).await.expect_err("never answered");
    assert_eq!(
        error.to_string(),
        "no answer to GET /repos/acme/widgets/issues after 5 attempts: status 502; check the network and GitHub's \
         status page"
    );
    assert_eq!(bed.count("GET", "/issues"), 5);
}

#[tokio::test]
async fn a_slow_answer_is_not_waited_for_for_ever() {
    let Some(bed) = Bed::new("") else { return };
    let client =
        bed.client(token(&bed.fake().job_token()), |limits| limits.request_timeout = Duration::from_secs(2));
    bed.fake().inject(When::first(1, "*", ISSUES), Fault::Slow(Duration::from_secs(8)));
    assert_eq!(list(&client).await, Ok(Vec::new()));
    bed.fake().inject(When::first(1, "POST", ISSUES), Fault::Slow(Duration::from_secs(8)));
    let error = open(&client).await.expect_err("too late");
    assert!(
        matches!(error, WriteError::Ambiguous { .. }) && error.to_string().contains("within 2 s"),
        "{error}"
    );
    assert_eq!((bed.count("POST", "/issues"), bed.fake().issues().len()), (1, 1));
}

#[tokio::test]
async fn a_write_without_an_answer_is_ambiguous_and_was_sent_once() {
    let Some(bed) = Bed::new("") else { return };
    let client = bed.job();
    let faults = [
        (Fault::Before(500), 0),
        (Fault::Before(502), 0),
        (Fault::DropBefore, 0),
        (Fault::After(500), 1),
        (Fault::After(502), 1),
        (Fault::DropAfter, 1),
    ];
    for (n, (fault, done)) in faults.into_iter().enumerate() {
        let before = bed.fake().issues().len();
        bed.fake().inject(When::first(1, "POST", ISSUES), fault.clone());
        let error = open(&client).await.expect_err("no answer");
        assert!(matches!(error, WriteError::Ambiguous { .. }), "{fault:?}: {error}");
        assert_eq!(bed.count("POST", "/issues"), n + 1, "{fault:?} was repeated");
        assert_eq!(bed.fake().issues().len(), before + done, "{fault:?}");
    }
    assert!(bed.slept().is_empty());
}

#[tokio::test]
async fn a_step_that_looks_first_settles_every_lost_answer_without_a_duplicate() {
    let Some(bed) = Bed::new("") else { return };
    let client = bed.job();
    for (n, fault) in (1..).zip([Fault::Before(502), Fault::DropBefore, Fault::Before(500), Fault::DropAfter])
    {
        bed.fake().inject(When::nth(n, "POST", ISSUES), fault);
    }
    let step = async || match list(&client).await?.pop() {
        Some(issue) => Ok(issue),
        None => Ok(open(&client).await?),
    };
    let issue = client.settle(step).await.expect("settled");
    assert_eq!((&issue["number"], bed.fake().issues().len()), (&json!(1), 1));
    assert_eq!((bed.count("GET", "/issues"), bed.count("POST", "/issues")), (5, 4));
}

#[tokio::test]
async fn without_a_network_a_write_was_certainly_not_sent() {
    let Some(bed) = Bed::new("") else { return };
    let client = bed.job();
    bed.fake().stop();
    let error = open(&client).await.expect_err("nobody is there");
    assert!(matches!(error, WriteError::NotSent { .. }), "{error}");
    assert!(error.to_string().starts_with("could not send POST /repos/acme/widgets/issues: "), "{error}");
    let error = list(&client).await.expect_err("nobody is there");
    assert!(matches!(error, ReadError::Unanswered { attempts: 5, .. }), "{error}");
}

#[tokio::test]
async fn a_rate_limit_is_waited_for_and_the_write_is_done_once() {
    let Some(bed) = Bed::new("") else { return };
    let client = bed.job();
    bed.fake().inject(When::first(1, "POST", ISSUES), Fault::RetryAfter(403, 7));
    bed.fake().inject(When::first(1, "GET", ISSUES), Fault::RetryAfter(429, 3));
    open(&client).await.expect("after the wait");
    list(&client).await.expect("after the wait");
    assert_eq!(bed.slept(), [Duration::from_secs(7), Duration::from_secs(3)]);
    assert_eq!((bed.count("POST", "/issues"), bed.fake().issues().len()), (2, 1));
}

#[tokio::test]
async fn a_rate_limit_over_the_cap_is_an_error_that_says_when() {
    let Some(bed) = Bed::new("") else { return };
    bed.fake().freeze(chrono::DateTime::from_timestamp(1_800_000_000, 0).expect("a time"));
    bed.fake().limit(|limits| limits.job_requests_per_hour = 1);
    let client = bed.job();
    list(&client).await.expect("the last of this hour");
    let error = open(&client).await.expect_err("an hour is too long");
    assert_eq!(
        error.to_string(),
        "GitHub's rate limit stops POST /repos/acme/widgets/issues until 2027-01-15 09:00:01 UTC, longer than the \
         900 s that tollgate waits; run it again then"
    );
    assert_eq!((bed.fake().issues().len(), bed.slept().len()), (0, 0));
    let patient =
        bed.client(token(&bed.fake().job_token()), |l| l.rate_limit_wait = Duration::from_secs(4000));
    open(&patient).await.expect("an hour later");
    assert_eq!(bed.slept(), [Duration::from_secs(3601)]);
}

#[tokio::test]
async fn many_writes_stay_within_the_limit_of_a_minute() {
    let Some(bed) = Bed::new("") else { return };
    let client = bed.job();
    for _ in 0..100 {
        open(&client).await.expect("waited for");
    }
    assert_eq!(bed.fake().issues().len(), 100);
    assert!(!bed.slept().is_empty());
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let Some(bed) = Bed::new("") else { return };
    let fake = bed.fake();
    let reader = bed.job_with(&[("issues", "read")]);
    let forbidden = open(&reader).await.expect_err("read only").to_string();
    assert!(
        forbidden.contains("with 403") && forbidden.contains("lacks the permission `issues: write`"),
        "{forbidden}"
    );
    let client = bed.job();
    let body = json!({ "body": "x".repeat(65_537) });
    open(&client).await.expect("opened");
    let long =
        client.write(Method::POST, &client.repo("issues/1/comments"), &body).await.expect_err("too long");
    assert!(
        long.to_string().contains("with 422 (Validation Failed), IssueComment body custom body is too long"),
        "{long}"
    );
    assert!(GithubError::from(long).is_for_good());
    let missing =
        client.get::<Value>(&client.repo("issues/99"), &[]).await.expect_err("not there").to_string();
    assert!(missing.contains("with 404") && missing.contains("check the repository's name"), "{missing}");
    assert_eq!(client.find::<Value>(&client.repo("issues/99"), &[]).await, Ok(None));
    fake.disable_issues();
    let gone = open(&client).await.expect_err("disabled").to_string();
    assert!(
        gone.contains("with 410") && gone.contains("enable issues in the repository's settings"),
        "{gone}"
    );
    let secret = fake.job_token();
    let client = bed.client(token(&secret), |_| {});
    fake.revoke(&secret);
    let revoked = list(&client).await.expect_err("revoked").to_string();
    assert!(revoked.contains("with 401 (Bad credentials); the token is wrong"), "{revoked}");
    assert!(bed.slept().is_empty(), "a refusal is not repeated");
}

#[tokio::test]
async fn three_thousand_issues_are_read_through_all_pages() {
    let Some(bed) = Bed::new("/api/v3") else { return };
    bed.fake()
        .person("alice")
        .open_issues(3_000, &["tollgate"], |n| (format!("issue {n}"), "text".to_owned()));
    let client = bed.job();
    let numbers: std::collections::BTreeSet<_> =
        list(&client).await.expect("all").iter().map(|issue| issue["number"].as_u64()).collect();
    assert_eq!((numbers.len(), bed.count("GET", "/issues")), (3_000, 30));
    let part = client.get_all::<Value>(&client.repo("issues"), &[], 29).await.expect_err("never a part");
    assert!(part.to_string().contains("more than 29 pages"), "{part}");
    let world = bed.fake().world();
    assert!(world.log.iter().all(|r| r.accept == "application/vnd.github+json"));
}

#[tokio::test]
async fn the_own_login_is_the_jobs_the_persons_or_the_apps() {
    let Some(bed) = Bed::new("") else { return };
    assert_eq!(bed.job().login().await, Ok(JOB_LOGIN));
    let alice = bed.client(token(&bed.fake().personal_token("alice")), |_| {});
    assert_eq!((alice.login().await, alice.login().await), (Ok("alice"), Ok("alice")));
    assert_eq!(bed.count("GET", "/user"), 2, "asked once each");
    let app = bed.client(app(&app_key()), |_| {});
    assert_eq!(app.login().await, Ok(format!("{APP_SLUG}[bot]").as_str()));
}

#[tokio::test]
async fn an_app_asks_for_a_token_once_and_again_when_it_is_over() {
    let Some(bed) = Bed::new("") else { return };
    let client = bed.client(app(&app_key()), |_| {});
    for (n, fault) in (1..).zip([Fault::Before(500), Fault::DropBefore]) {
        bed.fake().inject(When::nth(n, "POST", "/app/installations/*/access_tokens"), fault);
    }
    open(&client).await.expect("opened");
    list(&client).await.expect("listed");
    assert_eq!(bed.count("POST", "/access_tokens"), 3);
    for secret in bed.fake().secrets() {
        bed.fake().revoke(&secret);
    }
    open(&client).await.expect("with a new token");
    assert_eq!((bed.count("POST", "/access_tokens"), bed.fake().issues().len()), (4, 2));
    assert_eq!(bed.fake().issues()[0].author.login, format!("{APP_SLUG}[bot]"));
}

#[tokio::test]
async fn an_app_without_a_token_has_not_sent_its_write() {
    let Some(bed) = Bed::new("") else { return };
    let client = bed.client(app(&app_key()), |_| {});
    bed.fake().inject(When::every("POST", "/app/installations/*/access_tokens"), Fault::Before(502));
    let error = open(&client).await.expect_err("no token");
    assert!(matches!(error, WriteError::NotSent { .. }), "{error}");
    assert_eq!(bed.count("POST", "/issues"), 0);
}

#[tokio::test]
async fn wrong_settings_are_told_without_their_secrets() {
    let Some(bed) = Bed::new("") else { return };
    let new = |auth| {
        let clock = std::sync::Arc::new(bed.dream.clone());
        Client::new(github_bed::settings(bed.fake().url(), auth, |_| {}), clock)
            .expect_err("wrong")
            .to_string()
    };
    assert!(new(token(" \n")).contains("the token is empty"));
    let odd = new(token("ghp_two\nlines"));
    assert!(odd.contains("characters that no token has") && !odd.contains("ghp_"), "{odd}");
    let key = app_key().replace("RSA ", "").replace("PRIVATE", "PUBLIC");
    let wrong = new(app(&key));
    assert!(wrong.contains("not an RSA key in PEM"), "{wrong}");
    assert!(key.lines().all(|line| !wrong.contains(line)), "{wrong}");
}

#[tokio::test]
async fn no_error_of_any_storm_holds_a_token() {
    let Some(bed) = Bed::new("") else { return };
    let mut menu = Storm::passing(0).menu;
    menu.extend([401, 403, 404, 410, 422, 429].map(Fault::Before));
    menu.push(Fault::RetryAfter(403, 10_000));
    let key = app_key();
    let mut errors = 0;
    for seed in 0..40 {
        // Signing as an App takes its time in a debug build.
        let auth = if seed % 10 == 0 { app(&key) } else { token(&bed.fake().job_token()) };
        let client = bed.client(auth.clone(), |limits| (limits.attempts, limits.seed) = (2, seed));
        bed.fake().storm(Storm { seed, chance: 0.8, menu: menu.clone(), most: 100 });
        let mut said = vec![format!("{client:?} {auth:?}")];
        for _ in 0..3 {
            said.extend(open(&client).await.err().map(|e| format!("{e} {e:?}")));
            said.extend(list(&client).await.err().map(|e| format!("{e} {e:?}")));
            said.extend(client.login().await.err().map(|e| format!("{e} {e:?}")));
        }
        bed.fake().calm();
        errors += said.len() - 1;
        let secrets = bed.fake().secrets();
        for text in &said {
            assert!(secrets.iter().all(|secret| !text.contains(secret)), "{text}");
            assert!(
                !text.contains("Bearer") && key.lines().all(|line| line.len() < 20 || !text.contains(line)),
                "{text}"
            );
        }
    }
    assert!(errors > 100, "only {errors} errors were looked at");
}
