//! The plainest client: one connection a request, nothing repeated, followed or hidden, so that a test sees what the
//! fake does. Clients of the product are not to be tested with it.

use super::FakeGitHub;
use serde_json::Value;
use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
};

/// Asks with one token.
pub struct Asker {
    base: String,
    token: Option<String>,
}

/// An answer.
#[derive(Debug)]
pub struct Got {
    pub status: u16,
    headers: String,
    pub text: String,
    /// Null where the text is not JSON.
    pub body: Value,
}

impl Got {
    /// A header's value; the name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.headers.lines().filter_map(|l| l.split_once(": "));
        lines.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The address that the Link header gives for a relation.
    pub fn link(&self, rel: &str) -> Option<&str> {
        let wanted = format!("rel=\"{rel}\"");
        let link = self.header("link")?.split(", ").find(|l| l.ends_with(&wanted))?;
        link.split_once('>').map(|(address, _)| address.trim_start_matches('<'))
    }
}

impl FakeGitHub {
    pub fn ask_as(&self, token: &str) -> Asker {
        Asker { base: self.url().to_owned(), token: Some(token.to_owned()) }
    }

    pub fn ask_without_token(&self) -> Asker {
        Asker { base: self.url().to_owned(), token: None }
    }
}

impl Asker {
    /// The answer.
    ///
    /// # Panics
    /// Where there is none.
    pub fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Got {
        self.try_ask(method, path, body).unwrap_or_else(|e| panic!("{method} {path}: {e}"))
    }

    pub fn get(&self, path: &str) -> Got {
        self.ask("GET", path, None)
    }

    pub fn post(&self, path: &str, body: Value) -> Got {
        self.ask("POST", path, Some(body))
    }

    pub fn patch(&self, path: &str, body: Value) -> Got {
        self.ask("PATCH", path, Some(body))
    }

    /// `path` is below the API's base, or a whole address as a Link header gives it.
    ///
    /// # Errors
    /// The connection was refused or ended before an answer.
    pub fn try_ask(&self, method: &str, path: &str, body: Option<Value>) -> io::Result<Got> {
        let address =
            if path.starts_with("http://") { path.to_owned() } else { format!("{}{path}", self.base) };
        let (host, target) = address.trim_start_matches("http://").split_once('/').expect("an address");
        let body = body.map(|b| b.to_string()).unwrap_or_default();
        let token = self.token.as_ref().map(|t| format!("authorization: Bearer {t}\r\n")).unwrap_or_default();
        let head = format!(
            "{method} /{target} HTTP/1.1\r\nhost: {host}\r\nuser-agent: test\r\nconnection: close\r\n{token}\
             accept: application/vnd.github+json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = TcpStream::connect(host)?;
        stream.write_all(head.as_bytes())?;
        stream.write_all(body.as_bytes())?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let (headers, text) = text.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = headers.get(9..12).and_then(|s| s.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
        let body = serde_json::from_str(text).unwrap_or_default();
        Ok(Got { status, headers: headers.to_owned(), text: text.to_owned(), body })
    }
}
