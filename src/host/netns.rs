//! The network of a sweep: a client in a namespace of its own, so that traffic to native, published port and
//! guest all cross a wire, a second namespace for the guest's bridge and tap, and a third for the sweep's own
//! Docker engines.
//!
//! ```text
//! host                      client tgc<tail>                  guest tgg<tail>
//! tgh<tail> 198.18.X.1 ---- eth0 198.18.X.2
//!                           eth1 198.19.X.2 ---- tgp<tail> -- tgb0 198.19.X.1 -- tgt0 == QEMU (198.19.X.3)
//!                                                                             -- tgt1 == tuned (198.19.X.4)
//!                           eth2 198.18.Y.2 ---- tgk<tail> 198.18.Y.1 (private engines, in tge<tail>)
//! ```
//! 198.18.0.0/15 is set aside for benchmarks (RFC 2544). The guest's bridge is not in the host's namespace since
//! there Docker's rules would filter it (bridge-nf-call-iptables with a FORWARD policy of DROP). Nothing of
//! the host is changed but one link added.

use crate::command::{self, CommandFailure};
use crate::model::SweepId;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

/// The network cannot be made, removed or looked at.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// A command of iproute2 failed.
    #[error("{failure}; {remedy}")]
    Command {
        /// What failed.
        failure: CommandFailure,
        /// What to do.
        remedy: &'static str,
    },
    /// `ip -j` printed something else than expected.
    #[error("`ip -j addr` printed no JSON ({source}); iproute2 4.18 or later is needed")]
    Json {
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// All subnets of 198.18.0.0/16 are in use.
    #[error(
        "no free subnet in 198.18.0.0/16 for the client of the network workloads; `tollgate clean` removes what crashed sweeps left"
    )]
    NoSubnet,
    /// The sweep's id does not end in six hexadecimal digits.
    #[error("no network can be named after sweep {sweep:?}: its id must end in six hexadecimal digits")]
    Name {
        /// The id.
        sweep: String,
    },
}

/// Names and addresses of everything that the network of one sweep consists of. All subnets are /24.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkPlan {
    /// Namespace of the client.
    pub client_namespace: String,
    /// The host's end of the wire to the client.
    pub host_link: String,
    /// Name of the client's end until it is in its namespace and becomes [`Self::client_link`].
    pub client_link_outside: String,
    /// The client's end of the wire to the host, in its namespace.
    pub client_link: String,
    /// The host on the wire to the client: where the client reaches native servers and published ports.
    pub host_address: Ipv4Addr,
    /// The client on that wire.
    pub client_address: Ipv4Addr,
    /// Namespace of the guest's bridge and tap; QEMU runs in it.
    pub guest_namespace: String,
    /// The client's end of the wire to the guest's bridge, in the client's namespace.
    pub client_guest_link: String,
    /// The other end: a port of the bridge.
    pub bridge_port: String,
    /// The bridge, in the guest's namespace.
    pub bridge: String,
    /// Where the plain and the tuned guest are attached, in this order.
    pub guests: [GuestPort; 2],
    /// The bridge's own address.
    pub bridge_address: Ipv4Addr,
    /// The client on the guest's subnet.
    pub client_guest_address: Ipv4Addr,
    /// Namespace of the sweep's own Docker engines and of their containers on the host network.
    pub engine_namespace: String,
    /// The engines' end of the wire to the client, in their namespace.
    pub engine_link: String,
    /// The client's end of that wire, in the client's namespace.
    pub client_engine_link: String,
    /// The engines on that wire: where the client reaches their servers and published ports.
    pub engine_address: Ipv4Addr,
    /// The client on that wire.
    pub client_engine_address: Ipv4Addr,
}

/// Where one guest is attached to the bridge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestPort {
    /// The tap for QEMU, a port of the bridge.
    pub tap: String,
    /// The address that the guest must take.
    pub address: Ipv4Addr,
    /// A MAC address for its card, locally administered and unique on this host.
    pub mac: String,
}

