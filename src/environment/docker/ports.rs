//! Who serves a published port: a DNAT rule of the firewall, or docker-proxy.

use super::private::remains::pids;
use crate::command;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// DNAT rules for some ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rules {
    /// How many of the ports have one.
    pub(super) ports: usize,
    /// Packets that they caught: one a connection, because the others of it follow conntrack.
    pub(super) packets: u64,
    /// Whether there is a chain of Docker's at all. Where there is none, the engine's rules may be in a table of the
    /// other kind (legacy, nft) than this iptables reads.
    pub(super) chain: bool,
}

/// The rules in the nat table of the namespace at `netns`, or of the host. None where it cannot be told, as without
/// iptables.
pub(super) async fn rules(netns: Option<&Path>, ports: &BTreeSet<u16>) -> Option<Rules> {
    let entered = netns.map(|path| format!("--net={}", path.display()));
    let mut line: Vec<&str> = entered.iter().flat_map(|net| ["nsenter", net.as_str()]).collect();
    line.extend(["iptables", "-w", "5", "-t", "nat", "-L", "-v", "-n", "-x"]);
    command::run(&line).await.ok().map(|text| parse(&text, ports))
}

/// `    3   180 DNAT tcp -- !br0 * 0.0.0.0/0 198.18.0.1 tcp dpt:7001 to:172.18.0.2:7001`
fn parse(text: &str, ports: &BTreeSet<u16>) -> Rules {
    let mut seen = BTreeSet::new();
    let mut packets = 0_u64;
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let port = words.iter().find_map(|w| w.strip_prefix("dpt:")?.parse::<u16>().ok());
        let (Some(count), Some(&"DNAT"), Some(port)) = (words.first(), words.get(2), port) else { continue };
        if let (true, Ok(count)) = (ports.contains(&port), count.parse::<u64>()) {
            seen.insert(port);
            packets += count;
        }
    }
    let chain = text.lines().any(|line| line.starts_with("Chain DOCKER "));
    Rules { ports: seen.len(), packets, chain }
}

/// Pid of the docker-proxy in the namespace at `netns` that listens on `address:port`.
pub(super) fn proxy_of(netns: &Path, address: Ipv4Addr, port: u16) -> Option<u32> {
    let id = |path: PathBuf| std::fs::metadata(path).ok().map(|m| (m.dev(), m.ino()));
    let wanted = id(netns.to_owned())?;
    pids().into_iter().find(|pid| {
        let process = Path::new("/proc").join(pid.to_string());
        let read = |name: &str| std::fs::read_to_string(process.join(name)).unwrap_or_default();
        // The kernel keeps fifteen bytes of a name; docker-proxy has twelve.
        read("comm").trim() == "docker-proxy"
            && id(process.join("ns/net")) == Some(wanted)
            && listener(&read("net/tcp"), address, port).is_some_and(|inode| holds(&process, inode))
    })
}

/// Inode of the socket that listens on `address:port`, from /proc/net/tcp (proc(5): hexadecimal, the address in
/// host byte order, state 0A).
fn listener(table: &str, address: Ipv4Addr, port: u16) -> Option<u64> {
    let local = format!("{:08X}:{port:04X}", u32::from_ne_bytes(address.octets()));
    table.lines().skip(1).find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        (*words.get(1)? == local && *words.get(3)? == "0A").then(|| words.get(9)?.parse().ok())?
    })
}

fn holds(process: &Path, inode: u64) -> bool {
    let wanted = format!("socket:[{inode}]");
    let files = std::fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    files.map(|file| file.path()).any(|file| {
        std::fs::read_link(file).is_ok_and(|target| target.as_os_str().to_string_lossy() == wanted)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAIN: &str = "\
Chain DOCKER (2 references)
    pkts      bytes target     prot opt in     out     source               destination         
       0        0 RETURN     all  --  docker0 *       0.0.0.0/0            0.0.0.0/0           
       7      420 DNAT       tcp  --  !br-1  *       0.0.0.0/0            198.18.1.1           tcp dpt:7001 to:172.18.0.2:7001
      90     5400 DNAT       6    --  !br-2  *       0.0.0.0/0            0.0.0.0/0            tcp dpt:8080 to:172.19.0.2:80
";

    #[test]
    fn only_rules_of_our_ports_count() {
        let found = parse(CHAIN, &[7001, 7002].into());
        assert_eq!(found, Rules { ports: 1, packets: 7, chain: true });
        assert_eq!(parse(CHAIN, &[8080].into()), Rules { ports: 1, packets: 90, chain: true });
        assert_eq!(parse("garbage dpt:1\n", &[1].into()), Rules { ports: 0, packets: 0, chain: false });
    }

    #[tokio::test]
    async fn where_the_table_cannot_be_read_nothing_is_claimed() {
        assert_eq!(rules(Some(Path::new("/no/such/namespace")), &[1].into()).await, None);
    }

    #[test]
    fn a_listener_is_found_by_address_port_and_state() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = socket.local_addr().expect("an address").port();
        let table = std::fs::read_to_string("/proc/self/net/tcp").expect("a table");
        let inode = listener(&table, Ipv4Addr::LOCALHOST, port).expect("listens");
        assert!(holds(Path::new("/proc/self"), inode) && !holds(Path::new("/proc/self"), 1));
        assert_eq!(listener(&table, Ipv4Addr::new(127, 0, 0, 9), port), None);
        // It listens, but this test is no docker-proxy.
        assert_eq!(proxy_of(Path::new("/proc/self/ns/net"), Ipv4Addr::LOCALHOST, port), None);
    }
}
