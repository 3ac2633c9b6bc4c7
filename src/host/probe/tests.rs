//! A Debian host's files, an empty root, and garbage.

use super::*;
use proptest::prelude::*;
use std::fs;

fn write(root: &Path, path: &str, text: impl AsRef<[u8]>) {
    let path = files::under(root, path);
    fs::create_dir_all(path.parent().expect("parent")).expect("mkdir");
    fs::write(path, text).expect("write");
}

const FILES: [&str; 24] = [
    "/proc/sys/kernel/osrelease",
    "/proc/sys/kernel/random/boot_id",
    "/proc/version",
    "/proc/cmdline",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/1/comm",
    "/proc/self/mountinfo",
    "/etc/os-release",
    "/etc/docker/daemon.json",
    "/var/lib/dpkg/status",
    "/sys/devices/system/cpu/online",
    "/sys/devices/system/cpu/smt/control",
    "/sys/devices/system/cpu/intel_pstate/no_turbo",
    "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
    "/sys/devices/system/cpu/vulnerabilities/meltdown",
    "/sys/devices/system/cpu/vulnerabilities/spectre_v2",
    "/sys/devices/system/clocksource/clocksource0/current_clocksource",
    "/sys/kernel/mm/transparent_hugepage/enabled",
    "/sys/kernel/mm/transparent_hugepage/defrag",
    "/sys/class/dmi/id/product_name",
    "/sys/dev/block/254:0/queue/rotational",
    "/sys/dev/block/254:0/queue/scheduler",
    "/usr/bin/qemu-system-x86_64",
];

fn debian() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("tempdir");
    let contents = [
        "6.1.0-25-amd64\n",
        "0b9f0f6e-7d6c-4d1c-9a39-2f0c4c3f4b7a\n",
        "Linux version 6.1.0-25-amd64 (b@d) (gcc-12 12.2.0, GNU ld 2.40) #1 SMP PREEMPT_DYNAMIC Debian 6.1.106-3\n",
        "BOOT_IMAGE=/boot/vmlinuz root=UUID=1 ro mitigations=off luks.key=hunter2 isolcpus=1\n",
        "processor\t: 0\nmodel name\t: Intel(R) Xeon(R) CPU @ 2.90GHz\nmicrocode\t: 0x1000065\nflags\t\t: fpu hypervisor\n\n\
         processor\t: 1\nmodel name\t: Intel(R) Xeon(R) CPU @ 2.90GHz\nmicrocode\t: 0x1000065\nflags\t\t: fpu hypervisor\n",
        "MemTotal:       24684096 kB\nMemFree:        23613656 kB\n",
        "systemd\n",
        "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard\n31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
        "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n",
        "{\"storage-driver\": \"overlay2\"}\n",
        "Package: qemu-system-x86\nStatus: install ok installed\nVersion: 1:7.2+dfsg-7\n\n",
        "0-1\n",
        "notsupported\n",
        "1\n",
        "performance\n",
        "Not affected\n",
        "Mitigation: Retpolines; IBPB: conditional\n",
        "tsc\n",
        "always [madvise] never\n",
        "always defer defer+madvise [madvise] never\n",
        "KVM\n",
        "0\n",
        "[none] mq-deadline\n",
        "",
    ];
    for (path, text) in FILES.iter().zip(contents) {
        write(dir.path(), path, text);
    }
    dir
}