/// Bits of the network part of every subnet here.
pub const PREFIX: u8 = 24;

impl NetworkPlan {
    /// A plan for a sweep whose subnet does not meet any address or route of the host.
    pub async fn for_host(sweep: &SweepId) -> Result<Self, NetworkError> {
        let mut used = BTreeSet::new();
        for what in [["-j", "addr"], ["-j", "route"]] {
            used.append(&mut used_subnets(&ip(&what).await?)?);
        }
        Self::choose(sweep, &used)
    }

    /// A plan whose third bytes X and Y are not in `used`. Where it begins to look depends on the sweep, so that
    /// two sweeps that look at the same time seldom choose the same.
    pub fn choose(sweep: &SweepId, used: &BTreeSet<u8>) -> Result<Self, NetworkError> {
        let tail = sweep.tail();
        let number = u32::from_str_radix(tail, 16)
            .ok()
            .filter(|_| tail.len() == 6 && tail.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase()))
            .ok_or_else(|| NetworkError::Name { sweep: sweep.to_string() })?;
        let [_, a, b, c] = number.to_be_bytes();
        let first = a ^ b ^ c;
        let mut free =
            (0..=u8::MAX).map(|offset| first.wrapping_add(offset)).filter(|byte| !used.contains(byte));
        let (Some(wire), Some(engines)) = (free.next(), free.next()) else {
            return Err(NetworkError::NoSubnet);
        };
        Ok(Self {
            client_namespace: format!("tgc{tail}"),
            host_link: format!("tgh{tail}"),
            client_link_outside: format!("tgv{tail}"),
            client_link: "eth0".to_owned(),
            host_address: Ipv4Addr::new(198, 18, wire, 1),
            client_address: Ipv4Addr::new(198, 18, wire, 2),
            guest_namespace: format!("tgg{tail}"),
            client_guest_link: "eth1".to_owned(),
            bridge_port: format!("tgp{tail}"),
            bridge: "tgb0".to_owned(),
            guests: [0, 1].map(|n: u8| GuestPort {
                tap: format!("tgt{n}"),
                address: Ipv4Addr::new(198, 19, wire, 3 + n),
                mac: format!("52:54:{n:02x}:{a:02x}:{b:02x}:{c:02x}"),
            }),
            bridge_address: Ipv4Addr::new(198, 19, wire, 1),
            client_guest_address: Ipv4Addr::new(198, 19, wire, 2),
            engine_namespace: format!("tge{tail}"),
            engine_link: format!("tgk{tail}"),
            client_engine_link: "eth2".to_owned(),
            engine_address: Ipv4Addr::new(198, 18, engines, 1),
            client_engine_address: Ipv4Addr::new(198, 18, engines, 2),
        })
    }

    /// The words before a command that make it run in the client's namespace. Unlike `ip netns exec`, which
    /// mounts a fresh /sys, it leaves the mounts alone.
    pub fn in_client(&self) -> [String; 2] {
        enter(&self.client_namespace)
    }

    /// The words before a command that make it run in the guest's namespace.
    pub fn in_guest(&self) -> [String; 2] {
        enter(&self.guest_namespace)
    }
}

fn enter(namespace: &str) -> [String; 2] {
    ["nsenter".to_owned(), format!("--net={}", namespace_file(namespace).display())]
}

/// Where iproute2 keeps a named namespace.
pub(super) fn namespace_file(name: &str) -> PathBuf {
    Path::new("/run/netns").join(name)
}

/// Makes the network. What is there of it already, from a sweep that was interrupted, is removed first;
/// when it fails half-way, what it made is removed again.
pub async fn setup(plan: &NetworkPlan) -> Result<(), NetworkError> {
    teardown(plan).await?;
    let made = make(plan).await;
    if made.is_err() {
        // The first error is the one that tells something.
        let _ = teardown(plan).await;
    }
    made
}

