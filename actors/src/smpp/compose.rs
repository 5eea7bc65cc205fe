//! A message written as text, as the REST interface takes it, becomes a submit_sm.

use std::sync::Arc;
use std::time::Duration;

use runtime::clock::Timestamp;
use runtime::log::Submission;
use smpp::pdu::{Address, Sm};
use smpp::text::{self, Alphabet};
use smpp::tlv::TlvBuf;
use smpp::{CommandStatus, DataCoding, RegisteredDelivery, Tag, time};

use super::Smpp;
use super::accept::{self, Accepted, Beside, Refusal, Sender};
use super::account::Account;
use super::message::{TELLS_NOBODY, WRITTEN_AS_TEXT, default_alphabet};
use super::prepare::SHORT_MESSAGE_MAX;

/// Digits of a number (E.164).
const DIGITS_MAX: usize = 15;
/// Digits below which a number is a short code of its network.
const DIGITS_MIN: usize = 7;
/// Letters of a sender's name (3GPP TS 23.040, 9.1.2.5).
const LETTERS_MAX: usize = 11;

/// Who a message is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source<'a>(Address<'a>);

/// Whom a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Destination<'a>(Address<'a>);

impl<'a> Source<'a> {
    /// A number of up to 15 digits, a plus before it or not, or a name of up to 11 letters, digits, blanks and signs.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        if let Some(address) = number(text) {
            return Some(Self(address));
        }
        let is_sign = |octet: u8| octet.is_ascii_alphanumeric() || b" &-_.!'+/".contains(&octet);
        let is_name = (1..=LETTERS_MAX).contains(&text.len())
            && text.bytes().all(is_sign)
            && text.bytes().any(|octet| octet.is_ascii_alphabetic())
            && text.trim() == text;
        // 5 is alphanumeric (5.2.5).
        is_name.then_some(Self(Address { ton: 5, npi: 0, addr: text.as_bytes() }))
    }
}

impl<'a> Destination<'a> {
    /// A number of up to 15 digits, a plus before it or not.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        number(text).map(Self)
    }
}

/// Digits, sent without the plus: 1 is an international number of E.164, 3 one of a network alone (5.2.5).
fn number(text: &str) -> Option<Address<'_>> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let fits = (1..=DIGITS_MAX).contains(&digits.len()) && digits.bytes().all(|octet| octet.is_ascii_digit());
    let (ton, npi) = if digits.len() < DIGITS_MIN { (3, 0) } else { (1, 1) };
    fits.then_some(Address { ton, npi, addr: digits.as_bytes() })
}

/// Why a text was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The account is not active, or its customer is not served.
    NotServed,
    /// No route leads to the destination.
    NoRoute,
    /// More than 255 messages on air.
    TooLong,
    /// `deliver_at` is not before the end of the message's validity.
    DeliverAt,
    /// The validity ends before it begins.
    Validity,
    /// More than the account or its customer may send now.
    Throttled,
    /// Too many messages wait, for the vendor or for the log.
    Full,
    /// The node takes nothing new.
    Stopping,
    /// Anything else, by the name of its status.
    Other(&'static str),
}

impl From<Refusal> for Refused {
    fn from(status: Refusal) -> Self {
        match status {
            CommandStatus::ESME_RINVDSTADR => Self::NoRoute,
            CommandStatus::ESME_RINVMSGLEN => Self::TooLong,
            CommandStatus::ESME_RINVSCHED => Self::DeliverAt,
            CommandStatus::ESME_RINVEXPIRY => Self::Validity,
            CommandStatus::ESME_RTHROTTLED => Self::Throttled,
            CommandStatus::ESME_RMSGQFUL => Self::Full,
            CommandStatus::ESME_RSYSERR => Self::Stopping,
            other => Self::Other(other.name().unwrap_or("a vendor's own status")),
        }
    }
}

/// A text that is to be sent.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    /// From whom.
    pub source: Source<'a>,
    /// To whom.
    pub destination: Destination<'a>,
    /// What.
    pub text: &'a str,
    /// Lane 0 to 3.
    pub priority: u8,
    /// Not before this time.
    pub deliver_at: Option<Timestamp>,
    /// For how long it is tried, from acceptance or from `deliver_at`.
    pub validity: Option<Duration>,
    /// Whether receipts go to the account.
    pub receipts: bool,
}

