//! Time and money of one call: what its record will say, how long it may last, and what it holds.
//!
//! Pure. The dialog's actor feeds it with what the worker saw and does what it asks for. All of it but the channels can
//! be written down and read by another process, which then ends the call with the one record that it gets.

mod kept;

use std::sync::Arc;
use std::time::{Duration, Instant};

use runtime::clock::Timestamp;
use runtime::log::{Attempt, CallMedia, Cdr, DIALOG_STATE_MAX, Dialog as Record, EndedBy, Reason};
use uuid::Uuid;

use self::kept::{Kept, Said, Shared, Signatures, Tried, VERSION, closed};
use super::anchor::Counted;
use super::dialog::{Dialog, End};
use super::event::{Attempted, CallEvent, Ended, Started, What};
use super::routing::Direction;
use super::transactions::Now;
use super::usage::Channel;

/// Octets of a number or Call-ID in a record; longer ones are cut.
const TEXT_MAX: usize = 255;

/// The longest that a refresh is under way (RFC 4028 10).
const REFRESH_MAX: Duration = Duration::from_secs(32);

/// A call that began and has not ended.
#[derive(Debug)]
pub struct LiveCall {
    /// What outlives the process.
    kept: Kept,
    /// When it was answered, by the clock that never jumps; none of a call of an earlier process.
    answered: Option<Instant>,
    /// When it has lasted long enough.
    deadline: Option<Instant>,
    /// When the sides have not refreshed it in time.
    expires: Option<Instant>,
    started: Instant,
    /// The trunk's and the vendor's.
    channels: Vec<Channel>,
    /// What its media node has counted, where that was told before the end of the call was.
    counted: Option<Counted>,
    /// Its record, which waits for that.
    over: Option<(Box<Cdr>, Vec<Attempt>)>,
}

/// What is to be done.
#[derive(Debug)]
pub enum Effect {
    /// Write or replace the record of a call that is up.
    Record(Record),
    /// Write the call's record; nothing comes after it.
    Cdr(Box<Cdr>, Vec<Attempt>),
}

/// A record of a call that this program cannot read.
#[derive(Debug, thiserror::Error)]
#[error("the record of dialog {id} cannot be read: {error}")]
pub struct Unreadable {
    /// Which.
    pub id: Uuid,
    /// Why.
    pub error: postcard::Error,
    /// The call, closed; without customer and trunk where not even they can be read.
    pub cdr: Box<Cdr>,
}

impl LiveCall {
    /// A call whose INVITE was admitted; `None` when its trunk is not in the snapshot it names.
    ///
    /// `hard_max` is the longest call whatever its trunk says; zero is no limit.
    pub fn begin(id: Uuid, (node, hard_max): (u16, Duration), at: Now, started: Started) -> Option<Self> {
        let trunk = started.snapshot.trunk(started.trunk)?;
        let max_duration =
            [trunk.config.max_duration, hard_max].into_iter().filter(|max| !max.is_zero()).min();
        let max_duration = max_duration.unwrap_or_default();
        let said = Said {
            id,
            node,
            customer: trunk.config.customer,
            trunk: trunk.config.id,
            vendor: None,
            inbound: started.direction == Direction::Inbound,
            source: started.source,
            call_id: cut(started.call_id),
            caller: cut(started.caller),
            callee: cut(started.callee),
            callee_sent: String::new(),
            started_at: at.wall.micros(),
            ringing_at: None,
            answered_at: None,
            pdd_us: None,
            prefix: String::new(),
            rate: 0,
        };
        let kept = Kept {
            said,
            max_duration_ms: u64::try_from(max_duration.as_millis()).unwrap_or(u64::MAX),
            attempts: Vec::new(),
            dialog: None,
            recovered: started.recovered,
            identity: Signatures::default(),
        };
        let channels = started.channel.into_iter().collect();
        Some(Self { channels, ..Self::new(kept, at.instant) })
    }

    fn new(kept: Kept, started: Instant) -> Self {
        Self {
            kept,
            answered: None,
            deadline: None,
            expires: None,
            started,
            channels: Vec::new(),
            counted: None,
            over: None,
        }
    }