/// Removes the network. Nothing happens where nothing is.
pub async fn teardown(plan: &NetworkPlan) -> Result<(), NetworkError> {
    for link in [&plan.host_link, &plan.client_link_outside, &plan.bridge_port, &plan.engine_link] {
        remove_link(link).await?;
    }
    for namespace in [&plan.guest_namespace, &plan.engine_namespace, &plan.client_namespace] {
        remove_namespace(namespace).await?;
    }
    Ok(())
}

/// Removes a link of the host's namespace, with the other end if it is one of a pair.
pub(super) async fn remove_link(name: &str) -> Result<(), NetworkError> {
    let file = Path::new("/sys/class/net").join(name);
    gone_or(ip_if(&file, &["link", "delete", name]).await, &file)
}

/// Removes a named namespace; its links go with it when no process is in it any more.
pub(super) async fn remove_namespace(name: &str) -> Result<(), NetworkError> {
    let file = namespace_file(name);
    if !file.exists() {
        return Ok(());
    }
    // The kernel takes a namespace down later, in its own time: its links would stay on the host until then.
    let links = ["-n", name, "-j", "link", "show", "type", "veth"];
    let links: Vec<Link> =
        ip(&links).await.ok().and_then(|s| serde_json::from_str(&s).ok()).unwrap_or_default();
    for link in links {
        let _ = ip(&["-n", name, "link", "delete", &link.ifname]).await;
    }
    gone_or(ip_if(&file, &["netns", "delete", name]).await, &file)
}

#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    ifname: String,
}

async fn ip_if(file: &Path, args: &[&str]) -> Result<(), NetworkError> {
    if file.exists() { ip(args).await.map(drop) } else { Ok(()) }
}

/// An error to remove something that is gone meanwhile is none.
fn gone_or(result: Result<(), NetworkError>, file: &Path) -> Result<(), NetworkError> {
    if file.exists() { result } else { Ok(()) }
}

async fn make(plan: &NetworkPlan) -> Result<(), NetworkError> {
    let (client, guest) = (plan.client_namespace.as_str(), plan.guest_namespace.as_str());
    let NetworkPlan { host_link, client_link_outside, client_link, client_guest_link, .. } = plan;
    let NetworkPlan { bridge_port, bridge, guests, .. } = plan;
    let cidr = |address: Ipv4Addr| format!("{address}/{PREFIX}");
    let mut lines = vec![format!("netns add {client}"), format!("netns add {guest}")];
    // Without an automatic IPv6 address there is no wait for its duplicates, nor traffic of its own.
    lines.extend([
        format!("-n {client} link set lo up"),
        format!("-n {guest} link set lo up"),
        format!("link add {host_link} type veth peer name {client_link_outside}"),
        format!("link set {host_link} addrgenmode none"),
        format!("link set {client_link_outside} netns {client} name {client_link}"),
        format!("-n {client} link set {client_link} addrgenmode none"),
        format!("addr add {} dev {host_link}", cidr(plan.host_address)),
        format!("-n {client} addr add {} dev {client_link}", cidr(plan.client_address)),
        format!("link set {host_link} up"),
        format!("-n {client} link set {client_link} up"),
    ]);
    lines.extend([
        format!("-n {guest} link add {bridge} type bridge forward_delay 0 stp_state 0 mcast_snooping 0"),
        format!("-n {guest} link set {bridge} addrgenmode none"),
        format!("-n {guest} link add {bridge_port} type veth peer name {client_guest_link} netns {client}"),
    ]);
    let taps: Vec<&String> = guests.iter().map(|g| &g.tap).collect();
    lines.extend(taps.iter().map(|tap| format!("-n {guest} tuntap add dev {tap} mode tap")));
    for port in taps.into_iter().chain([bridge_port]) {
        lines.push(format!("-n {guest} link set {port} addrgenmode none"));
        lines.push(format!("-n {guest} link set {port} master {bridge} up"));
    }
    lines.extend([
        format!("-n {client} link set {client_guest_link} addrgenmode none"),
        format!("-n {guest} addr add {} dev {bridge}", cidr(plan.bridge_address)),
        format!("-n {client} addr add {} dev {client_guest_link}", cidr(plan.client_guest_address)),
        format!("-n {guest} link set {bridge} up"),
        format!("-n {client} link set {client_guest_link} up"),
    ]);
    lines.extend(engine_lines(plan));
    for line in lines {
        ip(&line.split(' ').collect::<Vec<_>>()).await?;
    }
    Ok(())
}

