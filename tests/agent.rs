//! The embedded agent over pipes, as the native environment uses it.

mod common;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};
use tollgate::environment::agent::embedded;
use tollgate::environment::agent::process::{AgentProcess, Place};
use tollgate::environment::agent::{AgentClient, AgentError};
use tollgate_agent::protocol::{Exec, ExecResult, MAX_LINE_BYTES, Start};

const SWEEP: &str = "test-sweep";
/// A busy machine needs patience; nothing here takes so long by itself.
const LONG: Duration = Duration::from_secs(20);

/// One directory for all tests of a run.
static AGENT: LazyLock<PathBuf> = LazyLock::new(|| {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("agent");
    embedded::install(&dir).expect("installs")
});

async fn agent() -> AgentProcess {
    AgentProcess::start(&AGENT, &Place::default(), SWEEP).await.expect("the agent starts")
}

fn exec(argv: &[&str], timeout_ms: u64) -> Exec {
    let argv = argv.iter().map(|a| (*a).to_owned()).collect();
    Exec { argv, env: BTreeMap::new(), cwd: None, timeout_ms, output_limit: 10_000 }
}

async fn sh(client: &mut AgentClient, script: &str, timeout_ms: u64) -> ExecResult {
    client.exec(exec(&["sh", "-c", script], timeout_ms)).await.expect("runs")
}

fn server(name: &str, script: &str, ready_tcp: Option<String>) -> Start {
    let argv = ["sh", "-c", script].map(str::to_owned).to_vec();
    Start { name: name.to_owned(), argv, env: BTreeMap::new(), ready_tcp, ready_timeout_ms: 1000 }
}

/// A port that was free a moment ago.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    listener.local_addr().expect("an address").to_string()
}

