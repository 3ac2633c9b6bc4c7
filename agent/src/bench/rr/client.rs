//! The asking side, which holds the clock.

use super::histogram::Histogram;
use super::{HEADER, Header, LEAST_RESPONSE, MOST};
use crate::bench::options::Options;
use crate::bench::{Trouble, per_second};
use serde::Serialize;
use std::io::{Error, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

/// A host that is silent for so long does not answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// A datagram that is not answered within this time is lost and sent again.
const RESEND: Duration = Duration::from_millis(200);
/// Transactions before the clock starts: caches, neighbours, the congestion window, the guest's translated code.
const WARM_UP: u64 = 50;

/// Those that a curve has.
const PERCENTILES: [f64; 5] = [50.0, 90.0, 95.0, 99.0, 99.9];

/// What was measured.
#[derive(Debug, Serialize)]
pub struct Report {
    proto: String,
    transactions_per_second: f64,
    /// Latencies of a transaction, from the first sending of its request to the end of its response.
    p50_us: f64,
    p99_us: f64,
    /// Percentile and latency, for a curve.
    latencies_us: Vec<(f64, f64)>,
    transactions: u64,
    seconds: f64,
    /// Requests or responses that were lost (UDP); their transactions are counted with the time that they took.
    lost: u64,
}

/// Measures as the options say.
pub fn run(options: &Options) -> Result<Report, Trouble> {
    let host = options.text("host")?;
    let host: IpAddr =
        host.parse().map_err(|_| Trouble::Usage(format!("--host {host}: expected an IP address")))?;
    let port = options.number("port", 1..=65_535)?;
    let port = u16::try_from(port).map_err(|e| Trouble::Usage(format!("--port {port}: {e}")))?;
    let size = |name: &str, least: usize, default: u64| -> Result<usize, Trouble> {
        let bytes = options.number_or(name, least as u64..=MOST as u64, default)?;
        usize::try_from(bytes).map_err(|e| Trouble::Usage(format!("--{name} {bytes}: {e}")))
    };
    let asked = Asked {
        server: SocketAddr::new(host, port),
        limit: options.milliseconds("ms")?,
        request: size("request", HEADER, 100)?,
        response: size("response", LEAST_RESPONSE, 200)?,
    };
    match options.text("proto")? {
        "tcp" => measure(&asked, "tcp", &mut Tcp::connect(asked.server)?),
        "udp" => measure(&asked, "udp", &mut Udp::connect(asked.server)?),
        other => Err(Trouble::Usage(format!("--proto {other}: expected tcp or udp"))),
    }
}

/// What the command line asks for.
struct Asked {
    server: SocketAddr,
    limit: Duration,
    request: usize,
    response: usize,
}

/// One way to the server.
trait Transport {
    /// Sends the request and waits for its response. Returns how often the two were lost.
    fn transact(&mut self, request: &[u8], number: u64, response: &mut [u8]) -> Result<u64, Error>;
}

fn measure(asked: &Asked, proto: &str, transport: &mut impl Transport) -> Result<Report, Trouble> {
    let mut request = vec![0; asked.request];
    let mut response = vec![0; asked.response];
    let mut number = 0;
    let mut transact = || {
        number += 1;
        Header { request: asked.request, response: asked.response, number }.write(&mut request);
        transport.transact(&request, number, &mut response).map_err(|e| silent(asked.server, proto, &e))
    };
    for _ in 0..WARM_UP {
        transact()?;
    }
    let (mut latencies, mut lost) = (Histogram::default(), 0);
    let started = Instant::now();
    let mut now = started;
    while now - started < asked.limit {
        lost += transact()?;
        let ended = Instant::now();
        latencies.add(ended - now);
        now = ended;
    }
    let percentile = |share: f64| latencies.percentile_us(share).ok_or("no transaction ended".to_owned());
    Ok(Report {
        proto: proto.to_owned(),
        transactions_per_second: per_second(latencies.total() as f64, now - started)?,
        p50_us: percentile(0.5)?,
        p99_us: percentile(0.99)?,
        latencies_us: PERCENTILES
            .into_iter()
            .filter_map(|p| Some((p, latencies.percentile_us(p / 100.0)?)))
            .collect(),
        transactions: latencies.total(),
        seconds: (now - started).as_secs_f64(),
        lost,
    })
}

/// Says what is missing where a server does not answer.
fn silent(server: SocketAddr, proto: &str, error: &Error) -> Trouble {
    let why = match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => format!("no answer within {} s", PATIENCE.as_secs()),
        _ => error.to_string(),
    };
    Trouble::Failed(format!("{proto} {server}: {why}; is an rr-server running there?"))
}

struct Tcp(TcpStream);

impl Tcp {
    fn connect(server: SocketAddr) -> Result<Self, Trouble> {
        let connect = || {
            let stream = TcpStream::connect_timeout(&server, PATIENCE)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Ok(Self(stream))
        };
        connect().map_err(|e| silent(server, "tcp", &e))
    }
}