/// The engines' namespace and its wire to the client.
fn engine_lines(plan: &NetworkPlan) -> Vec<String> {
    let NetworkPlan { client_namespace: client, engine_namespace: engine, engine_link, .. } = plan;
    let client_link = &plan.client_engine_link;
    vec![
        format!("netns add {engine}"),
        format!("-n {engine} link set lo up"),
        format!("-n {engine} link add {engine_link} type veth peer name {client_link} netns {client}"),
        format!("-n {engine} link set {engine_link} addrgenmode none"),
        format!("-n {client} link set {client_link} addrgenmode none"),
        format!("-n {engine} addr add {}/{PREFIX} dev {engine_link}", plan.engine_address),
        format!("-n {client} addr add {}/{PREFIX} dev {client_link}", plan.client_engine_address),
        format!("-n {engine} link set {engine_link} up"),
        format!("-n {client} link set {client_link} up"),
    ]
}

async fn ip(args: &[&str]) -> Result<String, NetworkError> {
    command::run(&[&["ip"], args].concat()).await.map_err(|failure| {
        let remedy = remedy(&failure);
        NetworkError::Command { failure, remedy }
    })
}

fn remedy(failure: &CommandFailure) -> &'static str {
    let said = failure.said.as_str();
    if failure.code.is_none() {
        "install iproute2 (`tollgate provision` does it)"
    } else if said.contains("Operation not permitted") || said.contains("Permission denied") {
        "run as root, and in a container with CAP_NET_ADMIN and CAP_SYS_ADMIN"
    } else if said.contains("Unknown device type") || said.contains("not supported") {
        "this kernel lacks veth, bridge or tap: load the modules veth, bridge and tun"
    } else if said.contains("/dev/net/tun") {
        "the tap device needs the module tun: `modprobe tun`"
    } else if said.contains("File exists") {
        "something of this name is there already: `tollgate clean` removes what crashed sweeps left"
    } else {
        "`tollgate clean` removes what crashed sweeps left; `tollgate doctor` shows what this host lacks"
    }
}

/// The X of all subnets 198.18.X.0/24 and 198.19.X.0/24 that meet an address or route in the JSON of
/// `ip -j addr` or `ip -j route`.
fn used_subnets(json: &str) -> Result<BTreeSet<u8>, NetworkError> {
    // `ip -j` prints nothing at all for an empty list.
    let json = if json.trim().is_empty() { "[]" } else { json };
    let entries: Vec<serde_json::Value> =
        serde_json::from_str(json).map_err(|source| NetworkError::Json { source })?;
    let mut used = BTreeSet::new();
    for entry in entries {
        let addresses = entry["addr_info"].as_array().cloned().unwrap_or_default();
        let addresses = addresses.iter().filter_map(|info| {
            Some((info["local"].as_str()?.parse().ok()?, u32::try_from(info["prefixlen"].as_u64()?).ok()?))
        });
        let route = entry["dst"].as_str().and_then(|dst| {
            let (address, prefix) = dst.split_once('/').unwrap_or((dst, "32"));
            Some((address.parse().ok()?, prefix.parse().ok()?))
        });
        for (address, prefix) in addresses.chain(route) {
            // Wider than the whole of 198.18.0.0/15 is a default route or the like, which ours is more specific than.
            if (15..=32).contains(&prefix) {
                used.extend((0..=u8::MAX).filter(|x| meets(address, prefix, *x)));
            }
        }
    }
    Ok(used)
}

