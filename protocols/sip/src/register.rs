//! REGISTER: what a request asks for, and what a registrar makes of it (10.3; RFC 3327).
//!
//! [`Registration::read`] takes a request apart, [`Registration::decide`] says which bindings change by it.
//! Not here: who may register, what time it is, and where bindings are kept.

use std::fmt;

use crate::cseq::CSeq;
use crate::header::HeaderId;
use crate::message::Message;
use crate::name_addr::NameAddr;
use crate::status::StatusCode;
use crate::syntax::{number, trim};
use crate::uri::Uri;

/// Contacts that one request may have.
pub const CONTACTS_MAX: usize = 32;
/// The greatest preference, in thousandths: 1.
pub const Q_MAX: u16 = 1000;
/// A registrar refuses no time that is as long as this, whatever its least one is (10.3 step 7).
pub const EXPIRES_NOT_BRIEF: u32 = 3600;

/// Octets of a contact's URI, of Path as a whole and of Call-ID at most: they are kept for as long as the
/// binding.
const URI_MAX: usize = 512;
const PATH_MAX: usize = 1024;
const CALL_ID_MAX: usize = 512;
/// What a time counts as that cannot be read (20.10), in seconds.
const EXPIRES_MALFORMED: u32 = 3600;

/// Why a REGISTER does nothing. Its text is a reason phrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Call-ID is missing, too long, or has other octets than letters, digits and marks.
    #[error("Malformed Call-ID Header")]
    CallId,
    /// CSeq is missing or no number.
    #[error("Malformed CSeq Header")]
    CSeq,
    /// A Contact cannot be read, is too long, or could stand in no request line.
    #[error("Malformed Contact Header")]
    Contact,
    /// A Contact is no SIP or SIPS URI.
    #[error("Contact Is No SIP URI")]
    Scheme,
    /// A Contact has headers in its URI: they would be added to requests of others.
    #[error("Contact Has Headers")]
    Headers,
    /// `*` together with a contact, or without Expires of 0 (10.3 step 6).
    #[error("Wildcard Contact Is Not Alone Or Expires Is Not 0")]
    Wildcard,
    /// A Path cannot be read, is too long, or is no loose router (RFC 3327, 4).
    #[error("Malformed Path Header")]
    Path,
    /// A time is shorter than the registrar's least: Min-Expires says that.
    #[error("Interval Too Brief")]
    TooBrief,
    /// A binding was made by a later request of this Call-ID.
    #[error("CSeq Out Of Order")]
    OutOfOrder,
    /// More contacts in one request than may be bound.
    #[error("Too Many Contacts")]
    TooMany,
}

impl Error {
    /// The status of the answer.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::CallId
            | Self::CSeq
            | Self::Contact
            | Self::Scheme
            | Self::Headers
            | Self::Wildcard
            | Self::Path => StatusCode::BAD_REQUEST,
            Self::TooBrief => StatusCode::INTERVAL_TOO_BRIEF,
            // All changes of a request are made or none (10.3 step 7).
            Self::OutOfOrder => StatusCode::SERVER_INTERNAL_ERROR,
            Self::TooMany => StatusCode::FORBIDDEN,
        }
    }
}

/// What a REGISTER asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Call-ID: requests of one are in order by their CSeq.
    pub call_id: String,
    /// The number in CSeq.
    pub cseq: u32,
    /// What is to change.
    pub wanted: Wanted,
    /// Expires, in seconds; `None` where it is missing.
    pub expires: Option<u32>,
    /// The elements of Path, as a Route has them: the nearest to the registrar first; empty without.
    pub path: String,
}

/// What is to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Nothing: the bindings are asked for.
    List,
    /// All bindings go.
    RemoveAll,
    /// These are bound, or go where they expire at once.
    Contacts(Vec<Contact>),
}

/// A contact to be bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Its URI as it is written: one word of ASCII, without quotes.
    pub uri: String,
    /// Its preference, in thousandths; [`Q_MAX`] where it says none.
    pub q: u16,
    /// Its own time, in seconds.
    pub expires: Option<u32>,
}

/// What a registrar allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Seconds: less is refused, but no more than [`EXPIRES_NOT_BRIEF`].
    pub expires_min: u32,
    /// Seconds of a contact that says none.
    pub expires_default: u32,
    /// Seconds: a contact that asks for more gets this.
    pub expires_max: u32,
    /// Bindings that there may be at one time.
    pub bindings_max: usize,
}

impl Default for Rules {
    /// From a minute to an hour, which is the default too; ten bindings.
    fn default() -> Self {
        Self { expires_min: 60, expires_default: 3600, expires_max: 3600, bindings_max: 10 }
    }
}

