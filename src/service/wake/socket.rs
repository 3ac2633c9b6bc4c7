//! `tollgate trigger`: a line of JSON over a unix socket in the state directory, and one back.
//!
//! A socket rather than HTTP: it works without a dashboard, and who may open the state directory may ask; there is no token
//! to hand out. The answer comes when the wish is written down.

use crate::service::{Asked, KeepError};
use crate::watch::{Source, WakeUp};
use serde::{Deserialize, Serialize};
use std::fs::{self, Permissions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;
use tokio::sync::{Semaphore, mpsc, oneshot};

/// Longest line.
const LONGEST: u64 = 4096;
/// How long one conversation may take.
const LIMIT: Duration = Duration::from_secs(10);
/// Conversations at once.
const AT_ONCE: usize = 16;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// Measure also when nothing changed.
    pub always: bool,
    /// Of which profile; the service's own when absent.
    pub profile: Option<String>,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reply {
    /// It is written down: what becomes of it.
    Heard(String),
    /// It is not: why.
    Refused(String),
}

/// The service cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum TriggerError {
    /// It is not there.
    #[error(
        "no service listens at {path} ({source}); start `tollgate watch`, or name its state directory with --state"
    )]
    Absent {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It did not answer.
    #[error("the service does not answer: {0}; its log says more")]
    Silent(String),
    /// It refused.
    #[error("the service refuses: {0}")]
    Refused(String),
}

fn path(state: &Path) -> PathBuf {
    state.join("service.sock")
}

/// The socket's file, which is removed with this.
#[derive(Debug)]
pub struct Bound {
    listener: Arc<UnixListener>,
    path: PathBuf,
}

impl Bound {
    /// Takes the place of what an earlier service left. Who calls this holds the lock of the state directory.
    pub fn bind(state: &Path) -> Result<Self, KeepError> {
        let path = path(state);
        // Nobody connects before the permissions are right.
        let hidden = state.join(".service.sock.new");
        let _ = fs::remove_file(&hidden);
        let bound = UnixListener::bind(&hidden).and_then(|listener| {
            fs::set_permissions(&hidden, Permissions::from_mode(0o600))?;
            fs::rename(&hidden, &path)?;
            Ok(listener)
        });
        match bound {
            Ok(listener) => Ok(Self { listener: Arc::new(listener), path }),
            Err(source) => Err(KeepError::Io { path, source }),
        }
    }

    /// Where it listens.
    pub fn listener(&self) -> Arc<UnixListener> {
        Arc::clone(&self.listener)
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        // One that stays is replaced by the next service.
        let _ = fs::remove_file(&self.path);
    }
}

