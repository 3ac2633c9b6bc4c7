//! Runs a program to its end and measures it.

use crate::sys;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tollgate_agent::protocol::{Exec, ExecResult, Usage};

/// No request gets more of one stream than this: escaped as JSON (six bytes for one at worst), two of them
/// stay below `MAX_LINE_BYTES`.
pub const MOST_OUTPUT: usize = 1024 * 1024;

/// Reads per call of [`Stream::drain`], 64 KiB each: as much as the largest pipe holds.
const READS_AT_ONCE: usize = 16;

/// One output stream of the child.
struct Stream<R> {
    from: R,
    kept: Vec<u8>,
    seen: u64,
    limit: usize,
    open: bool,
}

impl<R: Read + AsRawFd> Stream<R> {
    fn new(from: R, limit: usize) -> std::io::Result<Self> {
        sys::set_nonblocking(&from)?;
        Ok(Self { from, kept: Vec::new(), seen: 0, limit, open: true })
    }

    /// What to poll: -1 when it is closed.
    fn fd(&self) -> RawFd {
        if self.open { self.from.as_raw_fd() } else { -1 }
    }

    /// Reads what is there without waiting, and no more than a full pipe: a child that writes without end
    /// must not keep us from looking at the clock.
    fn drain(&mut self, buffer: &mut [u8]) {
        for _ in 0..READS_AT_ONCE {
            if !self.open {
                return;
            }
            match self.from.read(buffer) {
                Ok(0) => self.open = false,
                Ok(n) => {
                    self.seen += n as u64;
                    let room = self.limit.saturating_sub(self.kept.len());
                    self.kept.extend_from_slice(&buffer[..n.min(room)]);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.open = false,
            }
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.kept).into_owned()
    }
}

/// Builds the command of an argv. The agent's own environment is clean already and its working directory is `/`:
/// asked for here, either would cost the standard library's fast path (vfork) in a static program.
pub fn command(argv: &[String]) -> Result<Command, String> {
    let (program, rest) = argv.split_first().ok_or("nothing to run: argv is empty")?;
    let mut command = Command::new(program);
    command.args(rest).stdin(Stdio::null()).process_group(0);
    Ok(command)
}

/// Runs `exec` to its end, or kills its process group at the timeout.
///
/// The clock stops when the child itself has ended: descendants that stay in the background are killed, and
/// what they still hold of the pipes is not waited for.
pub fn run(exec: &Exec) -> Result<ExecResult, String> {
    let mut process = command(&exec.argv)?;
    process.stdout(Stdio::piped()).stderr(Stdio::piped()).envs(&exec.env);
    if let Some(cwd) = &exec.cwd {
        process.current_dir(cwd);
    }
    let started = Instant::now();
    let mut child = process.spawn().map_err(|e| format!("start {}: {e}", exec.argv[0]))?;
    let pid = child.id();
    let outcome = watch(exec, started, &mut child);
    if outcome.is_err() {
        sys::kill_group(pid, libc::SIGKILL);
        let _ = sys::wait(Some(pid), true);
    }
    outcome.map_err(|e| format!("watch {}: {e}", exec.argv[0]))
}

fn watch(request: &Exec, started: Instant, child: &mut std::process::Child) -> std::io::Result<ExecResult> {
    let pid = child.id();
    let gone = || std::io::Error::other("an output pipe is missing");
    let limit = request.output_limit.min(MOST_OUTPUT);
    let mut stdout = Stream::new(child.stdout.take().ok_or_else(gone)?, limit)?;
    let mut stderr = Stream::new(child.stderr.take().ok_or_else(gone)?, limit)?;
    let mut buffer = vec![0_u8; 65536];
    let end_of_child = sys::end_of(pid)?;
    let deadline = started + Duration::from_millis(request.timeout_ms);
    let mut timed_out = false;
    let (wall, ended) = loop {
        // One millisecond more than remains, so that a wake-up is never just before the deadline.
        let left = deadline.saturating_duration_since(Instant::now()).as_millis() + 1;
        let left = u64::try_from(left).unwrap_or(u64::MAX);
        let left = if timed_out { 10_000 } else { left };
        let [out, err, end] = sys::poll_readable([stdout.fd(), stderr.fd(), end_of_child.as_raw_fd()], left)?;
        if end {
            let wall = started.elapsed();
            // Before the wait: until then the number cannot have been given to another process group.
            sys::kill_group(pid, libc::SIGKILL);
            let ended = sys::wait(Some(pid), true)?;
            break (wall, ended.ok_or_else(|| std::io::Error::other("somebody else waited for it"))?);
        }
        if out {
            stdout.drain(&mut buffer);
        }
        if err {
            stderr.drain(&mut buffer);
        }
        if !timed_out && Instant::now() >= deadline {
            timed_out = true;
            sys::kill_group(pid, libc::SIGKILL);
        }
    };
    stdout.drain(&mut buffer);
    stderr.drain(&mut buffer);
    Ok(ExecResult {
        code: ended.code,
        signal: ended.signal,
        timed_out,
        stdout: stdout.text(),
        stderr: stderr.text(),
        stdout_bytes: stdout.seen,
        stderr_bytes: stderr.seen,
        usage: Usage {
            wall_ns: u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX),
            user_us: ended.user_us,
            system_us: ended.system_us,
            max_rss_kib: ended.max_rss_kib,
            voluntary_switches: ended.voluntary,
            involuntary_switches: ended.involuntary,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn sh(script: &str, timeout_ms: u64) -> ExecResult {
        let argv = ["sh", "-c", script].map(str::to_owned).to_vec();
        run(&Exec { argv, env: BTreeMap::default(), cwd: None, timeout_ms, output_limit: 1000 })
            .expect("runs")
    }

    #[test]
    fn output_and_exit_code_come_back() {
        let r = sh("echo out; echo err >&2; exit 3", 5000);
        assert_eq!((r.stdout.as_str(), r.stderr.as_str(), r.code), ("out\n", "err\n", Some(3)));
        assert!(r.usage.wall_ns > 0 && !r.timed_out);
    }

    #[test]
    fn output_over_the_limit_is_counted_but_not_kept() {
        let r = sh("head -c 300000 /dev/zero", 5000);
        assert_eq!((r.stdout.len(), r.stdout_bytes), (1000, 300_000));
    }

    #[test]
    fn a_signal_is_told_from_an_exit_code() {
        assert_eq!(sh("kill -9 $$", 5000).signal, Some(9));
    }

    #[test]
    fn the_timeout_ends_the_whole_process_group() {
        let begun = Instant::now();
        let r = sh("sleep 100 & echo $!; wait", 200);
        assert!(r.timed_out && begun.elapsed() < Duration::from_secs(20));
        let grandchild = r.stdout.trim();
        for _ in 0..200 {
            let stat = std::fs::read_to_string(format!("/proc/{grandchild}/stat")).unwrap_or_default();
            if stat.is_empty() || stat.contains(") Z") {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the grandchild {grandchild} is still there");
    }

    #[test]
    fn endless_output_does_not_outrun_the_timeout() {
        let begun = Instant::now();
        let r = sh("yes", 200);
        assert!(r.timed_out && r.stdout_bytes > 1000 && r.stdout.len() == 1000);
        assert!(begun.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn a_background_grandchild_that_holds_the_pipe_does_not_delay_the_answer() {
        let begun = Instant::now();
        let r = sh("sleep 100 & echo done", 50_000);
        assert_eq!(r.stdout, "done\n");
        assert!(begun.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn a_missing_program_is_named() {
        let argv = vec!["/no/such/program".to_owned()];
        let exec = Exec { argv, env: BTreeMap::default(), cwd: None, timeout_ms: 1000, output_limit: 10 };
        assert!(run(&exec).expect_err("missing").contains("/no/such/program"));
    }

    #[test]
    fn cpu_time_of_the_child_is_counted() {
        let r = sh("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done", 20_000);
        assert!(r.usage.user_us > 0);
    }
}