/// Waits until the process is gone or a zombie.
fn assert_ends(pid: &str) {
    assert!(pid.parse::<u32>().is_ok(), "{pid:?} is no process id");
    let begun = Instant::now();
    while begun.elapsed() < LONG {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if stat.is_empty() || stat.contains(") Z") {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("process {pid} is still there");
}

#[tokio::test]
async fn output_limits_exit_codes_and_signals_come_back() {
    let mut agent = agent().await;
    let r = sh(&mut agent.client, "echo out; echo err >&2; exit 3", 5000).await;
    assert_eq!((r.stdout.as_str(), r.stderr.as_str(), r.code), ("out\n", "err\n", Some(3)));
    let r = sh(&mut agent.client, "kill -15 $$", 5000).await;
    assert_eq!((r.code, r.signal, r.timed_out), (None, Some(15), false));
    let r = sh(&mut agent.client, "head -c 3000000 /dev/zero", 20_000).await;
    assert_eq!((r.stdout.len(), r.stdout_bytes), (10_000, 3_000_000));
    // Zero bytes are six characters each in JSON: a greedy caller still gets an answer below the line limit.
    let mut greedy = exec(&["head", "-c", "4000000", "/dev/zero"], 20_000);
    greedy.output_limit = usize::MAX;
    let r = agent.client.exec(greedy).await.expect("an answer");
    assert_eq!((r.stdout.len(), r.stdout_bytes), (1024 * 1024, 4_000_000));
    assert!(r.stdout.len() * 6 * 2 < MAX_LINE_BYTES);
    agent.stop().await;
}

#[tokio::test]
async fn the_working_directory_is_the_root_unless_asked_for() {
    let mut agent = agent().await;
    assert_eq!(sh(&mut agent.client, "pwd", 5000).await.stdout, "/\n");
    let mut there = exec(&["pwd"], 5000);
    there.cwd = Some("/proc".to_owned());
    assert_eq!(agent.client.exec(there).await.expect("runs").stdout, "/proc\n");
}

#[tokio::test]
async fn a_timeout_kills_the_whole_group() {
    let mut agent = agent().await;
    let begun = Instant::now();
    let r = sh(&mut agent.client, "sleep 100 & echo $!; sleep 100", 300).await;
    assert!(r.timed_out && r.signal == Some(9) && begun.elapsed() < LONG);
    assert!(r.usage.wall_ns >= 300_000_000);
    assert_ends(r.stdout.trim());
}

#[tokio::test]
async fn a_background_grandchild_that_holds_stdout_does_not_block() {
    let mut agent = agent().await;
    let begun = Instant::now();
    let r = sh(&mut agent.client, "sleep 100 & echo $!", 60_000).await;
    assert!(!r.timed_out && r.code == Some(0) && begun.elapsed() < LONG);
    assert_ends(r.stdout.trim());
}

#[tokio::test]
async fn a_missing_program_is_named_and_the_connection_stays_good() {
    let mut agent = agent().await;
    let error = agent.client.exec(exec(&["/no/such/program"], 1000)).await.expect_err("missing");
    assert!(matches!(&error, AgentError::Refused(m) if m.contains("/no/such/program")), "{error}");
    assert!(agent.client.exec(exec(&[], 1000)).await.expect_err("empty").to_string().contains("argv"));
    assert!(agent.client.is_usable());
    assert_eq!(sh(&mut agent.client, "echo still", 5000).await.stdout, "still\n");
}

#[tokio::test]
async fn rusage_is_of_this_child() {
    let mut agent = agent().await;
    let busy = sh(&mut agent.client, "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done", 60_000).await.usage;
    assert!(busy.user_us > 0 && busy.max_rss_kib > 0);
    assert!((busy.user_us + busy.system_us) * 1000 <= busy.wall_ns * 11 / 10);
    let idle = sh(&mut agent.client, "sleep 0.2", 60_000).await.usage;
    assert!(idle.wall_ns >= 200_000_000 && idle.user_us + idle.system_us < 100_000);
    assert!(idle.voluntary_switches > 0);
}

#[tokio::test]
async fn a_server_that_dies_or_is_never_ready_is_an_error_with_its_output() {
    let mut agent = agent().await;
    let start = server("dies", "echo bad option >&2; exit 4", Some(free_address()));
    let error = agent.client.start(start).await.expect_err("dies").to_string();
    assert!(error.contains("exit code 4") && error.contains("bad option"), "{error}");
    let start = server("deaf", "echo $$; exec sleep 100", Some(free_address()));
    let error = agent.client.start(start).await.expect_err("never ready").to_string();
    assert!(error.contains("within 1000 ms"), "{error}");
    assert_ends(error.rsplit(' ').next().unwrap_or_default());
}

#[tokio::test]
async fn an_occupied_port_is_not_taken_for_the_server() {
    let mut agent = agent().await;
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let address = listener.local_addr().expect("an address").to_string();
    let start = server("late", "exec sleep 100", Some(address.clone()));
    let error = agent.client.start(start).await.expect_err("occupied").to_string();
    assert!(error.contains("already") && error.contains(&address), "{error}");
}

#[tokio::test]
async fn a_server_becomes_ready_and_stops() {
    let python = Command::new("python3").arg("--version").output();
    if !common::real(python.is_err().then(|| "python3 is not installed".to_owned())) {
        return;
    }
    let mut agent = agent().await;
    let address = free_address();
    let port = address.rsplit(':').next().unwrap_or_default();
    let script = format!("exec python3 -m http.server --bind 127.0.0.1 {port}");
    let mut start = server("web", &script, Some(address.clone()));
    start.ready_timeout_ms = 20_000;
    agent.client.start(start.clone()).await.expect("ready");
    assert!(agent.client.start(start).await.expect_err("twice").to_string().contains("running already"));
    agent.client.stop("web", Duration::from_secs(5)).await.expect("stops");
    assert!(std::net::TcpStream::connect(&address).is_err());
    agent.client.stop("never started", Duration::ZERO).await.expect("is no error");
}

#[tokio::test]
async fn files_are_written_and_read_and_the_place_is_described() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a/b");
    let path = path.to_str().expect("UTF-8");
    let mut agent = agent().await;
    agent.client.write(path, "0123456789", 0o600).await.expect("writes");
    assert_eq!(agent.client.read(path, 4).await.expect("reads"), "0123");
    assert!(agent.client.read("/no/such/file", 4).await.is_err());
    let here = agent.client.describe("/tmp").await.expect("describes");
    let ours = std::fs::read_link("/proc/self/ns/pid").expect("a namespace");
    assert_eq!(here.namespaces["pid"], ours.to_string_lossy());
    let comm = std::fs::read_to_string(format!("/proc/{}/comm", here.pid)).expect("a name");
    assert_eq!(comm, "tollgate-agent\n");
}

/// The agent with raw pipes and an environment that holds a secret.
fn raw_agent() -> Child {
    Command::new(&*AGENT)
        .arg("serve")
        .env("FAKE_TOKEN", "hunter2")
        .env("TOLLGATE_SWEEP", SWEEP)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts")
}

/// Writes the lines, ends the input, and returns the answers and the exit code.
fn talk(input: &[u8]) -> (Vec<serde_json::Value>, Option<i32>) {
    let mut child = raw_agent();
    let mut stdin = child.stdin.take().expect("stdin");
    let stdout = BufReader::new(child.stdout.take().expect("stdout"));
    stdin.write_all(input).expect("writes");
    drop(stdin);
    let answers = stdout.lines().map(|l| serde_json::from_str(&l.expect("a line")).expect("JSON")).collect();
    (answers, child.wait().expect("ends").code())
}

#[test]
fn no_token_reaches_a_child() {
    let (answers, _) = talk(
        b"{\"id\":1,\"call\":\"exec\",\"argv\":[\"env\"],\"env\":{\"GIVEN\":\"1\"},\"timeout_ms\":5000,\"output_limit\":9999}\n\
          {\"id\":2,\"call\":\"start\",\"name\":\"s\",\"argv\":[\"sh\",\"-c\",\"env >&2; exit 1\"],\"ready_tcp\":\"127.0.0.1:9\",\"ready_timeout_ms\":3000}\n",
    );
    let mut names: Vec<&str> = answers[0]["stdout"]
        .as_str()
        .expect("output")
        .lines()
        .filter_map(|l| Some(l.split_once('=')?.0))
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["GIVEN", "HOME", "LC_ALL", "PATH", "TOLLGATE_SWEEP"]);
    let message = answers[1]["message"].as_str().expect("an error");
    assert!(message.contains("PATH=") && !message.contains("hunter2"), "{message}");
}

