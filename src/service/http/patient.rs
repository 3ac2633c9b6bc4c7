//! A stream that waits only so long for the other side to take something.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// Fails with [`io::ErrorKind::TimedOut`] when for `limit` nothing that is to be written is taken.
#[derive(Debug)]
pub(super) struct Patient<S> {
    inner: S,
    limit: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
    /// Whether the other side owes something: nothing came yet, or what came last was read and not answered.
    owes: Arc<AtomicBool>,
}

impl<S> Patient<S> {
    /// Around `inner`.
    pub fn new(inner: S, limit: Duration) -> Self {
        Self { inner, limit, stalled: None, owes: Arc::new(AtomicBool::new(true)) }
    }

    /// Whether the other side owes something, to be asked when the stream is gone: a client that is slow is one
    /// that does, a connection that is merely idle has all of its answers.
    pub fn owes(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.owes)
    }

    fn wait<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.stalled = None;
            return polled;
        }
        let limit = self.limit;
        let sleep = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        match sleep.as_mut().poll(cx) {
            Poll::Ready(()) => {
                self.owes.store(true, Ordering::Relaxed);
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.owes.store(true, Ordering::Relaxed);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, buf);
        if matches!(polled, Poll::Ready(Ok(1..))) {
            self.owes.store(false, Ordering::Relaxed);
        }
        self.wait(cx, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_flush(cx);
        self.wait(cx, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.wait(cx, polled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    const LIMIT: Duration = Duration::from_millis(100);

    #[tokio::test]
    async fn who_takes_nothing_is_given_up() {
        let (near, mut far) = tokio::io::duplex(16);
        let mut near = Patient::new(near, LIMIT);
        near.write_all(&[1; 16]).await.expect("there is room");
        let mut taken = [0; 8];
        far.read_exact(&mut taken).await.expect("half of it");
        let error = near.write_all(&[2; 16]).await.expect_err("nobody takes the rest");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(near.owes().load(Ordering::Relaxed));
    }

    #[tokio::test]
    async fn who_has_its_answer_owes_nothing() {
        let (near, mut far) = tokio::io::duplex(16);
        let mut near = Patient::new(near, LIMIT);
        let owes = near.owes();
        assert!(owes.load(Ordering::Relaxed));
        near.write_all(b"answer").await.expect("taken");
        assert!(!owes.load(Ordering::Relaxed));
        far.write_all(b"next").await.expect("asked");
        near.read_exact(&mut [0; 4]).await.expect("heard");
        assert!(owes.load(Ordering::Relaxed));
    }
}
