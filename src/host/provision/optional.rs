//! Programs for the axes of the suite (runtimes, storage drivers): installed where the release has them, and told where it
//! has not. Nothing fails for the lack of one; the environment that needs it is then unavailable.

use super::{super::files, Need, Provision, apt};
use crate::command;
use std::path::Path;

/// Program, package, what for.
const TOOLS: [(&str, &str, &str); 8] = [
    ("crun", "crun", "containers can be started by another OCI runtime"),
    ("runsc", "runsc", "containers can run under gVisor"),
    ("mkfs.btrfs", "btrfs-progs", "the storage driver btrfs needs a filesystem of its kind"),
    ("mkfs.xfs", "xfsprogs", "the storage driver overlay2 can lie on xfs"),
    ("fuse-overlayfs", "fuse-overlayfs", "the storage driver fuse-overlayfs is a program"),
    ("losetup", "mount", "filesystems for storage drivers lie in files"),
    ("nsenter", "util-linux", "private engines and clients have namespaces of their own"),
    ("unshare", "util-linux", "private engines have mounts of their own"),
];

/// What the host lacks of them.
pub(super) fn missing(root: &Path) -> Vec<Need> {
    let missing = TOOLS.into_iter().filter(|(tool, ..)| files::program(root, tool).is_none());
    missing.map(|(tool, package, reason)| Need { tool, package: Some(package), reason }).collect()
}

/// What is to be done for the programs that are missing.
#[derive(Debug, Default, PartialEq, Eq)]
struct Plan<'a> {
    /// Packages that apt can get, each once.
    get: Vec<&'a str>,
    /// Programs for which there is none, with the reason.
    cannot: Vec<(&'a Need, String)>,
}

impl<'a> Plan<'a> {
    /// `offered` says whether apt knows a version of a package.
    fn new(missing: &'a [Need], offered: impl Fn(&str) -> bool) -> Self {
        let mut plan = Self::default();
        for need in missing {
            match need.package {
                Some(package) if offered(package) => {
                    if !plan.get.contains(&package) {
                        plan.get.push(package);
                    }
                }
                package => {
                    let why = format!("apt has no package {}", package.unwrap_or("for it"));
                    plan.cannot.push((need, why));
                }
            }
        }
        plan
    }
}

impl Provision {
    /// Optional programs that are missing, without changing anything.
    pub fn wishes(&self) -> Vec<Need> {
        missing(&self.root)
    }

    /// Installs what is missing of the optional programs, each package by itself, so that one that cannot be had
    /// hinders no other. `updated` says whether apt's lists were fetched just now.
    pub(super) async fn install_wishes(&self, mut updated: bool, say: &mut (dyn FnMut(&str) + Send)) {
        let missing = self.wishes();
        if missing.is_empty() {
            return;
        }
        if let Err(why) = self.is_debian().and_then(|()| self.may_change(&[]).map_err(|e| e.to_string())) {
            return tell(
                say,
                missing.iter().map(|need| (need, format!("packages cannot be installed: {why}"))),
            );
        }
        // Lists that are there are asked first: a package that the release does not have costs no download each time.
        if !updated && !lists_are_there(&self.root) {
            updated = update(say).await;
        }
        let mut known = Vec::new();
        for package in missing.iter().filter_map(|need| need.package) {
            if is_offered(package).await {
                known.push(package);
            }
        }
        let plan = Plan::new(&missing, |package| known.contains(&package));
        tell(say, plan.cannot.into_iter());
        for package in plan.get {
            let wanted = missing.iter().filter(|need| need.package == Some(package));
            wanted.clone().for_each(|need| say(&format!("{} is missing: {}", need.tool, need.reason)));
            let mut result = get(package, say).await;
            if result.is_err() && !updated {
                // The lists may name a version that the mirror has no more.
                updated = update(say).await;
                result = get(package, say).await;
            }
            if let Err(why) = result {
                tell(say, wanted.map(|need| (need, why.clone())));
            }
        }
    }
}

fn tell<'a>(say: &mut (dyn FnMut(&str) + Send), cannot: impl Iterator<Item = (&'a Need, String)>) {
    for (need, why) in cannot {
        say(&format!("not available here: {} ({}): {why}", need.tool, need.reason));
    }
}

async fn update(say: &mut (dyn FnMut(&str) + Send)) -> bool {
    say("apt-get update");
    match apt(&["update"]).await {
        Ok(_) => true,
        Err(failure) => {
            say(&format!("{failure}; trying with the package lists that are here"));
            false
        }
    }
}

async fn get(package: &str, say: &mut (dyn FnMut(&str) + Send)) -> Result<(), String> {
    let line = ["install", "-y", "--no-install-recommends", package];
    say(&format!("apt-get {}", line.join(" ")));
    apt(&line).await.map(drop).map_err(|failure| failure.to_string())
}

/// Whether apt's lists name any package.
fn lists_are_there(root: &Path) -> bool {
    files::names(root, "/var/lib/apt/lists").iter().any(|name| name.contains("_Packages"))
}

/// Whether apt knows a version that can be installed.
async fn is_offered(package: &str) -> bool {
    command::run(&["apt-cache", "policy", package]).await.is_ok_and(|text| has_candidate(&text))
}

/// Of `apt-cache policy`: nothing for a package of which apt never heard, `Candidate: (none)` for one that others
/// only mention.
fn has_candidate(text: &str) -> bool {
    text.lines()
        .filter_map(|line| line.trim().strip_prefix("Candidate:"))
        .any(|version| !matches!(version.trim(), "" | "(none)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(tool: &'static str, package: &'static str) -> Need {
        Need { tool, package: Some(package), reason: "a reason" }
    }

    #[test]
    fn what_apt_offers_is_got_once_and_the_rest_is_told() {
        let missing = [need("nsenter", "util-linux"), need("unshare", "util-linux"), need("runsc", "runsc")];
        let plan = Plan::new(&missing, |package| package == "util-linux");
        assert_eq!(plan.get, ["util-linux"]);
        let mut said = Vec::new();
        tell(&mut |line| said.push(line.to_owned()), plan.cannot.into_iter());
        assert_eq!(said, ["not available here: runsc (a reason): apt has no package runsc"]);
    }

    #[test]
    fn a_package_without_a_version_is_no_offer() {
        let text = "crun:\n  Installed: (none)\n  Candidate: 1.8.1-1+deb12u1\n  Version table:\n";
        assert!(has_candidate(text));
        assert!(!has_candidate("crun:\n  Installed: (none)\n  Candidate: (none)\n"));
        assert!(!has_candidate(""));
    }

    #[tokio::test]
    async fn an_empty_host_lacks_them_all_and_is_told_why_they_cannot_be_installed() {
        let dir = tempfile::tempdir().expect("tempdir");
        let provision = Provision::new(dir.path(), dir.path());
        let tools: Vec<_> = provision.wishes().iter().map(|need| need.tool).collect();
        assert_eq!(tools, TOOLS.map(|(tool, ..)| tool));
        let mut said = Vec::new();
        provision.install_wishes(false, &mut |line| said.push(line.to_owned())).await;
        assert_eq!(said.len(), TOOLS.len());
        assert!(
            said[0].starts_with("not available here: crun (") && said[0].contains("cannot be installed"),
            "{said:?}"
        );
    }
}
