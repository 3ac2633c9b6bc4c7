//! Debian's packages, unpacked and not installed: fetched once from the mirror that this host's own apt sources name.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The directory `name` with what is in these packages of a suite, or why it cannot be had. `finish` looks at what was unpacked.
pub fn unpacked(
    name: &str,
    suite: &str,
    packages: &[&str],
    finish: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let place = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    if place.exists() {
        return Ok(place);
    }
    let work = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).map_err(|e| e.to_string())?;
    let (apt, debs, root) = (work.path().join("apt"), work.path().join("debs"), work.path().join("root"));
    for dir in [&apt.join("lists/partial"), &apt.join("cache/archives/partial"), &debs, &root] {
        fs::create_dir_all(dir).map_err(|e| e.to_string())?;
    }
    let keys = "/usr/share/keyrings/debian-archive-keyring.gpg";
    let source = format!("deb [signed-by={keys}] {} {suite} main\n", mirror()?);
    fs::write(apt.join("sources.list"), source).map_err(|e| e.to_string())?;
    get(&apt, &debs, &["update"])?;
    get(&apt, &debs, &[&["download"], packages].concat())?;
    for deb in fs::read_dir(&debs).map_err(|e| e.to_string())?.flatten() {
        run(Command::new("dpkg").arg("-x").arg(deb.path()).arg(&root))?;
    }
    finish(&root)?;
    fs::rename(&root, &place).map_err(|e| e.to_string())?;
    Ok(place)
}

/// The suite that this host runs.
pub fn suite() -> Result<String, String> {
    let release = fs::read_to_string("/etc/os-release").map_err(|e| format!("/etc/os-release: {e}"))?;
    let found = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    found.map(str::to_owned).ok_or_else(|| "/etc/os-release names no suite".to_owned())
}

/// The mirror of Debian that this host uses.
fn mirror() -> Result<String, String> {
    let format = "$(REPO_URI) $(ORIGIN) $(COMPONENT) $(LABEL)";
    let listed =
        run(Command::new("apt-get").args(["indextargets", "--format", format, "Created-By: Packages"]))?;
    let found = listed.lines().find_map(|line| line.strip_suffix(" Debian main Debian"));
    found.map(str::to_owned).ok_or_else(|| "apt knows no mirror of Debian".to_owned())
}

/// apt-get with lists and a cache of its own: the host's stay as they are.
fn get(apt: &Path, directory: &Path, arguments: &[&str]) -> Result<(), String> {
    let mut command = Command::new("apt-get");
    for (key, value) in [
        ("Dir::Etc::sourcelist", apt.join("sources.list")),
        ("Dir::Etc::sourceparts", "-".into()),
        ("Dir::State::lists", apt.join("lists")),
        ("Dir::Cache", apt.join("cache")),
        ("APT::Sandbox::User", "root".into()),
        ("Acquire::Languages", "none".into()),
        ("Acquire::IndexTargets::deb::DEP-11::DefaultEnabled", "false".into()),
    ] {
        command.arg("-o").arg(format!("{key}={}", value.display()));
    }
    run(command.args(arguments).current_dir(directory)).map(drop)
}

pub fn run(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|e| format!("{program}: {e}"))?;
    if !output.status.success() {
        return Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
