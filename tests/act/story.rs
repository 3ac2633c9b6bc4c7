//! The real program in the real workflows against the fake of GitHub: from the dispatch of an upgraded host to an issue.

use super::github::{FakeGitHub, JOB_LOGIN, Kind};
use super::recorded::Recorded;
use super::workshop::{self, REPOSITORY, Run, Workshop, fixture};
use super::{FAILURE, common, dispatch, github};
use serde_json::json;

/// What `sweep.yml` and `report.yml` grant their jobs.
const SWEEP: [(&str, &str); 2] = [("contents", "read"), ("issues", "read")];
const REPORT: [(&str, &str); 6] = [
    ("actions", "read"),
    ("contents", "read"),
    ("issues", "write"),
    ("pull_requests", "write"),
    ("checks", "write"),
    ("statuses", "write"),
];

struct Stage {
    fake: FakeGitHub,
    workshop: Workshop,
    hour: u32,
}

impl Stage {
    /// A host with three accepted sweeps of the old engine.
    fn new() -> Self {
        let fake = FakeGitHub::start();
        let mut workshop = Workshop::new(&fixture("replaying"));
        let baselines = workshop.path("baselines");
        for hour in 0..3 {
            Recorded { hour, engine: "20.10.24+dfsg1", nat: 1.0 }.accept(&baselines);
        }
        let state = workshop.path("state");
        for (name, value) in [
            ("TOLLGATE_PROFILE", "smoke".to_owned()),
            ("TOLLGATE_WAITS", "0".to_owned()),
            ("TOLLGATE_BASELINES", baselines.display().to_string()),
            ("TOLLGATE_STATE", state.display().to_string()),
        ] {
            workshop.variables.insert(name.to_owned(), value);
        }
        workshop.environment.insert("GITHUB_API_URL".to_owned(), fake.url().to_owned());
        workshop
            .environment
            .insert("TOLLGATE_TEST_REAL".to_owned(), env!("CARGO_BIN_EXE_tollgate").to_owned());
        Self { fake, workshop, hour: 3 }
    }

    /// Runs a workflow with a token that may do what its job is granted.
    fn run(&mut self, workflow: &str, event: &str, payload: &serde_json::Value, may: &[(&str, &str)]) -> Run {
        self.workshop.token = self.fake.token(Kind::Job, JOB_LOGIN, may);
        let run = self.workshop.run(workflow, event, payload);
        assert!(!run.log.contains(&self.workshop.token), "the log has the token");
        run
    }

    /// The host says that Docker was upgraded, and its gate judges a sweep and two fresh ones.
    fn sweep(&mut self, engine: &str, nat: f64) -> Run {
        let dir = self.workshop.path("recorded");
        let files =
            (0..3).map(|n| Recorded { hour: self.hour + n, engine, nat }.write(&dir).display().to_string());
        let files = files.collect::<Vec<_>>().join(" ");
        self.hour += 3;
        self.workshop.environment.insert("TOLLGATE_TEST_SWEEPS".to_owned(), files);
        self.run("sweep.yml", "repository_dispatch", &dispatch("docker-upgrade"), &SWEEP)
    }

    /// The end of that run starts the report.
    fn report(&mut self, conclusion: &str) -> Run {
        let id = self.fake.add_run("sweep", "repository_dispatch", "main", &["tollgate-tollgate"]);
        let payload = json!({
            "action": "completed",
            "workflow_run": {
                "id": id,
                "event": "repository_dispatch",
                "conclusion": conclusion,
                "head_branch": "main",
                "head_sha": self.fake.sha("main"),
                "head_repository": {"full_name": REPOSITORY},
            },
            "repository": {"full_name": REPOSITORY, "default_branch": "main"},
        });
        self.run("report.yml", "workflow_run", &payload, &REPORT)
    }
}

#[test]
fn from_a_dispatch_of_an_upgraded_host_to_an_issue_and_to_its_end() {
    if !common::real(workshop::missing().or_else(github::missing)) {
        return;
    }
    let mut stage = Stage::new();
    let run = stage.sweep("26.1.5+dfsg1", 1.15);
    assert_eq!((run.step("Gate"), run.step("Keep the result")), (FAILURE, super::SUCCESS), "{}", run.log);
    assert_eq!(run.outputs["changed"], "true");
    assert_eq!(run.outputs["decision"], "regressed");
    assert!(run.summary.contains("regressed"), "{}", run.summary);
    assert!(run.annotations.iter().any(|(level, _)| level == "error"), "{}", run.log);
    assert!(stage.fake.writes().is_empty(), "the sweeping job wrote to GitHub");

    let told = stage.report("failure");
    assert!(told.succeeded, "{}", told.log);
    let issues = stage.fake.open_issues();
    let [issue] = &issues[..] else { panic!("{} issues: {}", issues.len(), told.log) };
    assert!(issue.title.starts_with("docker+nat: the network toll rose"), "{}", issue.title);
    let number = issue.number;

    // "Re-run jobs": everything was said already.
    let again = stage.report("failure");
    assert!(again.succeeded, "{}", again.log);
    assert_eq!((stage.fake.open_issues().len(), stage.fake.comments(number).len()), (1, 0));

    for _ in 0..2 {
        let run = stage.sweep("26.1.6+dfsg1", 1.0);
        assert!(run.succeeded, "{}", run.log);
        let told = stage.report("success");
        assert!(told.succeeded, "{}", told.log);
    }
    assert_eq!(stage.fake.open_issues().len(), 0, "two recovered sweeps close it");
}