impl Transport for Tcp {
    fn transact(&mut self, request: &[u8], number: u64, response: &mut [u8]) -> Result<u64, Error> {
        self.0.write_all(request)?;
        self.0.read_exact(response)?;
        if response[..LEAST_RESPONSE] != number.to_be_bytes() {
            return Err(Error::other("the response belongs to another request"));
        }
        Ok(0)
    }
}

struct Udp(UdpSocket);

impl Udp {
    fn connect(server: SocketAddr) -> Result<Self, Trouble> {
        let any: IpAddr = if server.is_ipv4() { [0; 4].into() } else { [0_u16; 8].into() };
        let connect = || {
            let socket = UdpSocket::bind((any, 0))?;
            socket.connect(server)?;
            socket.set_read_timeout(Some(RESEND))?;
            Ok(Self(socket))
        };
        connect().map_err(|e| silent(server, "udp", &e))
    }

    /// Whether the response with this number came whole and in time. Others are passed over: they answer what was
    /// sent twice.
    fn receive(&self, number: u64, response: &mut [u8]) -> Result<bool, Error> {
        let begun = Instant::now();
        while begun.elapsed() < RESEND {
            match self.0.recv(response) {
                Ok(size) if size == response.len() && response[..LEAST_RESPONSE] == number.to_be_bytes() => {
                    return Ok(true);
                }
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Ok(false);
                }
                Err(e) => return Err(e),
            }
        }
        Ok(false)
    }
}

impl Transport for Udp {
    fn transact(&mut self, request: &[u8], number: u64, response: &mut [u8]) -> Result<u64, Error> {
        let mut lost = 0;
        let begun = Instant::now();
        loop {
            self.0.send(request)?;
            if self.receive(number, response)? {
                return Ok(lost);
            }
            lost += 1;
            if begun.elapsed() >= PATIENCE {
                return Err(ErrorKind::TimedOut.into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::server::in_background;
    use super::*;
    use crate::bench::given;

    fn ask(proto: &str, server: SocketAddr, more: &[&str]) -> Result<Report, Trouble> {
        let (host, port) = (server.ip().to_string(), server.port().to_string());
        let mut args = vec!["--proto", proto, "--host", &host, "--port", &port, "--ms", "5"];
        args.extend(more);
        run(&given(&args))
    }

    #[test]
    fn both_protocols_answer_several_clients_at_once() {
        let server = in_background();
        let sizes = [vec![], vec!["--request", "16", "--response", "8"], vec!["--response", "65507"]];
        std::thread::scope(|scope| {
            for (proto, more) in ["tcp", "udp"].into_iter().flat_map(|p| sizes.iter().map(move |s| (p, s))) {
                scope.spawn(move || {
                    let report = ask(proto, server, more).expect("measures");
                    assert!(report.transactions > 0 && report.transactions_per_second > 0.0);
                    assert!(report.p50_us > 0.0 && report.p99_us >= report.p50_us);
                    assert!(
                        report.latencies_us.len() == 5 && report.latencies_us.is_sorted_by(|a, b| a.1 <= b.1)
                    );
                });
            }
        });
    }

    #[test]
    fn a_lost_datagram_is_sent_again_and_counted() {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("binds");
        let server = socket.local_addr().expect("an address");
        std::thread::spawn(move || {
            let mut buffer = [0; 1000];
            let mut seen = 0;
            while let Ok((size, from)) = socket.recv_from(&mut buffer) {
                seen += 1;
                // The first timed one is swallowed, and its repetition answered twice.
                let answers = if seen == WARM_UP + 1 { 0 } else { usize::from(seen == WARM_UP + 2) + 1 };
                let number = Header::read(&buffer[..size]).expect("a request").number;
                let mut response = [0; 200];
                response[..8].copy_from_slice(&number.to_be_bytes());
                for _ in 0..answers {
                    socket.send_to(&response, from).expect("sends");
                }
            }
        });
        let report = ask("udp", server, &[]).expect("measures");
        assert!(report.lost >= 1 && report.transactions >= 1 && report.seconds >= 0.2, "{report:?}");
    }

    #[test]
    fn a_host_without_a_server_is_an_error_that_names_it() {
        let free = UdpSocket::bind("127.0.0.1:0").and_then(|s| s.local_addr()).expect("an address");
        for proto in ["tcp", "udp"] {
            let error = ask(proto, free, &[]).expect_err("nobody").to_string();
            assert!(error.contains(&free.to_string()) && error.contains("refused"), "{error}");
        }
    }

    #[test]
    fn a_mute_server_is_an_error_and_never_waited_for() {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("binds");
        let error = ask("udp", socket.local_addr().expect("an address"), &[]).expect_err("mute").to_string();
        assert!(error.contains("no answer within 5 s"), "{error}");
    }

    #[test]
    fn wrong_options_are_usage_errors() {
        let server = SocketAddr::from(([127, 0, 0, 1], 1));
        assert!(matches!(ask("sctp", server, &[]), Err(Trouble::Usage(m)) if m.contains("sctp")));
        assert!(
            matches!(ask("tcp", server, &["--request", "3"]), Err(Trouble::Usage(m)) if m.contains("--request"))
        );
    }
}