#[test]
fn a_debian_host_is_read() {
    let dir = debian();
    let probe = Probe::new(dir.path());
    let components = probe.components();
    assert_eq!(components[&Component::Kernel], "6.1.0-25-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.1.106-3");
    assert_eq!(components[&Component::Qemu], "1:7.2+dfsg-7");
    assert_eq!(components.len(), 2);
    assert_eq!(probe.default_host_class().as_str(), "intel-xeon-2.90ghz-2c-24g");
    assert!(probe.boot_id().is_some());
    insta::assert_json_snapshot!(probe.context(), @r#"
    {
      "boot-command-line": "mitigations=off isolcpus=1",
      "cgroup": "v2",
      "clocksource": "tsc",
      "cpu": "Intel(R) Xeon(R) CPU @ 2.90GHz",
      "cpu-count": "2",
      "daemon-json": "{\"storage-driver\":\"overlay2\"}",
      "distribution": "Debian GNU/Linux 12 (bookworm)",
      "dmi-product": "KVM",
      "governor": "performance",
      "hypervisor": "yes",
      "init": "systemd",
      "memory": "23.5 GiB",
      "microcode": "0x1000065",
      "mitigations": "spectre_v2: Mitigation: Retpolines; IBPB: conditional",
      "smt": "notsupported",
      "state-disk": "non-rotational, scheduler none",
      "state-filesystem": "ext4 rw,relatime,discard",
      "thp": "madvise",
      "thp-defrag": "madvise",
      "turbo": "off"
    }
    "#);
}

#[test]
fn an_empty_root_is_absent_and_not_zero() {
    let dir = tempfile::tempdir().expect("tempdir");
    let probe = Probe::new(dir.path());
    assert!(probe.components().is_empty());
    assert_eq!(probe.context(), BTreeMap::new());
    assert_eq!(probe.default_host_class().as_str(), "unknown-cpu-unknownc-unknowng");
}

#[test]
fn a_qemu_of_the_administrator_is_not_the_package() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = debian();
    let local = "/usr/local/bin/qemu-system-x86_64";
    write(dir.path(), local, "");
    fs::set_permissions(files::under(dir.path(), local), fs::Permissions::from_mode(0o755)).expect("chmod");
    assert!(!Probe::new(dir.path()).components().contains_key(&Component::Qemu));
}

#[test]
fn cgroup_versions_are_told_apart() {
    let version = |lines: &[&str]| {
        let text: String = lines.iter().flat_map(|line| ["1 1 0:1 / ", line, " rw\n"]).collect();
        cgroup_version(&mountinfo::parse(&text))
    };
    let (root, tmpfs) = ("/ rw - ext4 a", "/sys/fs/cgroup rw - tmpfs t");
    let (cpu, unified) = ("/sys/fs/cgroup/cpu rw - cgroup c", "/sys/fs/cgroup/unified rw - cgroup2 c");
    assert_eq!(version(&[root, tmpfs, cpu]).as_deref(), Some("v1"));
    assert_eq!(version(&[root, tmpfs, cpu, unified]).as_deref(), Some("hybrid"));
    assert_eq!(version(&[root, "/sys/fs/cgroup rw - cgroup2 c"]).as_deref(), Some("v2"));
    assert_eq!(version(&[root]), None);
}

#[test]
fn this_host_is_read_quickly() {
    let probe = Probe::new(Path::new("/"));
    let took = (0..5)
        .map(|_| {
            let start = std::time::Instant::now();
            assert!(probe.components().contains_key(&Component::Kernel));
            assert!(probe.context().contains_key("cpu-count"));
            start.elapsed()
        })
        .min()
        .expect("five");
    assert!(took.as_millis() < 30, "{took:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn garbage_is_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), model in "\\PC{0,200}") {
        let dir = tempfile::tempdir().expect("tempdir");
        for path in FILES {
            write(dir.path(), path, &bytes);
        }
        let probe = Probe::new(dir.path());
        probe.components();
        probe.context();
        probe.default_host_class();
        write(dir.path(), "/proc/cpuinfo", format!("processor : 0\nmodel name : {model}\n"));
        prop_assert!(probe.default_host_class().as_str().ends_with('g'));
    }
}

#[test]
fn installed_kernels_are_those_that_can_be_booted() {
    let root = debian();
    for name in [
        "vmlinuz-6.1.0-26-amd64",
        "vmlinuz-6.1.0-25-amd64",
        "vmlinuz-6.1.0-24-amd64.old",
        "initrd.img-6.1.0-27-amd64",
    ] {
        write(root.path(), &format!("/boot/{name}"), "");
    }
    let probe = Probe::new(root.path());
    assert_eq!(probe.kernel_release().as_deref(), Some("6.1.0-25-amd64"));
    assert_eq!(probe.installed_kernels(), ["6.1.0-25-amd64", "6.1.0-26-amd64"]);
    let empty = tempfile::tempdir().expect("tempdir");
    assert!(Probe::new(empty.path()).installed_kernels().is_empty());
}
