//! The workflows and the composite actions, run by act on this host: what starts them, what reaches tollgate, what is kept
//! and what is posted. Here tollgate is a stand-in that writes down how it was called; in `story` it is the real one.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/github/mod.rs"]
mod github;
mod install;
#[path = "../common/recorded.rs"]
mod recorded;
mod story;
mod workshop;

use serde_json::{Value, json};
use std::path::Path;
use workshop::{REPOSITORY, Run, TOKEN, Workshop, fixture};

const SUCCESS: Option<&str> = Some("success");
const FAILURE: Option<&str> = Some("failure");

fn workshop() -> Option<Workshop> {
    common::real(workshop::missing()).then(|| Workshop::new(&fixture("stand-in")))
}

fn dispatch(action: &str) -> Value {
    json!({"action": action, "repository": {"full_name": REPOSITORY, "default_branch": "main"}})
}

fn pull_request_from(repository: &str) -> Value {
    json!({
        "action": "synchronize",
        "number": 7,
        "pull_request": {
            "number": 7,
            "head": {"ref": "faster", "sha": "1".repeat(40), "repo": {"full_name": repository, "fork": repository != REPOSITORY}},
            "base": {"ref": "main", "sha": "2".repeat(40), "repo": {"full_name": REPOSITORY}},
        },
        "repository": {"full_name": REPOSITORY, "default_branch": "main"},
    })
}

fn completed(conclusion: &str, head_repository: &str) -> Value {
    json!({
        "action": "completed",
        "workflow_run": {
            "id": 42,
            "event": "repository_dispatch",
            "conclusion": conclusion,
            "head_sha": "1".repeat(40),
            "head_repository": {"full_name": head_repository},
        },
        "repository": {"full_name": REPOSITORY, "default_branch": "main"},
    })
}

fn assert_no_token(run: &Run, workshop: &Workshop) {
    assert!(!run.log.contains(TOKEN), "the log has the token");
    assert!(!workshop.calls().concat().contains(TOKEN), "an argument has the token");
}

#[test]
fn each_dispatch_that_a_host_sends_runs_the_gate_and_keeps_its_result() {
    for action in ["docker-upgrade", "kernel-upgrade", "storage-driver-upgrade"] {
        let Some(workshop) = workshop() else { return };
        let run = workshop.run("sweep.yml", "repository_dispatch", &dispatch(action));
        assert!(run.succeeded, "{}", run.log);
        assert_eq!(
            workshop.calls(),
            ["gate --profile=standard --output=tollgate-report --baselines=/var/lib/tollgate/baselines"]
        );
        assert_eq!(run.outputs["decision"], "pass");
        assert_eq!(run.summary, "# Report\n");
        for file in ["result.json", "report.html", "report.md"] {
            assert!(workshop.artifact("tollgate-tollgate").join(file).is_file(), "{file} is not kept");
        }
        assert_no_token(&run, &workshop);
    }
}

#[test]
fn a_regression_fails_the_job_and_its_result_is_kept_all_the_same() {
    let Some(mut workshop) = workshop() else { return };
    workshop.environment.insert("TOLLGATE_TEST_EXITS".into(), "1".into());
    let run = workshop.run("sweep.yml", "repository_dispatch", &dispatch("docker-upgrade"));
    assert!(!run.succeeded);
    assert_eq!((run.step("Gate"), run.step("Keep the result")), (FAILURE, SUCCESS), "{}", run.log);
    assert_eq!((run.outputs["decision"].as_str(), run.outputs["regressed"].as_str()), ("regressed", "1"));
    assert!(workshop.artifact("tollgate-tollgate/result.json").is_file());
}

#[test]
fn a_gate_that_could_not_measure_fails_the_job_and_nothing_is_kept_for_a_result() {
    let Some(mut workshop) = workshop() else { return };
    workshop.environment.insert("TOLLGATE_TEST_EXITS".into(), "3".into());
    let run = workshop.run("sweep.yml", "schedule", &dispatch("schedule"));
    assert_eq!((run.step("Gate"), run.step("Keep the result")), (FAILURE, SUCCESS), "{}", run.log);
    assert!(!workshop.artifact("tollgate-tollgate").exists());
}

