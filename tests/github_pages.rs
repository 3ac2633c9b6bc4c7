//! What Tollgate shows on GitHub beside issues: labels, checks, the sticky comment, proposals. Each is shown once,
//! whatever goes wrong.

mod common;
#[path = "common/github/mod.rs"]
mod github;
#[path = "common/github_bed.rs"]
mod github_bed;

use github::{FakeGitHub, Fault, JOB_LOGIN, Kind, REPO, Reason, Storm, When};
use github_bed::{Bed, token};
use tollgate::notify::github::check::{self, Annotation, CheckReport, Conclusion, Level, Shown};
use tollgate::notify::github::labels::{self, Label};
use tollgate::notify::github::propose::{self, Proposal, Proposed, ProposedFile, PullState};
use tollgate::notify::github::pull_request::{self, Done, Sticky, Stuck};
use tollgate::notify::github::{Client, GithubError};

const COMMENTS: &str = "/repos/*/*/issues/*/comments";
const MARKER: &str = "<!-- tollgate:v1 kind=pr key=K ";

fn label(name: &str) -> Label {
    Label { name: name.into(), color: "b60205".into(), description: "made by tollgate".into() }
}

#[tokio::test]
async fn missing_labels_are_made_and_others_left_alone() {
    let Some(bed) = Bed::new("") else { return };
    let client = bed.job();
    let wanted = [label("BUG"), label("tollgate"), label("tollgate:accept")];
    bed.fake().inject(When::first(1, "POST", "/repos/*/*/labels"), Fault::After(502));
    let made = labels::ensure(&client, &wanted).await.expect("made");
    assert_eq!(made, ["tollgate:accept"], "of the other the answer was lost");
    assert!(bed.fake().labels().contains(&"tollgate".to_owned()));
    assert_eq!(labels::ensure(&client, &wanted).await, Ok(Vec::new()));
    assert_eq!(bed.fake().labels().len(), 5);
}

#[tokio::test]
async fn two_runners_may_make_the_same_label() {
    let Some(bed) = Bed::new("") else { return };
    let (one, two) = (bed.job(), bed.job());
    let wanted: Vec<_> = (0..8).map(|n| label(&format!("label-{n}"))).collect();
    let (first, second) = tokio::join!(labels::ensure(&one, &wanted), labels::ensure(&two, &wanted));
    assert_eq!(first.expect("made").len() + second.expect("made").len(), 8);
    assert_eq!(bed.fake().labels().len(), 11);
}

fn main_sha(fake: &FakeGitHub) -> String {
    fake.world().repos[REPO].refs["refs/heads/main"].clone()
}

fn report(fake: &FakeGitHub, annotations: u32) -> CheckReport {
    let annotation = |n| Annotation {
        path: "tollgate.toml".into(),
        start_line: n,
        end_line: n,
        annotation_level: Level::Warning,
        message: format!("case {n}"),
        title: "Toll rose".into(),
    };
    CheckReport {
        name: "tollgate".into(),
        head_sha: main_sha(fake),
        external_id: "sweep-1".into(),
        conclusion: Conclusion::Neutral,
        title: "Not enough history".into(),
        summary: "3 sweeps are needed".into(),
        text: String::new(),
        annotations: (1..=annotations).map(annotation).collect(),
        details_url: None,
    }
}

#[tokio::test]
async fn a_check_is_made_once_and_then_updated() {
    let Some(bed) = Bed::new("") else { return };
    let client = bed.job();
    let mut report = report(bed.fake(), 0);
    let made = check::publish(&client, &report).await.expect("made");
    let Shown::Check { id, written: true } = made else { panic!("{made:?}") };
    assert_eq!(check::publish(&client, &report).await, Ok(Shown::Check { id, written: false }));
    (report.conclusion, report.text) = (Conclusion::Failure, "fio".into());
    assert_eq!(check::publish(&client, &report).await, Ok(Shown::Check { id, written: true }));
    let checks = bed.fake().checks();
    assert_eq!((checks.len(), checks[0].conclusion.as_deref()), (1, Some("failure")));
    report.external_id = "sweep-2".into();
    check::publish(&client, &report).await.expect("another sweep's");
    assert_eq!(bed.fake().checks().len(), 2);
}

