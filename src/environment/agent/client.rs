//! The host's end of the agent protocol.

use std::time::Duration;
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader,
};
use tollgate_agent::protocol::{
    Answer, Call, Description, Exec, ExecResult, MAX_LINE_BYTES, PROTOCOL_VERSION, Request, Response, Start,
};

/// Time for an answer beyond what the request itself may take.
const GRACE: Duration = Duration::from_secs(15);

/// Why the agent could not do it. Every variant but `Refused` ends the connection: what comes later on it
/// could be the answer to something else.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The stream ended: the agent, its container or its guest is gone.
    #[error("the connection to the agent ended{0}")]
    Closed(String),
    /// No answer.
    #[error("no answer from the agent to {what} within {after:?}")]
    Timeout {
        /// Which request.
        what: &'static str,
        /// How long it was waited for.
        after: Duration,
    },
    /// Something that is no answer.
    #[error("the agent answered with something else than an answer to {what}: {line}")]
    Garbage {
        /// Which request.
        what: &'static str,
        /// The beginning of what came.
        line: String,
    },
    /// The agent could not do it and says why. The connection is still good.
    #[error("{0}")]
    Refused(String),
    /// The agent is of another version of tollgate.
    #[error("the agent speaks protocol {theirs}, tollgate speaks {ours}; rebuild the bench image")]
    Version {
        /// Our [`PROTOCOL_VERSION`].
        ours: u32,
        /// The agent's.
        theirs: u32,
    },
    /// Reading or writing failed.
    #[error("talking to the agent: {0}")]
    Io(#[from] std::io::Error),
    /// An earlier failure made the connection unusable.
    #[error("the connection to the agent was given up after an earlier failure")]
    GivenUp,
}

type Reader = Box<dyn AsyncBufRead + Send + Unpin>;
type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// One connection to one agent.
pub struct AgentClient {
    reader: Reader,
    writer: Writer,
    next_id: u64,
    given_up: bool,
}

impl std::fmt::Debug for AgentClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AgentClient").field("next_id", &self.next_id).finish_non_exhaustive()
    }
}

impl AgentClient {
    /// Says hello over the two streams and waits for the answer, at most `timeout`.
    pub async fn connect(
        reader: impl AsyncRead + Send + Unpin + 'static,
        writer: impl AsyncWrite + Send + Unpin + 'static,
        timeout: Duration,
    ) -> Result<Self, AgentError> {
        let reader = Box::new(BufReader::with_capacity(64 * 1024, reader));
        let mut client = Self { reader, writer: Box::new(writer), next_id: 1, given_up: false };
        match client.call("hello", Call::Hello { version: PROTOCOL_VERSION }, timeout).await? {
            Answer::Hello { version: PROTOCOL_VERSION, .. } => Ok(client),
            Answer::Hello { version, .. } => {
                Err(AgentError::Version { ours: PROTOCOL_VERSION, theirs: version })
            }
            other => Err(client.unexpected("hello", &other)),
        }
    }

    /// Whether a failure made this connection unusable.
    pub fn is_usable(&self) -> bool {
        !self.given_up
    }

    async fn call(
        &mut self,
        what: &'static str,
        call: Call,
        timeout: Duration,
    ) -> Result<Answer, AgentError> {
        if self.given_up {
            return Err(AgentError::GivenUp);
        }
        // Set first: a caller that drops the future in the middle leaves the streams in an unknown state.
        self.given_up = true;
        let id = self.next_id;
        self.next_id += 1;
        let answer = tokio::time::timeout(timeout, self.exchange(what, Request { id, call }))
            .await
            .map_err(|_| AgentError::Timeout { what, after: timeout })??;
        self.given_up = false;
        match answer {
            Answer::Error { message } => Err(AgentError::Refused(message)),
            answer => Ok(answer),
        }
    }

    async fn exchange(&mut self, what: &'static str, request: Request) -> Result<Answer, AgentError> {
        let mut text = serde_json::to_vec(&request).map_err(std::io::Error::other)?;
        text.push(b'\n');
        let closed = |e: std::io::Error| match e.kind() {
            std::io::ErrorKind::BrokenPipe | std::io::ErrorKind::ConnectionReset => {
                AgentError::Closed(String::new())
            }
            _ => AgentError::Io(e),
        };
        self.writer.write_all(&text).await.map_err(closed)?;
        self.writer.flush().await.map_err(closed)?;
        let mut line = Vec::new();
        let limit = MAX_LINE_BYTES as u64;
        loop {
            line.clear();
            let read = (&mut self.reader).take(limit).read_until(b'\n', &mut line).await.map_err(closed)?;
            if read == 0 {
                return Err(AgentError::Closed(String::new()));
            }
            if !line.iter().all(u8::is_ascii_whitespace) {
                break;
            }
        }
        let garbage = || {
            let shown = String::from_utf8_lossy(&line[..line.len().min(200)]).trim_end().to_owned();
            AgentError::Garbage { what, line: shown }
        };
        let response: Response = serde_json::from_slice(&line).map_err(|_| garbage())?;
        if response.id == request.id { Ok(response.answer) } else { Err(garbage()) }
    }

    /// Runs a program to its end. The wait ends [`GRACE`] after the request's own timeout.
    pub async fn exec(&mut self, exec: Exec) -> Result<ExecResult, AgentError> {
        let timeout = Duration::from_millis(exec.timeout_ms) + GRACE;
        match self.call("exec", Call::Exec(exec), timeout).await? {
            Answer::Exec(result) => Ok(result),
            other => Err(self.unexpected("exec", &other)),
        }
    }

