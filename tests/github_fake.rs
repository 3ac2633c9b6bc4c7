//! The fake of GitHub keeps to GitHub's description and to the rules that the description leaves out.

mod common;
#[path = "common/github/mod.rs"]
mod github;
#[path = "common/github_job.rs"]
mod github_job;

use chrono::TimeDelta;
use github::{
    APP_ID, Asker, EventKind, FakeGitHub, Got, INSTALLATION, JOB_LOGIN, Kind, LONGEST_BODY, Reason,
};
use github_job::{at, fake};
use serde_json::{Value, json};

fn open(job: &Asker, title: &str) -> Got {
    job.post(&at("/issues"), json!({"title": title, "body": "text", "labels": ["tollgate"]}))
}

#[test]
fn an_issue_is_opened_commented_closed_and_reopened() {
    let Some((fake, job)) = fake() else { return };
    let opened = open(&job, "Toll of fio rose");
    assert_eq!(
        (opened.status, &opened.body["number"], &opened.body["state"]),
        (201, &json!(1), &json!("open"))
    );
    assert_eq!(opened.body["user"]["login"], JOB_LOGIN);
    assert_eq!(opened.header("location"), opened.body["url"].as_str());
    // An unknown label was made.
    assert!(fake.labels().contains(&"tollgate".to_owned()));
    let comment = job.post(&at("/issues/1/comments"), json!({"body": "worse"}));
    let id = comment.body["id"].as_u64().expect("an id");
    assert_eq!(job.patch(&at(&format!("/issues/comments/{id}")), json!({"body": "better"})).status, 200);
    assert_eq!(fake.comments(1)[0].body, "better");
    let closed = job.patch(&at("/issues/1"), json!({"state": "closed"})).body;
    assert_eq!((&closed["state"], &closed["state_reason"]), (&json!("closed"), &json!("completed")));
    assert_eq!(closed["closed_by"]["login"], JOB_LOGIN);
    assert!(closed["closed_at"].is_string() && fake.open_issues().is_empty());
    assert_eq!(job.get(&at("/issues?labels=tollgate")).body, json!([]));
    let again = job.patch(&at("/issues/1"), json!({"state": "open"})).body;
    assert_eq!((&again["state_reason"], &again["closed_at"]), (&json!("reopened"), &Value::Null));
    let closed =
        fake.issue(1).events.iter().filter(|e| e.kind == EventKind::Closed(Some("completed".into()))).count();
    assert_eq!(closed, 1);
    let gone = job.ask("DELETE", &at(&format!("/issues/comments/{id}")), None);
    assert_eq!((gone.status, gone.text.as_str()), (204, ""));
    assert_eq!(job.get(&at(&format!("/issues/comments/{id}"))).status, 404);
}