/// A binding that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound<'a> {
    /// The contact's URI.
    pub uri: &'a str,
    /// Call-ID of the request that made it.
    pub call_id: &'a str,
    /// CSeq of that.
    pub cseq: u32,
    /// Whether it is somewhere else than who asks: there its URI names another one, as private addresses do.
    pub elsewhere: bool,
}

/// What happens to bindings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The binding of this place goes.
    Remove(usize),
    /// A contact is bound.
    Bind {
        /// Its place among those of the request.
        contact: usize,
        /// The place of the binding that it takes the place of.
        over: Option<usize>,
        /// Seconds.
        expires: u32,
    },
}

/// A binding in the answer to a REGISTER (10.3 step 8); its text is a value of Contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The contact's URI.
    pub uri: String,
    /// Its preference, in thousandths.
    pub q: u16,
    /// Seconds that are left.
    pub expires: u32,
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>;expires={}", self.uri, self.expires)?;
        if self.q < Q_MAX { write!(f, ";q=0.{:03}", self.q) } else { Ok(()) }
    }
}

impl Registration {
    /// Reads a REGISTER that passed [`crate::validate`].
    pub fn read(request: &Message) -> Result<Self, Error> {
        let call_id = request.value(HeaderId::CallId).and_then(|value| text(value, CALL_ID_MAX));
        let cseq = request.value(HeaderId::CSeq).and_then(|value| CSeq::parse(value).ok());
        let expires = request.value(HeaderId::Expires).map(seconds);
        Ok(Self {
            call_id: call_id.ok_or(Error::CallId)?.to_owned(),
            cseq: cseq.ok_or(Error::CSeq)?.number,
            wanted: wanted(request, expires)?,
            expires,
            path: path(request)?,
        })
    }

    /// The contacts that it has.
    pub fn contacts(&self) -> &[Contact] {
        match &self.wanted {
            Wanted::Contacts(contacts) => contacts,
            Wanted::List | Wanted::RemoveAll => &[],
        }
    }

