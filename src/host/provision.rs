//! What a Debian or Ubuntu host lacks, and how it gets it.
//!
//! Nothing happens unasked, and each step is said before it is done. What is there stays as it is: no package is
//! removed, no running engine is restarted.

mod engine;
mod optional;

use super::{files, probe};
use crate::command::{self, CommandFailure};
use serde::Serialize;
use std::{
    io,
    path::{Path, PathBuf},
};

/// The host cannot be provisioned.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// Only root may install.
    #[error(
        "packages can be installed and the engine started by root only; run as root, or install {packages} yourself"
    )]
    NotRoot {
        /// Packages that are missing.
        packages: String,
    },
    /// Not a distribution with apt.
    #[error(
        "{distribution} is not Debian or Ubuntu, whose packages are all that is known here; install {tools} yourself"
    )]
    OtherDistribution {
        /// What os-release calls it.
        distribution: String,
        /// Programs that are missing.
        tools: String,
    },
    /// Another root path.
    #[error("only the host that runs this can be provisioned, not one at {root}; use the root path /")]
    NotThisHost {
        /// The root path.
        root: PathBuf,
    },
    /// apt failed.
    #[error("{failure}; mend apt's sources or the network, then run it again{update}")]
    Apt {
        /// What failed.
        failure: CommandFailure,
        /// The failure of the update before, if it failed.
        update: String,
    },
    /// apt ended well, but something is still missing.
    #[error("{tools} still missing after apt installed {packages}; see whether another package diverts it")]
    StillMissing {
        /// Programs that are missing.
        tools: String,
        /// Packages that were installed.
        packages: String,
    },
    /// Docker's engine does not start.
    #[error(
        "docker's engine does not answer at {socket}: {why}; the last lines of its log ({log}):\n{lines}"
    )]
    Engine {
        /// Its socket.
        socket: PathBuf,
        /// What happened instead.
        why: String,
        /// Where the log is.
        log: String,
        /// Its last lines.
        lines: String,
    },
    /// A file cannot be written.
    #[error("cannot write {path}: {source}; the state directory must be writable and not full")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Something that is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Need {
    /// The program, `dockerd`, or what else is missing.
    pub tool: &'static str,
    /// The package that has it; none when it is installed and has to be started.
    pub package: Option<&'static str>,
    /// What it is needed for.
    pub reason: &'static str,
}

/// Program, package, what for.
const TOOLS: [(&str, &str, &str); 8] = [
    // A client alone is not an engine.
    ("dockerd", "docker.io", "containers are started by docker's engine"),
    ("qemu-system-x86_64", "qemu-system-x86", "virtual machines run in QEMU"),
    ("mmdebstrap", "mmdebstrap", "the bench image is built from Debian packages"),
    ("mke2fs", "e2fsprogs", "the guest's disk is made from the bench image"),
    ("ip", "iproute2", "the client of network workloads has a namespace of its own"),
    ("iptables", "iptables", "docker publishes ports with it"),
    ("dpkg-deb", "dpkg", "the guest's kernel is taken out of its package"),
    ("tar", "tar", "the bench image is a tar archive"),
];

/// Finds and gets what is missing.
#[derive(Debug, Clone)]
pub struct Provision {
    /// Root path of the host. Only `/` can be provisioned.
    pub root: PathBuf,
    /// State directory: the log of an engine that is started by hand goes there.
    pub state: PathBuf,
    /// Socket of docker's engine.
    pub socket: PathBuf,
}

impl Provision {
    /// For the host at `root`, with docker's usual socket.
    pub fn new(root: &Path, state: &Path) -> Self {
        Self {
            root: root.to_owned(),
            state: state.to_owned(),
            socket: files::under(root, "/var/run/docker.sock"),
        }
    }

    /// What is missing of what a sweep cannot do without ([`Provision::wishes`] is the rest), without changing anything. Waits up to two seconds for the engine's answer.
    pub async fn needs(&self) -> Vec<Need> {
        let mut needs = self.missing_tools();
        let installed = !needs.iter().any(|need| need.tool == "dockerd");
        if installed && !engine::answers(&self.socket).await {
            let reason = "docker's engine is installed but does not answer";
            needs.push(Need { tool: "running engine", package: None, reason });
        }
        needs
    }

