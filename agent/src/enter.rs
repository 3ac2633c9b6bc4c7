//! How the native agent puts itself into the bench image: a chroot in a private mount namespace, and no other
//! namespace (but the client's network namespace), because a container is what it is to be compared with.

use crate::sys;

/// Where to serve.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Place {
    root: Option<String>,
    binds: Vec<(String, String)>,
    netns: Option<String>,
    groups: Vec<String>,
    cpus: Vec<usize>,
}

impl Place {
    /// Reads `--root DIR`, `--bind SRC:DST`, `--netns PATH`, `--group FILE`, `--cpus LIST`.
    pub fn from_args(args: &[String]) -> Result<Self, String> {
        let mut place = Self::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().cloned().ok_or_else(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "--root" => place.root = Some(value()?),
                "--netns" => place.netns = Some(value()?),
                "--group" => place.groups.push(value()?),
                "--cpus" => place.cpus = cpu_list(&value()?)?,
                "--bind" => {
                    let text = value()?;
                    let (src, dst) =
                        text.split_once(':').ok_or_else(|| format!("--bind {text}: expected SRC:DST"))?;
                    place.binds.push((src.to_owned(), dst.to_owned()));
                }
                other => return Err(format!("unknown argument {other}")),
            }
        }
        if place.root.is_none() && !place.binds.is_empty() {
            return Err("--bind needs --root".to_owned());
        }
        Ok(place)
    }

    /// Goes there.
    pub fn enter(&self) -> Result<(), String> {
        // Before anything else, so that nothing is accounted elsewhere.
        for file in &self.groups {
            let moved = std::fs::write(file, std::process::id().to_string());
            moved.map_err(|e| format!("control group {file}: {e}"))?;
        }
        if !self.cpus.is_empty() {
            sys::use_cpus(&self.cpus).map_err(|e| format!("processors {:?}: {e}", self.cpus))?;
        }
        if let Some(path) = &self.netns {
            sys::enter_network_namespace(path).map_err(|e| format!("network namespace {path}: {e}"))?;
        }
        let Some(root) = &self.root else { return Ok(()) };
        sys::unshare_mounts().map_err(|e| format!("private mount namespace: {e} (it needs root)"))?;
        let mount = |source: &str, target: &str, fstype: &str, flags: libc::c_ulong, data: &str| {
            sys::mount(source, target, fstype, flags, data)
                .map_err(|e| format!("mount {source} on {target}: {e}"))
        };
        mount("none", "/", "", libc::MS_REC | libc::MS_PRIVATE, "")?;
        mount(root, root, "", libc::MS_BIND, "")?;
        mount("none", root, "", libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY, "")?;
        mount("proc", &format!("{root}/proc"), "proc", 0, "")?;
        // A sysfs of its own shows the interfaces of the network namespace that was entered. Some sandboxes
        // forbid it, and no workload needs it.
        if let Err(note) = mount("sysfs", &format!("{root}/sys"), "sysfs", libc::MS_RDONLY, "") {
            eprintln!("tollgate-agent: note: no /sys: {note}");
        }
        mount("/dev", &format!("{root}/dev"), "", libc::MS_BIND | libc::MS_REC, "")?;
        for dir in ["tmp", "run", "dev/shm"] {
            mount("tmpfs", &format!("{root}/{dir}"), "tmpfs", libc::MS_NOSUID | libc::MS_NODEV, "mode=1777")?;
        }
        for (src, dst) in &self.binds {
            mount(src, &format!("{root}{dst}"), "", libc::MS_BIND, "")?;
        }
        std::os::unix::fs::chroot(root).map_err(|e| format!("chroot {root}: {e}"))?;
        std::env::set_current_dir("/").map_err(|e| format!("chdir / in {root}: {e}"))
    }
}

/// A list as the kernel writes it: `0-3,6` (cpuset(7), formats for lists).
pub fn cpu_list(text: &str) -> Result<Vec<usize>, String> {
    let bad = || format!("{text:?} is no list of processors such as 0-3,6");
    let mut cpus = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |n: &str| n.trim().parse::<usize>().ok().filter(|n| *n < sys::MOST_CPUS).ok_or_else(bad);
        let (first, last) = (number(first)?, number(last)?);
        if last < first {
            return Err(bad());
        }
        cpus.extend(first..=last);
    }
    Ok(cpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(args: &[&str]) -> Result<Place, String> {
        Place::from_args(&args.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn lists_of_processors_are_read_and_others_refused() {
        assert_eq!(cpu_list("0-2,6"), Ok(vec![0, 1, 2, 6]));
        for bad in ["", "x", "3-1", "0,", "99999"] {
            assert!(cpu_list(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn arguments_are_read_and_wrong_ones_named() {
        let good = place(&["--root", "/r", "--bind", "/a:/data", "--netns", "/run/netns/x"]).expect("good");
        assert_eq!(good.binds, [("/a".to_owned(), "/data".to_owned())]);
        assert!(place(&["--bind", "/a:/b"]).expect_err("no root").contains("--root"));
        assert!(place(&["--root"]).expect_err("no value").contains("needs a value"));
        assert!(place(&["--rot", "/"]).expect_err("unknown").contains("--rot"));
    }
}
