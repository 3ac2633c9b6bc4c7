//! `/init` of a guest: a few mounts, the virtio modules, the bench image's root, and the serial port.
//!
//! The kernel's command line says what differs: `tg.data=vdb` (mount it on /data), `tg.ip=ADDR/PREFIX` (of eth0),
//! `tg.gw=ADDR` (the default route), `tg.rootro` (the root is mounted read-only).

use crate::serve::{self, Ending};
use crate::servers::Servers;
use crate::sys;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::process::Command;
use std::time::Duration;

/// Name of the virtio-serial port on which the host talks.
const PORT_NAME: &str = "tgagent";
const NEW_ROOT: &str = "/newroot";

/// Never returns: the guest is turned off at the end.
pub fn main() -> ! {
    if let Err(message) = start_and_serve() {
        let console = File::options().write(true).open("/dev/console");
        if console.and_then(|mut c| writeln!(c, "tollgate-agent: {message}")).is_err() {
            eprintln!("tollgate-agent: {message}");
        }
    }
    sys::sync();
    sys::power_off();
}

fn mount(source: &str, target: &str, fstype: &str, flags: libc::c_ulong, data: &str) -> Result<(), String> {
    fs::create_dir_all(target).map_err(|e| format!("make {target}: {e}"))?;
    sys::mount(source, target, fstype, flags, data).map_err(|e| format!("mount {source} on {target}: {e}"))
}

fn start_and_serve() -> Result<(), String> {
    mount("devtmpfs", "/dev", "devtmpfs", 0, "")?;
    mount("proc", "/proc", "proc", 0, "")?;
    mount("sysfs", "/sys", "sysfs", 0, "")?;
    let cmdline = fs::read_to_string("/proc/cmdline").map_err(|e| format!("read /proc/cmdline: {e}"))?;
    load_modules()?;
    wait_for("/dev/vda")?;
    let read_only = if flag(&cmdline, "tg.rootro") { libc::MS_RDONLY } else { 0 };
    mount("/dev/vda", NEW_ROOT, "ext4", libc::MS_NOATIME | read_only, "")?;
    if let Some(name) = option(&cmdline, "tg.data") {
        let device = format!("/dev/{name}");
        wait_for(&device)?;
        mount(&device, &format!("{NEW_ROOT}/data"), "ext4", libc::MS_RELATIME, "")?;
    }
    change_root()?;
    sys::clean_environment();
    let _ = sys::set_hostname("tollgate");
    network(option(&cmdline, "tg.ip"), option(&cmdline, "tg.gw"))?;
    serve_port()
}

/// The value of `name=value` on the command line.
fn option<'a>(cmdline: &'a str, name: &str) -> Option<&'a str> {
    cmdline.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

/// Whether the bare word `name` is on the command line.
fn flag(cmdline: &str, name: &str) -> bool {
    cmdline.split_whitespace().any(|word| word == name)
}

fn load_modules() -> Result<(), String> {
    let order = fs::read_to_string("/modules/order").map_err(|e| format!("read /modules/order: {e}"))?;
    for name in order.lines().filter(|l| !l.trim().is_empty()) {
        let path = format!("/modules/{}", name.trim());
        sys::load_module(&path).map_err(|e| format!("load module {path}: {e}"))?;
    }
    Ok(())
}

fn wait_for(path: &str) -> Result<(), String> {
    for _ in 0..1000 {
        if fs::exists(path).unwrap_or(false) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Err(format!("{path} did not appear within 5 s"))
}

fn change_root() -> Result<(), String> {
    for dir in ["dev", "proc", "sys"] {
        mount(&format!("/{dir}"), &format!("{NEW_ROOT}/{dir}"), "", libc::MS_MOVE, "")?;
    }
    std::env::set_current_dir(NEW_ROOT).map_err(|e| format!("chdir {NEW_ROOT}: {e}"))?;
    sys::mount(".", "/", "", libc::MS_MOVE, "").map_err(|e| format!("move {NEW_ROOT} to /: {e}"))?;
    std::os::unix::fs::chroot(".").map_err(|e| format!("chroot: {e}"))?;
    std::env::set_current_dir("/").map_err(|e| format!("chdir /: {e}"))?;
    mount("devpts", "/dev/pts", "devpts", 0, "")?;
    for dir in ["/dev/shm", "/run", "/tmp"] {
        mount("tmpfs", dir, "tmpfs", libc::MS_NOSUID | libc::MS_NODEV, "mode=1777")?;
    }
    mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, "")
}

fn network(address: Option<&str>, gateway: Option<&str>) -> Result<(), String> {
    ip(&["link", "set", "lo", "up"])?;
    if let Some(address) = address {
        ip(&["addr", "add", address, "dev", "eth0"])?;
        ip(&["link", "set", "eth0", "up"])?;
    }
    if let Some(gateway) = gateway {
        ip(&["route", "add", "default", "via", gateway])?;
    }
    Ok(())
}

fn ip(args: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(args).output().map_err(|e| format!("ip {}: {e}", args.join(" ")))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("ip {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}

fn find_port() -> Option<String> {
    fs::read_dir("/sys/class/virtio-ports").ok()?.filter_map(Result::ok).find_map(|entry| {
        let name = fs::read_to_string(entry.path().join("name")).ok()?;
        (name.trim() == PORT_NAME).then(|| format!("/dev/{}", entry.file_name().to_string_lossy()))
    })
}

/// A port reads as ended while nobody is connected on the host's side.
struct PatientPort(File);

impl Read for PatientPort {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(buffer) {
                Ok(0) => std::thread::sleep(Duration::from_millis(10)),
                other => return other,
            }
        }
    }
}

fn serve_port() -> Result<(), String> {
    let mut path = None;
    for _ in 0..500 {
        path = find_port();
        if path.is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let path = path.ok_or_else(|| format!("no virtio-serial port is named {PORT_NAME}"))?;
    let fail = |e: io::Error| format!("open {path}: {e}");
    let port = File::options().read(true).write(true).open(&path).map_err(fail)?;
    let mut output = port.try_clone().map_err(fail)?;
    let mut input = BufReader::new(PatientPort(port));
    let mut servers = Servers::adopting_orphans();
    while serve::answer_all(&mut input, &mut output, &mut servers) != Ending::Shutdown {}
    servers.stop_all();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_come_from_the_command_line() {
        let line = "console=ttyS0 tg.ip=198.19.0.3/24 tg.data=vdb tg.rootro quiet";
        assert!(flag(line, "tg.rootro") && !flag(line, "tg.data"));
        assert_eq!(option(line, "tg.ip"), Some("198.19.0.3/24"));
        assert_eq!(option(line, "tg.data"), Some("vdb"));
        assert_eq!(option(line, "tg.dat"), None);
    }
}
