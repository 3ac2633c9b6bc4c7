//! The system calls that the standard library does not offer. All `unsafe` of this crate is here.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

fn pid_t(pid: u32) -> libc::pid_t {
    // The kernel's largest pid is 2^22.
    libc::pid_t::try_from(pid).unwrap_or(libc::pid_t::MAX)
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn c_string(text: &str) -> io::Result<CString> {
    CString::new(text).map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "NUL byte in a path"))
}

/// Empties the environment but for a fixed PATH, HOME and locale and `TOLLGATE_SWEEP`, so that no child
/// ever sees a token, and so that children need no environment of their own to be built.
pub fn clean_environment() {
    let sweep = std::env::var_os("TOLLGATE_SWEEP");
    let names: Vec<_> = std::env::vars_os().map(|(name, _)| name).collect();
    // SAFETY: called once at the start, before any thread exists.
    unsafe {
        for name in names {
            std::env::remove_var(name);
        }
        std::env::set_var("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        std::env::set_var("HOME", "/root");
        std::env::set_var("LC_ALL", "C");
        if let Some(sweep) = sweep {
            std::env::set_var("TOLLGATE_SWEEP", sweep);
        }
    }
}

extern "C" fn exit_now(_: libc::c_int) {
    // SAFETY: _exit is async-signal-safe.
    unsafe { libc::_exit(0) }
}

/// Makes SIGTERM end this process at once. PID 1 has no default action for it.
pub fn exit_on_sigterm() {
    // SAFETY: the handler only calls an async-signal-safe function.
    unsafe {
        libc::signal(libc::SIGTERM, exit_now as extern "C" fn(libc::c_int) as libc::sighandler_t);
    }
}

/// Makes orphaned descendants children of this process, so that they can be reaped.
pub fn become_subreaper() {
    // SAFETY: prctl with integer arguments only.
    unsafe {
        libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    }
}

/// Asks for SIGKILL when the parent ends. An error when it has ended already.
pub fn die_with_parent() -> io::Result<()> {
    // SAFETY: prctl and getppid take no pointers.
    unsafe {
        let parent = libc::getppid();
        check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0))?;
        if libc::getppid() != parent {
            return Err(io::Error::other("the parent ended during the start"));
        }
    }
    Ok(())
}

/// Makes the child of `command` get SIGKILL when this process ends.
pub fn child_dies_with_us(command: &mut Command) {
    let us = std::process::id();
    // SAFETY: prctl and getppid are async-signal-safe and take no pointers.
    unsafe {
        command.pre_exec(move || {
            check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0))?;
            if libc::getppid() != pid_t(us) {
                return Err(io::Error::from_raw_os_error(libc::ESRCH));
            }
            Ok(())
        });
    }
}

/// Calls this process `tollgate-agent`, also where its file is called `init`.
pub fn set_name() {
    // SAFETY: PR_SET_NAME reads a NUL-terminated string of at most 16 bytes.
    unsafe {
        libc::prctl(libc::PR_SET_NAME, c"tollgate-agent".as_ptr(), 0, 0, 0);
    }
}

/// setns(2) into the network namespace at `path`.
pub fn enter_network_namespace(path: &str) -> io::Result<()> {
    let file = std::fs::File::open(path)?;
    // SAFETY: the descriptor is open for the whole call.
    check(unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) })?;
    Ok(())
}

/// unshare(2) of the mount namespace.
pub fn unshare_mounts() -> io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe { libc::unshare(libc::CLONE_NEWNS) })?;
    Ok(())
}

/// mount(2). Empty strings stand for absent arguments.
pub fn mount(source: &str, target: &str, fstype: &str, flags: libc::c_ulong, data: &str) -> io::Result<()> {
    let (source, target) = (c_string(source)?, c_string(target)?);
    let (fstype, data) = (c_string(fstype)?, c_string(data)?);
    let data_ptr = if data.is_empty() { std::ptr::null() } else { data.as_ptr().cast() };
    // SAFETY: all pointers are to NUL-terminated strings that outlive the call.
    check(unsafe { libc::mount(source.as_ptr(), target.as_ptr(), fstype.as_ptr(), flags, data_ptr) })?;
    Ok(())
}