#[test]
fn every_operation_that_is_done_answers_as_described() {
    let Some((fake, job)) = fake() else { return };
    let alice = fake.person("alice");
    let number = alice.open_pull("faster", "Faster", &[("src/lib.rs", "fn fast() {}\n")]);
    let from_fork = fake.stranger("mallory").open_pull("worse", "Worse", &[("README.md", "no\n")]);
    let issue = alice.open_issue("Old", "text", &["bug"]);
    alice.label(issue, "tollgate:accept");
    alice.comment(issue, "seen");
    alice.close(issue, Reason::NotPlanned);
    let run = fake.add_run("sweep.yml", "pull_request", "faster", &["tollgate", "other"]);
    let (main, head) = (fake.sha("main").expect("main"), fake.sha("faster").expect("faster"));
    let check =
        job.post(&at("/check-runs"), json!({"name": "tollgate", "head_sha": head, "status": "in_progress"}));
    let check = check.body["id"].as_u64().expect("an id");
    let reads = [
        "/issues?state=all&sort=updated&direction=asc&creator=alice&since=2020-01-01T00:00:00Z".to_owned(),
        format!("/issues/{issue}"),
        format!("/issues/{issue}/comments"),
        format!("/issues/{issue}/labels"),
        format!("/issues/{issue}/timeline"),
        format!("/issues/{number}"),
        "/labels".to_owned(),
        "/labels/tollgate%3Aaccept".to_owned(),
        format!("/check-runs/{check}"),
        "/commits/faster/check-runs?check_name=tollgate".to_owned(),
        format!("/commits/{head}/pulls"),
        "/git/ref/heads/faster".to_owned(),
        "/contents/src/lib.rs?ref=faster".to_owned(),
        "/contents/src?ref=faster".to_owned(),
        "/pulls?head=acme:faster".to_owned(),
        format!("/pulls/{number}"),
        format!("/pulls/{from_fork}"),
        format!("/pulls/{number}/files"),
        format!("/actions/runs/{run}"),
        format!("/actions/runs/{run}/artifacts?name=tollgate"),
    ];
    for path in reads {
        let got = job.get(&at(&path));
        assert_eq!(got.status, 200, "{path}: {}", got.text);
        assert!(!["[]", "{}"].contains(&got.text.as_str()), "{path}: nothing");
    }
    assert_eq!(job.get("/rate_limit").status, 200);
    let writes = [
        (
            "POST",
            "/labels".to_owned(),
            json!({"name": "new", "color": "00ff00", "description": "of a test"}),
            201,
        ),
        ("POST", format!("/issues/{issue}/labels"), json!({"labels": ["new"]}), 200),
        ("POST", format!("/issues/{number}/comments"), json!({"body": "on a pull request"}), 201),
        ("POST", format!("/statuses/{head}"), json!({"state": "success", "context": "tollgate"}), 201),
        (
            "PATCH",
            format!("/check-runs/{check}"),
            json!({"conclusion": "neutral", "output": {"summary": "s"}}),
            200,
        ),
        ("POST", "/git/refs".to_owned(), json!({"ref": "refs/heads/tollgate/b", "sha": main}), 201),
        (
            "PUT",
            "/contents/baselines/a.toml".to_owned(),
            json!({"message": "m", "content": "YQ==", "branch": "tollgate/b"}),
            201,
        ),
        (
            "POST",
            "/pulls".to_owned(),
            json!({"title": "t", "head": "tollgate/b", "base": "main", "body": "b"}),
            201,
        ),
        (
            "POST",
            "/dispatches".to_owned(),
            json!({"event_type": "docker-upgrade", "client_payload": {"a": 1}}),
            204,
        ),
        ("POST", "/actions/workflows/sweep.yml/dispatches".to_owned(), json!({"ref": "main"}), 204),
    ];
    for (method, path, body, status) in writes {
        let got = job.ask(method, &at(&path), Some(body));
        assert_eq!(got.status, status, "{method} {path}: {}", got.text);
    }
    assert_eq!(fake.file("tollgate/b", "baselines/a.toml").as_deref(), Some("a"));
    assert_eq!((fake.dispatches().len(), fake.statuses().len(), fake.checks().len()), (2, 1, 1));
    let person = fake.ask_as(&fake.personal_token("alice"));
    assert_eq!(person.get("/user").body["login"], "alice");
    fake.assert_contract();
}

#[test]
fn the_contract_rejects_garbage_for_every_operation() {
    if !common::real(github::missing()) {
        return;
    }
    let contract = github::contract::Contract::get();
    let complaints = github::canary::complaints(contract);
    assert!(complaints.is_empty(), "{} times:\n{}", complaints.len(), complaints.join("\n"));
    let done = contract.operations.iter().filter(|o| github::does(&o.id)).count();
    assert_eq!(done, 37, "operations that the fake does and GitHub describes");
}

#[test]
fn what_is_not_described_is_a_violation_and_is_answered_so() {
    let Some((fake, job)) = fake() else { return };
    let cases = [
        ("GET", at("/issues/1/nothing"), None, "no such path"),
        ("DELETE", at("/issues/1"), None, "described for GET, PATCH only"),
        (
            "POST",
            at("/issues/comments/1"),
            Some(json!({"body": "b"})),
            "described for DELETE, GET, PATCH only",
        ),
        ("GET", at("/issues?labls=tollgate"), None, "parameter labls is not described"),
        ("GET", at("/issues?state=opened"), None, "parameter state"),
        ("GET", at("/issues/first"), None, "parameter issue_number"),
        ("GET", at("/issues?per_page=many"), None, "parameter per_page"),
        ("POST", at("/issues"), Some(json!({"titel": "t"})), "issues/create request"),
        ("POST", at("/issues"), Some(json!({"title": "t", "labels": [1]})), "/labels/0"),
        ("POST", at("/issues"), None, "request body is missing"),
        ("GET", at("/labels"), Some(json!({})), "has no request body"),
        ("PATCH", at("/issues/1"), Some(json!({"state": "done"})), "/state"),
    ];
    for (method, path, body, words) in cases {
        let got = job.ask(method, &path, body);
        let seen = fake.take_violations();
        assert_eq!((got.status, seen.len()), (422, 1), "{method} {path}: {} {seen:?}", got.text);
        assert!(seen[0].contains(words) && got.text.contains("contract: "), "{seen:?} {}", got.text);
    }
    assert!(fake.issues().is_empty());
}