    /// A call of an earlier process, from what that wrote down.
    ///
    /// # Errors
    /// [`Unreadable`] when it was written in another form, or is damaged.
    pub fn recover(record: &Record, now: Now) -> Result<(Self, Arc<Dialog>), Unreadable> {
        let last_seen = record.updated_at.max(record.answered_at);
        let unreadable =
            |error| Unreadable { id: record.id, error, cdr: Box::new(closed(record, last_seen)) };
        let mut kept = match record.state.split_first() {
            Some((&VERSION, kept)) => postcard::from_bytes::<Kept>(kept).map_err(unreadable)?,
            Some(_) => return Err(unreadable(postcard::Error::WontImplement)),
            None => return Err(unreadable(postcard::Error::DeserializeUnexpectedEnd)),
        };
        let dialog = kept.dialog.take().map(|Shared(dialog)| Arc::unwrap_or_clone(dialog));
        let max = Duration::from_millis(kept.max_duration_ms);
        // It was too long for the record, and the call was up when the last process ended, for all that is known, but no
        // longer than it may.
        let until = if max.is_zero() { now.wall } else { now.wall.min(record.answered_at.plus(max)) };
        let mut dialog = dialog.ok_or_else(|| Unreadable {
            cdr: Box::new(closed(record, until.max(last_seen))),
            ..unreadable(postcard::Error::DeserializeUnexpectedEnd)
        })?;
        dialog.disconnect();
        let dialog = Arc::new(dialog);
        kept.dialog = Some(Shared(Arc::clone(&dialog)));
        kept.recovered = true;
        // Another node may have taken it over, and written nothing since.
        kept.said.node = record.node;
        let up = now.wall.since(record.answered_at);
        let deadline = (!max.is_zero()).then(|| now.instant + max.saturating_sub(up));
        // What was refreshed while nobody was here is not known: it has all its time from now.
        let expires = expiry(&dialog, now);
        Ok((Self { deadline, expires, ..Self::new(kept, now.instant) }, dialog))
    }

    /// Its number.
    pub const fn id(&self) -> Uuid {
        self.kept.said.id
    }

    /// Whether it was answered.
    pub const fn is_up(&self) -> bool {
        self.kept.said.answered_at.is_some()
    }

    /// Whether it has ended, and its record waits for what its media node has counted.
    pub const fn is_over(&self) -> bool {
        self.over.is_some()
    }

    /// Whether it began in an earlier process.
    pub const fn is_recovered(&self) -> bool {
        self.kept.recovered
    }

    /// Who calls whom, for operators: numbers are cut by whoever shows them.
    pub fn parties(&self) -> (&str, &str) {
        (&self.kept.said.caller, &self.kept.said.callee)
    }

    /// Whose it is.
    pub const fn customer(&self) -> Uuid {
        self.kept.said.customer
    }

    /// The trunk, and the vendor that has it.
    pub const fn between(&self) -> (Uuid, Option<Uuid>) {
        (self.kept.said.trunk, self.kept.said.vendor)
    }

    /// Whether it comes from a vendor.
    pub const fn is_inbound(&self) -> bool {
        self.kept.said.inbound
    }

    /// Post-dial delay: from the INVITE until it rang or was answered.
    pub fn pdd(&self) -> Option<Duration> {
        self.kept.said.pdd_us.map(Duration::from_micros)
    }

    /// When it began, and when it was answered.
    pub fn times(&self) -> (Timestamp, Option<Timestamp>) {
        let time = Timestamp::from_micros;
        (time(self.kept.said.started_at), self.kept.said.answered_at.map(time))
    }

    /// When it has lasted as long as it may.
    pub const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// When the sides have had all the time to refresh it that they agreed to.
    pub const fn expires(&self) -> Option<Instant> {
        self.expires
    }

    /// Moves the deadline: the end was asked for, and is asked for again when nothing came of it.
    pub fn postpone(&mut self, by: Duration) {
        self.deadline = self.deadline.map(|deadline| deadline + by);
    }

    /// As [`LiveCall::postpone`], for [`LiveCall::expires`].
    pub fn postpone_expiry(&mut self, by: Duration) {
        self.expires = self.expires.map(|expires| expires + by);
    }

    /// Moves what is due by `now`: another node sees to it, as far as is known.
    pub fn put_off(&mut self, by: Duration, now: Instant) {
        for due in [&mut self.deadline, &mut self.expires] {
            *due = due.map(|at| if at <= now { now + by } else { at });
        }
    }

    /// Counts where calls are counted, until it ends.
    pub fn hold(&mut self, channels: impl Iterator<Item = Channel>) {
        self.channels.extend(channels);
    }

