//! What the pages cost: a store of 1,000 sweeps of 200 metrics in native and docker, and 1,000 requests of each page, one after the
//! other, over loopback.
//!
//! `cargo bench --bench dashboard`. The service is a process of its own (this program again), so that its memory is its
//! own; `docs/performance.md` has the figures.

#[path = "../tests/common/many.rs"]
mod many;

use chrono::Utc;
use many::Many;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tollgate::config::Config;
use tollgate::model::AcceptedBy;
use tollgate::notify::SystemClock;
use tollgate::service::http::{Keys, Limits, State, serve};
use tollgate::store::to_text;
use tollgate::watch::{Mode, Status};

const SWEEPS: i64 = 1000;
const MANY: Many = Many { metrics: 200, cases: 40, environments: &["native", "docker"] };
const REQUESTS: usize = 1000;
/// Where the child finds the store.
const STORE: &str = "TOLLGATE_BENCH_STORE";

/// Every second sweep is accepted, the newest is not.
fn store(dir: &Path) {
    let (sweeps, baselines) = (dir.join("state/sweeps"), dir.join("baselines/bench-2c/standard"));
    std::fs::create_dir_all(&sweeps).expect("made");
    std::fs::create_dir_all(&baselines).expect("made");
    for number in 0..SWEEPS {
        let mut sweep = MANY.sweep(number);
        let name = format!("{}.json", sweep.sweep);
        std::fs::write(sweeps.join(&name), to_text(&sweep).expect("JSON")).expect("written");
        if number % 2 == 0 && number + 1 < SWEEPS {
            let (at, by) = (sweep.finished_at, "gate".to_owned());
            sweep.accepted = Some(AcceptedBy { at, by, reason: "a bench".into(), regimes: Vec::new() });
            std::fs::write(baselines.join(&name), to_text(&sweep).expect("JSON")).expect("written");
        }
    }
}

/// The child: serves, says where, and ends with its parent's pipe.
async fn service(dir: PathBuf) {
    let mut config = Config::resolve(None).expect("the defaults");
    (config.state, config.baselines) = (dir.join("state"), dir.join("baselines"));
    let class = "bench-2c".parse().expect("a name");
    let status = Status::new(env!("CARGO_PKG_VERSION"), class, Mode::Local, Utc::now());
    let (_status, receiver) = watch::channel(Arc::new(status));
    let (wake, _woken) = mpsc::channel(1);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("{}", listener.local_addr().expect("an address"));
    let cancel = CancellationToken::new();
    let ends = cancel.clone();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        ends.cancel();
    });
    let state = State {
        status: receiver,
        wake,
        config: Arc::new(config),
        keys: Keys::default(),
        tracker: None,
        clock: Arc::new(SystemClock),
        limits: Limits::default(),
    };
    serve(listener, state, cancel).await.expect("served");
}

fn get(address: SocketAddr, path: &str) -> (u16, usize) {
    let mut stream = TcpStream::connect(address).expect("connected");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("read");
    let status = String::from_utf8_lossy(&answer[..answer.len().min(12)]).into_owned();
    (status.rsplit(' ').next().and_then(|s| s.parse().ok()).unwrap_or(0), answer.len())
}

/// A field of the child's status, MB.
fn memory(child: &Child, field: &str) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("it lives");
    let line = text.lines().find_map(|l| l.strip_prefix(field)).expect("the field");
    let kib: f64 = line.trim_matches([':', ' ', '\t', 'k', 'B']).parse().expect("a number");
    kib * 1024.0 / 1e6
}

/// The program's own pages are shared with its file and can be dropped; what it holds is anonymous.
fn memories(child: &Child, when: &str) {
    let [all, own, most] = ["VmRSS", "RssAnon", "VmHWM"].map(|field| memory(child, field));
    println!("memory {when}: {all:.1} MB, of it {own:.1} MB its own; at most {most:.1} MB");
}

fn measure(address: SocketAddr, path: &str) {
    let mut times: Vec<Duration> = (0..REQUESTS)
        .map(|_| {
            let began = Instant::now();
            let (status, _) = get(address, path);
            assert_eq!(status, 200, "{path}");
            began.elapsed()
        })
        .collect();
    times.sort();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    let (_, bytes) = get(address, path);
    println!("{path:<60} {bytes:>8} B  median {:.1} ms  p99 {:.1} ms  max {:.1} ms", at(50), at(99), at(100));
}

fn main() {
    if let Some(dir) = std::env::var_os(STORE) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        return runtime.expect("a runtime").block_on(service(dir.into()));
    }
    let dir = tempfile::tempdir().expect("a directory");
    store(dir.path());
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .env(STORE, dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("an address");
    let address: SocketAddr = line.trim().parse().expect("an address");
    let began = Instant::now();
    while get(address, "/readyz").0 != 200 {
        std::thread::sleep(Duration::from_millis(50));
    }
    println!("{SWEEPS} sweeps of {} metrics in native and docker", MANY.metrics);
    println!("read and judged in {:.1} s", began.elapsed().as_secs_f64());
    memories(&child, "after reading");
    let group = "class=bench-2c&profile=standard";
    let metric = format!("{group}&workload=work0&case=case1&metric=m0&environment=docker");
    for path in
        ["/".to_owned(), format!("/group?{group}"), format!("/metric?{metric}"), "/metrics".to_owned()]
    {
        measure(address, &path);
    }
    memories(&child, "after the requests");
    drop(child.stdin.take());
    child.wait().expect("ended");
}
