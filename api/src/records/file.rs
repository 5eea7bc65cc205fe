//! A list as a file: read and sent page by page, by a task of its own.
//!
//! A page is read when the one before has left, so that memory holds one or two of them, however long the
//! list is and however slow its reader. The file ends well only when all that was asked for was read: when
//! the database fails, or the reader takes nothing for [`STALLED`], the transfer ends with an error, and
//! nobody takes a part for the whole. A node that stops cuts it.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use parking_lot::Mutex;
use runtime::store::{Error as StoreError, ErrorKind};
use runtime::supervision::BoxError;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};
use tokio::time::timeout;
use warp::Reply as _;
use warp::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use warp::reply::Response;

use super::List;
use super::csv::Csv;
use crate::problem::{Code, Problem};
use crate::reply::Reply;

/// Rows that are read at one time: the log gives no more.
const PAGE: u32 = 1000;
/// A reader that takes no page for so long gets no other.
const STALLED: Duration = Duration::from_secs(60);
/// Files of one customer or operator at one time.
const OWN_MAX: usize = 2;
/// Files at one time.
const ALL_MAX: usize = 16;
/// Seconds after which a refused file may be asked for again.
const AGAIN_SECS: u64 = 10;

/// Pages that are read from the log at one time: others read there too, and a page may take long.
const READS_MAX: usize = 2;
/// Time for its turn.
const TURN_WITHIN: Duration = Duration::from_secs(5);

/// Files under way on this node, by the customer or operator who asked for them, and turns of reading the log.
pub(crate) struct Exports(Arc<Mutex<Vec<String>>>, Arc<Semaphore>);

impl Default for Exports {
    fn default() -> Self {
        Self(Arc::default(), Arc::new(Semaphore::new(READS_MAX)))
    }
}

/// A file that is counted until this is dropped.
pub(super) struct Place {
    underway: Arc<Mutex<Vec<String>>>,
    turns: Arc<Semaphore>,
    who: String,
}

impl Place {
    /// As [`Exports::turn`]; a file that has begun waits as long as it takes.
    async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.turns.acquire().await.ok()
    }
}

impl Exports {
    /// Waits for a turn of reading the log.
    pub(super) async fn turn(&self) -> Result<SemaphorePermit<'_>, Problem> {
        let refused = || {
            let detail = "records are read by others for longer than is waited";
            Problem::new(Code::TooManyRequests, detail).retry_after(AGAIN_SECS)
        };
        timeout(TURN_WITHIN, self.1.acquire()).await.ok().and_then(Result::ok).ok_or_else(refused)
    }

    /// Counts a file of a customer or operator, or refuses it.
    pub(super) fn begin(&self, who: &str) -> Result<Place, Problem> {
        let mut underway = self.0.lock();
        let own = underway.iter().filter(|name| name.as_str() == who).count();
        if own >= OWN_MAX || underway.len() >= ALL_MAX {
            let detail = format!("{OWN_MAX} files of yours, or {ALL_MAX} of all, are under way");
            return Err(Problem::new(Code::TooManyRequests, detail).retry_after(AGAIN_SECS));
        }
        underway.push(who.to_owned());
        Ok(Place { underway: Arc::clone(&self.0), turns: Arc::clone(&self.1), who: who.to_owned() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut underway = self.underway.lock();
        if let Some(at) = underway.iter().position(|name| *name == self.who) {
            underway.swap_remove(at);
        }
    }
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Csv,
    Ndjson,
}

impl Form {
    /// By the word of the query.
    pub(super) fn named(word: &str) -> Option<Self> {
        match word {
            "csv" => Some(Self::Csv),
            "ndjson" => Some(Self::Ndjson),
            _ => None,
        }
    }

    const fn media(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Ndjson => "application/x-ndjson",
        }
    }

    const fn ending(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
        }
    }
}