    /// Takes in what the worker saw.
    pub fn apply(&mut self, event: CallEvent) -> Option<Effect> {
        let at = event.at;
        if self.is_over() && !matches!(event.what, What::Media(_)) {
            return None;
        }
        match event.what {
            What::Started(_) => None,
            // Its record was found after all, and tells what the cookie of a BYE can only guess.
            What::Attempted(_) | What::Answered(_) if self.kept.recovered && self.is_up() => None,
            What::Attempted(attempted) => {
                self.attempted(*attempted, at);
                None
            }
            What::Answered(answered) => {
                self.channels.extend(answered.channel);
                // Of a call that was up before this process only the wall clock knows when it was answered.
                self.answered = (!self.kept.recovered).then_some(at.instant);
                self.kept.said.answered_at = Some(at.wall.micros());
                let started = self.started;
                self.kept
                    .said
                    .pdd_us
                    .get_or_insert_with(|| micros(at.instant.saturating_duration_since(started)));
                let max = Duration::from_millis(self.kept.max_duration_ms);
                self.deadline = (!max.is_zero()).then(|| at.instant + max);
                self.expires = expiry(&answered.dialog, at);
                Some(self.record(answered.dialog, at))
            }
            What::Refreshed(dialog) => {
                self.expires = expiry(&dialog, at);
                Some(self.record(dialog, at))
            }
            What::Ended(ended) => {
                let (cdr, attempts) = self.record_of_end(ended, at);
                if ended.media.is_none() {
                    return Some(Effect::Cdr(cdr, attempts));
                }
                self.over = Some((cdr, attempts));
                let counted = self.counted.take()?;
                self.finish(&counted)
            }
            What::Media(counted) if self.is_over() => self.finish(&counted),
            What::Media(counted) => {
                self.counted = Some(counted);
                None
            }
        }
    }

    /// The media node that has not said what it counted of a call that is over, and the dialog as it was.
    pub fn awaited(&self) -> Option<(u8, Arc<Dialog>)> {
        let (cdr, _) = self.over.as_ref()?;
        let Shared(dialog) = self.kept.dialog.as_ref()?;
        Some((cdr.media?.node, Arc::clone(dialog)))
    }

    /// The record that waits for what the media node has counted, with as much of that as was told; `None` where none
    /// waits.
    pub fn finish(&mut self, counted: &Counted) -> Option<Effect> {
        let (mut cdr, attempts) = self.over.take()?;
        if let (Some(media), Some(Shared(dialog))) = (&mut cdr.media, &self.kept.dialog) {
            media.caller = counted.of(End::Caller, dialog);
            media.callee = counted.of(End::Callee, dialog);
        }
        Some(Effect::Cdr(cdr, attempts))
    }

    fn attempted(&mut self, attempted: Attempted, at: Now) {
        self.kept.identity.check(attempted.identity);
        self.kept.identity.sign(attempted.identity);
        if let Some(ringing) = attempted.ringing {
            let pdd = micros(ringing.instant.saturating_duration_since(self.started));
            // Of those that rang at the same time the first one counts.
            if self.kept.said.pdd_us.is_none_or(|before| pdd < before) {
                self.kept.said.pdd_us = Some(pdd);
                self.kept.said.ringing_at = Some(ringing.wall.micros());
            }
        }
        let Some(vendor) = attempted.vendor_id else { return };
        let pdd = attempted
            .ringing
            .map(|ringing| micros(ringing.instant.saturating_duration_since(attempted.started.instant)));
        self.kept.attempts.push(Tried {
            vendor,
            gateway: attempted.address.to_string(),
            started_at: attempted.started.wall.micros(),
            ended_at: at.wall.micros(),
            pdd_us: pdd,
            status: attempted.status.as_u16(),
            received: attempted.received,
        });
        self.kept.said.vendor = Some(vendor);
        self.kept.said.rate = attempted.rate.nanos();
        self.kept.said.prefix = attempted.prefix;
        self.kept.said.callee_sent = attempted.callee;
    }

    fn record(&mut self, dialog: Arc<Dialog>, at: Now) -> Effect {
        self.kept.dialog = Some(Shared(dialog));
        Effect::Record(self.written(at.wall))
    }