/// Takes a text as a message of this account. Its vendor is asked for receipts in any case, so that its end is known.
///
/// # Errors
/// Why it was not; nothing was kept then.
pub fn submit(
    smpp: &Smpp,
    account: &Arc<Account>,
    wanted: &Text<'_>,
    submission: Option<Submission>,
) -> Result<Accepted, Refused> {
    let settings = account.settings.load_full();
    if !settings.may_bind() {
        return Err(Refused::NotServed);
    }
    let (octets, data_coding) = encode(wanted.text, default_alphabet(settings.account.default_alphabet));
    let mut tlvs = TlvBuf::new();
    let is_long = octets.len() > SHORT_MESSAGE_MAX;
    if is_long {
        tlvs.push(Tag::MESSAGE_PAYLOAD, &octets).map_err(|_| Refused::TooLong)?;
    }
    let schedule = absolute(wanted.deliver_at, Refused::DeliverAt)?;
    let expires =
        wanted.validity.map(|validity| wanted.deliver_at.unwrap_or_else(|| smpp.now()).plus(validity));
    let expires = absolute(expires, Refused::Validity)?;
    let sm = Sm {
        source: wanted.source.0,
        destination: wanted.destination.0,
        priority_flag: wanted.priority,
        schedule_delivery_time: schedule.as_ref().map_or(&[], |time| time),
        validity_period: expires.as_ref().map_or(&[], |time| time),
        registered_delivery: RegisteredDelivery::ALWAYS,
        data_coding,
        short_message: if is_long { &[] } else { &octets },
        tlvs: tlvs.as_tlvs(),
        ..Sm::default()
    };
    let silence = if wanted.receipts { 0 } else { TELLS_NOBODY };
    let beside = Beside { answered_as: None, marks: WRITTEN_AS_TEXT | silence, submission };
    Ok(accept::submit_made(smpp, Sender { account, settings: &settings }, &sm, beside)?)
}

/// The text in what data_coding 0 means to the account, or in UCS2, which has every character.
fn encode(written: &str, default: Alphabet) -> (Vec<u8>, DataCoding) {
    match text::encode(default, written) {
        Ok(octets) => (octets, DataCoding::DEFAULT),
        Err(_) => (text::encode_lossy(Alphabet::Ucs2, written), DataCoding::UCS2),
    }
}

fn absolute(time: Option<Timestamp>, refused: Refused) -> Result<Option<[u8; time::TIME_LEN]>, Refused> {
    time.map(|time| time::absolute(time.micros()).ok_or(refused)).transpose()
}

#[cfg(test)]
mod tests {
    use runtime::log::Direction;

    use super::*;
    use crate::smpp::testing;

    #[test]
    fn addresses() {
        for (text, source) in [
            ("15550001111", Some((1, 1, "15550001111"))),
            ("+15550001111", Some((1, 1, "15550001111"))),
            ("22000", Some((3, 0, "22000"))),
            ("WARP", Some((5, 0, "WARP"))),
            ("A & B Ltd.", Some((5, 0, "A & B Ltd."))),
            ("", None),
            ("+", None),
            ("1234567890123456", None),
            ("TwelveLetter", None),
            (" WARP", None),
            ("WÄRP", None),
            ("1-2", None),
            ("=1+1a", None),
        ] {
            let read = Source::parse(text).map(|Source(address)| address);
            let read = read.map(|one| (one.ton, one.npi, std::str::from_utf8(one.addr).unwrap()));
            assert_eq!(read, source, "{text}");
            let is_number = source.is_some_and(|(ton, ..)| ton != 5);
            assert_eq!(Destination::parse(text).is_some(), is_number, "{text}");
        }
    }

    #[test]
    fn a_text_is_written_in_the_smallest_alphabet_that_has_it() {
        for (written, default, octets, data_coding) in [
            ("a@{", Alphabet::Gsm7, &b"a\x00\x1b\x28"[..], DataCoding::DEFAULT),
            ("a@{", Alphabet::Latin1, b"a@{", DataCoding::DEFAULT),
            ("€", Alphabet::Latin1, b"\x20\xac", DataCoding::UCS2),
            ("ж", Alphabet::Gsm7, b"\x04\x36", DataCoding::UCS2),
            ("😀", Alphabet::Gsm7, b"\xd8\x3d\xde\x00", DataCoding::UCS2),
        ] {
            assert_eq!(encode(written, default), (octets.to_vec(), data_coding), "{written}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_text_is_a_message_like_any_other() {
        let (smpp, _disk) = testing::smpp(testing::config());
        testing::commit(&smpp);
        let account = Arc::clone(smpp.accounts.load().by_system_id("acme").unwrap());
        let text = Text {
            source: Source::parse("WARP").unwrap(),
            destination: Destination::parse("+15551234567").unwrap(),
            text: "hello",
            priority: 2,
            deliver_at: None,
            validity: Some(Duration::from_secs(600)),
            receipts: false,
        };
        let submission =
            Submission { message: 0, key: Some("k".into()), item: 0, hash: [7].into(), callback_url: None };
        let accepted = submit(&smpp, &account, &text, Some(submission.clone())).unwrap();
        accepted.ticket.durable().await;
        let row = smpp.log.store().message(accepted.id.0).await.unwrap().unwrap();
        assert_eq!((&*row.source, &*row.destination, row.priority), ("WARP", "15551234567", 2));
        assert_eq!(row.direction, Direction::Mt);
        assert_eq!(row.expires_at - row.accepted_at, 600_000_000);
        let kept = smpp.log.store().submission(accepted.id.0).await.unwrap();
        assert_eq!(kept, Some(Submission { message: accepted.id.0, ..submission }));
        let message = super::super::message::Message::new(row, account);
        assert!(!message.registered_delivery().none() && message.told().none() && message.is_transcoded());
    }
}
