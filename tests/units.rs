//! The units for systemd, as systemd itself reads them.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

/// Why systemd cannot be asked.
fn missing() -> Option<String> {
    let asked = Command::new("systemd-analyze").arg("--version").output();
    asked.err().map(|why| format!("systemd-analyze: {why}"))
}

/// Directives that systemd does not know, programs that are not there and a dispatch drop-in that does not go with its unit are told.
#[test]
fn systemd_finds_nothing_wrong_with_any_unit() {
    if !common::real(missing()) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let drop_ins = dir.path().join("tollgate.service.d");
    fs::create_dir(&drop_ins).expect("made");
    let mut units = Vec::new();
    for entry in fs::read_dir("packaging/systemd").expect("units").flatten() {
        let name = entry.file_name().into_string().expect("a name");
        let text = fs::read_to_string(entry.path()).expect("read");
        // Where the program is today.
        let text = text.replace("/usr/bin/tollgate", env!("CARGO_BIN_EXE_tollgate"));
        match Path::new(&name).extension().and_then(|e| e.to_str()) {
            Some("service" | "timer") => {
                fs::write(dir.path().join(&name), text).expect("written");
                units.push(dir.path().join(&name));
            }
            Some("conf") => fs::write(drop_ins.join(&name), text).expect("written"),
            Some("sysusers") => fs::write(dir.path().join(&name), text).expect("written"),
            _ => panic!("{name}: what is it?"),
        }
    }
    assert_eq!(units.len(), 3, "{units:?}");
    let mut verify = Command::new("systemd-analyze");
    // Its own first, then systemd's.
    verify.env("SYSTEMD_UNIT_PATH", format!("{}:", dir.path().display()));
    verify.args(["verify", "--man=no", "--recursive-errors=no"]).args(&units);
    let found = verify.output().expect("runs");
    let words = String::from_utf8_lossy(&found.stderr);
    assert!(found.status.success() && words.is_empty(), "{words}");
    fs::write(dir.path().join("tollgate.service"), "[Service]\nExecStart=/usr/bin/true\nNoSuchThing=yes\n")
        .expect("written");
    let found = verify.output().expect("runs");
    let words = String::from_utf8_lossy(&found.stderr);
    assert!(words.contains("NoSuchThing"), "it looks: {words}");
}

/// A nightly timer whose time systemd cannot read would never be due.
#[test]
fn the_timer_is_due_at_a_time_that_systemd_reads() {
    let timer = fs::read_to_string("packaging/systemd/tollgate-gate.timer").expect("read");
    let when = timer.lines().find_map(|line| line.strip_prefix("OnCalendar=")).expect("a time");
    if !common::real(missing()) {
        return;
    }
    let read = Command::new("systemd-analyze").args(["calendar", when]).output().expect("runs");
    let told = String::from_utf8_lossy(&read.stdout);
    assert!(read.status.success() && told.contains("03:30:00"), "{told}");
}
