//! The few QMP commands that a sweep needs (qemu-qmp-ref(7)): stop, cont, `query-kvm`, `query-cpus-fast`, quit.

use serde_json::{Value, json};
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

/// A connection to one QEMU's monitor.
#[derive(Debug)]
pub struct Qmp {
    stream: BufReader<UnixStream>,
}

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);

impl Qmp {
    /// Connects and leaves the capabilities negotiation.
    pub async fn connect(socket: &Path) -> io::Result<Self> {
        let mut qmp = Self { stream: BufReader::new(UnixStream::connect(socket).await?) };
        qmp.line().await?;
        qmp.execute("qmp_capabilities").await?;
        Ok(qmp)
    }

    async fn line(&mut self) -> io::Result<Value> {
        let mut text = String::new();
        let read = tokio::time::timeout(TIMEOUT, self.stream.read_line(&mut text)).await;
        match read
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "no answer over QMP within 10 s"))??
        {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "QEMU closed its monitor")),
            _ => serde_json::from_str(&text).map_err(io::Error::from),
        }
    }

    /// Runs a command without arguments and returns its `return` value. Events in between are skipped.
    pub async fn execute(&mut self, command: &str) -> io::Result<Value> {
        let text = format!("{}\n", json!({ "execute": command }));
        self.stream.get_mut().write_all(text.as_bytes()).await?;
        loop {
            let mut answer = self.line().await?;
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
            if let Some(error) = answer.get("error") {
                return Err(io::Error::other(format!("QMP {command}: {error}")));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn talk(answers: &'static [&'static str]) -> io::Result<Value> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("qmp");
        let listener = tokio::net::UnixListener::bind(&path)?;
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await?;
            let mut stream = BufReader::new(stream);
            stream.get_mut().write_all(b"{\"QMP\":{}}\n").await?;
            let mut line = String::new();
            stream.read_line(&mut line).await?;
            stream.get_mut().write_all(b"{\"return\":{}}\n").await?;
            stream.read_line(&mut line).await?;
            for answer in answers {
                stream.get_mut().write_all(format!("{answer}\n").as_bytes()).await?;
            }
            io::Result::Ok(())
        });
        let result = Qmp::connect(&path).await?.execute("query-kvm").await;
        server.await.map_err(io::Error::other)??;
        result
    }

    #[tokio::test]
    async fn events_are_skipped_and_errors_are_told() {
        let value =
            talk(&["{\"event\":\"STOP\"}", "{\"return\":{\"enabled\":true}}"]).await.expect("an answer");
        assert_eq!(value["enabled"], true);
        let error = talk(&["{\"error\":{\"desc\":\"no such command\"}}"]).await.expect_err("an error");
        assert!(error.to_string().contains("no such command"));
        assert!(talk(&["not json"]).await.is_err());
        assert_eq!(talk(&[]).await.expect_err("closed").kind(), io::ErrorKind::UnexpectedEof);
    }
}