#[tokio::test]
async fn annotations_are_sent_by_fifties_and_each_once_also_when_answers_are_lost() {
    let Some(bed) = Bed::new("") else { return };
    let client = bed.job();
    bed.fake().inject(When::first(1, "POST", "/repos/*/*/check-runs"), Fault::DropAfter);
    bed.fake().inject(When::nth(1, "PATCH", "/repos/*/*/check-runs/*"), Fault::After(502));
    bed.fake().inject(When::nth(2, "PATCH", "/repos/*/*/check-runs/*"), Fault::Before(502));
    check::publish(&client, &report(bed.fake(), 120)).await.expect("settled");
    let checks = bed.fake().checks();
    assert_eq!((checks.len(), checks[0].annotations.len()), (1, 120));
    let lines: Vec<_> = checks[0].annotations.iter().map(|a| a["start_line"].as_u64()).collect();
    assert!(lines.windows(2).all(|pair| pair[0] < pair[1]), "{lines:?}");
    let again = check::publish(&client, &report(bed.fake(), 120)).await.expect("shown");
    assert!(matches!(again, Shown::Check { written: false, .. }));
}

#[tokio::test]
async fn a_token_that_may_not_write_checks_gets_a_status_and_else_only_the_summary() {
    let Some(bed) = Bed::new("") else { return };
    let alice = bed.client(token(&bed.fake().personal_token("alice")), |_| {});
    let mut long = report(bed.fake(), 0);
    (long.title, long.conclusion) = ("toll ".repeat(40), Conclusion::ActionRequired);
    let shown = check::publish(&alice, &long).await.expect("shown");
    let Shown::Status { because } = shown else { panic!("{shown:?}") };
    assert!(because.contains("`checks: write`"), "{because}");
    let status = &bed.fake().statuses()[0];
    assert_eq!((status.state.as_str(), status.context.as_str()), ("error", "tollgate"));
    let nothing = bed.job_with(&[("issues", "write")]);
    let shown = check::publish(&nothing, &long).await.expect("no error");
    let Shown::SummaryOnly { because } = shown else { panic!("{shown:?}") };
    assert!(because.contains("`checks: read`") && because.contains("`statuses: write`"), "{because}");
    bed.fake().inject(When::every("*", "/repos/*/*/commits/**"), Fault::Before(502));
    assert!(check::publish(&bed.job(), &long).await.is_err(), "a broken network is no missing permission");
}

#[tokio::test]
async fn texts_over_the_limit_are_refused_before_they_are_sent() {
    let Some(bed) = Bed::new("") else { return };
    let client = bed.job();
    let report = CheckReport { summary: "x".repeat(65_536), ..report(bed.fake(), 0) };
    let error = check::publish(&client, &report).await.expect_err("too long");
    assert_eq!(
        error.to_string(),
        "the check's summary has 65536 characters, GitHub takes 65535; render a shorter form"
    );
    let body = format!("{MARKER}state=1 -->\n{}", "x".repeat(65_536));
    let error = stick(&client, 1, &body).await.expect_err("too long");
    assert!(matches!(error, GithubError::TooLong { .. }) && error.is_for_good());
    assert!(bed.fake().world().log.is_empty());
}

async fn stick(client: &Client, number: u64, body: &str) -> Result<Stuck, GithubError> {
    pull_request::stick(client, &Sticky { number, marker: MARKER, body }).await
}

fn body(state: &str, text: &str) -> String {
    format!("{MARKER}state={state} -->\n{text}\n")
}

#[tokio::test]
async fn a_sticky_comment_is_made_left_alone_updated_and_made_again() {
    let Some(bed) = Bed::new("") else { return };
    let client = bed.job();
    let number = bed.fake().person("alice").open_pull("feature", "A change", &[("a", "b")]);
    let made = stick(&client, number, &body("1", "rose")).await.expect("made");
    assert_eq!((made.done, bed.fake().comments(number).len()), (Done::Created, 1));
    let same = stick(&client, number, &body("1", "the text alone is another")).await.expect("seen");
    assert_eq!((same.done, same.id), (Done::Unchanged, made.id));
    let updated = stick(&client, number, &body("2", "fell")).await.expect("updated");
    assert_eq!((updated.done, updated.id), (Done::Updated, made.id));
    assert_eq!(bed.fake().comments(number)[0].body, body("2", "fell"));
    bed.fake().person("alice").delete_comment(made.id);
    let anew = stick(&client, number, &body("2", "fell")).await.expect("made anew");
    assert_eq!((anew.done, bed.fake().comments(number).len()), (Done::Created, 1));
}

