//! What was answered and what was refused, for `/metrics`.

use std::sync::atomic::{AtomicU64, Ordering};

/// Why a client was turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Too many connections.
    Connections,
    /// Too many requests at once.
    Busy,
    /// Too many streams of events.
    Streams,
    /// A head, a body or an answer that did not move.
    Slow,
    /// Not HTTP, larger than a head may be, a hook whose body broke off, or a signed one without a delivery.
    Malformed,
    /// A host name that is not this host's: a page elsewhere tries to read this one.
    Host,
    /// No token, or another one.
    Token,
    /// A hook without a signature, or with a wrong one.
    Signature,
    /// A hook that was here before.
    Replay,
    /// A body that is too large.
    Large,
}

impl Refusal {
    /// All of them, in the order of their counters.
    pub const ALL: [Self; 10] = [
        Self::Connections,
        Self::Busy,
        Self::Streams,
        Self::Slow,
        Self::Malformed,
        Self::Host,
        Self::Token,
        Self::Signature,
        Self::Replay,
        Self::Large,
    ];

    /// The value of the label `reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Busy => "busy",
            Self::Streams => "streams",
            Self::Slow => "slow",
            Self::Malformed => "malformed",
            Self::Host => "host",
            Self::Token => "token",
            Self::Signature => "signature",
            Self::Replay => "replay",
            Self::Large => "large",
        }
    }
}

/// Counters since the start.
#[derive(Debug, Default)]
pub(super) struct Counts {
    refused: [AtomicU64; Refusal::ALL.len()],
    /// Answers by the first digit of their status, from 2.
    answered: [AtomicU64; 4],
    /// Connections that are open.
    open: AtomicU64,
}

impl Counts {
    /// Counts a refusal.
    pub fn refuse(&self, why: Refusal) {
        self.refused[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an answer.
    pub fn answer(&self, status: u16) {
        let class = usize::from((status / 100).clamp(2, 5) - 2);
        self.answered[class].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a connection for as long as what it returns is there.
    pub fn connected(&self) -> Connected<'_> {
        self.open.fetch_add(1, Ordering::Relaxed);
        Connected(self)
    }

    /// Refusals by reason.
    pub fn refused(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Refusal::ALL.into_iter().map(|r| (r.as_str(), self.refused[r as usize].load(Ordering::Relaxed)))
    }

    /// Answers by class of their status: `2xx`.
    pub fn answered(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        ["2xx", "3xx", "4xx", "5xx"].into_iter().zip(self.answered.iter().map(|n| n.load(Ordering::Relaxed)))
    }

    /// Connections that are open.
    pub fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }
}

/// An open connection.
pub(super) struct Connected<'a>(&'a Counts);

impl Drop for Connected<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_counter() {
        let counts = Counts::default();
        for (n, why) in Refusal::ALL.into_iter().enumerate() {
            (0..=n).for_each(|_| counts.refuse(why));
        }
        let numbers: Vec<u64> = counts.refused().map(|(_, n)| n).collect();
        assert_eq!(numbers, (1..=10).collect::<Vec<u64>>());
    }

    #[test]
    fn answers_are_counted_by_class_and_connections_while_they_last() {
        let counts = Counts::default();
        for status in [200, 202, 404, 503, 101] {
            counts.answer(status);
        }
        assert_eq!(counts.answered().map(|(_, n)| n).collect::<Vec<_>>(), [3, 0, 1, 1]);
        let one = counts.connected();
        assert_eq!(counts.open(), 1);
        drop(one);
        assert_eq!(counts.open(), 0);
    }
}
