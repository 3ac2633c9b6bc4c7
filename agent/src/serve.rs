//! The loop: a request in, an answer out.

use crate::servers::Servers;
use crate::{describe, exec, sys};
use std::io::{BufRead, ErrorKind, Read, Write};
use tollgate_agent::protocol::{Answer, Call, MAX_LINE_BYTES, PROTOCOL_VERSION, Request, Response};

/// No request gets more of a file than this: escaped as JSON it stays below [`MAX_LINE_BYTES`].
const MOST_READ: usize = 2 * exec::MOST_OUTPUT;

/// Why serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The input ended.
    InputEnded,
    /// [`Call::Shutdown`] was answered.
    Shutdown,
    /// The answers can no longer be written.
    OutputBroken,
}

/// Answers requests until the input ends or a shutdown is asked for; then stops all servers, unless the
/// caller keeps them for the next connection (`InputEnded` of a guest).
pub fn serve(input: &mut impl BufRead, output: &mut impl Write, servers: &mut Servers) -> Ending {
    let ending = answer_all(input, output, servers);
    servers.stop_all();
    ending
}

/// [`serve`] without stopping the servers at the end.
pub fn answer_all(input: &mut impl BufRead, output: &mut impl Write, servers: &mut Servers) -> Ending {
    let mut line = Vec::new();
    loop {
        let request = match read_line(input, &mut line) {
            Line::End => return Ending::InputEnded,
            Line::TooLong => Err(format!("a request is longer than {MAX_LINE_BYTES} bytes")),
            Line::Complete if line.iter().all(u8::is_ascii_whitespace) => continue,
            Line::Complete => serde_json::from_slice::<Request>(&line)
                .map_err(|e| format!("not a request: {e}: {}", excerpt(&line))),
        };
        let (response, last) = match request {
            Ok(Request { id, call }) => {
                let last = call == Call::Shutdown;
                (Response { id, answer: answer(call, servers) }, last)
            }
            Err(message) => (Response { id: 0, answer: Answer::Error { message } }, false),
        };
        if write_response(output, &response).is_err() {
            return Ending::OutputBroken;
        }
        if last {
            return Ending::Shutdown;
        }
        servers.reap_all();
    }
}

fn write_response(output: &mut impl Write, response: &Response) -> std::io::Result<()> {
    let mut text = serde_json::to_vec(response)?;
    text.push(b'\n');
    output.write_all(&text)?;
    output.flush()
}

enum Line {
    Complete,
    TooLong,
    End,
}

/// Reads up to the next newline. A line over the limit is read to its end and thrown away.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> Line {
    line.clear();
    let limit = MAX_LINE_BYTES as u64 + 1;
    match input.by_ref().take(limit).read_until(b'\n', line) {
        Ok(0) => Line::End,
        Ok(_) if line.ends_with(b"\n") => Line::Complete,
        Ok(n) if n as u64 == limit => match skip_line(input) {
            Ok(()) => Line::TooLong,
            Err(_) => Line::End,
        },
        Ok(_) | Err(_) => Line::End,
    }
}

fn skip_line(input: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let chunk = match input.fill_buf() {
            Ok(chunk) => chunk,
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        if chunk.is_empty() {
            return Ok(());
        }
        if let Some(at) = chunk.iter().position(|b| *b == b'\n') {
            input.consume(at + 1);
            return Ok(());
        }
        let all = chunk.len();
        input.consume(all);
    }
}

fn excerpt(line: &[u8]) -> String {
    String::from_utf8_lossy(&line[..line.len().min(80)]).trim_end().to_owned()
}

fn answer(call: Call, servers: &mut Servers) -> Answer {
    let result = match call {
        Call::Hello { version } if version == PROTOCOL_VERSION => {
            Ok(Answer::Hello { version: PROTOCOL_VERSION, pid: std::process::id() })
        }
        Call::Hello { version } => {
            Err(format!("protocol {version} asked for, this agent speaks {PROTOCOL_VERSION}"))
        }
        Call::Exec(exec) => exec::run(&exec).map(Answer::Exec),
        Call::Start(start) => servers.start(&start),
        Call::Stop { name, grace_ms } => {
            servers.stop(&name, grace_ms);
            Ok(Answer::Done)
        }
        Call::Read { path, limit } => read_file(&path, limit),
        Call::Write { path, content, mode } => write_file(&path, &content, mode).map(|()| Answer::Done),
        Call::Describe { data } => describe::describe(&data).map(|d| Answer::Description(Box::new(d))),
        Call::Settle => {
            sys::sync();
            // Only root of the initial namespaces may; elsewhere the host drops the caches.
            let _ = std::fs::write("/proc/sys/vm/drop_caches", "3");
            Ok(Answer::Done)
        }
        Call::Shutdown => {
            servers.stop_all();
            Ok(Answer::Done)
        }
    };
    result.unwrap_or_else(|message| Answer::Error { message })
}

fn read_file(path: &str, limit: usize) -> Result<Answer, String> {
    let fail = |e: std::io::Error| format!("read {path}: {e}");
    let limit = limit.min(MOST_READ);
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(fail)?;
    file.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(fail)?;
    let truncated = bytes.len() > limit;
    bytes.truncate(limit);
    Ok(Answer::Content { text: String::from_utf8_lossy(&bytes).into_owned(), truncated })
}

fn write_file(path: &str, content: &str, mode: u32) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    let fail = |e: std::io::Error| format!("write {path}: {e}");
    if let Some(parent) = std::path::Path::new(path).parent() {
        std::fs::create_dir_all(parent).map_err(fail)?;
    }
    std::fs::write(path, content).map_err(fail)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).map_err(fail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn talk(input: &[u8]) -> Vec<Response> {
        let mut output = Vec::new();
        let ending = serve(&mut &input[..], &mut output, &mut Servers::default());
        assert_ne!(ending, Ending::OutputBroken);
        output
            .split(|b| *b == b'\n')
            .filter(|l| !l.is_empty())
            .map(|l| serde_json::from_slice(l).expect("an answer is JSON"))
            .collect()
    }

    #[test]
    fn garbage_is_answered_with_an_error_and_the_next_request_is_served() {
        let answers = talk(b"\x00\xffgarbage\n\n{\"id\":1,\"call\":\"nonsense\"}\n{\"id\":7,\"call\":\"hello\",\"version\":1}\n");
        assert_eq!(answers.len(), 3);
        assert!(matches!(&answers[0].answer, Answer::Error { message } if message.contains("not a request")));
        assert!(matches!(&answers[1].answer, Answer::Error { .. }));
        assert_eq!(answers[2].id, 7);
        assert!(matches!(answers[2].answer, Answer::Hello { .. }));
    }

    #[test]
    fn a_line_over_the_limit_is_skipped_whole() {
        let mut input = vec![b'x'; MAX_LINE_BYTES + 10];
        input.extend_from_slice(b"\n{\"id\":2,\"call\":\"hello\",\"version\":1}\n");
        let answers = talk(&input);
        assert_eq!(answers.len(), 2);
        assert_eq!(answers[1].id, 2);
    }

    #[test]
    fn another_protocol_version_is_refused() {
        let answers = talk(b"{\"id\":1,\"call\":\"hello\",\"version\":99}\n");
        assert!(matches!(&answers[0].answer, Answer::Error { message } if message.contains("99")));
    }

    #[test]
    fn shutdown_ends_the_loop() {
        let answers = talk(b"{\"id\":1,\"call\":\"shutdown\"}\n{\"id\":2,\"call\":\"settle\"}\n");
        assert_eq!(answers.len(), 1);
    }
}
