//! Which processes of the host belong to an engine and to its containers. Docker's API does not tell of shims.

use super::private::remains::pids;
use std::fs;
use std::path::Path;

/// The process that listens on the engine's socket: dockerd, unless systemd listens for it.
fn listener(socket: &Path) -> Option<u32> {
    let stream = std::os::unix::net::UnixStream::connect(socket).ok()?;
    let credentials = rustix::net::sockopt::socket_peercred(&stream).ok()?;
    u32::try_from(credentials.pid.as_raw_nonzero().get()).ok().filter(|pid| *pid != 1)
}

/// The engine's daemons: dockerd and the containerd that it uses.
pub(super) fn daemons(socket: &Path) -> Vec<u32> {
    let all = named(&["dockerd", "containerd"]);
    let of = |name: &str| all.iter().filter(|p| p.name == name).collect::<Vec<_>>();
    // systemd listens for the host's engine only, which is the one that is not private.
    let hosts = || of("dockerd").into_iter().find(|p| !is_private(p.pid)).map(|p| p.pid);
    let Some(engine) = listener(socket).or_else(hosts) else {
        return Vec::new();
    };
    // Its own child, or else one that serves the whole host.
    let containerd = of("containerd");
    let its = containerd.iter().find(|p| p.parent == engine);
    let shared = containerd.iter().find(|p| !all.iter().any(|d| d.name == "dockerd" && d.pid == p.parent));
    [Some(engine), its.or(shared).map(|p| p.pid)].into_iter().flatten().collect()
}

/// Whether a process belongs to an engine of a sweep's own.
fn is_private(pid: u32) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    String::from_utf8_lossy(&environment).contains(super::private::ENGINE_VARIABLE)
}

/// Everything that exists for a container: the processes in its cgroup, and its shim and runtime, which have its id on
/// their command line.
pub(super) fn of_container(id: &str) -> Vec<u32> {
    pids()
        .into_iter()
        .filter(|pid| {
            let holds = |file: &str| {
                fs::read(format!("/proc/{pid}/{file}"))
                    .is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(id))
            };
            holds("cgroup") || holds("cmdline")
        })
        .collect()
}

struct Process {
    pid: u32,
    parent: u32,
    name: String,
}

fn named(names: &[&str]) -> Vec<Process> {
    pids()
        .into_iter()
        .filter_map(|pid| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            // The name, in parentheses, may hold anything; the state and the parent follow the last one.
            let (begin, rest) = stat.rsplit_once(") ")?;
            let name = begin.split_once('(')?.1.to_owned();
            let parent = rest.split(' ').nth(1)?.parse().ok()?;
            names.contains(&name.as_str()).then_some(Process { pid, parent, name })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::CommandExt as _;

    #[test]
    fn a_process_that_names_an_id_belongs_to_it_and_others_do_not() {
        let id = format!("tollgate-test-{}", std::process::id());
        // No shell: what it forks has its command line until it executes another program.
        let mut child = std::process::Command::new("sleep").arg0(&id).arg("60").spawn().expect("starts");
        let mut found = Vec::new();
        for _ in 0..200 {
            found = of_container(&id);
            if !found.is_empty() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        child.kill().expect("killed");
        child.wait().expect("reaped");
        assert_eq!(found, [child.id()]);
        assert_eq!(of_container("no-container-has-this-id"), Vec::<u32>::new());
        assert!(daemons(Path::new("/no/such/socket")).len() <= 2);
    }
}