#[test]
fn an_answer_that_is_not_as_described_is_not_sent() {
    let Some((fake, job)) = fake() else { return };
    open(&job, "t");
    // Addresses are no addresses any more.
    fake.world().base = "nowhere at all".to_owned();
    let got = job.get(&at("/issues/1"));
    assert_eq!(got.status, 500, "{}", got.text);
    assert!(got.text.contains("contract: issues/get answer 200: at "), "{}", got.text);
    assert_eq!(fake.take_violations().len(), 1);
}

#[test]
fn what_the_fake_does_not_do_yet_is_a_violation() {
    let Some((fake, job)) = fake() else { return };
    assert_eq!((job.get("/search/issues?q=toll").status, job.get(&at("/releases")).status), (500, 500));
    assert_eq!(fake.take_violations().len(), 2);
}

#[test]
#[should_panic(expected = "not as GitHub describes it")]
fn a_test_with_a_violation_fails_when_the_fake_ends() {
    // The words of the panic that is expected, for where there is nothing to test.
    assert!(common::real(github::missing()), "skipped: not as GitHub describes it");
    let fake = FakeGitHub::start();
    fake.ask_as(&fake.job_token()).get("/nowhere");
}

#[test]
fn pages_of_250_issues_are_walked_by_their_links() {
    let Some((fake, job)) = fake() else { return };
    fake.person("alice").open_issues(250, &["tollgate"], |n| (format!("issue {n}"), String::new()));
    fake.person("alice").open_issue("another", "", &["bug"]);
    fake.person("alice").open_pull("b", "a pull request is an issue too", &[("a", "b")]);
    let mut next = Some(at("/issues?labels=tollgate&per_page=100"));
    let (mut numbers, mut pages) = (Vec::new(), 0);
    while let Some(address) = next {
        let got = job.get(&address);
        assert_eq!(got.status, 200, "{}", got.text);
        pages += 1;
        numbers.extend(got.body.as_array().expect("a page").iter().filter_map(|i| i["number"].as_u64()));
        assert_eq!(got.link("prev").is_some(), pages > 1);
        assert_eq!(got.link("last").is_some(), pages < 3);
        assert!(got.link("next").is_none_or(|l| l.starts_with(fake.url())));
        next = got.link("next").map(str::to_owned);
    }
    assert_eq!((pages, numbers.len()), (3, 250));
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 250, "each once");
    // More than 100 a page are never given, 30 where nothing is said.
    let size = |query: &str| job.get(&at(query)).body.as_array().map(Vec::len);
    assert_eq!(
        (size("/issues?per_page=1000"), size("/issues"), size("/issues?page=99")),
        (Some(100), Some(30), Some(0))
    );
    let newest = job.get(&at("/issues")).body[0].clone();
    assert!(newest["pull_request"]["url"].is_string(), "{newest}");
}

#[test]
fn tokens_open_what_they_permit_and_nothing_else() {
    let Some((fake, job)) = fake() else { return };
    let sha = fake.sha("main").expect("main");
    let check = json!({"name": "tollgate", "head_sha": sha});
    assert_eq!(fake.ask_without_token().get(&at("/issues")).status, 401);
    assert_eq!(fake.ask_as("ghp_guessed").get(&at("/issues")).status, 401);
    assert_eq!(job.get("/user").status, 403);
    assert_eq!(job.get("/repos/acme/other/issues").status, 404);
    let alice = fake.ask_as(&fake.personal_token("alice"));
    assert_eq!(alice.post(&at("/check-runs"), check.clone()).status, 403);
    assert_eq!(open(&alice, "by hand").body["user"]["type"], "User");
    let reader = fake.token(Kind::Job, JOB_LOGIN, &[("issues", "read")]);
    let reads = fake.ask_as(&reader);
    assert_eq!(reads.get(&at("/issues")).status, 200);
    assert_eq!(open(&reads, "no").status, 403);
    assert_eq!(reads.post(&at("/check-runs"), check.clone()).status, 403);
    fake.revoke(&reader);
    assert_eq!(reads.get(&at("/issues")).status, 401);
    assert_eq!(job.post(&at("/check-runs"), check).status, 201);
    // Who asked is known, with what is not.
    let log = format!("{:?}", fake.requests());
    assert!(fake.secrets().iter().all(|secret| !log.contains(secret)));
    assert_eq!(fake.requests().iter().filter(|r| r.token == Some(Kind::Personal)).count(), 2);
}