#[tokio::test]
async fn a_pasted_marker_and_another_key_are_not_ours() {
    let Some(bed) = Bed::new("") else { return };
    let client = bed.job();
    let number = bed.fake().person("alice").open_pull("feature", "A change", &[("a", "b")]);
    bed.fake().stranger("mallory").comment(number, &body("1", "all is well"));
    stick(&client, number, &body("1", "rose")).await.expect("made");
    let other = "<!-- tollgate:v1 kind=pr key=K2 state=1 -->\nanother";
    let sticky = Sticky { number, marker: "<!-- tollgate:v1 kind=pr key=K2 ", body: other };
    pull_request::stick(&client, &sticky).await.expect("made");
    stick(&client, number, &body("2", "fell")).await.expect("updated");
    let all: Vec<_> = bed.fake().comments(number).into_iter().map(|c| (c.author.login, c.body)).collect();
    let expected = [
        ("mallory".to_owned(), body("1", "all is well")),
        (JOB_LOGIN.to_owned(), body("2", "fell")),
        (JOB_LOGIN.to_owned(), other.to_owned()),
    ];
    assert_eq!(all, expected);
}

#[tokio::test]
async fn of_duplicates_the_oldest_is_kept_also_far_down_the_pages() {
    let Some(bed) = Bed::new("") else { return };
    let client = bed.job();
    let number = bed.fake().person("alice").open_pull("feature", "A change", &[("a", "b")]);
    let oldest = stick(&client, number, &body("1", "rose")).await.expect("made").id;
    for _ in 0..150 {
        bed.fake().stranger("bob").comment(number, "me too");
    }
    let path = client.repo(&format!("issues/{number}/comments"));
    let twin = serde_json::json!({ "body": body("1", "rose") });
    let twin = client.write(reqwest::Method::POST, &path, &twin).await.expect("a twin")["id"].as_u64();
    let stuck = stick(&client, number, &body("1", "rose")).await.expect("cleaned");
    assert_eq!((stuck.id, stuck.done, stuck.deleted.first().copied()), (oldest, Done::Unchanged, twin));
    assert_eq!(bed.fake().comments(number).len(), 151);
}

#[tokio::test]
async fn a_comment_deleted_between_look_and_write_is_made_anew() {
    let Some(bed) = Bed::new("") else { return };
    let client = bed.job();
    let number = bed.fake().person("alice").open_pull("feature", "A change", &[("a", "b")]);
    stick(&client, number, &body("1", "rose")).await.expect("made");
    bed.fake().inject(When::first(1, "PATCH", "/repos/*/*/issues/comments/*"), Fault::Before(404));
    assert_eq!(stick(&client, number, &body("2", "fell")).await.expect("made").done, Done::Created);
}

/// Runs until it succeeds, as scheduled runs would.
async fn eventually<T>(mut run: impl AsyncFnMut() -> Result<T, GithubError>) -> T {
    for _ in 0..30 {
        if let Ok(done) = run().await {
            return done;
        }
    }
    panic!("30 runs failed although the storm is over after 20 faults");
}

#[tokio::test]
async fn in_any_storm_there_is_one_comment_with_the_last_state() {
    let Some(bed) = Bed::new("") else { return };
    let client = bed.job();
    bed.fake().limit(|limits| limits.job_requests_per_hour = u64::MAX);
    for seed in 0..40 {
        let number = bed.fake().person("alice").open_pull(&format!("b{seed}"), "A change", &[("a", "b")]);
        bed.fake().storm(Storm::passing(seed));
        for state in ["1", "2"] {
            eventually(async || stick(&client, number, &body(state, "text")).await).await;
        }
        bed.fake().calm();
        let comments = bed.fake().comments(number);
        assert_eq!((comments.len(), &comments[0].body), (1, &body("2", "text")), "seed {seed}");
    }
}