/// `finit_module(2)` without parameters. A module that is loaded already is fine.
pub fn load_module(path: &str) -> io::Result<()> {
    let file = std::fs::File::open(path)?;
    // SAFETY: the descriptor is open, the parameter string is NUL-terminated and static.
    let result = unsafe { libc::syscall(libc::SYS_finit_module, file.as_raw_fd(), c"".as_ptr(), 0) };
    if result < 0 {
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::EEXIST) {
            return Err(error);
        }
    }
    Ok(())
}

/// sethostname(2).
pub fn set_hostname(name: &str) -> io::Result<()> {
    // SAFETY: pointer and length belong to `name`.
    check(unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) })?;
    Ok(())
}

/// sync(2).
pub fn sync() {
    // SAFETY: no arguments.
    unsafe { libc::sync() }
}

/// Turns the machine off; only a guest's init calls it.
pub fn power_off() -> ! {
    // SAFETY: no pointers; allowed for init only.
    unsafe {
        libc::reboot(libc::LINUX_REBOOT_CMD_POWER_OFF);
        libc::_exit(1)
    }
}

/// A descriptor that becomes readable when a child ends, without reaping it: `pidfd_open(2)`, and where a kernel has
/// none (gVisor's), a pipe whose other end a thread holds while it waits.
pub fn end_of(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: integers in, a new descriptor out, owned by nobody else.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid_t(pid), 0) };
    if fd >= 0 {
        let fd = RawFd::try_from(fd).map_err(io::Error::other)?;
        // SAFETY: it was just opened.
        return Ok(unsafe { OwnedFd::from_raw_fd(fd) });
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() == Some(libc::ENOSYS) { waited_for(pid) } else { Err(error) }
}

/// The reading end of a pipe that is closed at the other end when the child has ended.
fn waited_for(pid: u32) -> io::Result<OwnedFd> {
    let (reader, writer) = io::pipe()?;
    std::thread::Builder::new().stack_size(64 * 1024).spawn(move || {
        // SAFETY: siginfo_t is plain data for which zero is valid; WNOWAIT leaves the child to whoever reaps it.
        unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            while libc::waitid(libc::P_PID, pid, &raw mut info, libc::WEXITED | libc::WNOWAIT) != 0
                && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
            {}
        }
        drop(writer);
    })?;
    Ok(reader.into())
}

/// Makes reads of `fd` return at once.
pub fn set_nonblocking(fd: &impl AsRawFd) -> io::Result<()> {
    // SAFETY: the descriptor is open for the whole call.
    unsafe {
        let flags = check(libc::fcntl(fd.as_raw_fd(), libc::F_GETFL))?;
        check(libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK))?;
    }
    Ok(())
}

/// poll(2) for input; negative descriptors are skipped. Says which are ready. An interruption counts as none.
pub fn poll_readable<const N: usize>(fds: [RawFd; N], timeout_ms: u64) -> io::Result<[bool; N]> {
    let mut polled = fds.map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 });
    let timeout = libc::c_int::try_from(timeout_ms).unwrap_or(libc::c_int::MAX);
    // SAFETY: pointer and length belong to `polled`.
    let ready = unsafe { libc::poll(polled.as_mut_ptr(), N as libc::nfds_t, timeout) };
    if ready < 0 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
        return Ok([false; N]);
    }
    Ok(polled.map(|p| p.revents != 0))
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Which child.
    pub pid: u32,
    /// Exit code.
    pub code: Option<i32>,
    /// Signal.
    pub signal: Option<i32>,
    /// User time, microseconds.
    pub user_us: u64,
    /// System time, microseconds.
    pub system_us: u64,
    /// Largest resident set, KiB.
    pub max_rss_kib: u64,
    /// Voluntary context switches.
    pub voluntary: u64,
    /// Involuntary context switches.
    pub involuntary: u64,
}

impl Ended {
    /// `exit code 1`, `signal 9`.
    pub fn describe(&self) -> String {
        match (self.code, self.signal) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => "an unknown status".to_owned(),
        }
    }
}