    /// Installs and starts what is missing; of what is optional, as far as the release has it. `say` gets each step
    /// before it is done, one line each.
    pub async fn provision(&self, say: &mut (dyn FnMut(&str) + Send)) -> Result<(), ProvisionError> {
        let missing = self.missing_tools();
        if !missing.is_empty() {
            self.install(&missing, say).await?;
        }
        self.install_wishes(!missing.is_empty(), say).await;
        if engine::answers(&self.socket).await {
            return Ok(());
        }
        self.may_change(&[])?;
        engine::start(&self.root, &self.state, &self.socket, say).await
    }

    fn missing_tools(&self) -> Vec<Need> {
        let missing = |tool: &str| files::program(&self.root, tool).is_none();
        let mut needs: Vec<Need> = TOOLS
            .into_iter()
            .filter(|(tool, ..)| missing(tool))
            .map(|(tool, package, reason)| Need { tool, package: Some(package), reason })
            .collect();
        let apparmor = files::value(&self.root, "/sys/module/apparmor/parameters/enabled");
        if apparmor.as_deref() == Some("Y") && missing("apparmor_parser") {
            let reason = "this kernel has AppArmor, and docker starts no container without its parser";
            needs.push(Need { tool: "apparmor_parser", package: Some("apparmor"), reason });
        }
        needs
    }

    /// Whether this is our host, and ours to change; `packages` are named in the error.
    fn may_change(&self, packages: &[&str]) -> Result<(), ProvisionError> {
        if self.root != Path::new("/") {
            return Err(ProvisionError::NotThisHost { root: self.root.clone() });
        }
        if !rustix::process::geteuid().is_root() {
            let packages = if packages.is_empty() { "and start docker".into() } else { packages.join(" ") };
            return Err(ProvisionError::NotRoot { packages });
        }
        Ok(())
    }

    fn is_debian(&self) -> Result<(), String> {
        let text = files::read(&self.root, "/etc/os-release")
            .or_else(|| files::read(&self.root, "/usr/lib/os-release"))
            .unwrap_or_default();
        let id = |key| probe::os_release(&text, key).unwrap_or_default();
        let ids = format!("{} {}", id("ID"), id("ID_LIKE"));
        let debian = ids.split(' ').any(|id| matches!(id, "debian" | "ubuntu"));
        if debian && files::program(&self.root, "apt-get").is_some() {
            return Ok(());
        }
        Err(probe::os_release(&text, "PRETTY_NAME").unwrap_or_else(|| "this distribution".to_owned()))
    }

    async fn install(
        &self,
        missing: &[Need],
        say: &mut (dyn FnMut(&str) + Send),
    ) -> Result<(), ProvisionError> {
        let tools = |needs: &[Need]| needs.iter().map(|need| need.tool).collect::<Vec<_>>().join(" ");
        let packages: Vec<&str> = missing.iter().filter_map(|need| need.package).collect();
        self.is_debian().map_err(|distribution| ProvisionError::OtherDistribution {
            distribution,
            tools: tools(missing),
        })?;
        self.may_change(&packages)?;
        for need in missing {
            say(&format!("{} is missing: {}", need.tool, need.reason));
        }
        say("apt-get update");
        // A broken list of somebody else need not matter: what is known of the others may do.
        let update = match apt(&["update"]).await {
            Ok(_) => String::new(),
            Err(failure) => {
                say(&format!("{failure}; trying with the package lists that are here"));
                format!(" (before that, {failure})")
            }
        };
        let line = [&["install", "-y", "--no-install-recommends"], packages.as_slice()].concat();
        say(&format!("apt-get {}", line.join(" ")));
        apt(&line).await.map_err(|failure| ProvisionError::Apt { failure, update })?;
        let still = self.missing_tools();
        if still.is_empty() {
            return Ok(());
        }
        Err(ProvisionError::StillMissing { tools: tools(&still), packages: packages.join(" ") })
    }
}

/// Runs apt-get without questions; waits for another that holds its lock, as there is after a boot.
async fn apt(args: &[&str]) -> Result<String, CommandFailure> {
    let mut command = command::command("apt-get");
    command.args(["-q", "-o", "DPkg::Lock::Timeout=180"]).args(args).env("DEBIAN_FRONTEND", "noninteractive");
    // What a package's script starts as a service must not look like a part of a sweep, nor know a secret.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy().to_ascii_uppercase();
        if text.starts_with("TOLLGATE_") || text.starts_with("GITHUB_") || text.contains("TOKEN") {
            command.env_remove(name);
        }
    }
    command::run_command(command).await
}

#[cfg(test)]
mod tests;
