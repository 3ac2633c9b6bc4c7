//! The agent's built-in workloads as a trial calls them: the embedded program, natively, with tiny sizes.

use serde_json::Value;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::Duration;
use tollgate::environment::agent::embedded;

static AGENT: LazyLock<PathBuf> = LazyLock::new(|| {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("agent-bench");
    embedded::install(&dir).expect("installs")
});

fn bench(args: &[&str]) -> Output {
    Command::new(&*AGENT).arg("bench").args(args).output().expect("starts")
}

/// The one line of JSON that a workload prints.
fn report(args: &[&str]) -> Value {
    let output = bench(args);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && stderr.is_empty(), "{args:?}: {stderr}");
    assert_eq!(stdout.lines().count(), 1, "{stdout}");
    serde_json::from_str(&stdout).expect("JSON")
}

fn positive(report: &Value, fields: &[&str]) {
    for field in fields {
        assert!(report[field].as_f64().is_some_and(|v| v > 0.0), "{field} of {report}");
    }
}

#[test]
fn memory_workloads_measure() {
    let stream = report(&["stream", "--mib", "6", "--ms", "5", "--threads", "2"]);
    positive(&stream, &["copy_gb_s", "scale_gb_s", "add_gb_s", "triad_gb_s"]);
    assert_eq!(stream["elements"], 6 * (1 << 20) / 24);
    let gups = report(&["randomaccess", "--mib", "4", "--ms", "5"]);
    positive(&gups, &["gups", "updates"]);
    assert_eq!(gups["error_share"], 0.0);
    let faults = report(&["faults", "--mib", "8"]);
    positive(&faults, &["faults_per_second"]);
    // The program is alone in its process: the touched pages fault, and hardly anything else does.
    let (faults, pages) = (faults["faults"].as_f64(), faults["pages"].as_f64());
    assert!(faults >= pages && faults < pages.map(|p| p * 1.05), "{faults:?} faults for {pages:?} pages");
    let held = report(&["hold", "--mib", "8", "--ms", "10"]);
    assert!(held["resident_bytes"].as_u64() >= Some(8 << 20), "{held}");
    let whole = report(&["oom", "--mib", "8"]);
    assert_eq!((&whole["killed"], &whole["touched_mib"]), (&false.into(), &8.0.into()));
}

#[test]
fn file_workloads_measure_and_leave_only_what_was_there() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    let (source, copy, here) = (path("source"), path("copy"), path(""));
    std::fs::write(&source, vec![1; 1 << 20]).expect("writes");
    let rates = ["create", "append", "read", "rename", "unlink"].map(|step| format!("{step}_per_second"));
    positive(&report(&["small-files", "--dir", &here, "--count", "600"]), &rates.each_ref().map(|r| &**r));
    let first = report(&["first-write", "--file", &copy, "--prepare-from", &source]);
    positive(&first, &["first_write_ms", "second_write_us"]);
    positive(&report(&["first-write", "--file", &copy]), &["first_write_ms", "second_write_us"]);
    let read = report(&["read-file", "--file", &source, "--evict"]);
    assert_eq!(read["bytes"], 1 << 20);
    assert!(report(&["evict", "--file", &source])["cached_bytes_before"].as_u64() >= Some(1 << 20));
    let mut left: Vec<_> =
        dir.path().read_dir().expect("reads").map(|e| e.expect("an entry").file_name()).collect();
    left.sort();
    assert_eq!(left, ["copy", "source"]);
}

/// A server in the background, killed when the test ends.
struct Server(Child, SocketAddr);

impl Server {
    fn start() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("an address");
        let port = free.port().to_string();
        let mut command = Command::new(&*AGENT);
        command.args(["bench", "rr-server", "--listen", "127.0.0.1", "--port", &port]);
        let server = Self(command.stdout(Stdio::piped()).spawn().expect("starts"), free);
        for _ in 0..1000 {
            if TcpStream::connect(free).is_ok() {
                return server;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("rr-server never listened");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_request_is_answered_by_the_server() {
    let mut server = Server::start();
    let port = server.1.port().to_string();
    for proto in ["tcp", "udp"] {
        let rr = ["rr", "--proto", proto, "--host", "127.0.0.1", "--port", &port, "--ms", "20"];
        let report = report(&rr);
        positive(&report, &["transactions_per_second", "p50_us", "p99_us", "transactions"]);
        assert_eq!(report["proto"], proto);
    }
    assert!(server.0.try_wait().expect("waits").is_none(), "it serves until it is killed");
}

#[test]
fn what_cannot_be_measured_is_one_and_what_is_asked_wrongly_two() {
    for (code, args, says) in [
        (1, &["read-file", "--file", "/no/such/file"][..], "/no/such/file"),
        (1, &["small-files", "--dir", "/no/such/dir", "--count", "3"], "/no/such/dir"),
        (1, &["rr", "--proto", "tcp", "--host", "127.0.0.1", "--port", "1", "--ms", "1"], "127.0.0.1:1"),
        (2, &["stream", "--mib", "none", "--ms", "1"], "--mib none"),
        (2, &["stream", "--ms", "1"], "--mib is missing"),
        (2, &["nonsense"], "nonsense"),
        (2, &[], "usage:"),
    ] {
        let output = bench(args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(code), 0), "{args:?}: {stderr}");
        assert!(stderr.contains(says), "{args:?}: {stderr}");
    }
}
