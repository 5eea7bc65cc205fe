//! Whether a connection does anything: its requests under way, its octets, and when it has been quiet for too long.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Version;
use hyper::body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use runtime::net::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep_until};

/// What one connection does.
pub(super) struct Activity {
    state: Mutex<State>,
    header_timeout: Duration,
    idle_timeout: Duration,
}

struct State {
    /// Requests whose answer is not all given yet.
    underway: u32,
    /// Since when there is none.
    since: Instant,
    /// The first octet since then.
    octets: Option<Instant>,
    /// A request has been understood.
    served: bool,
    /// Its octets need not be the beginning of a request: pings, windows.
    h2: bool,
}

/// Why a connection is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    /// A request's header was not there in time.
    Header,
    /// There was no request for long.
    Idle,
}

impl Activity {
    pub(super) fn new(header_timeout: Duration, idle_timeout: Duration) -> Arc<Self> {
        let state = State { underway: 0, since: Instant::now(), octets: None, served: false, h2: false };
        Arc::new(Self { state: Mutex::new(state), header_timeout, idle_timeout })
    }

    /// A request has begun; it is under way until what this gives is dropped.
    pub(super) fn request(self: &Arc<Self>, version: Version) -> Underway {
        let mut state = self.state.lock();
        state.underway = state.underway.saturating_add(1);
        state.octets = None;
        state.served = true;
        state.h2 = version == Version::HTTP_2;
        Underway(Arc::clone(self))
    }

    /// Ends when the connection should. It looks once in the header's time, so that no request has to wake it: a
    /// deadline may be found that much late.
    pub(super) async fn overdue(&self) -> Overdue {
        loop {
            let now = Instant::now();
            let look = now + self.header_timeout;
            match self.deadline() {
                Some((at, overdue)) if at <= now => return overdue,
                Some((at, _)) => sleep_until(at.min(look)).await,
                None => sleep_until(look).await,
            }
        }
    }

    fn deadline(&self) -> Option<(Instant, Overdue)> {
        let state = self.state.lock();
        match state.octets {
            _ if state.underway > 0 => None,
            _ if !state.served => Some((state.since + self.header_timeout, Overdue::Header)),
            Some(first) if !state.h2 => Some((first + self.header_timeout, Overdue::Header)),
            _ => Some((state.since + self.idle_timeout, Overdue::Idle)),
        }
    }

    fn octets(&self) {
        let mut state = self.state.lock();
        if state.underway == 0 && state.octets.is_none() {
            state.octets = Some(Instant::now());
        }
    }
}

/// A request under way.
pub(super) struct Underway(Arc<Activity>);

impl Drop for Underway {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.underway = state.underway.saturating_sub(1);
        if state.underway == 0 {
            state.since = Instant::now();
        }
    }
}

/// The body of an answer, whose request is under way until all of it is given.
pub(super) struct Counted<B> {
    pub(super) body: B,
    pub(super) _underway: Underway,
}

impl<B: Body + Unpin> Body for Counted<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream that tells when octets come.
pub(super) struct Watched {
    pub(super) stream: Stream,
    pub(super) activity: Arc<Activity>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.activity.octets();
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Duration = Duration::from_secs(10);
    const IDLE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn what_a_connection_does_decides_its_end() {
        use Overdue::{Header, Idle};
        // (version of a first request, octets after it, the end and the seconds until then)
        for (version, octets, overdue, secs) in [
            (None, false, Header, 10),
            (None, true, Header, 10),
            (Some(Version::HTTP_11), false, Idle, 60),
            (Some(Version::HTTP_11), true, Header, 10),
            (Some(Version::HTTP_2), false, Idle, 60),
            (Some(Version::HTTP_2), true, Idle, 60),
        ] {
            let activity = Activity::new(HEADER, IDLE);
            drop(version.map(|version| activity.request(version)));
            if octets {
                activity.octets();
            }
            let begun = Instant::now();
            assert_eq!(activity.overdue().await, overdue, "{version:?} {octets}");
            assert_eq!(begun.elapsed(), Duration::from_secs(secs), "{version:?} {octets}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_under_way_has_the_time_it_needs() {
        let activity = Activity::new(HEADER, IDLE);
        let requests = [Version::HTTP_2; 2].map(|version| activity.request(version));
        let long = tokio::time::timeout(Duration::from_secs(3600), activity.overdue()).await;
        assert!(long.is_err());
        let [one, other] = requests;
        drop(one);
        assert!(activity.deadline().is_none());
        drop(other);
        assert_eq!(activity.deadline().unwrap().1, Overdue::Idle);
    }
}
