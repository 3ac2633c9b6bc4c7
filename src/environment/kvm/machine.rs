//! One QEMU process with the agent inside its guest.

use super::Accelerator;
use super::qmp::Qmp;
use crate::environment::agent::AgentClient;
use crate::environment::image::{BenchImage, GuestKernel};
use crate::environment::{EnvironmentError, GuestLink};
use crate::model::CpuList;
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
    /// The processors that QEMU may use.
    pub processors: CpuList,
    /// What makes it a tuned guest; none for the plain one.
    pub tuned: Option<Tuned>,
}

/// What the host has for a tuned guest, besides an I/O thread and pinned virtual CPUs, which it always gets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tuned {
    /// Its memory is on huge pages: as many are free.
    pub hugepages: bool,
    /// The kernel moves its packets (vhost-net).
    pub vhost: bool,
}

/// Everything that a boot needs.
#[derive(Debug, Clone, Copy)]
pub struct Boot<'a> {
    /// The agent's program on the host; it launches QEMU.
    pub agent: &'a Path,
    /// Kernel and initrd.
    pub kernel: &'a GuestKernel,
    /// Root disk.
    pub image: &'a BenchImage,
    /// The sweep's id.
    pub sweep: &'a str,
    /// Directory for sockets, logs and the data disk.
    pub dir: &'a Path,
    /// What runs its instructions.
    pub accelerator: Accelerator,
    /// What it gets.
    pub shape: &'a Shape,
    /// Its network. A guest with one also has a data disk, `data.raw` in `dir`; one without (to try the accelerator, or
    /// a fresh instance) has neither.
    pub link: Option<&'a GuestLink>,
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

fn arguments(boot: &Boot) -> Vec<String> {
    let Boot { image, dir, accelerator, shape, .. } = *boot;
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
    let memory = format!("{}M", shape.memory_mib);
    add(&["-smp", &shape.cpus.to_string(), "-m", &memory]);
    if shape.tuned.is_some_and(|t| t.hugepages) {
        let backend = format!("memory-backend-file,id=mem,size={memory},mem-path=/dev/hugepages,prealloc=on");
        add(&["-object", &backend, "-machine", "memory-backend=mem"]);
    }
    add(&["-kernel", &show(boot.kernel.vmlinuz.clone()), "-initrd", &show(boot.kernel.initrd.clone())]);
    let root = format!("file={},if=none,id=root,format=raw,snapshot=on", show(image.disk()));
    add(&["-drive", &root, "-device", "virtio-blk-pci,drive=root"]);
    if let Some(link) = boot.link {
        add(&with_link(boot, link, &mut cmdline).iter().map(String::as_str).collect::<Vec<_>>());
    }
    add(&["-device", "virtio-serial-pci"]);
    add(&["-chardev", &format!("socket,id=ag,path={},server=on,wait=off", show(dir.join("agent")))]);
    add(&["-device", "virtserialport,chardev=ag,name=tgagent"]);
    add(&["-qmp", &format!("unix:{},server=on,wait=off", show(dir.join("qmp")))]);
    add(&["-serial", &format!("file:{}", show(dir.join("console.log")))]);
    add(&["-append", &cmdline]);
    args
}

/// The data disk and the network card.
fn with_link(boot: &Boot, link: &GuestLink, cmdline: &mut String) -> Vec<String> {
    let data = boot.dir.join("data.raw");
    let mut args = vec![
        "-drive".to_owned(),
        format!("file={},if=none,id=data,format=raw,cache=none,aio=native", data.display()),
    ];
    let mut disk = "virtio-blk-pci,drive=data".to_owned();
    let mut netdev = format!("tap,id=net,ifname={},script=no,downscript=no", link.tap);
    if let Some(tuned) = boot.shape.tuned {
        args.extend(["-object".to_owned(), "iothread,id=io".to_owned()]);
        disk.push_str(",iothread=io");
        if tuned.vhost {
            netdev.push_str(",vhost=on");
        }
    }
    let card = format!("virtio-net-pci,netdev=net,mac={}", link.mac);
    args.extend(["-device".to_owned(), disk, "-netdev".to_owned(), netdev, "-device".to_owned(), card]);
    cmdline.push_str(" tg.data=vdb");
    let _ = write!(cmdline, " tg.ip={}/{}", link.address, link.prefix);
    args
}

impl Machine {
    /// Boots a guest and waits at most `timeout` until its agent says hello.
    pub async fn boot(boot: &Boot<'_>, timeout: Duration) -> Result<Self, EnvironmentError> {
        let Boot { dir, accelerator, .. } = *boot;
        std::fs::create_dir_all(dir).map_err(EnvironmentError::io(dir))?;
        let deadline = Instant::now() + timeout;
        let mut command = Command::new(boot.agent);
        command.arg("launch").arg("--cpus").arg(boot.shape.processors.to_string());
        if let Some(link) = boot.link {
            command.arg("--netns").arg(&link.netns);
        }
        let log = dir.join("qemu.log");
        let file = std::fs::File::create(&log).map_err(EnvironmentError::io(&log))?;
        command
            .args(["--die-with-parent", "--", &boot.shape.program])
            .args(arguments(boot))
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("TOLLGATE_SWEEP", boot.sweep)
            .env("TMPDIR", dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::from(file))
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(EnvironmentError::io(boot.agent))?;
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

    /// QEMU's process on the host; none when it has ended.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
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
