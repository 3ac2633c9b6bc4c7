//! Reads the one line of JSON that a built-in workload of the agent prints (`tollgate-agent bench`).

use super::ParseError;
use serde::de::DeserializeOwned;
use tollgate_agent::protocol::ExecResult;

/// What the workload `tool` printed. Fields that `T` does not name are passed over.
pub(super) fn read<T: DeserializeOwned>(tool: &'static str, result: &ExecResult) -> Result<T, ParseError> {
    let line = result.stdout.trim_end_matches('\n');
    if line.is_empty() || line.contains('\n') {
        let found = line.lines().count();
        return Err(ParseError::new(
            tool,
            None,
            line,
            format!("expected one line of JSON, found {found} lines"),
        ));
    }
    serde_json::from_str(line).map_err(|e| ParseError::new(tool, Some(1), line, e.to_string()))
}

#[cfg(test)]
pub(super) mod fixtures {
    use crate::model::CgroupMemory;
    use crate::workload::CommandReport;
    use tollgate_agent::protocol::{ExecResult, Usage};

    /// A command that ended well and printed this.
    pub fn printed(stdout: &str) -> ExecResult {
        ExecResult {
            code: Some(0),
            signal: None,
            timed_out: false,
            stdout: stdout.to_owned(),
            stderr: String::new(),
            stdout_bytes: stdout.len() as u64,
            stderr_bytes: 0,
            usage: Usage::default(),
        }
    }

    /// Its report.
    pub fn report(result: &ExecResult, cgroup: Option<CgroupMemory>) -> CommandReport<'_> {
        CommandReport { result, host: None, cgroup }
    }
}

#[cfg(test)]
mod tests {
    use super::fixtures::printed;
    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct One {
        value: f64,
    }

    #[test]
    fn one_line_is_read_and_anything_else_shown() {
        assert_eq!(read("x", &printed("{\"value\":2.5,\"more\":1}\n")), Ok(One { value: 2.5 }));
        let shown = |text: &str| read::<One>("x", &printed(text)).expect_err("wrong").to_string();
        assert!(shown("").contains("found 0 lines"));
        assert!(shown("{\"value\":1}\n{\"value\":1}\n").contains("found 2 lines"));
        assert!(shown("{\"other\":1}").contains("value") && shown("{\"other\":1}").contains("other"));
        assert!(shown("{\"value\":null}").contains("line 1") && shown("Killed").contains("Killed"));
    }
}