fn meets(address: Ipv4Addr, prefix: u32, x: u8) -> bool {
    let shift = 32 - prefix.min(u32::from(PREFIX));
    [18, 19].iter().any(|second| {
        let ours = u32::from(Ipv4Addr::new(198, *second, x, 0));
        u32::from(address) >> shift == ours >> shift
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sweep(tail: u32) -> SweepId {
        SweepId::new(chrono::DateTime::UNIX_EPOCH, tail)
    }

    #[test]
    fn names_fit_the_kernel_and_addresses_the_plan() {
        let plan = NetworkPlan::choose(&sweep(0x0012_3456), &BTreeSet::new()).expect("plan");
        let x = 0x12 ^ 0x34 ^ 0x56;
        assert_eq!(plan.client_namespace, "tgc123456");
        assert_eq!(plan.guests[0].address, Ipv4Addr::new(198, 19, x, 3));
        assert_eq!(plan.guests[0].mac, "52:54:00:12:34:56");
        assert_eq!(plan.in_client(), ["nsenter", "--net=/run/netns/tgc123456"]);
        assert_eq!(
            (plan.engine_namespace.as_str(), plan.engine_address),
            ("tge123456", Ipv4Addr::new(198, 18, x + 1, 1))
        );
        for name in [
            &plan.host_link,
            &plan.client_link_outside,
            &plan.bridge_port,
            &plan.guests[1].tap,
            &plan.engine_link,
        ] {
            assert!(name.len() <= 15 && name.starts_with("tg"), "{name}");
        }
    }

    #[test]
    fn a_subnet_in_use_is_passed_over() {
        let first = NetworkPlan::choose(&sweep(0), &BTreeSet::new()).expect("plan");
        assert_eq!(first.host_address, Ipv4Addr::new(198, 18, 0, 1));
        let used: BTreeSet<u8> = (0..=9).chain([11]).collect();
        let plan = NetworkPlan::choose(&sweep(0), &used).expect("plan");
        assert_eq!(plan.host_address, Ipv4Addr::new(198, 18, 10, 1));
        assert_eq!(plan.engine_address, Ipv4Addr::new(198, 18, 12, 1));
        assert!(matches!(NetworkPlan::choose(&sweep(0), &(0..=255).collect()), Err(NetworkError::NoSubnet)));
    }

    #[test]
    fn captured_addresses_and_routes_are_understood() {
        let addresses = r#"[{"ifname":"lo","addr_info":[{"family":"inet","local":"127.0.0.1","prefixlen":8},
            {"family":"inet6","local":"::1","prefixlen":128}]},
            {"ifname":"tgh000001","addr_info":[{"local":"198.18.7.1","prefixlen":24}]},{}]"#;
        assert_eq!(used_subnets(addresses).expect("json"), BTreeSet::from([7]));
        let routes =
            r#"[{"dst":"default","gateway":"10.0.0.1"},{"dst":"198.19.8.0/23"},{"dst":"198.18.3.4"}]"#;
        assert_eq!(used_subnets(routes).expect("json"), BTreeSet::from([3, 8, 9]));
        assert_eq!(used_subnets("").expect("nothing"), BTreeSet::new());
        assert!(used_subnets("Usage: ip").is_err());
    }

    #[test]
    fn a_name_without_hexadecimal_digits_is_refused() {
        for bad in ["x", "nightly", "ABCDEF", "+12345"] {
            let id: SweepId = format!("a{bad}").parse().unwrap_or_else(|_| "zzzzzz".parse().expect("name"));
            assert!(matches!(NetworkPlan::choose(&id, &BTreeSet::new()), Err(NetworkError::Name { .. })));
        }
    }

    proptest! {
        #[test]
        fn garbage_is_never_a_panic(text in "\\PC*", prefix in any::<u64>(), local in "\\PC{0,12}") {
            let _ = used_subnets(&text);
            let json = serde_json::json!([{"addr_info": [{"local": local, "prefixlen": prefix},
                {"local": "198.18.1.1", "prefixlen": prefix}]}, {"dst": local}]);
            let _ = used_subnets(&json.to_string());
        }
    }
}