#[tokio::test]
async fn the_pull_requests_of_a_run_are_those_whose_head_it_tested() {
    let Some(bed) = Bed::new("") else { return };
    let client = bed.job();
    let fake = bed.fake();
    let own = fake.person("alice").open_pull("feature", "A change", &[("a", "b")]);
    let fork = fake.stranger("mallory").open_pull("feature", "A fork's", &[("a", "c")]);
    let head = |number: u64| fake.issue(number).pull.expect("a pull request").head_sha;
    for (id, sha) in [(1, head(own)), (2, head(fork)), (3, main_sha(fake))] {
        let mut world = fake.world();
        let created = world.now();
        let run = github::state::Run {
            id,
            workflow: "sweep".into(),
            event: "pull_request".into(),
            head_branch: "feature".into(),
            head_sha: sha,
            conclusion: "success".into(),
            created,
            artifacts: Vec::new(),
        };
        world.repos.get_mut(REPO).expect("the repository").runs.insert(id, run);
    }
    let of = async |run| pull_request::origin(&client, run).await.expect("a run");
    let origin = of(1).await;
    assert_eq!((origin.event.as_str(), origin.pull_requests), ("pull_request", vec![own]));
    assert_eq!(of(2).await.pull_requests, [fork]);
    assert_eq!(of(3).await.pull_requests, [] as [u64; 0]);
    // The pull request moved on: what was measured is no longer its head.
    fake.person("alice").push("feature", "more", &[("a", "d")]);
    assert_eq!(of(1).await.pull_requests, [] as [u64; 0]);
    assert_eq!(pull_request::origin(&client, 9).await.expect_err("no such run").status(), Some(404));
}

fn proposal(text: &str) -> Proposal {
    let file = |path: &str| ProposedFile {
        path: path.into(),
        text: text.into(),
        message: format!("New baseline in {path}"),
    };
    Proposal {
        base: "main".into(),
        branch: "tollgate/baseline-lab".into(),
        title: "New baselines".into(),
        body: "Measured".into(),
        files: vec![file("baselines/lab/fio.json"), file("baselines/lab/größe 2.json")],
    }
}

#[tokio::test]
async fn a_proposal_is_made_once_and_a_changed_one_updates_it() {
    let Some(bed) = Bed::new("") else { return };
    let client = bed.job();
    let first = propose::propose(&client, &proposal("one")).await.expect("proposed");
    let pull = first.pull_request.clone().expect("a pull request");
    assert!(first.made_branch && pull.state == PullState::Opened && first.written.len() == 2, "{first:?}");
    let again = propose::propose(&client, &proposal("one")).await.expect("seen");
    assert!(!again.made_branch && again.written.is_empty(), "{again:?}");
    let reused = again.pull_request.expect("the same");
    assert_eq!((reused.number, reused.state), (pull.number, PullState::Unchanged));
    let changed = propose::propose(&client, &proposal("two")).await.expect("updated");
    assert_eq!((changed.written.len(), changed.pull_request.expect("the same").number), (2, pull.number));
    assert_eq!(bed.fake().pulls().len(), 1);
    let files = [("baselines/lab/fio.json", "two"), ("baselines/lab/größe 2.json", "two")];
    bed.fake().person("alice").push("main", "Merge", &files);
    assert_eq!(propose::propose(&client, &proposal("two")).await, Ok(Proposed::default()));
}

#[tokio::test]
async fn an_open_proposal_says_what_it_holds_and_a_declined_one_stays_closed() {
    let Some(bed) = Bed::new("") else { return };
    let client = bed.job();
    let of = async |text: &str, body: &str| {
        let proposal = Proposal { body: body.into(), ..proposal(text) };
        propose::propose(&client, &proposal).await.expect("proposed").pull_request.expect("a pull request")
    };
    let first = of("one", "One sweep").await;
    assert_eq!(of("one", "One sweep, and why").await.state, PullState::Updated);
    assert_eq!(bed.fake().pulls()[0].body.as_deref(), Some("One sweep, and why"));
    bed.fake().person("alice").close(first.number, Reason::Completed);
    let declined = of("one", "One sweep, and why").await;
    assert_eq!((declined.number, declined.state), (first.number, PullState::Declined));
    let anew = of("two", "Two sweeps").await;
    assert_eq!((anew.number > first.number, anew.state), (true, PullState::Opened));
}

