//! The answering side, TCP and UDP on one port.

use super::{HEADER, Header, MOST};
use crate::bench::Trouble;
use crate::bench::options::Options;
use std::convert::Infallible;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

/// Serves until it is killed; returns only when it cannot.
pub fn serve(options: &Options) -> Result<Infallible, Trouble> {
    let listen = options.text("listen")?;
    let listen: IpAddr =
        listen.parse().map_err(|_| Trouble::Usage(format!("--listen {listen}: expected an IP address")))?;
    let port = options.number("port", 1..=65_535)?;
    let port = u16::try_from(port).map_err(|e| Trouble::Usage(format!("--port {port}: {e}")))?;
    let (tcp, udp) = bind(SocketAddr::new(listen, port))?;
    std::thread::spawn(move || answer_datagrams(&udp));
    accept(&tcp)
}

/// Listens on both protocols. UDP comes first: who sees the TCP port open may rely on the other.
fn bind(address: SocketAddr) -> Result<(TcpListener, UdpSocket), Trouble> {
    let udp = UdpSocket::bind(address).map_err(|e| format!("listen on UDP {address}: {e}"))?;
    let tcp = TcpListener::bind(address).map_err(|e| format!("listen on TCP {address}: {e}"))?;
    Ok((tcp, udp))
}

/// A thread for each client.
fn accept(listener: &TcpListener) -> ! {
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                std::thread::spawn(move || answer_stream(stream));
            }
            // A client that left in the meantime is no matter, and too many open files pass when clients end.
            Err(_) => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

/// Answers the requests of one client until it leaves or sends something else.
fn answer_stream(mut stream: TcpStream) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let mut buffer = vec![0; MOST];
    let mut response = vec![0; MOST];
    while let Some(header) = next_request(&mut stream, &mut buffer) {
        response[..8].copy_from_slice(&header.number.to_be_bytes());
        if stream.write_all(&response[..header.response]).is_err() {
            return;
        }
    }
}

/// Reads one request whole, in one call where it came in one piece. `None`: the client is gone, or is none of ours.
fn next_request(stream: &mut TcpStream, buffer: &mut [u8]) -> Option<Header> {
    let mut have = 0;
    loop {
        let header = if have >= HEADER { Some(Header::read(buffer)?) } else { None };
        // Only one transaction is outstanding, so that nothing of the next request comes with this one.
        if let Some(header) = header.filter(|h| have >= h.request) {
            return (have == header.request).then_some(header);
        }
        match stream.read(&mut buffer[have..]) {
            Ok(0) => return None,
            Ok(read) => have += read,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}

/// Answers datagrams for ever. One that is no request of ours is passed over, and so is an error that the last
/// response brought back (a client that has left).
fn answer_datagrams(socket: &UdpSocket) {
    let mut buffer = vec![0; MOST];
    let mut response = vec![0; MOST];
    loop {
        let Ok((size, from)) = socket.recv_from(&mut buffer) else { continue };
        let Some(header) = Header::read(&buffer[..size]).filter(|h| h.request == size) else { continue };
        response[..8].copy_from_slice(&header.number.to_be_bytes());
        let _ = socket.send_to(&response[..header.response], from);
    }
}

/// A server on a free port of this machine, for tests. Its threads end with the test's process.
#[cfg(test)]
pub fn in_background() -> SocketAddr {
    loop {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
        if let Ok((tcp, udp)) = bind(SocketAddr::from(([127, 0, 0, 1], port))) {
            std::thread::spawn(move || answer_datagrams(&udp));
            std::thread::spawn(move || accept(&tcp));
            return SocketAddr::from(([127, 0, 0, 1], port));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::given;

    #[test]
    fn a_client_that_talks_something_else_is_left_and_the_next_one_served() {
        let address = in_background();
        let mut stranger = TcpStream::connect(address).expect("connects");
        stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("writes");
        let mut answer = Vec::new();
        // The server closes with our bytes unread or read: an end or a reset, but no answer.
        let _ = stranger.read_to_end(&mut answer);
        assert!(answer.is_empty());
        let mut slow = TcpStream::connect(address).expect("connects");
        let mut request = [0; 40];
        Header { request: 40, response: 9, number: 7 }.write(&mut request);
        for byte in request {
            slow.write_all(&[byte]).expect("writes");
        }
        let mut answer = [1; 9];
        slow.read_exact(&mut answer).expect("reads");
        assert_eq!(answer, [0, 0, 0, 0, 0, 0, 0, 7, 0], "a request in pieces is put together");
    }

    #[test]
    fn an_occupied_port_and_a_wrong_address_are_errors() {
        let address = in_background();
        let port = address.port().to_string();
        let occupied = serve(&given(&["--listen", "127.0.0.1", "--port", &port])).expect_err("occupied");
        assert!(occupied.to_string().contains(&address.to_string()), "{occupied}");
        let named = serve(&given(&["--listen", "localhost", "--port", "1"])).expect_err("a name");
        assert!(matches!(named, Trouble::Usage(m) if m.contains("localhost")));
    }
}
