//! The actions' scripts, run by themselves: which tollgate they take, and how they try again to send.

use super::workshop::TOKEN;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/actions").join(name)
}

fn install(dir: &TempDir, server: &str, inputs: &[(&str, &str)]) -> (Output, String) {
    let output = dir.path().join("output");
    let mut bash = Command::new("bash");
    bash.arg(script("tollgate/install.sh")).current_dir(dir.path());
    for name in ["INPUT_BINARY", "INPUT_VERSION", "INPUT_SHA256", "ACTION_REPOSITORY"] {
        bash.env(name, "");
    }
    bash.envs(inputs.iter().copied())
        .env("GITHUB_SERVER_URL", server)
        .env("GITHUB_REPOSITORY", "acme/widgets")
        .env("GITHUB_OUTPUT", &output)
        .env("RUNNER_TEMP", dir.path());
    let ran = bash.output().expect("bash");
    (ran, fs::read_to_string(output).unwrap_or_default())
}

/// An archive as `packaging/release.sh` makes it, and its checksum.
fn archive(dir: &TempDir) -> (Vec<u8>, String) {
    let tree = dir.path().join("tollgate-0.1.0-x86_64-linux");
    fs::create_dir(&tree).expect("a directory");
    fs::copy(super::fixture("stand-in"), tree.join("tollgate")).expect("a copy");
    let tar = Command::new("tar")
        .args(["--create", "--gzip", "--directory"])
        .arg(dir.path())
        .arg("tollgate-0.1.0-x86_64-linux")
        .output()
        .expect("tar");
    let sum = Sha256::digest(&tar.stdout).iter().fold(String::new(), |mut sum, byte| {
        let _ = write!(sum, "{byte:02x}");
        sum
    });
    (tar.stdout, sum)
}

/// Serves one request with this body; gives the address and, once served, the request's first line.
fn serve(body: Vec<u8>) -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut request = [0; 4096];
        let read = stream.read(&mut request).expect("a request");
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)).expect("an answer");
        String::from_utf8_lossy(&request[..read]).lines().next().unwrap_or_default().to_owned()
    });
    (address, served)
}

#[test]
fn a_release_is_taken_when_it_has_the_pinned_checksum() {
    let dir = tempfile::tempdir().expect("a directory");
    let (bytes, sum) = archive(&dir);
    let (server, request) = serve(bytes);
    let inputs =
        [("INPUT_VERSION", "0.1.0"), ("INPUT_SHA256", sum.as_str()), ("ACTION_REPOSITORY", "acme/tollgate")];
    let (ran, output) = install(&dir, &server, &inputs);
    assert!(ran.status.success(), "{ran:?}");
    let asked = request.join().expect("a server");
    assert_eq!(
        asked,
        "GET /acme/tollgate/releases/download/v0.1.0/tollgate-0.1.0-x86_64-linux.tar.gz HTTP/1.1"
    );
    let binary = output.trim().strip_prefix("binary=").expect("an output");
    assert_eq!(
        fs::read(binary).expect("the program"),
        fs::read(super::fixture("stand-in")).expect("the fixture")
    );
}

#[test]
fn a_release_with_another_checksum_is_refused_before_it_is_unpacked() {
    let dir = tempfile::tempdir().expect("a directory");
    let (bytes, _) = archive(&dir);
    let (server, request) = serve(bytes);
    let wrong = "0".repeat(64);
    let (ran, output) = install(&dir, &server, &[("INPUT_VERSION", "0.1.0"), ("INPUT_SHA256", &wrong)]);
    request.join().expect("a server");
    assert_eq!(ran.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&ran.stdout).contains("does not have the checksum"), "{ran:?}");
    assert!(!dir.path().join("tollgate-0.1.0/tollgate").exists());
    assert_eq!(output, "");
}

#[test]
fn a_release_without_checksum_and_a_version_that_is_no_version_are_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let sum = "0".repeat(64);
    for inputs in [
        [("INPUT_VERSION", "0.1.0"), ("INPUT_SHA256", "")],
        [("INPUT_VERSION", "../x"), ("INPUT_SHA256", &sum)],
    ] {
        let (ran, _) = install(&dir, "http://127.0.0.1:1", &inputs);
        assert_eq!(ran.status.code(), Some(2), "{inputs:?}");
    }
}