    /// What it does to the bindings that live (10.3 steps 6 and 7): all of it is done, or nothing. They come in the order
    /// in which they give way to what is new where that is too much.
    pub fn decide(&self, bound: &[Bound<'_>], rules: &Rules) -> Result<Vec<Change>, Error> {
        match &self.wanted {
            Wanted::List => Ok(Vec::new()),
            Wanted::RemoveAll => bound
                .iter()
                .enumerate()
                .map(|(place, bound)| self.follows(bound).map(|()| Change::Remove(place)))
                .collect(),
            Wanted::Contacts(contacts) => self.within(self.changes(contacts, bound, rules)?, bound, rules),
        }
    }

    fn changes(
        &self,
        contacts: &[Contact],
        bound: &[Bound<'_>],
        rules: &Rules,
    ) -> Result<Vec<Change>, Error> {
        let mut changes = Vec::with_capacity(contacts.len());
        let mut taken = vec![false; bound.len()];
        for (place, contact) in contacts.iter().enumerate() {
            // Of a contact that comes twice the last counts.
            if contacts.iter().skip(place + 1).any(|later| is_same(&later.uri, &contact.uri)) {
                continue;
            }
            let expires = self.granted(contact, rules)?;
            let mut known = bound.iter().zip(&taken);
            let over = known
                .position(|(bound, taken)| !*taken && !bound.elsewhere && is_same(bound.uri, &contact.uri));
            if let Some(binding) = over.and_then(|over| bound.get(over)) {
                self.follows(binding)?;
            }
            if let Some(taken) = over.and_then(|over| taken.get_mut(over)) {
                *taken = true;
            }
            match over {
                _ if expires > 0 => changes.push(Change::Bind { contact: place, over, expires }),
                Some(over) => changes.push(Change::Remove(over)),
                None => {}
            }
        }
        Ok(changes)
    }

    /// Changes that leave no more bindings than there may be: those that the request does not name give way to what is
    /// new, unless a later request has made them. Where there are more, since fewer were allowed meanwhile, they may be
    /// made anew.
    fn within(&self, changes: Vec<Change>, bound: &[Bound<'_>], rules: &Rules) -> Result<Vec<Change>, Error> {
        let (mut after, mut new) = (bound.len(), false);
        let mut named = vec![false; bound.len()];
        for change in &changes {
            let place = match *change {
                Change::Remove(place) => {
                    after = after.saturating_sub(1);
                    Some(place)
                }
                Change::Bind { over, .. } => {
                    after = after.saturating_add(usize::from(over.is_none()));
                    new |= over.is_none();
                    over
                }
            };
            if let Some(named) = place.and_then(|place| named.get_mut(place)) {
                *named = true;
            }
        }
        let many = if new { after.saturating_sub(rules.bindings_max) } else { 0 };
        let others = bound.iter().zip(&named).enumerate();
        let others = others.filter(|(_, (bound, named))| !**named && self.follows(bound).is_ok());
        let mut all: Vec<Change> = others.map(|(place, _)| Change::Remove(place)).take(many).collect();
        if all.len() < many {
            return Err(Error::TooMany);
        }
        all.extend(changes);
        Ok(all)
    }

    /// A binding of the same Call-ID is changed by a later request only.
    fn follows(&self, bound: &Bound<'_>) -> Result<(), Error> {
        let is_late = bound.call_id == self.call_id && self.cseq <= bound.cseq;
        if is_late { Err(Error::OutOfOrder) } else { Ok(()) }
    }

    /// The seconds that a contact gets.
    fn granted(&self, contact: &Contact, rules: &Rules) -> Result<u32, Error> {
        let wanted = contact.expires.or(self.expires).unwrap_or(rules.expires_default);
        if wanted != 0 && wanted < rules.expires_min.min(EXPIRES_NOT_BRIEF) {
            return Err(Error::TooBrief);
        }
        Ok(wanted.min(rules.expires_max))
    }
}

fn wanted(request: &Message, expires: Option<u32>) -> Result<Wanted, Error> {
    let mut contacts = Vec::new();
    let mut all = false;
    for value in request.list(HeaderId::Contact) {
        let name = NameAddr::parse(value).map_err(|_| Error::Contact)?;
        if name.is_star() {
            all = true;
            continue;
        }
        if contacts.len() >= CONTACTS_MAX {
            return Err(Error::TooMany);
        }
        contacts.push(contact(&name)?);
    }
    match (all, contacts.is_empty()) {
        (true, true) if expires == Some(0) => Ok(Wanted::RemoveAll),
        (true, _) => Err(Error::Wildcard),
        (false, true) => Ok(Wanted::List),
        (false, false) => Ok(Wanted::Contacts(contacts)),
    }
}

fn contact(name: &NameAddr<'_>) -> Result<Contact, Error> {
    let uri = name.uri().map_err(|_| Error::Contact)?.sip().ok_or(Error::Scheme)?;
    if uri.headers.is_some() {
        return Err(Error::Headers);
    }
    // It will stand in a request line, which has no quotes.
    let text = text(name.uri, URI_MAX).filter(|text| !text.contains(['"', ' ']));
    let q = name.params.get(b"q").and_then(|param| thousandths(param.unquoted()));
    Ok(Contact {
        uri: text.ok_or(Error::Contact)?.to_owned(),
        q: q.unwrap_or(Q_MAX),
        expires: name.params.get(b"expires").map(|param| seconds(param.unquoted())),
    })
}

/// Path, as the Route of what goes to the contacts.
fn path(request: &Message) -> Result<String, Error> {
    let mut path = String::new();
    for value in request.list(HeaderId::Path) {
        let name = NameAddr::parse(value).ok().filter(|name| name.bracketed);
        let uri = name.and_then(|name| name.uri().ok()).and_then(Uri::sip);
        let is_loose = uri.is_some_and(|uri| uri.is_loose_router());
        let element = text(value, PATH_MAX).filter(|_| is_loose).ok_or(Error::Path)?;
        if !path.is_empty() {
            path.push_str(", ");
        }
        path.push_str(element);
        if path.len() > PATH_MAX {
            return Err(Error::Path);
        }
    }
    Ok(path)
}

/// Octets as text of one line of ASCII.
fn text(value: &[u8], octets_max: usize) -> Option<&str> {
    let is_plain = |octet: &u8| octet.is_ascii_graphic() || *octet == b' ';
    let fits = value.len() <= octets_max && value.iter().all(is_plain);
    std::str::from_utf8(value).ok().filter(|_| fits)
}

/// Seconds; more than there can be counts as many, what is no number as an hour.
fn seconds(value: &[u8]) -> u32 {
    let value = trim(value);
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return EXPIRES_MALFORMED;
    }
    number(value).unwrap_or(u32::MAX)
}

/// `0.7`, a qvalue, in thousandths.
fn thousandths(value: &[u8]) -> Option<u16> {
    let mut parts = value.splitn(2, |octet| *octet == b'.');
    let (whole, decimals) = (parts.next()?, parts.next().unwrap_or_default());
    if decimals.len() > 3 || !decimals.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = decimals.iter().chain(b"000").take(3);
    let decimals = digits.fold(0_u16, |sum, digit| sum * 10 + u16::from(*digit - b'0'));
    match whole {
        b"0" => Some(decimals),
        b"1" if decimals == 0 => Some(Q_MAX),
        _ => None,
    }
}

/// Whether two URIs name the same contact (10.3 step 7, 19.1.4).
fn is_same(one: &str, other: &str) -> bool {
    if one == other {
        return true;
    }
    let uris = (Uri::parse(one.as_bytes()), Uri::parse(other.as_bytes()));
    matches!(uris, (Ok(one), Ok(other)) if one.is_equivalent(&other))
}

#[cfg(test)]
mod tests;
