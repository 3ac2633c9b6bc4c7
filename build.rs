//! Builds the agent as a static program, so that it can be embedded (`src/environment/agent/embedded.rs`).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() {
    for path in ["agent/src", "agent/Cargo.toml", "Cargo.toml", "Cargo.lock", "build.rs"] {
        println!("cargo::rerun-if-changed={path}");
    }
    if let Err(why) = build_agent() {
        println!("cargo::error=the agent could not be built: {why}");
        std::process::exit(1);
    }
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|e| format!("{name}: {e}"))
}

fn build_agent() -> Result<(), String> {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(variable("OUT_DIR")?);
    let target = variable("TARGET")?;
    let target_dir = out.join("agent");
    // Paths in panic messages would make the bytes depend on where the repository and cargo's home are.
    let mut flags = vec!["-Ctarget-feature=+crt-static".to_owned()];
    flags.push(format!("--remap-path-prefix={}=/tollgate", root.display()));
    if let Some(home) = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(default_cargo_home) {
        flags.push(format!("--remap-path-prefix={}=/cargo", home.display()));
    }
    let mut cargo = Command::new(variable("CARGO")?);
    cargo
        .args(["build", "--locked", "--quiet", "--profile", "agent", "--package", "tollgate-agent"])
        .args(["--bin", "tollgate-agent", "--target", &target, "--target-dir"])
        .arg(&target_dir)
        .current_dir(&root)
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    let of_the_outer_build =
        ["RUSTFLAGS", "CARGO_BUILD_TARGET", "CARGO_TARGET_DIR", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"];
    for name in of_the_outer_build {
        cargo.env_remove(name);
    }
    let status = cargo.status().map_err(|e| format!("start cargo: {e}"))?;
    if !status.success() {
        return Err(format!("cargo build ended with {status}"));
    }
    let built = target_dir.join(&target).join("agent").join("tollgate-agent");
    let bytes = fs::read(&built).map_err(|e| format!("read {}: {e}", built.display()))?;
    if is_dynamic(&bytes)? {
        return Err(format!("{} is linked dynamically; it must run in any root filesystem", built.display()));
    }
    write(&out.join("tollgate-agent"), &bytes)
}

fn default_cargo_home() -> Option<PathBuf> {
    Some(PathBuf::from(env::var_os("HOME")?).join(".cargo"))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::write(path, bytes).map_err(|e| format!("write {}: {e}", path.display()))
}

/// Whether a 64-bit little-endian ELF file asks for an interpreter (program header type 3, elf(5)).
fn is_dynamic(elf: &[u8]) -> Result<bool, String> {
    let field = |at: usize, len: usize| -> Result<u64, String> {
        let bytes = elf.get(at..at + len).ok_or("it is cut short")?;
        Ok(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    };
    if elf.get(..6) != Some(b"\x7fELF\x02\x01") {
        return Err("it is no 64-bit little-endian ELF file".to_owned());
    }
    let at = |value: u64| usize::try_from(value).map_err(|e| e.to_string());
    let (table, size, count) = (at(field(32, 8)?)?, at(field(54, 2)?)?, at(field(56, 2)?)?);
    for index in 0..count {
        if field(table + index * size, 4)? == 3 {
            return Ok(true);
        }
    }
    Ok(false)
}