#[test]
fn garbage_is_answered_and_survived() {
    let mut input = b"\x00\xff garbage\n{\"id\":5,\"call\":\"nonsense\"}\n".to_vec();
    input.extend(std::iter::repeat_n(b'x', MAX_LINE_BYTES + 5));
    input.extend_from_slice(b"\n{\"id\":8,\"call\":\"hello\",\"version\":99}\n");
    input.extend_from_slice(b"{\"id\":9,\"call\":\"hello\",\"version\":1}\n{\"id\":10,\"call\":\"settle\"");
    let (answers, code) = talk(&input);
    let ids: Vec<u64> = answers.iter().filter_map(|a| a["id"].as_u64()).collect();
    assert_eq!(ids, [0, 0, 0, 8, 9], "a cut-off last line is no request");
    let kinds: Vec<&str> = answers.iter().filter_map(|a| a["answer"].as_str()).collect();
    assert_eq!(kinds, ["error", "error", "error", "error", "hello"]);
    assert_eq!(code, Some(0));
}

#[test]
fn the_end_of_the_input_stops_servers_and_daemons() {
    let (answers, code) = talk(
        b"{\"id\":1,\"call\":\"start\",\"name\":\"s\",\"argv\":[\"sleep\",\"100\"],\"ready_timeout_ms\":100}\n\
          {\"id\":2,\"call\":\"exec\",\"argv\":[\"sh\",\"-c\",\"setsid sh -c 'echo $$; exec sleep 100' & sleep 0.5\"],\"timeout_ms\":9000,\"output_limit\":99}\n",
    );
    assert_eq!(code, Some(0));
    assert_ends(&answers[0]["pid"].to_string());
    assert_ends(answers[1]["stdout"].as_str().expect("a process id").trim());
}

#[tokio::test]
async fn an_agent_that_is_killed_is_a_closed_connection() {
    let mut agent = agent().await;
    let pid = agent.client.describe("/").await.expect("describes").pid.to_string();
    let start = server("s", "echo $$ >&2; exec sleep 100", None);
    agent.client.start(start).await.expect("starts");
    let child = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    assert!(Command::new("kill").args(["-9", &pid]).status().expect("kill").success());
    let error = agent.client.settle().await.expect_err("gone");
    assert!(matches!(error, AgentError::Closed(_)), "{error}");
    assert!(matches!(agent.client.settle().await, Err(AgentError::GivenUp)));
    if !child.trim().is_empty() {
        assert_ends(child.trim());
    }
}

#[tokio::test]
async fn a_root_that_is_not_there_is_told_in_the_error() {
    if !common::real(common::no_root()) {
        return;
    }
    let place = Place { root: Some(Path::new("/no/such/root")), ..Place::default() };
    let error = AgentProcess::start(&AGENT, &place, SWEEP).await.expect_err("no root").to_string();
    assert!(error.contains("/no/such/root"), "{error}");
}