#[test]
fn a_binary_is_taken_by_its_path_and_one_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let stand_in = super::fixture("stand-in").display().to_string();
    let (ran, output) = install(&dir, "", &[("INPUT_BINARY", &stand_in)]);
    assert!(ran.status.success(), "{ran:?}");
    assert_eq!(output, format!("binary={stand_in}\n"));
    let (ran, _) = install(&dir, "", &[("INPUT_BINARY", "nowhere/tollgate")]);
    assert_eq!(ran.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&ran.stdout).contains("nowhere/tollgate is not there"), "{ran:?}");
}

/// Runs `notify.sh` with two results, the program ending with these codes, call after call.
fn notify(exits: &str) -> (Output, Vec<String>) {
    let dir = tempfile::tempdir().expect("a directory");
    for host in ["a", "b"] {
        fs::create_dir_all(dir.path().join("results").join(host)).expect("a directory");
        fs::write(dir.path().join("results").join(host).join("result.json"), "{}").expect("a file");
    }
    let calls = dir.path().join("calls");
    let ran = Command::new("bash")
        .arg(script("notify/notify.sh"))
        .env("TOLLGATE", super::fixture("stand-in"))
        .env("INPUT_RESULTS", dir.path().join("results"))
        .env("INPUT_WAITS", "0 0")
        .env("RUNNER_TEMP", dir.path())
        .env("GITHUB_TOKEN", TOKEN)
        .env("TOLLGATE_TEST_CALLS", &calls)
        .env("TOLLGATE_TEST_EXITS", exits)
        .output()
        .expect("bash");
    let calls = fs::read_to_string(calls).expect("calls").replace(&dir.path().display().to_string(), "DIR");
    (ran, calls.lines().map(|l| l.trim().to_owned()).collect())
}

const FIRST: &str = "notify --state=DIR/tollgate-state --result=DIR/results/a/result.json";
const SECOND: &str = "notify --state=DIR/tollgate-state --result=DIR/results/b/result.json";

#[test]
fn what_could_not_be_sent_is_said_again_with_its_result_since_it_may_never_have_been_kept() {
    let (ran, calls) = notify("3 0 3 0 0 0");
    assert_eq!(calls, [FIRST, SECOND, FIRST, SECOND, FIRST, SECOND]);
    assert!(ran.status.success(), "{ran:?}");
}

#[test]
fn what_cannot_be_sent_at_all_fails_the_job_and_says_what_to_do() {
    let (ran, calls) = notify("3 3 3 3 3 3");
    assert_eq!(calls, [FIRST, SECOND, FIRST, SECOND, FIRST, SECOND]);
    assert_eq!(ran.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&ran.stdout).contains("re-run this job"), "{ran:?}");
}

#[test]
fn an_invalid_result_fails_the_job_but_does_not_keep_the_others_from_being_posted() {
    let (ran, calls) = notify("2 0");
    assert_eq!(calls, [FIRST, SECOND]);
    assert_eq!(ran.status.code(), Some(1));
}

#[test]
fn tollgate_knows_every_option_that_the_scripts_use() {
    let tollgate = |arguments: &[&str]| {
        let ran = Command::new(env!("CARGO_BIN_EXE_tollgate")).args(arguments).output().expect("tollgate");
        String::from_utf8_lossy(&ran.stdout).into_owned()
    };
    for (name, command) in [("tollgate/gate.sh", "gate"), ("notify/notify.sh", "notify")] {
        let text = fs::read_to_string(script(name)).expect("the script");
        let help = tollgate(&[command, "--help"]);
        let is_name = |c: char| c.is_ascii_lowercase() || c == '-';
        let used = text.split([' ', '"', '(']).filter_map(|word| word.strip_prefix("--"));
        let used: Vec<&str> = used.map(|w| w.split(|c| !is_name(c)).next().unwrap_or_default()).collect();
        assert!(used.len() > 1, "{name}: {used:?}");
        for option in used {
            assert!(help.contains(&format!("--{option}")), "{name} uses --{option}");
        }
    }
}
