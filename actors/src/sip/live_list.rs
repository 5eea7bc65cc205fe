//! Calls that live, as operators see them: a face of each, beside its actor.
//!
//! The actor of a dialog makes and renews the face of its call; whoever lists calls reads faces and asks no actor.
//! Numbers of calls are UUIDs of version 7, so pages by number are pages by time, the oldest call first.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use parking_lot::Mutex;
use runtime::clock::Timestamp;
use runtime::model::Ban;
use runtime::telemetry::redact;
use serde::Serialize;
use uuid::Uuid;

use super::calls::Calls;
use super::live_call::LiveCall;
use super::snapshot::Snapshot;

/// Faces that are taken from the list at one time: calls begin and end while a page is put together.
const FACES_AT_ONCE: usize = 256;

/// The faces of a node's calls.
#[derive(Debug, Default)]
pub struct LiveList(Mutex<BTreeMap<Uuid, Arc<Face>>>);

/// What is seen of a call.
#[derive(Debug)]
pub struct Face {
    id: Uuid,
    customer: Uuid,
    trunk: Uuid,
    caller: Box<str>,
    callee: Box<str>,
    started_at: Timestamp,
    progress: Mutex<Progress>,
}

/// What changes while it lives.
#[derive(Debug, Clone, Copy)]
struct Progress {
    state: &'static str,
    vendor: Option<Uuid>,
    answered_at: Option<Timestamp>,
}

/// Body of `GET /v1/calls`.
#[derive(Debug, Serialize)]
pub struct Page {
    /// Calls that live, those of other pages and those that were not asked for too.
    pub live: usize,
    /// By number, which is by time.
    pub calls: Vec<Listed>,
    /// Where the next page goes on; none on the last.
    pub next: Option<Uuid>,
}

/// One call.
#[derive(Debug, Serialize)]
pub struct Listed {
    /// Its number, and its CDR's.
    pub id: Uuid,
    /// `early` or `confirmed`.
    pub state: &'static str,
    /// Whose it is.
    pub customer_id: Uuid,
    /// The customer's BAN, while a trunk of it is configured.
    pub ban: Option<String>,
    /// Name of the trunk.
    pub trunk: String,
    /// Name of the vendor: of an early call the last that was done with.
    pub vendor: Option<String>,
    /// Who calls, masked.
    pub caller: String,
    /// Who is called, masked.
    pub callee: String,
    /// When the INVITE came.
    pub started_at: Timestamp,
    /// When it was answered.
    pub answered_at: Option<Timestamp>,
}

/// Which calls of a list. The default is all of them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// Of this customer.
    pub customer: Option<Uuid>,
    /// Of a trunk that is shown by this name.
    pub trunk: Option<&'a str>,
    /// Of a vendor that is shown by this name.
    pub vendor: Option<&'a str>,
    /// Behind this one.
    pub after: Option<Uuid>,
}

impl LiveList {
    /// A call begins, or goes on in this process.
    pub fn enter(&self, call: &LiveCall) -> Arc<Face> {
        let face = Arc::new(Face::new(call));
        self.0.lock().insert(call.id(), Arc::clone(&face));
        face
    }

    /// It has its record.
    pub fn leave(&self, call: Uuid) {
        self.0.lock().remove(&call);
    }

    /// At most `limit` faces behind a number.
    fn faces(&self, after: Option<Uuid>, limit: usize) -> Vec<Arc<Face>> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let faces = self.0.lock();
        faces.range((from, Bound::Unbounded)).take(limit).map(|(_, face)| Arc::clone(face)).collect()
    }

    /// At most `limit` faces of those that are wanted.
    fn find(&self, wanted: &Wanted<'_>, names: &Names<'_>, limit: usize) -> Vec<Arc<Face>> {
        let (mut found, mut after) = (Vec::new(), wanted.after);
        loop {
            let faces = self.faces(after, FACES_AT_ONCE);
            let last = faces.last().filter(|_| faces.len() == FACES_AT_ONCE).map(|face| face.id);
            let left = limit.saturating_sub(found.len());
            found.extend(faces.into_iter().filter(|face| face.is(wanted, names)).take(left));
            if last.is_none() || found.len() >= limit {
                return found;
            }
            after = last;
        }
    }
}

impl Face {
    fn new(call: &LiveCall) -> Self {
        let ((caller, callee), (trunk, _), (started_at, _)) = (call.parties(), call.between(), call.times());
        Self {
            id: call.id(),
            customer: call.customer(),
            trunk,
            caller: caller.into(),
            callee: callee.into(),
            started_at,
            progress: Mutex::new(Progress::of(call)),
        }
    }

    /// Takes over what has changed.
    pub fn follow(&self, call: &LiveCall) {
        *self.progress.lock() = Progress::of(call);
    }

