//! Which runtime a container's shim was given, read from its own state.

use serde::Deserialize;
use std::path::PathBuf;

/// The file `options.json` that the shim writes into its bundle (containerd, runtime v2).
#[derive(Debug, Deserialize)]
struct Options {
    #[serde(alias = "binaryName", alias = "BinaryName", default)]
    binary_name: String,
}

/// The program of the runtime that made the container whose first process is `pid`: told by the shim, which is its
/// parent and works in the container's bundle. `Err` says what could not be read.
pub(super) fn runtime(pid: u32) -> Result<PathBuf, String> {
    let read = |path: String| std::fs::read_to_string(&path).map_err(|e| format!("{path}: {e}"));
    let stat = read(format!("/proc/{pid}/stat"))?;
    let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1));
    let shim = parent.ok_or_else(|| format!("/proc/{pid}/stat holds no parent"))?;
    let name = read(format!("/proc/{shim}/comm"))?;
    if !name.starts_with("containerd-shim") {
        return Err(format!("the parent of its first process is {}, not a shim", name.trim()));
    }
    let text = read(format!("/proc/{shim}/cwd/options.json"))?;
    let options: Options =
        serde_json::from_str(&text).map_err(|e| format!("the shim's options.json: {e}"))?;
    match options.binary_name.as_str() {
        "" => Err(format!("the shim's options.json names no runtime: {text}")),
        program => Ok(program.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_without_a_shim_has_no_runtime() {
        let why = runtime(std::process::id()).expect_err("no shim");
        assert!(why.contains("not a shim"), "{why}");
        assert!(runtime(u32::MAX).expect_err("no process").contains("/proc/"));
    }

    #[test]
    fn options_of_the_shim_are_read() {
        let text = r#"{"binary_name":"/usr/bin/crun","root":"/run/docker/runtime-runc"}"#;
        assert_eq!(serde_json::from_str::<Options>(text).expect("parses").binary_name, "/usr/bin/crun");
    }
}
