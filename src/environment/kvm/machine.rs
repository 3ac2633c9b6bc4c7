//! One QEMU process with the agent inside its guest.

use super::Accelerator;
use super::qmp::Qmp;
use crate::environment::agent::AgentClient;
use crate::environment::{Context, EnvironmentError};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};

/// What a guest gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// QEMU's program.
    pub program: String,
    /// Memory, MiB.
    pub memory_mib: u32,
    /// Virtual CPUs.
    pub cpus: u32,
    /// Whether it gets a data disk and the network (not so when only the accelerator is tried).
    pub complete: bool,
}

/// A running guest.
#[derive(Debug)]
pub struct Machine {
    child: Child,
    /// Its monitor.
    pub qmp: Qmp,
    /// The agent inside.
    pub client: AgentClient,
    dir: PathBuf,
}

fn arguments(context: &Context, dir: &Path, accelerator: Accelerator, shape: &Shape) -> Vec<String> {
    let show = |path: PathBuf| path.display().to_string();
    let mut cmdline = "console=ttyS0 quiet panic=-1".to_owned();
    let mut args: Vec<String> =
        ["-M", "q35", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
            .map(str::to_owned)
            .to_vec();
    let mut add = |words: &[&str]| args.extend(words.iter().map(|w| (*w).to_owned()));
    match accelerator {
        Accelerator::Kvm => add(&["-accel", "kvm", "-cpu", "host"]),
        Accelerator::Tcg => {
            add(&["-accel", "tcg,thread=multi", "-cpu", "qemu64"]);
            // Every random address would make the translator begin anew.
            cmdline.push_str(" norandmaps");
        }
    }
    add(&["-smp", &shape.cpus.to_string(), "-m", &format!("{}M", shape.memory_mib)]);
    add(&["-kernel", &show(context.image.kernel()), "-initrd", &show(context.image.initrd())]);
    let root = format!("file={},if=none,id=root,format=raw,snapshot=on", show(context.image.disk()));
    add(&["-drive", &root, "-device", "virtio-blk-pci,drive=root"]);
    if shape.complete {
        let data =
            format!("file={},if=none,id=data,format=raw,cache=none,aio=native", show(dir.join("data.raw")));
        add(&["-drive", &data, "-device", "virtio-blk-pci,drive=data"]);
        let netdev = format!("tap,id=net,ifname={},script=no,downscript=no", context.guest.tap);
        add(&[
            "-netdev",
            &netdev,
            "-device",
            &format!("virtio-net-pci,netdev=net,mac={}", context.guest.mac),
        ]);
        cmdline.push_str(" tg.data=vdb");
        let _ = write!(cmdline, " tg.ip={}/{}", context.guest.address, context.guest.prefix);
    }
    add(&["-device", "virtio-serial-pci"]);
    add(&["-chardev", &format!("socket,id=ag,path={},server=on,wait=off", show(dir.join("agent")))]);
    add(&["-device", "virtserialport,chardev=ag,name=tgagent"]);
    add(&["-qmp", &format!("unix:{},server=on,wait=off", show(dir.join("qmp")))]);
    add(&["-serial", &format!("file:{}", show(dir.join("console.log")))]);
    add(&["-append", &cmdline]);
    args
}

impl Machine {
    /// Boots a guest with its files in `dir` and waits at most `timeout` until its agent says hello.
    pub async fn boot(
        context: &Context,
        dir: &Path,
        accelerator: Accelerator,
        shape: &Shape,
        timeout: Duration,
    ) -> Result<Self, EnvironmentError> {
        std::fs::create_dir_all(dir).map_err(EnvironmentError::io(dir))?;
        let deadline = Instant::now() + timeout;
        let mut command = Command::new(&context.agent);
        command.arg("launch");
        if shape.complete {
            command.arg("--netns").arg(&context.guest.netns);
        }
        let log = dir.join("qemu.log");
        let file = std::fs::File::create(&log).map_err(EnvironmentError::io(&log))?;
        command
            .args(["--die-with-parent", "--", &shape.program])
            .args(arguments(context, dir, accelerator, shape))
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("TOLLGATE_SWEEP", &context.sweep)
            .env("TMPDIR", dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::from(file))
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(EnvironmentError::io(&context.agent))?;
        let connected = connect(&mut child, dir, deadline).await;
        match connected {
            Ok((qmp, client)) => Ok(Self { child, qmp, client, dir: dir.to_owned() }),
            Err(why) => {
                let _ = child.kill().await;
                let words = last_words(dir);
                Err(EnvironmentError::Guest(format!("under {accelerator}: {why}{words}")))
            }
        }
    }

    /// Turns the guest off; kills QEMU when that takes longer than ten seconds.
    pub async fn stop(mut self) -> Result<(), EnvironmentError> {
        let _ = self.qmp.execute("cont").await;
        let _ = self.client.shutdown().await;
        if tokio::time::timeout(Duration::from_secs(10), self.child.wait()).await.is_err() {
            self.child.kill().await.map_err(EnvironmentError::io(&self.dir))?;
        }
        Ok(())
    }
}

async fn connect(child: &mut Child, dir: &Path, deadline: Instant) -> Result<(Qmp, AgentClient), String> {
    let qmp = loop {
        match Qmp::connect(&dir.join("qmp")).await {
            Ok(qmp) => break qmp,
            Err(e) if Instant::now() >= deadline => return Err(format!("its monitor does not answer: {e}")),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
        if let Ok(Some(status)) = child.try_wait() {
            return Err(format!("QEMU ended at the start ({status})"));
        }
    };
    let port = UnixStream::connect(dir.join("agent")).await.map_err(|e| format!("the agent's port: {e}"))?;
    let (reader, writer) = port.into_split();
    let left = deadline.saturating_duration_since(Instant::now());
    tokio::select! {
        answer = AgentClient::connect(reader, writer, left) => match answer {
            Ok(client) => Ok((qmp, client)),
            Err(e) => Err(format!("its agent did not come up: {e}")),
        },
        status = child.wait() => Err(format!("QEMU ended during the boot ({})", status.map_or_else(|e| e.to_string(), |s| s.to_string()))),
    }
}

/// The last lines of QEMU's and the guest kernel's output.
fn last_words(dir: &Path) -> String {
    let mut text = String::new();
    for name in ["qemu.log", "console.log"] {
        let bytes = std::fs::read(dir.join(name)).unwrap_or_default();
        let content = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = content.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
        for line in &lines[lines.len().saturating_sub(3)..] {
            text.push_str("; ");
            text.extend(line.chars().filter(|c| !c.is_control()).take(200));
        }
    }
    text
}