/// A file, as far as it is not read yet.
pub(super) struct File<L: List> {
    pub(super) list: L,
    pub(super) form: Form,
    /// The row that it goes on behind.
    pub(super) behind: Option<L::Key>,
    /// Rows that it may have yet.
    pub(super) left: u32,
    /// Its first line is written.
    pub(super) begun: bool,
    pub(super) place: Place,
}

/// Lines of one page.
#[derive(Debug)]
struct Piece {
    lines: Bytes,
    /// Nothing comes behind them.
    last: bool,
}

impl<L: List> File<L> {
    /// The file as an answer, once its first page is read: until then an error is one as of any request.
    pub(super) async fn answer(mut self) -> Reply {
        let first = self.page().await?;
        let (pieces, sent) = mpsc::channel(1);
        let mut response = body(sent);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.form.media()));
        let disposition = format!("attachment; filename=\"{}.{}\"", L::NAME, self.form.ending());
        if let Ok(disposition) = HeaderValue::from_str(&disposition) {
            headers.insert(CONTENT_DISPOSITION, disposition);
        }
        tokio::spawn(self.send(first, pieces));
        Ok(response)
    }

    /// Sends what was read, and then page by page what is behind it.
    async fn send(mut self, first: Piece, pieces: mpsc::Sender<Result<Piece, StoreError>>) {
        let mut next = Some(first);
        // Without room the reader is gone, or stands still.
        while let Ok(Ok(room)) = timeout(STALLED, pieces.reserve()).await {
            let piece = match next.take() {
                Some(piece) => Ok(piece),
                None => self.page().await,
            };
            if let Err(error) = &piece {
                tracing::warn!(list = L::NAME, %error, "a file ends before its list does");
            }
            let more = piece.as_ref().is_ok_and(|piece| !piece.last);
            room.send(piece);
            if !more {
                return;
            }
        }
    }

    /// Reads a page.
    async fn page(&mut self) -> Result<Piece, StoreError> {
        let asked = self.left.min(PAGE);
        let rows = {
            let _turn = self.place.turn().await;
            self.list.page(self.behind, asked).await?
        };
        let read = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        self.left = self.left.saturating_sub(read);
        self.behind = rows.last().map(L::key).or(self.behind);
        let lines = self.lines(&rows)?.into();
        self.begun = true;
        Ok(Piece { lines, last: read < asked || self.left == 0 })
    }

    fn lines(&self, rows: &[L::Row]) -> Result<Vec<u8>, StoreError> {
        match self.form {
            Form::Csv => Ok(self.csv(rows)),
            Form::Ndjson => ndjson(rows),
        }
    }

    fn csv(&self, rows: &[L::Row]) -> Vec<u8> {
        let mut csv = Csv::default();
        if !self.begun {
            self.list.titles().into_iter().for_each(|title| csv.cell(title));
            csv.end();
        }
        for row in rows {
            L::cells(row, &mut csv);
            csv.end();
        }
        csv.into_octets()
    }
}

fn ndjson<T: serde::Serialize>(rows: &[T]) -> Result<Vec<u8>, StoreError> {
    let mut octets = Vec::new();
    for row in rows {
        serde_json::to_writer(&mut octets, row).map_err(|error| {
            StoreError::new(ErrorKind::Other, format!("a row cannot be written: {error}"))
        })?;
        octets.push(b'\n');
    }
    Ok(octets)
}

/// What comes by the channel, as the body of an answer.
fn body(mut pieces: mpsc::Receiver<Result<Piece, StoreError>>) -> Response {
    let mut ended = false;
    let lines = stream::poll_fn(move |cx| {
        if ended {
            return Poll::Ready(None);
        }
        pieces.poll_recv(cx).map(|piece| {
            let (lines, last) = match piece {
                Some(Ok(Piece { lines, last })) => (Ok(lines), last),
                Some(Err(error)) => (Err(BoxError::from(error)), true),
                None => (Err(BoxError::from("the file was not read in time")), true),
            };
            ended = last;
            Some(lines)
        })
    });
    warp::reply::stream(lines).into_response()
}

#[cfg(test)]
mod tests;