#[test]
fn an_app_signs_gets_a_token_and_is_a_bot() {
    let Some((fake, job)) = fake() else { return };
    let key = std::fs::read(FakeGitHub::app_key()).expect("the key");
    let key = jsonwebtoken::EncodingKey::from_rsa_pem(&key).expect("a key");
    let now = chrono::Utc::now().timestamp();
    let sign = |issuer: u64, issued: i64, expires: i64| {
        let claims = json!({"iss": issuer.to_string(), "iat": issued, "exp": expires});
        let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS256);
        fake.ask_as(&jsonwebtoken::encode(&header, &claims, &key).expect("signed"))
    };
    let app = sign(APP_ID, now - 30, now + 300);
    let installation = app.get(&at("/installation"));
    assert_eq!(
        (installation.status, &installation.body["id"]),
        (200, &json!(INSTALLATION)),
        "{}",
        installation.text
    );
    let path = format!("/app/installations/{INSTALLATION}/access_tokens");
    assert_eq!(sign(APP_ID + 1, now, now + 300).post(&path, json!({})).status, 401);
    assert_eq!(sign(APP_ID, now - 900, now - 300).post(&path, json!({})).status, 401);
    assert_eq!(sign(APP_ID, now, now + 3600).post(&path, json!({})).status, 401);
    assert_eq!(job.post(&path, json!({})).status, 401);
    assert_eq!(app.get(&at("/issues")).status, 403);
    let token = app.post(&path, json!({"permissions": {"issues": "write"}}));
    assert_eq!(token.status, 201, "{}", token.text);
    let bot = fake.ask_as(token.body["token"].as_str().expect("a token"));
    assert_eq!(open(&bot, "by an app").body["user"]["login"], "tollgate-app[bot]");
    assert_eq!(bot.get(&at("/pulls")).status, 403);
    fake.advance(TimeDelta::minutes(61));
    assert_eq!(open(&bot, "too late").status, 401);
}

#[test]
fn lengths_that_the_description_leaves_out_are_enforced() {
    let Some((fake, job)) = fake() else { return };
    let body = |length: usize| json!({"title": "t", "body": "ü".repeat(length)});
    assert_eq!(job.post(&at("/issues"), body(LONGEST_BODY)).status, 201);
    let refused = job.post(&at("/issues"), body(LONGEST_BODY + 1));
    assert_eq!(refused.status, 422, "{}", refused.text);
    assert!(refused.text.contains("body is too long (maximum is 65536 characters)"));
    let long = json!({"body": "x".repeat(LONGEST_BODY + 1)});
    assert_eq!(job.post(&at("/issues/1/comments"), long.clone()).status, 422);
    assert_eq!(job.patch(&at("/issues/1"), long).status, 422);
    assert_eq!(job.post(&at("/issues"), json!({"title": "t".repeat(257)})).status, 422);
    assert_eq!(job.post(&at("/issues"), json!({"title": " "})).status, 422);
    assert_eq!(job.post(&at("/labels"), json!({"name": "n", "color": "#00ff00"})).status, 422);
    assert_eq!(job.post(&at("/labels"), json!({"name": "BUG"})).status, 422);
    assert_eq!(fake.issues().len(), 1);
    fake.assert_contract();
    // These are described, so they are violations too.
    let sha = fake.sha("main").expect("main");
    let note =
        json!({"path": "p", "start_line": 1, "end_line": 1, "annotation_level": "warning", "message": "m"});
    let check = |summary: usize, notes: usize| {
        let output =
            json!({"title": "t", "summary": "s".repeat(summary), "annotations": vec![note.clone(); notes]});
        job.post(&at("/check-runs"), json!({"name": "n", "head_sha": sha, "output": output})).status
    };
    assert_eq!((check(65_535, 50), check(65_536, 0), check(1, 51)), (201, 422, 422));
    assert_eq!(job.post(&at("/dispatches"), json!({"event_type": "e".repeat(101)})).status, 422);
    assert_eq!(fake.take_violations().len(), 3);
    assert_eq!(job.post(&at("/check-runs"), json!({"name": "n", "head_sha": "0".repeat(40)})).status, 422);
}