    /// `early` or `confirmed`.
    pub fn state(&self) -> &'static str {
        self.progress.lock().state
    }

    /// Whether it is asked for, its number apart.
    fn is(&self, wanted: &Wanted<'_>, names: &Names<'_>) -> bool {
        let vendor = self.progress.lock().vendor;
        wanted.customer.is_none_or(|customer| customer == self.customer)
            && wanted.trunk.is_none_or(|name| names.trunk(self.trunk) == name)
            && wanted.vendor.is_none_or(|name| vendor.is_some_and(|vendor| names.vendor(vendor) == name))
    }

    fn listed(&self, names: &Names<'_>) -> Listed {
        let Progress { state, vendor, answered_at } = *self.progress.lock();
        Listed {
            id: self.id,
            state,
            customer_id: self.customer,
            ban: names.ban(self.customer),
            trunk: names.trunk(self.trunk),
            vendor: vendor.map(|vendor| names.vendor(vendor)),
            caller: redact::Number(&self.caller).to_string(),
            callee: redact::Number(&self.callee).to_string(),
            started_at: self.started_at,
            answered_at,
        }
    }
}

impl Progress {
    fn of(call: &LiveCall) -> Self {
        let state = if call.is_up() { "confirmed" } else { "early" };
        Self { state, vendor: call.between().1, answered_at: call.times().1 }
    }
}

/// Calls by number, at most `limit`.
pub fn page(calls: &Calls, wanted: Wanted<'_>, limit: usize) -> Page {
    let snapshot = calls.snapshot.load();
    let names = Names::of(&snapshot);
    let faces = calls.list.find(&wanted, &names, limit);
    let listed = faces.iter().map(|face| face.listed(&names)).collect();
    let next = faces.last().filter(|_| faces.len() == limit).map(|face| face.id);
    Page { live: calls.live(), calls: listed, next }
}

/// One call, while it lives.
pub fn find(calls: &Calls, id: Uuid) -> Option<Listed> {
    let face = calls.list.0.lock().get(&id).cloned()?;
    let snapshot = calls.snapshot.load();
    Some(face.listed(&Names::of(&snapshot)))
}

/// Names of trunks and vendors, and BANs, by primary key, for lists.
#[derive(Debug)]
pub struct Names<'a> {
    trunks: HashMap<Uuid, &'a str>,
    vendors: HashMap<Uuid, &'a str>,
    bans: HashMap<Uuid, &'a Ban>,
}

impl<'a> Names<'a> {
    /// Those of a configuration.
    #[must_use]
    pub fn of(snapshot: &'a Snapshot) -> Self {
        let trunks = snapshot.trunks.iter().map(|trunk| (trunk.config.id, trunk.config.name.as_str()));
        let vendors = snapshot.vendors.iter().map(|vendor| (vendor.config.id, vendor.config.name.as_str()));
        let bans =
            snapshot.trunks.iter().filter_map(|trunk| Some((trunk.config.customer, trunk.ban.as_ref()?)));
        Self { trunks: trunks.collect(), vendors: vendors.collect(), bans: bans.collect() }
    }

    /// A customer's BAN; none when no trunk of it is configured any more.
    #[must_use]
    pub fn ban(&self, customer: Uuid) -> Option<String> {
        self.bans.get(&customer).map(|ban| ban.to_string())
    }

    /// A trunk's; its key when it is not configured any more.
    #[must_use]
    pub fn trunk(&self, id: Uuid) -> String {
        self.trunks.get(&id).map_or_else(|| id.to_string(), |name| (*name).to_owned())
    }

    /// A vendor's; its key when it is not configured any more.
    #[must_use]
    pub fn vendor(&self, id: Uuid) -> String {
        self.vendors.get(&id).map_or_else(|| id.to_string(), |name| (*name).to_owned())
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |title: &str, names: &mut dyn Iterator<Item = usize>| names.fold(title.len(), usize::max);
        let vendor = |call: &'_ Listed| call.vendor.clone().unwrap_or_else(|| "-".to_owned());
        let ban = |call: &'_ Listed| call.ban.clone().unwrap_or_else(|| "-".to_owned());
        let bans = width("BAN", &mut self.calls.iter().map(|call| ban(call).chars().count()));
        let trunks = width("TRUNK", &mut self.calls.iter().map(|call| call.trunk.chars().count()));
        let vendors = width("VENDOR", &mut self.calls.iter().map(|call| vendor(call).chars().count()));
        let callers = width("CALLER", &mut self.calls.iter().map(|call| call.caller.chars().count()));
        let callees = width("CALLEE", &mut self.calls.iter().map(|call| call.callee.chars().count()));
        writeln!(
            f,
            "{:36}  {:9}  {:bans$}  {:trunks$}  {:vendors$}  {:callers$}  {:callees$}  {:27}  ANSWERED",
            "ID", "STATE", "BAN", "TRUNK", "VENDOR", "CALLER", "CALLEE", "STARTED"
        )?;
        for call in &self.calls {
            let answered = call.answered_at.map_or_else(|| "-".to_owned(), |at| at.to_string());
            let (id, started) = (call.id.to_string(), call.started_at.to_string());
            writeln!(
                f,
                "{id:36}  {:9}  {:bans$}  {:trunks$}  {:vendors$}  {:callers$}  {:callees$}  {started:27}  \
                 {answered}",
                call.state,
                ban(call),
                call.trunk,
                vendor(call),
                call.caller,
                call.callee,
            )?;
        }
        match self.next {
            Some(next) => writeln!(f, "{} calls live, more behind {next}", self.live),
            None => writeln!(f, "{} calls live", self.live),
        }
    }
}

#[cfg(test)]
mod tests;