#[test]
fn every_host_of_the_variable_is_swept() {
    let Some(mut workshop) = workshop() else { return };
    workshop.variables.insert("TOLLGATE_HOSTS".into(), r#"["epyc","xeon"]"#.into());
    workshop.variables.insert("TOLLGATE_PROFILE".into(), "smoke".into());
    workshop.variables.insert("TOLLGATE_STATE".into(), "/srv/tollgate".into());
    workshop.variables.insert("TOLLGATE_BASELINES".into(), "baselines".into());
    let run = workshop.run("sweep.yml", "repository_dispatch", &dispatch("kernel-upgrade"));
    assert!(run.succeeded, "{}", run.log);
    let call = "gate --profile=smoke --output=tollgate-report --baselines=baselines --state=/srv/tollgate";
    assert_eq!(workshop.calls(), [call, call]);
    assert!(workshop.artifact("tollgate-epyc/result.json").is_file());
    assert!(workshop.artifact("tollgate-xeon/result.json").is_file());
}

#[test]
fn a_pull_request_sweeps_though_nothing_changed_and_never_becomes_a_baseline() {
    let Some(workshop) = workshop() else { return };
    let run = workshop.run("sweep.yml", "pull_request", &pull_request_from(REPOSITORY));
    assert!(run.succeeded, "{}", run.log);
    let calls = workshop.calls();
    assert_eq!(calls.len(), 1);
    assert!(calls[0].contains("--profile=smoke"), "{calls:?}");
    assert!(calls[0].ends_with("--always --no-record"), "{calls:?}");
}

#[test]
fn a_fork_s_pull_request_starts_nothing() {
    let Some(workshop) = workshop() else { return };
    let run = workshop.run("sweep.yml", "pull_request", &pull_request_from("mallory/widgets"));
    assert!(run.succeeded, "a job that is left out is no failure: {}", run.log);
    assert_eq!(run.steps, []);
    assert_eq!(workshop.calls(), [""; 0]);
}

#[test]
fn inputs_are_words_and_never_code_or_options() {
    let Some(workshop) = workshop() else { return };
    let pwned = workshop.path("pwned");
    let budget = format!("$(touch {0}) --always \"; touch {0} #'", pwned.display());
    let payload = json!({
        "inputs": {"profile": "smoke", "always": "false", "budget": budget},
        "repository": {"full_name": REPOSITORY},
    });
    let run = workshop.run("sweep.yml", "workflow_dispatch", &payload);
    assert!(run.succeeded, "{}", run.log);
    let calls = workshop.calls();
    assert_eq!(calls.len(), 1);
    assert!(calls[0].contains(r"--budget=\$\(touch\ DIR/pwned\)\ --always\ \"), "{calls:?}");
    assert!(!pwned.exists(), "the budget was run");
}

#[test]
fn each_result_is_handed_to_notify() {
    let Some(workshop) = workshop() else { return };
    workshop.put("tollgate-epyc/result.json", "{}");
    workshop.put("tollgate-xeon/result.json", "{}");
    workshop.put("something-else/result.json", "{}");
    // A gate that found a regression has failed its run; that is what is to be told.
    let run = workshop.run("report.yml", "workflow_run", &completed("failure", REPOSITORY));
    assert!(run.succeeded, "{}", run.log);
    let calls = workshop.calls();
    assert_eq!(calls.len(), 2, "{calls:?}");
    for (call, host) in calls.iter().zip(["epyc", "xeon"]) {
        assert!(call.starts_with("notify --state=DIR/cache/"), "{call}");
        assert!(call.ends_with(&format!("/tmp/results/tollgate-{host}/result.json")), "{call}");
    }
    assert_no_token(&run, &workshop);
}

#[test]
fn nothing_is_posted_for_a_run_of_a_fork_or_one_that_was_cancelled() {
    for (conclusion, repository) in [
        ("success", "mallory/widgets"),
        ("cancelled", REPOSITORY),
        ("skipped", REPOSITORY),
        ("suc", REPOSITORY),
    ] {
        let Some(workshop) = workshop() else { return };
        workshop.put("tollgate-epyc/result.json", "{}");
        let run = workshop.run("report.yml", "workflow_run", &completed(conclusion, repository));
        assert_eq!(run.steps, [], "{conclusion} of {repository}");
        assert_eq!(workshop.calls(), [""; 0]);
    }
}

#[test]
fn a_link_in_an_artifact_is_not_followed() {
    let Some(workshop) = workshop() else { return };
    workshop.put("tollgate-b/result.json", "{}");
    workshop.put_link("tollgate-a/result.json", Path::new("/etc/passwd"));
    let run = workshop.run("report.yml", "workflow_run", &completed("success", REPOSITORY));
    assert_eq!(run.step("Post"), FAILURE);
    let calls = workshop.calls();
    assert_eq!(calls.len(), 1, "the other result is posted: {calls:?}");
    assert!(calls[0].ends_with("tollgate-b/result.json"));
    assert!(
        run.annotations.iter().any(|(level, text)| level == "error" && text.contains("no plain file")),
        "{}",
        run.log
    );
}

#[test]
fn a_failed_sweep_without_a_result_fails_the_report_and_one_that_had_nothing_to_do_does_not() {
    let Some(workshop) = workshop() else { return };
    let quiet = workshop.run("report.yml", "workflow_run", &completed("success", REPOSITORY));
    assert!(quiet.succeeded, "{}", quiet.log);
    let run = workshop.run("report.yml", "workflow_run", &completed("failure", REPOSITORY));
    assert_eq!(run.step("Post"), FAILURE);
    assert_eq!(workshop.calls(), [""; 0]);
    assert!(
        run.annotations
            .iter()
            .any(|(level, text)| level == "error" && text.contains("failure and left no result")),
        "{}",
        run.log
    );
}