/// wait4(2) for one child (`Some`) or for any (`None`). `Ok(None)`: not ended yet (only without `block`) or no such child.
pub fn wait(pid: Option<u32>, block: bool) -> io::Result<Option<Ended>> {
    let target = pid.map_or(-1, pid_t);
    let options = if block { 0 } else { libc::WNOHANG };
    let mut status = 0;
    // SAFETY: both out-pointers are to live locals; rusage is plain data for which zero is valid.
    let (result, usage) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        loop {
            let result = libc::wait4(target, &raw mut status, options, &raw mut usage);
            if result >= 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
                break (result, usage);
            }
        }
    };
    if result < 0 {
        let error = io::Error::last_os_error();
        return if error.raw_os_error() == Some(libc::ECHILD) { Ok(None) } else { Err(error) };
    }
    if result == 0 {
        return Ok(None);
    }
    let micros = |t: libc::timeval| t.tv_sec.unsigned_abs() * 1_000_000 + t.tv_usec.unsigned_abs();
    Ok(Some(Ended {
        pid: result.unsigned_abs(),
        code: libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
        signal: libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status)),
        user_us: micros(usage.ru_utime),
        system_us: micros(usage.ru_stime),
        max_rss_kib: usage.ru_maxrss.unsigned_abs(),
        voluntary: usage.ru_nvcsw.unsigned_abs(),
        involuntary: usage.ru_nivcsw.unsigned_abs(),
    }))
}

/// Sends SIGKILL to one process; one that has ended is fine.
pub fn kill(pid: u32) {
    // SAFETY: integers only.
    unsafe {
        libc::kill(pid_t(pid), libc::SIGKILL);
    }
}

/// Sends a signal to a process group; one that has ended is fine.
pub fn kill_group(leader: u32, signal: libc::c_int) {
    // SAFETY: integers only.
    unsafe {
        libc::kill(-pid_t(leader), signal);
    }
}

/// `uname -r`.
pub fn kernel_release() -> String {
    std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned()
}

/// One more than the largest number of a processor that a mask holds.
pub const MOST_CPUS: usize = libc::CPU_SETSIZE as usize;

/// `sched_setaffinity(2)` of this process.
pub fn use_cpus(cpus: &[usize]) -> io::Result<()> {
    // SAFETY: the set is plain data for which zero is valid, its size is passed, and numbers beyond it are left out.
    let result = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        for cpu in cpus.iter().filter(|cpu| **cpu < MOST_CPUS) {
            libc::CPU_SET(*cpu, &mut set);
        }
        libc::sched_setaffinity(0, std::mem::size_of::<libc::cpu_set_t>(), &raw const set)
    };
    check(result).map(drop)
}

/// Number of CPUs in this process' affinity mask.
pub fn cpus() -> u32 {
    // SAFETY: the set is plain data for which zero is valid, and its size is passed.
    let count = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        if libc::sched_getaffinity(0, std::mem::size_of::<libc::cpu_set_t>(), &raw mut set) != 0 {
            return 0;
        }
        libc::CPU_COUNT(&set)
    };
    count.unsigned_abs()
}

/// Size of a page of memory, in bytes.
pub fn page_size() -> usize {
    // SAFETY: integers only.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).unwrap_or(4096)
}

/// Page faults of this process so far that needed no I/O (getrusage(2), `ru_minflt`).
pub fn minor_faults() -> io::Result<u64> {
    // SAFETY: rusage is plain data for which zero is valid.
    unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        check(libc::getrusage(libc::RUSAGE_SELF, &raw mut usage))?;
        Ok(usage.ru_minflt.unsigned_abs())
    }
}

/// Whether the kernel may refuse memory that it could not give (`vm.overcommit_memory`, proc(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reserve {
    /// It is asked.
    Asked,
    /// It is not, where its settings leave us the choice (`MAP_NORESERVE`).
    Never,
}

/// Mapped memory of this process, given back when it is dropped.
pub struct Memory {
    start: NonNull<u8>,
    bytes: usize,
}

impl Memory {
    fn map(bytes: usize, protection: libc::c_int, flags: libc::c_int, fd: RawFd) -> io::Result<Self> {
        // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), bytes, protection, flags, fd, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(|| io::Error::other("mapped at address zero"))?;
        Ok(Self { start, bytes })
    }