#[tokio::test]
async fn a_file_of_which_github_gives_no_text_is_compared_by_its_blob() {
    let Some(bed) = Bed::new("") else { return };
    let client = bed.job();
    let large = "x".repeat(1_100_000);
    let first = propose::propose(&client, &proposal(&large)).await.expect("proposed");
    assert_eq!(first.written.len(), 2);
    let again = propose::propose(&client, &proposal(&large)).await.expect("seen");
    assert!(again.written.is_empty(), "{again:?}");
}

#[tokio::test]
async fn in_any_storm_there_is_one_pull_request_with_the_files() {
    let Some(bed) = Bed::new("") else { return };
    let client = bed.job();
    bed.fake().limit(|limits| limits.job_requests_per_hour = u64::MAX);
    for seed in 0..25 {
        let proposal = Proposal { branch: format!("tollgate/b{seed}"), ..proposal(&format!("text {seed}")) };
        bed.fake().storm(Storm::passing(seed));
        eventually(async || propose::propose(&client, &proposal).await).await;
        bed.fake().calm();
        let pulls = bed.fake().pulls();
        let ours: Vec<_> =
            pulls.iter().filter(|p| p.pull.as_ref().is_some_and(|p| p.head == proposal.branch)).collect();
        assert_eq!(ours.len(), 1, "seed {seed}");
        let world = bed.fake().world();
        let repo = &world.repos[REPO];
        let mut at = repo.resolve(&proposal.branch);
        let head = at.expect("the branch").files.clone();
        for file in &proposal.files {
            assert_eq!(head.get(&file.path).map(Vec::as_slice), Some(file.text.as_bytes()), "seed {seed}");
        }
        let mut commits = 0;
        while let Some(parent) = at.and_then(|commit| commit.parent.as_deref()) {
            (commits, at) = (commits + 1, repo.resolve(parent));
        }
        assert_eq!(commits, 2, "seed {seed}: one commit a file");
    }
}

#[tokio::test]
async fn a_repository_that_forbids_workflows_to_open_pull_requests_is_told_where_to_allow_it() {
    let Some(bed) = Bed::new("") else { return };
    bed.fake().world().repos.get_mut(REPO).expect("there").actions_may_open_pulls = false;
    let secret = bed.fake().token(Kind::Job, JOB_LOGIN, &[]);
    let client = bed.client(token(&secret), |_| {});
    let error = propose::propose(&client, &proposal("one")).await.expect_err("not permitted").to_string();
    assert!(error.contains("allow GitHub Actions to create pull requests"), "{error}");
    // Allowed now: the branch and its files are there, the pull request follows.
    bed.fake().world().repos.get_mut(REPO).expect("there").actions_may_open_pulls = true;
    let done = propose::propose(&client, &proposal("one")).await.expect("proposed");
    assert!(
        !done.made_branch
            && done.written.is_empty()
            && done.pull_request.is_some_and(|p| p.state == PullState::Opened)
    );
}

#[tokio::test]
async fn an_ambiguous_comment_is_looked_up_before_it_is_written_again() {
    let Some(bed) = Bed::new("") else { return };
    let client = bed.job();
    let number = bed.fake().person("alice").open_pull("feature", "A change", &[("a", "b")]);
    bed.fake().inject(When::first(1, "POST", COMMENTS), Fault::DropAfter);
    let stuck = stick(&client, number, &body("1", "rose")).await.expect("settled");
    assert_eq!((stuck.done, bed.fake().comments(number).len()), (Done::Unchanged, 1));
    let asked: Vec<_> = bed.fake().world().log.iter().map(|r| r.method.clone()).collect();
    assert_eq!(asked, ["GET", "GET", "POST", "GET"]);
}
