//! Request and response with one transaction outstanding, as netperf's `TCP_RR` and `UDP_RR`
//! (<https://hewlettpackard.github.io/netperf/doc/netperf.html>): what a round trip takes.
//!
//! A request begins with a header of 16 bytes, big-endian: its own size (u32), the size of the wanted response (u32),
//! and a number (u64) with which the response begins. So the server needs no settings, and a client notices the
//! response to a request that it has given up. The rest of both is zeros.

mod client;
mod histogram;
mod server;

pub use client::run;
pub use server::serve;

/// Size of the header of a request.
const HEADER: usize = 16;
/// Smallest response: its number.
const LEAST_RESPONSE: usize = 8;
/// Largest request and response: what a UDP datagram over IPv4 holds (65535 minus 28 bytes of headers).
const MOST: usize = 65_507;

/// What the header of a request says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    /// Size of the request, with this header.
    request: usize,
    /// Size of the wanted response.
    response: usize,
    /// Number of the transaction.
    number: u64,
}

impl Header {
    fn write(self, into: &mut [u8]) {
        let size = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes();
        into[..4].copy_from_slice(&size(self.request));
        into[4..8].copy_from_slice(&size(self.response));
        into[8..HEADER].copy_from_slice(&self.number.to_be_bytes());
    }

    /// `None`: it is cut short, or its sizes are none that a client of ours sends.
    fn read(from: &[u8]) -> Option<Self> {
        let size = |at: usize| -> Option<usize> {
            let bytes: [u8; 4] = from.get(at..at + 4)?.try_into().ok()?;
            usize::try_from(u32::from_be_bytes(bytes)).ok()
        };
        let (request, response) = (size(0)?, size(4)?);
        let number = u64::from_be_bytes(from.get(8..HEADER)?.try_into().ok()?);
        let good = (HEADER..=MOST).contains(&request) && (LEAST_RESPONSE..=MOST).contains(&response);
        good.then_some(Self { request, response, number })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_survives_and_foreign_bytes_are_none() {
        let header = Header { request: 100, response: 200, number: 1 << 40 };
        let mut bytes = [0; 100];
        header.write(&mut bytes);
        assert_eq!(Header::read(&bytes), Some(header));
        assert_eq!(Header::read(&bytes[..15]), None);
        assert_eq!(Header::read(b"GET / HTTP/1.1\r\n\r\n"), None);
        assert_eq!(Header::read(&[0; 16]), None);
    }
}