    /// Starts a background program and waits until it is ready. Returns the milliseconds that took.
    pub async fn start(&mut self, start: Start) -> Result<u64, AgentError> {
        let timeout = Duration::from_millis(start.ready_timeout_ms) + GRACE;
        match self.call("start", Call::Start(start), timeout).await? {
            Answer::Started { ready_ms, .. } => Ok(ready_ms),
            other => Err(self.unexpected("start", &other)),
        }
    }

    /// Stops a background program.
    pub async fn stop(&mut self, name: &str, grace: Duration) -> Result<(), AgentError> {
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        self.done("stop", Call::Stop { name: name.to_owned(), grace_ms }, grace + GRACE).await
    }

    /// Reads a text file.
    pub async fn read(&mut self, path: &str, limit: usize) -> Result<String, AgentError> {
        match self.call("read", Call::Read { path: path.to_owned(), limit }, GRACE).await? {
            Answer::Content { text, .. } => Ok(text),
            other => Err(self.unexpected("read", &other)),
        }
    }

    /// Writes a text file.
    pub async fn write(&mut self, path: &str, content: &str, mode: u32) -> Result<(), AgentError> {
        let call = Call::Write { path: path.to_owned(), content: content.to_owned(), mode };
        self.done("write", call, GRACE).await
    }

    /// Says where the agent runs.
    pub async fn describe(&mut self, data: &str) -> Result<Description, AgentError> {
        match self.call("describe", Call::Describe { data: data.to_owned() }, GRACE).await? {
            Answer::Description(description) => Ok(*description),
            other => Err(self.unexpected("describe", &other)),
        }
    }

    /// Writes back dirty pages and drops clean caches, as far as the environment may.
    pub async fn settle(&mut self) -> Result<(), AgentError> {
        self.done("settle", Call::Settle, Duration::from_secs(120)).await
    }

    /// Stops all background programs and ends the agent.
    pub async fn shutdown(&mut self) -> Result<(), AgentError> {
        self.done("shutdown", Call::Shutdown, GRACE).await
    }

    /// An answer to something else: what follows on this connection cannot be trusted either.
    fn unexpected(&mut self, what: &'static str, answer: &Answer) -> AgentError {
        self.given_up = true;
        AgentError::Garbage { what, line: format!("{answer:?}").chars().take(200).collect() }
    }

    async fn done(&mut self, what: &'static str, call: Call, timeout: Duration) -> Result<(), AgentError> {
        match self.call(what, call, timeout).await? {
            Answer::Done => Ok(()),
            other => Err(self.unexpected(what, &other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn connect_to(answers: &'static [u8]) -> Result<AgentClient, AgentError> {
        AgentClient::connect(answers, tokio::io::sink(), Duration::from_millis(200)).await
    }

    const HELLO: &[u8] = b"\n{\"id\":1,\"answer\":\"hello\",\"version\":1,\"pid\":1}\n";

    #[tokio::test]
    async fn an_agent_that_ends_is_told_from_one_that_is_silent() {
        assert!(matches!(connect_to(b"").await, Err(AgentError::Closed(_))));
        let (_quiet, reader) = tokio::io::duplex(64);
        let silent = AgentClient::connect(reader, tokio::io::sink(), Duration::from_millis(20)).await;
        assert!(matches!(silent, Err(AgentError::Timeout { what: "hello", .. })));
    }

    #[tokio::test]
    async fn garbage_and_stale_answers_end_the_connection() {
        assert!(matches!(
            connect_to(b"[    0.000000] Linux version\n").await,
            Err(AgentError::Garbage { .. })
        ));
        let mut client = connect_to(HELLO).await.expect("hello");
        assert!(matches!(client.settle().await, Err(AgentError::Closed(_))));
        assert!(!client.is_usable());
        assert!(matches!(client.settle().await, Err(AgentError::GivenUp)));
    }

    #[tokio::test]
    async fn an_answer_of_another_kind_ends_the_connection_and_so_does_another_version() {
        const TALK: &[u8] = b"{\"id\":1,\"answer\":\"hello\",\"version\":1,\"pid\":1}\n\
            {\"id\":2,\"answer\":\"content\",\"text\":\"\",\"truncated\":false}\n";
        let mut client = connect_to(TALK).await.expect("hello");
        assert!(matches!(client.settle().await, Err(AgentError::Garbage { what: "settle", .. })));
        assert!(matches!(client.settle().await, Err(AgentError::GivenUp)));
        let newer = connect_to(b"{\"id\":1,\"answer\":\"hello\",\"version\":2,\"pid\":1}\n").await;
        assert!(matches!(newer, Err(AgentError::Version { theirs: 2, .. })));
    }

    #[tokio::test]
    async fn a_refusal_leaves_the_connection_good() {
        const TALK: &[u8] = b"{\"id\":1,\"answer\":\"hello\",\"version\":1,\"pid\":1}\n\
            {\"id\":2,\"answer\":\"error\",\"message\":\"no\"}\n{\"id\":3,\"answer\":\"done\"}\n";
        let mut client = connect_to(TALK).await.expect("hello");
        assert!(matches!(client.settle().await, Err(AgentError::Refused(m)) if m == "no"));
        client.settle().await.expect("still good");
    }
}