    /// Anonymous private memory in pages of the smallest size (`MADV_NOHUGEPAGE`), none of it there yet.
    pub fn untouched(bytes: usize, reserve: Reserve) -> io::Result<Self> {
        let reserve = if reserve == Reserve::Never { libc::MAP_NORESERVE } else { 0 };
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | reserve;
        let memory = Self::map(bytes, libc::PROT_READ | libc::PROT_WRITE, flags, -1)?;
        // SAFETY: start and length are those of the mapping.
        let advised = unsafe { libc::madvise(memory.start.as_ptr().cast(), bytes, libc::MADV_NOHUGEPAGE) };
        match check(advised) {
            // A kernel without huge pages does not know the advice, and needs none.
            Err(e) if e.raw_os_error() != Some(libc::EINVAL) => Err(e),
            _ => Ok(memory),
        }
    }

    /// Length in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Writes one byte at `offset`, so that its page is there. Offsets behind the end are passed over.
    pub fn touch(&mut self, offset: usize) {
        if offset < self.bytes {
            // SAFETY: within a private mapping that may be written and that nobody else looks at.
            unsafe { self.start.add(offset).write_volatile(1) }
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: start and length are those of the mapping, and nothing borrowed from it is left.
        unsafe {
            libc::munmap(self.start.as_ptr().cast(), self.bytes);
        }
    }
}

/// A number, zero at first, that this process and the children that it forks see alike.
pub struct SharedCounter(Memory);

impl SharedCounter {
    /// A page of shared anonymous memory.
    pub fn new() -> io::Result<Self> {
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        Memory::map(page_size(), libc::PROT_READ | libc::PROT_WRITE, flags, -1).map(Self)
    }

    /// The number.
    pub fn get(&self) -> &AtomicU64 {
        // SAFETY: the page begins at an aligned address, is zeroed, and is used as this number only.
        unsafe { self.0.start.cast().as_ref() }
    }
}

/// fork(2): runs `work` in a child, whose exit code is what it returns, and returns the child's pid. `work` must not
/// allocate: another thread of this process may have held the allocator's lock.
pub fn fork(work: impl FnOnce() -> u8) -> io::Result<u32> {
    // SAFETY: the child uses its copy of this thread only, and leaves with _exit, past all destructors.
    unsafe {
        let pid = check(libc::fork())?;
        if pid == 0 {
            libc::_exit(libc::c_int::from(work()));
        }
        Ok(pid.unsigned_abs())
    }
}

/// Asks the kernel to drop the clean pages of a file from its cache (`posix_fadvise`(2), `POSIX_FADV_DONTNEED`).
pub fn drop_cached(file: &std::fs::File) -> io::Result<()> {
    // SAFETY: the descriptor is open for the whole call.
    match unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// How many of the first `bytes` (at least one) of a file are in the page cache, in whole pages (mincore(2)).
pub fn cached_bytes(file: &std::fs::File, bytes: usize) -> io::Result<usize> {
    let memory = Memory::map(bytes, libc::PROT_READ, libc::MAP_SHARED, file.as_raw_fd())?;
    let mut pages = vec![0_u8; bytes.div_ceil(page_size())];
    // SAFETY: start and length are those of the mapping, and `pages` has a byte for each page of it.
    check(unsafe { libc::mincore(memory.start.as_ptr().cast(), bytes, pages.as_mut_ptr()) })?;
    Ok(pages.iter().filter(|page| *page & 1 == 1).count() * page_size())
}

/// syncfs(2): writes back the filesystem that `file` lies on.
pub fn sync_filesystem(file: &std::fs::File) -> io::Result<()> {
    // SAFETY: the descriptor is open for the whole call.
    check(unsafe { libc::syncfs(file.as_raw_fd()) })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_child_is_told_without_a_pidfd_and_leaves_it_to_be_reaped() {
        let mut command = Command::new("sh");
        command.args(["-c", "read line; exit 3"]);
        let mut child = command.stdin(std::process::Stdio::piped()).spawn().expect("starts");
        let ended = waited_for(child.id()).expect("watched");
        assert_eq!(poll_readable([ended.as_raw_fd()], 20).expect("polled"), [false], "it still runs");
        drop(child.stdin.take());
        assert_eq!(poll_readable([ended.as_raw_fd()], 10_000).expect("polled"), [true]);
        assert_eq!(child.wait().expect("reaped").code(), Some(3));
    }
}