    /// What the next process is told of the call, as it is now. Without names for show, where it is too long with them.
    pub fn written(&mut self, now: Timestamp) -> Record {
        let mut state = self.kept.written();
        if state.len() > DIALOG_STATE_MAX {
            let whole = self.kept.dialog.take();
            self.kept.dialog = whole.as_ref().map(|Shared(dialog)| Shared(Arc::new(dialog.plain())));
            state = self.kept.written();
            self.kept.dialog = whole;
        }
        self.record_of(state, now)
    }

    /// As [`LiveCall::written`], of a call whose dialog is too long for it: the next process closes it.
    pub fn written_to_close(&mut self, now: Timestamp) -> Record {
        let dialog = self.kept.dialog.take();
        let state = self.kept.written();
        self.kept.dialog = dialog;
        self.record_of(state, now)
    }

    fn record_of(&self, state: Vec<u8>, updated_at: Timestamp) -> Record {
        let said = &self.kept.said;
        let answered_at = Timestamp::from_micros(said.answered_at.unwrap_or(said.started_at));
        Record { id: said.id, node: said.node, answered_at, updated_at, state: state.into() }
    }

    /// The record of the call, which waits for nothing.
    pub fn end(&mut self, ended: Ended, at: Now) -> Effect {
        let (cdr, attempts) = self.record_of_end(ended, at);
        Effect::Cdr(cdr, attempts)
    }

    /// Its seconds are of the clock that never jumps, unless another process saw the answer.
    fn record_of_end(&mut self, ended: Ended, at: Now) -> (Box<Cdr>, Vec<Attempt>) {
        self.channels.clear();
        self.kept.identity.check(ended.identity);
        let Kept { said, attempts, recovered, identity, .. } = &self.kept;
        let time = Timestamp::from_micros;
        let up = match (self.answered, said.answered_at) {
            (Some(answered), _) => at.instant.saturating_duration_since(answered),
            (None, Some(answered_at)) => at.wall.since(time(answered_at)),
            (None, None) => Duration::ZERO,
        };
        // Where the clock was set back meanwhile, its end is no earlier than its answer all the same.
        let ended_at = match said.answered_at.map(time) {
            Some(answered_at) if answered_at > at.wall => answered_at.plus(up),
            _ => at.wall,
        };
        let by = |end: End| if end == End::Caller { EndedBy::Caller } else { EndedBy::Callee };
        let cdr = Cdr {
            status: ended.status.as_u16(),
            reason: ended.reason,
            ended_by: ended.by.map_or(EndedBy::System, by),
            // Of a call of an earlier process only some were counted.
            retransmissions: ended.retransmissions.filter(|_| !recovered),
            q850_cause: ended.q850_cause,
            recovered: *recovered,
            attempts: u16::try_from(attempts.len()).unwrap_or(u16::MAX),
            media: ended.media.map(|node| CallMedia { node, ..CallMedia::default() }),
            identity: identity.told(),
            ..said.cdr(ended_at, up)
        };
        let attempts = (1..).zip(attempts).map(|(number, tried)| Attempt {
            number,
            vendor: tried.vendor,
            gateway: tried.gateway.as_str().into(),
            started_at: time(tried.started_at),
            ended_at: time(tried.ended_at),
            pdd_us: tried.pdd_us,
            status: tried.received.then_some(tried.status),
            reason: outcome(tried.status, tried.received),
        });
        (Box::new(cdr), attempts.collect())
    }
}

/// When a session that was refreshed now is over: its interval, and the time that a refresh may be under way. Who
/// refreshes begins that much before the end (RFC 4028 10).
fn expiry(dialog: &Dialog, now: Now) -> Option<Instant> {
    let interval = Duration::from_secs(dialog.session?.into());
    Some(now.instant + interval + (interval / 3).min(REFRESH_MAX))
}

/// The word for how an attempt, or a call that never came up, ended.
pub fn outcome(status: u16, received: bool) -> Reason {
    match status {
        200..300 => Reason::Answered,
        486 | 600 => Reason::Busy,
        487 => Reason::Cancelled,
        408 if !received => Reason::Timeout,
        408 | 480 => Reason::NoAnswer,
        503 if !received => Reason::Unreachable,
        500..600 => Reason::VendorFailed,
        _ => Reason::Rejected,
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn cut(mut text: String) -> String {
    if text.len() > TEXT_MAX {
        let end = (0..=TEXT_MAX).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests;
