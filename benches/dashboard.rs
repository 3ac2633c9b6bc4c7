//! What the pages cost: a store of 1,000 sweeps of 200 metrics in native and docker, and 1,000 requests of each page, one after the
//! other, over loopback.
//!
//! `cargo bench --bench dashboard`. The service is a process of its own (this program again), so that its memory is its
//! own; `docs/performance.md` has the figures.

use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tollgate::config::Config;
use tollgate::model::{
    AcceptedBy, Better, Cell, CellState, CellTrials, Component, EnvironmentName, Family, Fingerprint, Scale,
    Series, Sweep, Timing, format::SWEEP_FORMAT,
};
use tollgate::notify::SystemClock;
use tollgate::service::http::{Limits, State, serve};
use tollgate::store::to_text;
use tollgate::watch::{Mode, Status};

const SWEEPS: i64 = 1000;
const METRICS: usize = 200;
const CASES: usize = 40;
const ROUNDS: u32 = 10;
const REQUESTS: usize = 1000;
/// Where the child finds the store.
const STORE: &str = "TOLLGATE_BENCH_STORE";

fn begin() -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).expect("a time")
}

/// A number between 0 and 1 that looks random and is the same each time.
fn noise(seed: usize) -> f64 {
    let x =
        (seed as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (x >> 40) as f64 / f64::from(1 << 24)
}

fn environments() -> [EnvironmentName; 2] {
    [EnvironmentName::NATIVE, "docker".parse().expect("a name")]
}

fn series(sweep: usize, metric: usize, environment: &EnvironmentName) -> Series {
    let toll = if environment.is_native() { 1.0 } else { 1.0 + (metric % 17) as f64 / 100.0 };
    let value = |round: u32| {
        let seed =
            (sweep * METRICS + metric) * 100 + round as usize + usize::from(!environment.is_native()) * 50;
        Some(100.0 * toll * (1.0 + 0.02 * noise(seed)))
    };
    Series {
        workload: format!("work{}", metric % CASES / 8),
        case: format!("case{}", metric % CASES),
        metric: format!("m{}", metric / CASES),
        unit: "us".into(),
        better: Better::Lower,
        family: Family::Network,
        tail: false,
        resolution: None,
        scale: Scale::Ratio,
        environment: environment.clone(),
        values: (0..ROUNDS).map(value).collect(),
    }
}

fn sweep(number: i64) -> Sweep {
    let at = begin() + TimeDelta::hours(number * 8);
    let index = usize::try_from(number).expect("small");
    let all: Vec<Series> = (0..METRICS).flat_map(|m| environments().map(|e| series(index, m, &e))).collect();
    let cells = (0..CASES)
        .flat_map(|case| environments().map(|e| (case, e)))
        .map(|(case, environment)| Cell {
            workload: format!("work{}", case / 8),
            case: format!("case{case}"),
            environment,
            state: CellState::Ok,
            reason: None,
            trials: CellTrials { wall_ns: vec![Some(150_000_000); ROUNDS as usize], ..CellTrials::default() },
            latencies: Vec::new(),
        })
        .collect();
    let engine = format!("28.{}.0", number / 100);
    Sweep {
        format: SWEEP_FORMAT,
        sweep: format!("{}-{number:06x}", at.format("%Y%m%dT%H%M%SZ")).parse().expect("an id"),
        tollgate: "0.1.0".into(),
        host_class: "bench-2c".parse().expect("a name"),
        profile: "standard".into(),
        parameters: "p".repeat(64),
        bench_image: "i".repeat(64),
        accelerator: None,
        seed: 1,
        rounds: ROUNDS,
        partial: false,
        started_at: at,
        finished_at: at + TimeDelta::minutes(20),
        resumed: 0,
        fingerprint: Fingerprint {
            components: BTreeMap::from([
                (Component::DockerEngine, engine),
                (Component::Runc, "1.3.3".into()),
            ]),
            context: BTreeMap::from([("cpu".into(), "made up".into())]),
        },
        timing: Timing { wall_s: 1200.0, in_trials_s: 1000.0, ..Timing::default() },
        accepted: None,
        proofs: Vec::new(),
        cells,
        series: all,
    }
}

/// Every second sweep is accepted, the newest is not.
fn store(dir: &Path) {
    let (sweeps, baselines) = (dir.join("state/sweeps"), dir.join("baselines/bench-2c/standard"));
    std::fs::create_dir_all(&sweeps).expect("made");
    std::fs::create_dir_all(&baselines).expect("made");
    for number in 0..SWEEPS {
        let mut sweep = sweep(number);
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
        token: None,
        hook_secret: None,
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
    println!("{SWEEPS} sweeps of {METRICS} metrics in native and docker");
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
