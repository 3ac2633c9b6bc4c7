//! Fake roots: nothing is installed here.

use super::*;
use std::{fs, os::unix::fs::PermissionsExt as _};

fn program(root: &Path, path: &str) {
    let path = files::under(root, path);
    fs::create_dir_all(path.parent().expect("parent")).expect("mkdir");
    fs::write(&path, "").expect("write");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("chmod");
}

fn provision(root: &Path) -> Provision {
    Provision::new(root, &root.join("state"))
}

#[tokio::test]
async fn an_empty_host_needs_everything() {
    let dir = tempfile::tempdir().expect("tempdir");
    let needs = provision(dir.path()).needs().await;
    let tools: Vec<_> = needs.iter().map(|need| need.tool).collect();
    assert_eq!(tools, TOOLS.map(|(tool, ..)| tool));
    assert_eq!(needs[0].package, Some("docker.io"));
}

#[tokio::test]
async fn a_client_is_no_engine_and_an_engine_must_run() {
    let dir = tempfile::tempdir().expect("tempdir");
    for (tool, ..) in TOOLS {
        program(dir.path(), &format!("/usr/sbin/{tool}"));
    }
    let needs = provision(dir.path()).needs().await;
    assert_eq!(needs.len(), 1);
    assert_eq!((needs[0].tool, needs[0].package), ("running engine", None));
    fs::remove_file(files::under(dir.path(), "/usr/sbin/dockerd")).expect("remove");
    program(dir.path(), "/usr/local/bin/docker");
    assert_eq!(provision(dir.path()).needs().await[0].tool, "dockerd");
}

#[tokio::test]
async fn another_distribution_is_told_what_to_install() {
    let dir = tempfile::tempdir().expect("tempdir");
    fs::create_dir_all(dir.path().join("etc")).expect("mkdir");
    fs::write(dir.path().join("etc/os-release"), "ID=fedora\nPRETTY_NAME=\"Fedora 40\"\n").expect("write");
    let mut said = Vec::new();
    let error =
        provision(dir.path()).provision(&mut |line| said.push(line.to_owned())).await.expect_err("fedora");
    let error = error.to_string();
    assert!(error.starts_with("Fedora 40 is not Debian") && error.contains("qemu-system-x86_64"), "{error}");
    assert!(said.is_empty(), "nothing is done: {said:?}");
}

#[test]
fn a_derivative_with_apt_is_debian() {
    let dir = tempfile::tempdir().expect("tempdir");
    fs::create_dir_all(dir.path().join("etc")).expect("mkdir");
    fs::write(dir.path().join("etc/os-release"), "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n").expect("write");
    assert!(provision(dir.path()).is_debian().is_err());
    program(dir.path(), "/usr/bin/apt-get");
    assert!(provision(dir.path()).is_debian().is_ok());
}

#[test]
fn apparmor_without_its_parser_is_a_need() {
    let dir = tempfile::tempdir().expect("tempdir");
    let enabled = files::under(dir.path(), "/sys/module/apparmor/parameters/enabled");
    fs::create_dir_all(enabled.parent().expect("parent")).expect("mkdir");
    fs::write(enabled, "Y\n").expect("write");
    assert!(provision(dir.path()).missing_tools().iter().any(|need| need.package == Some("apparmor")));
}
