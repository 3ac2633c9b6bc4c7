//! Starting docker's engine so that it outlives us and our terminal.

use super::{super::files, ProvisionError};
use crate::command;
use std::{
    fs::{self, OpenOptions},
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    process::Child,
    time::{sleep, timeout},
};

/// How long is waited.
#[derive(Clone, Copy)]
struct Patience {
    /// For an engine's first answer.
    answer: Duration,
    /// For another that is starting, when ours ended at once.
    second_chance: Duration,
}

const PATIENCE: Patience =
    Patience { answer: Duration::from_secs(60), second_chance: Duration::from_secs(10) };

/// Whether an engine answers `GET /_ping` at a socket, within two seconds.
pub(super) async fn answers(socket: &Path) -> bool {
    let ping = async {
        let mut stream = UnixStream::connect(socket).await?;
        stream.write_all(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n").await?;
        let mut answer = Vec::new();
        stream.take(4096).read_to_end(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    let answer = timeout(Duration::from_secs(2), ping).await;
    answer.is_ok_and(|answer| answer.is_ok_and(|bytes| is_ok(&String::from_utf8_lossy(&bytes))))
}

fn is_ok(answer: &str) -> bool {
    answer.starts_with("HTTP/1.") && answer.split(' ').nth(1) == Some("200")
}

/// Starts the engine, with systemd where it runs, and waits until it answers.
pub(super) async fn start(
    root: &Path,
    state: &Path,
    socket: &Path,
    say: &mut (dyn FnMut(&str) + Send),
) -> Result<(), ProvisionError> {
    // sd_booted(3)
    if files::under(root, "/run/systemd/system").is_dir() {
        with_systemd(socket, say).await
    } else {
        by_hand(&["dockerd"], state, socket, PATIENCE, say).await
    }
}

async fn with_systemd(socket: &Path, say: &mut (dyn FnMut(&str) + Send)) -> Result<(), ProvisionError> {
    say("systemctl start docker");
    let started = command::run(&["systemctl", "start", "docker"]).await;
    let why = match started {
        Ok(_) => match wait(socket, None, PATIENCE).await {
            Ok(()) => return Ok(()),
            Err(why) => why,
        },
        Err(failure) => failure.to_string(),
    };
    let log = ["journalctl", "-u", "docker", "-n", "15", "--no-pager", "-o", "cat"];
    let lines = command::run(&log).await.unwrap_or_else(|failure| failure.to_string());
    let log = "journalctl -u docker".to_owned();
    Err(ProvisionError::Engine { socket: socket.to_owned(), why, log, lines })
}

async fn by_hand(
    daemon: &[&str],
    state: &Path,
    socket: &Path,
    patience: Patience,
    say: &mut (dyn FnMut(&str) + Send),
) -> Result<(), ProvisionError> {
    let log = state.join("dockerd.log");
    say(&format!("starting dockerd in the background (no systemd here), log {}", log.display()));
    let io = |source| ProvisionError::Io { path: log.clone(), source };
    fs::create_dir_all(state).map_err(io)?;
    let file = OpenOptions::new().create(true).append(true).open(&log).map_err(io)?;
    let begin = file.metadata().map_err(io)?.len();
    let stderr = file.try_clone().map_err(io)?;
    // A session of its own: neither a signal to our process group nor the end of the terminal reaches it. setsid
    // does not fork here, since a child that was just made leads no process group, so the child is dockerd.
    let mut command = command::command("setsid");
    // The engine outlives this process.
    command.args(daemon).env_clear().envs(environment()).current_dir("/").kill_on_drop(false);
    command.stdout(Stdio::from(file)).stderr(Stdio::from(stderr));
    let why = match command.spawn() {
        Ok(mut child) => match wait(socket, Some(&mut child), patience).await {
            Ok(()) => return Ok(()),
            Err(why) => why,
        },
        Err(e) => format!("setsid (util-linux) cannot be started: {e}"),
    };
    let text = fs::read(&log).unwrap_or_default();
    let new = usize::try_from(begin).ok().and_then(|begin| text.get(begin..)).unwrap_or(&text);
    let lines = command::last_lines(&String::from_utf8_lossy(new), 15);
    Err(ProvisionError::Engine { socket: socket.to_owned(), why, log: log.display().to_string(), lines })
}

/// What a daemon may inherit from us: nothing that names a sweep (it would be cleaned away), a CI job (its runner
/// ends what a job left) or a token. Proxies it needs.
fn environment() -> Vec<(String, String)> {
    let mut kept = vec![("PATH".to_owned(), command::search_path()), ("HOME".to_owned(), "/root".to_owned())];
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"] {
        kept.extend(std::env::var(name).ok().map(|value| (name.to_owned(), value)));
    }
    kept
}

/// Waits until an engine answers; what happened instead is the error.
async fn wait(socket: &Path, mut child: Option<&mut Child>, patience: Patience) -> Result<(), String> {
    let start = Instant::now();
    let mut end: Option<(Instant, String)> = None;
    while start.elapsed() < patience.answer {
        if answers(socket).await {
            return Ok(());
        }
        if let Some(Ok(Some(status))) = child.as_deref_mut().map(Child::try_wait) {
            // A package's own script may have started another in this moment.
            let (since, why) =
                end.get_or_insert_with(|| (Instant::now(), format!("dockerd ended with {status}")));
            if since.elapsed() > patience.second_chance {
                return Err(why.clone());
            }
        }
        sleep(Duration::from_millis(100)).await;
    }
    Err(format!("nothing for {} s", patience.answer.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_engine_that_says_ok_answers() {
        assert!(is_ok("HTTP/1.0 200 OK\r\n\r\nOK") && is_ok("HTTP/1.1 200 OK\r\n"));
        assert!(!is_ok("HTTP/1.1 503 No\r\n") && !is_ok("") && !is_ok("200 200"));
    }

    #[tokio::test]
    async fn a_socket_without_an_engine_does_not_answer() {
        let dir = tempfile::tempdir().expect("tempdir");
        assert!(!answers(&dir.path().join("none")).await);
        let path = dir.path().join("dead");
        drop(std::os::unix::net::UnixListener::bind(&path).expect("bind"));
        assert!(!answers(&path).await);
        let path = dir.path().join("mute");
        let _listener = std::os::unix::net::UnixListener::bind(&path).expect("bind");
        assert!(!answers(&path).await);
    }

    #[test]
    fn a_daemon_inherits_no_name_of_a_sweep() {
        assert!(environment().iter().all(|(name, _)| !name.contains("TOLLGATE") && !name.contains("GITHUB")));
    }

    const SHORT: Patience = Patience { answer: Duration::from_secs(20), second_chance: Duration::ZERO };

    #[tokio::test]
    async fn an_engine_that_ends_at_once_shows_its_last_words_and_not_those_of_its_predecessor() {
        let dir = tempfile::tempdir().expect("tempdir");
        let (daemon, socket) =
            (["bash", "-c", "echo cgroups: not mounted >&2; exit 3"], dir.path().join("none"));
        fs::write(dir.path().join("dockerd.log"), "yesterday's error\n").expect("write");
        let mut said = Vec::new();
        let mut say = |line: &str| said.push(line.to_owned());
        let error =
            by_hand(&daemon, dir.path(), &socket, SHORT, &mut say).await.expect_err("ends").to_string();
        assert!(error.contains("exit status: 3") && error.ends_with("cgroups: not mounted"), "{error}");
        assert_eq!(said.len(), 1);
    }

    #[tokio::test]
    async fn an_engine_has_a_session_and_an_environment_of_its_own() {
        let dir = tempfile::tempdir().expect("tempdir");
        let socket = dir.path().join("socket");
        // The answers come from here, once the daemon has said its pid.
        let pid_file = dir.path().join("pid");
        let script = format!(
            "env > {0}/env; echo $$ > {0}/new; mv {0}/new {0}/pid; exec sleep 60",
            dir.path().display()
        );
        let (at, after) = (socket.clone(), pid_file.clone());
        let engine = tokio::spawn(async move {
            while !after.exists() {
                sleep(Duration::from_millis(5)).await;
            }
            let listener = tokio::net::UnixListener::bind(at).expect("bind");
            let (mut stream, _) = listener.accept().await.expect("client");
            // To its end: a socket that is closed with bytes unread resets the connection.
            let mut request = [0; 512];
            assert!(stream.read(&mut request).await.expect("request") > 0);
            stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nOK").await.expect("answer");
        });
        let started = by_hand(&["bash", "-c", &script], dir.path(), &socket, SHORT, &mut |_| ()).await;
        let pid = fs::read_to_string(&pid_file).expect("pid").trim().to_owned();
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("still runs");
        let session = stat.rsplit_once(')').and_then(|(_, rest)| rest.split(' ').nth(4)).expect("session");
        let number = rustix::process::Pid::from_raw(pid.parse().expect("number")).expect("pid");
        rustix::process::kill_process(number, rustix::process::Signal::KILL).expect("killed");
        started.expect("answers");
        engine.await.expect("engine");
        assert_eq!(session, pid);
        let environment = fs::read_to_string(dir.path().join("env")).expect("environment");
        assert!(environment.contains("/usr/sbin") && !environment.contains("CARGO"), "{environment}");
    }
}
