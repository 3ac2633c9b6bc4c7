//! The agent protocol: newline-delimited JSON, one [`Request`] a line in, one [`Response`] a line out.
//!
//! The transport is whatever gives two byte streams: pipes (native), the attached standard streams of the
//! container whose PID 1 the agent is (Docker), a virtio-serial port (KVM). Requests are answered in the
//! order in which they come; one is worked on at a time. When the input ends, the agent stops its servers
//! and ends (as PID 1 of a guest it waits for the next connection instead).

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the protocol. Both sides refuse to talk to another one.
pub const PROTOCOL_VERSION: u32 = 1;

/// Longest line that either side accepts, in bytes. Output limits of an [`Exec`] keep answers below it.
pub const MAX_LINE_BYTES: usize = 16 * 1024 * 1024;

/// A numbered request. The answer carries the same number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Chosen by the caller; the answer repeats it, so that a stale answer is noticed.
    pub id: u64,
    /// What to do.
    #[serde(flatten)]
    pub call: Call,
}

/// What the agent can be asked to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "snake_case")]
pub enum Call {
    /// First request of a connection; answered by [`Answer::Hello`].
    Hello {
        /// The caller's [`PROTOCOL_VERSION`].
        version: u32,
    },
    /// Runs a program to its end and measures it; answered by [`Answer::Exec`].
    Exec(Exec),
    /// Starts a program that stays in the background; answered by [`Answer::Started`] once it is ready.
    Start(Start),
    /// Stops a background program (SIGTERM, then SIGKILL after the grace period); answered by [`Answer::Done`].
    /// Stopping what is not running is not an error.
    Stop {
        /// The name given at the start.
        name: String,
        /// Milliseconds between SIGTERM and SIGKILL.
        grace_ms: u64,
    },
    /// Reads a text file (lossy UTF-8); answered by [`Answer::Content`].
    Read {
        /// Absolute path inside the environment.
        path: String,
        /// At most so many bytes are returned.
        limit: usize,
    },
    /// Writes a text file, making its parent directories; answered by [`Answer::Done`].
    Write {
        /// Absolute path inside the environment.
        path: String,
        /// The whole content.
        content: String,
        /// Permission bits, such as 0o644.
        mode: u32,
    },
    /// Says where the agent runs; answered by [`Answer::Description`].
    Describe {
        /// The directory whose filesystem is to be described, usually `/data`.
        data: String,
    },
    /// Writes back all dirty pages and drops clean caches where the kernel lets it; answered by [`Answer::Done`].
    Settle,
    /// Stops all background programs and ends. The guest's agent powers the guest off. Answered by [`Answer::Done`].
    Shutdown,
}

/// A program to run to its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exec {
    /// Program and arguments; the program is looked up in PATH.
    pub argv: Vec<String>,
    /// Added to the agent's own (small) environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Working directory; `/` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// After so many milliseconds the process group gets SIGKILL and the answer says `timed_out`.
    pub timeout_ms: u64,
    /// At most so many bytes of each of stdout and stderr are kept; the rest is read and counted.
    pub output_limit: usize,
}

/// A program to start in the background.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// Name under which it can be stopped; a running one of this name is an error.
    pub name: String,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Added to the agent's own environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Ready when a TCP connection to this address (`ip:port`) is accepted; at once when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_tcp: Option<String>,
    /// How long to wait until it is ready, in milliseconds. It is killed when it is not.
    pub ready_timeout_ms: u64,
}

/// A numbered answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// The number of the request.
    pub id: u64,
    /// What came of it.
    #[serde(flatten)]
    pub answer: Answer,
}

/// What the agent answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// To [`Call::Hello`].
    Hello {
        /// The agent's [`PROTOCOL_VERSION`].
        version: u32,
        /// The agent's process id, as seen from inside.
        pid: u32,
    },
    /// To [`Call::Exec`].
    Exec(ExecResult),
    /// To [`Call::Start`].
    Started {
        /// Process id, as seen from inside.
        pid: u32,
        /// Milliseconds from the start until it was ready.
        ready_ms: u64,
    },
    /// To [`Call::Read`].
    Content {
        /// The text, at most `limit` bytes of it.
        text: String,
        /// Whether there was more.
        truncated: bool,
    },
    /// To [`Call::Describe`].
    Description(Box<Description>),
    /// To what has no other answer.
    Done,
    /// It could not be done.
    Error {
        /// What, where and why, in one line. For a server that did not come up: the end of its output too.
        message: String,
    },
}

/// What a program did and what it cost. Times are taken inside the environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecResult {
    /// Exit code, when it exited by itself.
    pub code: Option<i32>,
    /// Signal number, when a signal ended it.
    pub signal: Option<i32>,
    /// Whether the timeout ended it.
    pub timed_out: bool,
    /// Standard output, lossy UTF-8, cut at the limit.
    pub stdout: String,
    /// Standard error, lossy UTF-8, cut at the limit.
    pub stderr: String,
    /// Bytes that the program wrote to stdout, also those that were cut.
    pub stdout_bytes: u64,
    /// Bytes that the program wrote to stderr, also those that were cut.
    pub stderr_bytes: u64,
    /// What it cost.
    pub usage: Usage,
}

/// Resources used by one execution: the clock around it, and wait4(2)'s rusage of the child with the
/// descendants that it waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// From just before the start to the end, `CLOCK_MONOTONIC`, nanoseconds.
    pub wall_ns: u64,
    /// CPU time in user mode, microseconds.
    pub user_us: u64,
    /// CPU time in kernel mode, microseconds.
    pub system_us: u64,
    /// Largest resident set of one process, KiB.
    pub max_rss_kib: u64,
    /// Voluntary context switches.
    pub voluntary_switches: u64,
    /// Involuntary context switches.
    pub involuntary_switches: u64,
}

/// Where the agent runs, from counters and state of the kernel it runs on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// `uname -r`.
    pub kernel_release: String,
    /// Process id of the agent, as seen from inside.
    pub pid: u32,
    /// Target of `/proc/self/ns/<kind>` for net, pid, mnt, cgroup, ipc, uts: `net:[4026531840]`.
    pub namespaces: BTreeMap<String, String>,
    /// `/proc/self/cgroup`, as it stands.
    pub cgroup: String,
    /// Filesystem of `/`.
    pub root: MountPoint,
    /// Filesystem of the data directory: the last mount that covers it.
    pub data: MountPoint,
    /// CPUs this process may run on.
    pub cpus: u32,
    /// Whether /proc/cpuinfo shows the `hypervisor` flag.
    pub hypervisor: bool,
    /// Model name of the first CPU in /proc/cpuinfo.
    pub cpu_model: String,
    /// `MemTotal` in KiB.
    pub memory_kib: u64,
    /// Network interfaces with their counters.
    pub interfaces: Vec<Interface>,
    /// Names of the block devices in /sys/class/block, such as `vda`.
    pub block_devices: Vec<String>,
    /// Connections in the `nat` state that this network namespace tracks, where it can be read
    /// (`/proc/sys/net/netfilter/nf_conntrack_count`).
    pub conntrack: Option<u64>,
}

/// One line of /proc/self/mountinfo.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountPoint {
    /// Where it is mounted.
    pub path: String,
    /// Filesystem type: `ext4`, `overlay`, `btrfs`, ...
    pub fstype: String,
    /// What is mounted: `/dev/vda`, `overlay`, ...
    pub source: String,
    /// Which directory of that filesystem is the root of this mount.
    pub root: String,
}

/// A network interface and its counters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// `eth0`, `lo`, ...
    pub name: String,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
}