#[tokio::test]
async fn a_chroot_is_entered_and_its_mounts_stay_inside() {
    if !common::real(common::no_root()) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (root, data) = (dir.path().join("root"), dir.path().join("data"));
    for part in ["bin", "proc", "sys", "dev", "tmp", "run", "data"] {
        std::fs::create_dir_all(root.join(part)).expect("makes");
    }
    std::fs::create_dir_all(&data).expect("makes");
    std::fs::copy(&*AGENT, root.join("bin/agent")).expect("copies");
    std::fs::write(root.join("file"), "old").expect("writes");
    std::fs::write(dir.path().join("note"), "new").expect("writes");
    let mounts = || std::fs::read_to_string("/proc/self/mountinfo").expect("mounts");
    let before = mounts();
    let note = dir.path().join("note");
    let binds = vec![(data.as_path(), "/data"), (note.as_path(), "/file")];
    let place = Place { root: Some(&root), binds, ..Place::default() };
    let mut agent = AgentProcess::start(&AGENT, &place, SWEEP).await.expect("starts");
    let r = agent.client.exec(exec(&["/bin/agent", "--version"], 5000)).await.expect("runs");
    assert!(r.stdout.starts_with("tollgate-agent "), "{r:?}");
    let here = agent.client.describe("/data").await.expect("describes");
    assert_eq!(here.data.path, "/data");
    let ours = std::fs::read_link("/proc/self/ns/pid").expect("a namespace");
    assert_eq!(here.namespaces["pid"], ours.to_string_lossy(), "native is no container");
    agent.client.write("/data/x", "written", 0o644).await.expect("the bind is writable");
    assert_eq!(std::fs::read_to_string(data.join("x")).expect("reads"), "written");
    assert_eq!(agent.client.read("/file", 9).await.expect("reads"), "new");
    agent.client.write("/dev/shm/x", "", 0o644).await.expect("shm is writable");
    assert!(!Path::new("/dev/shm/x").exists(), "and is not the host's");
    let refused = agent.client.write("/bin/x", "", 0o644).await.expect_err("the root is read-only");
    assert!(refused.to_string().contains("Read-only"), "{refused}");
    let dir_text = dir.path().to_string_lossy().into_owned();
    let leaked = |text: &str| text.lines().filter(|l| l.contains(&dir_text)).count();
    assert_eq!(leaked(&mounts()), leaked(&before), "mounts leaked");
    agent.stop().await;
    assert_eq!(leaked(&mounts()), leaked(&before));
}

mod protocol {
    use proptest::prelude::*;
    use tollgate_agent::protocol::{Answer, Call, Exec, ExecResult, Request, Response, Start, Usage};

    prop_compose! {
        fn any_exec()(
            argv in prop::collection::vec(".*", 0..4),
            env in prop::collection::btree_map("[A-Z]{1,8}", ".*", 0..3),
            cwd in prop::option::of(".*"),
            timeout_ms: u64,
            output_limit: usize,
        ) -> Exec {
            Exec { argv, env, cwd, timeout_ms, output_limit }
        }
    }

    prop_compose! {
        fn any_start()(
            name in ".*",
            argv in prop::collection::vec(".*", 0..4),
            env in prop::collection::btree_map("[A-Z]{1,8}", ".*", 0..3),
            ready_tcp in prop::option::of(".*"),
            ready_timeout_ms: u64,
        ) -> Start {
            Start { name, argv, env, ready_tcp, ready_timeout_ms }
        }
    }

    fn any_call() -> impl Strategy<Value = Call> {
        prop_oneof![
            any::<u32>().prop_map(|version| Call::Hello { version }),
            any_exec().prop_map(Call::Exec),
            any_start().prop_map(Call::Start),
            (".*", any::<u64>()).prop_map(|(name, grace_ms)| Call::Stop { name, grace_ms }),
            (".*", any::<usize>()).prop_map(|(path, limit)| Call::Read { path, limit }),
            (".*", ".*", any::<u32>()).prop_map(|(path, content, mode)| Call::Write { path, content, mode }),
            Just(Call::Settle),
            Just(Call::Shutdown),
        ]
    }

    prop_compose! {
        fn any_usage()(n in prop::array::uniform6(any::<u64>())) -> Usage {
            Usage {
                wall_ns: n[0],
                user_us: n[1],
                system_us: n[2],
                max_rss_kib: n[3],
                voluntary_switches: n[4],
                involuntary_switches: n[5],
            }
        }
    }

    prop_compose! {
        fn any_result()(
            (code, signal) in (prop::option::of(any::<i32>()), prop::option::of(any::<i32>())),
            timed_out: bool,
            (stdout, stderr) in (".*", ".*"),
            (stdout_bytes, stderr_bytes) in any::<(u64, u64)>(),
            usage in any_usage(),
        ) -> ExecResult {
            ExecResult { code, signal, timed_out, stdout, stderr, stdout_bytes, stderr_bytes, usage }
        }
    }

    proptest! {
        #[test]
        fn a_request_survives_its_line(id: u64, call in any_call()) {
            let request = Request { id, call };
            let line = serde_json::to_string(&request).expect("serialises");
            prop_assert!(!line.contains('\n'));
            prop_assert_eq!(serde_json::from_str::<Request>(&line).expect("parses"), request);
        }

        #[test]
        fn a_response_survives_its_line(id: u64, result in any_result(), message in ".*") {
            for answer in [Answer::Exec(result), Answer::Error { message }, Answer::Done] {
                let response = Response { id, answer };
                let line = serde_json::to_string(&response).expect("serialises");
                prop_assert!(!line.contains('\n'));
                prop_assert_eq!(serde_json::from_str::<Response>(&line).expect("parses"), response);
            }
        }
    }
}