/// Answers for ever.
pub async fn serve(listener: Arc<UnixListener>, asker: mpsc::Sender<Asked>) {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let asker = asker.clone();
                tokio::spawn(async move {
                    let talk = tokio::time::timeout(LIMIT, talk(stream, &asker)).await;
                    if !matches!(talk, Ok(Ok(()))) {
                        tracing::debug!("a conversation with `tollgate trigger` broke off");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                // Out of file descriptors, perhaps: not to be tried at full speed.
                tracing::warn!(%error, "`tollgate trigger` cannot be heard");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn talk(mut stream: tokio::net::UnixStream, asker: &mpsc::Sender<Asked>) -> io::Result<()> {
    let (read, mut write) = stream.split();
    let mut line = Vec::new();
    tokio::io::BufReader::new(read.take(LONGEST)).read_until(b'\n', &mut line).await?;
    let reply = match serde_json::from_slice::<Wish>(&line) {
        Ok(wish) => ask(wish, asker).await,
        Err(error) => Reply::Refused(format!("not understood: {error}")),
    };
    let mut text = serde_json::to_vec(&reply)?;
    text.push(b'\n');
    write.write_all(&text).await
}

async fn ask(wish: Wish, asker: &mpsc::Sender<Asked>) -> Reply {
    let (answer, answered) = oneshot::channel();
    let wake = WakeUp { source: Source::Trigger, force: wish.always, profile: wish.profile, delivery: None };
    if asker.try_send(Asked { wake, answer }).is_err() {
        return Reply::Refused("too many ask at once, or the service stops; try again".to_owned());
    }
    match answered.await {
        Ok(Ok(text)) => Reply::Heard(text),
        Ok(Err(why)) => Reply::Refused(why),
        Err(_) => Reply::Refused("the service stops; try again when it is back".to_owned()),
    }
}

/// Asks the service of a state directory. Returns what becomes of it.
pub fn trigger(state: &Path, wish: &Wish) -> Result<String, TriggerError> {
    let path = path(state);
    let mut stream = UnixStream::connect(&path).map_err(|source| TriggerError::Absent { path, source })?;
    let silent = |e: io::Error| TriggerError::Silent(e.to_string());
    stream.set_read_timeout(Some(LIMIT)).map_err(silent)?;
    let mut text = serde_json::to_vec(wish).map_err(|e| silent(e.into()))?;
    text.push(b'\n');
    stream.write_all(&text).map_err(silent)?;
    let mut line = String::new();
    BufReader::new(stream.take(LONGEST)).read_line(&mut line).map_err(silent)?;
    match serde_json::from_str(&line) {
        Ok(Reply::Heard(text)) => Ok(text),
        Ok(Reply::Refused(why)) => Err(TriggerError::Refused(why)),
        Err(_) if line.is_empty() => Err(TriggerError::Silent("it ended".to_owned())),
        Err(error) => Err(TriggerError::Silent(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A service that says what it is asked, on a thread of its own.
    fn answering(state: &Path) -> (Bound, tokio::task::JoinHandle<()>) {
        let bound = Bound::bind(state).expect("bound");
        let (sender, mut asked) = mpsc::channel::<Asked>(4);
        tokio::spawn(serve(bound.listener(), sender));
        let answers = tokio::spawn(async move {
            while let Some(Asked { wake, answer }) = asked.recv().await {
                let said = if wake.force { Ok(format!("{:?}", wake.profile)) } else { Err("no".to_owned()) };
                let _ = answer.send(said);
            }
        });
        (bound, answers)
    }

    async fn raw(state: &Path, text: &[u8]) -> String {
        let (path, text) = (path(state), text.to_vec());
        let talk = move || {
            let mut stream = UnixStream::connect(path).expect("connected");
            // It may stop listening before all is said.
            let _ = stream.write_all(&text);
            let mut answer = String::new();
            let _ = stream.read_to_string(&mut answer);
            answer
        };
        tokio::task::spawn_blocking(talk).await.expect("talked")
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn wishes_are_answered_and_nonsense_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let state = dir.path().to_owned();
        let absent = trigger(&state, &Wish { always: true, profile: None }).expect_err("nobody").to_string();
        assert!(absent.contains("start `tollgate watch`"), "{absent}");
        // What a killed service left is no obstacle.
        drop(std::os::unix::net::UnixListener::bind(path(&state)).expect("a stale one"));
        let (bound, _answers) = answering(&state);
        let mode = fs::metadata(path(&state)).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let ask = |always, profile: Option<&str>| {
            let (state, wish) = (state.clone(), Wish { always, profile: profile.map(str::to_owned) });
            tokio::task::spawn_blocking(move || trigger(&state, &wish))
        };
        assert_eq!(ask(true, Some("full")).await.expect("asked").expect("heard"), "Some(\"full\")");
        let refused = ask(false, None).await.expect("asked").expect_err("refused").to_string();
        assert_eq!(refused, "the service refuses: no");
        for nonsense in [&b"\n"[..], b"{}\n", b"\xff\xfe\n", b"{\"always\":true,\"profile\":null,\"x\":1}\n"]
        {
            let answer = raw(&state, nonsense).await;
            assert!(answer.contains("not understood"), "{nonsense:?}: {answer:?}");
        }
        let long = raw(&state, &vec![b'a'; 1 << 20]).await;
        assert!(long.contains("not understood"), "{long:?}");
        drop(bound);
        assert!(!path(&state).exists());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn those_who_say_nothing_do_not_keep_others_from_asking() {
        let dir = tempfile::tempdir().expect("a directory");
        let state = dir.path().to_owned();
        let (_bound, _answers) = answering(&state);
        let silent: Vec<UnixStream> =
            (0..AT_ONCE - 1).map(|_| UnixStream::connect(path(&state)).expect("connected")).collect();
        let wish = Wish { always: true, profile: None };
        let heard = tokio::task::spawn_blocking(move || trigger(&state, &wish)).await.expect("asked");
        assert!(heard.is_ok(), "{heard:?}");
        drop(silent);
    }
}