#[test]
fn issues_that_are_disabled_are_gone_but_pull_requests_stay() {
    let Some((fake, job)) = fake() else { return };
    let pull = fake.person("alice").open_pull("b", "p", &[("a", "b")]);
    open(&job, "t");
    fake.disable_issues();
    assert_eq!((open(&job, "t").status, job.get(&at("/issues/2")).status), (410, 410));
    assert_eq!(job.post(&at("/issues/2/comments"), json!({"body": "b"})).status, 410);
    assert_eq!(job.post(&at(&format!("/issues/{pull}/comments")), json!({"body": "b"})).status, 201);
    assert_eq!(job.get(&at("/issues?state=all")).body.as_array().map(Vec::len), Some(1));
}

#[test]
fn writes_beyond_the_secondary_limit_wait_for_retry_after() {
    let Some((fake, job)) = fake() else { return };
    fake.freeze(chrono::Utc::now());
    assert!((0..80).all(|n| open(&job, &format!("issue {n}")).status == 201));
    let refused = open(&job, "one more");
    assert_eq!((refused.status, refused.header("retry-after")), (403, Some("60")), "{}", refused.text);
    assert_eq!(job.get(&at("/issues")).status, 200, "reading is not limited by it");
    // Each author has limits of its own.
    assert_eq!(open(&fake.ask_as(&fake.personal_token("alice")), "another's").status, 201);
    fake.advance(TimeDelta::seconds(59));
    assert_eq!(open(&job, "too early").header("retry-after"), Some("1"));
    fake.advance(TimeDelta::seconds(1));
    assert_eq!(open(&job, "now").status, 201);
    fake.limit(|limits| limits.writes_per_hour = 81);
    fake.advance(TimeDelta::minutes(5));
    assert_eq!(open(&job, "the hour is used up").header("retry-after"), Some("3240"));
}

#[test]
fn the_primary_limit_is_told_and_enforced() {
    let Some((fake, job)) = fake() else { return };
    fake.freeze(chrono::Utc::now());
    fake.limit(|limits| limits.job_requests_per_hour = 2);
    let first = job.get(&at("/issues"));
    assert_eq!(first.header("x-ratelimit-remaining"), Some("1"));
    assert_eq!(job.get(&at("/issues")).status, 200);
    let over = job.get(&at("/issues"));
    assert_eq!((over.status, over.header("x-ratelimit-remaining")), (403, Some("0")));
    assert_eq!(over.header("retry-after"), None);
    assert_eq!(job.get("/rate_limit").body["rate"]["remaining"], 0);
    fake.advance(TimeDelta::hours(1));
    assert_eq!(job.get(&at("/issues")).status, 200);
}

#[tokio::test]
async fn octocrab_understands_the_answers() {
    let Some((fake, _)) = fake() else { return };
    let builder = octocrab::Octocrab::builder().base_uri(fake.url()).expect("an address");
    let crab = builder.personal_token(fake.job_token()).build().expect("a client");
    let issues = crab.issues("acme", "widgets");
    for n in 0..5 {
        let labels = Some(vec!["tollgate".to_owned()]);
        let issue = issues.create(format!("issue {n}")).body("text").labels(labels);
        let issue = Box::pin(issue.send()).await.expect("opened");
        assert_eq!((issue.number, issue.user.login.as_str()), (n + 1, JOB_LOGIN));
    }
    let page = issues.list().labels(&["tollgate".to_owned()]).per_page(2).send().await.expect("a page");
    assert_eq!(crab.all_pages(page).await.expect("all pages").len(), 5);
    // Over a connection that was used before.
    fake.inject(github::When::nth(1, "POST", "/repos/*/*/issues/*/comments"), github::Fault::DropAfter);
    issues.create_comment(1, "unheard").await.expect_err("dropped");
    assert_eq!(fake.comments(1).len(), 1, "done once, and not repeated by anybody");
    let listed = issues.list_comments(1).send().await.expect("comments");
    assert_eq!(listed.items[0].body.as_deref(), Some("unheard"));
    let number = fake.person("alice").open_pull("b", "p", &[("a", "b")]);
    assert_eq!(crab.pulls("acme", "widgets").get(number).await.expect("a pull request").head.ref_field, "b");
}
