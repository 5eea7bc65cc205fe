//! The texts of a run. Each starts with a [`Marker`]; what follows is fixed per template, so that building a
//! message is two copies.

use std::str::FromStr;

use bytes::BytesMut;
use smpp::pdu::{Address, Sm};
use smpp::{CommandId, DataCoding, EncodeError, EsmClass, RegisteredDelivery, Tag, TlvBuf};

use crate::marker::{MARKER_CHARS, Marker, tail_hash};

/// Which kinds of text a run sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mix {
    /// 100 septets in one part, with an accent, an escape pair and `@`.
    #[default]
    Gsm7,
    /// 70 UTF-16 units with a surrogate pair.
    Ucs2,
    /// Three parts with a user data header each.
    Concat,
    /// 400 octets in message_payload.
    Long,
    /// Of eight submissions three are GSM 7-bit, one is UCS2, three are parts of one message, one is long.
    Mixed,
    /// 100 ASCII letters: what every peer can take without a choice of alphabet.
    Plain,
}

impl Mix {
    /// Submissions after which the pattern repeats; a session takes whole patterns, so parts stay together.
    pub const fn period(self) -> u32 {
        match self {
            Self::Gsm7 | Self::Ucs2 | Self::Long | Self::Plain => 1,
            Self::Concat => 3,
            Self::Mixed => 8,
        }
    }

    /// The name on the command line and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gsm7 => "gsm7",
            Self::Ucs2 => "ucs2",
            Self::Concat => "concat",
            Self::Long => "long",
            Self::Mixed => "mixed",
            Self::Plain => "plain",
        }
    }
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        [Self::Gsm7, Self::Ucs2, Self::Concat, Self::Long, Self::Mixed, Self::Plain]
            .into_iter()
            .find(|mix| mix.name() == name)
            .ok_or_else(|| format!("no payload is called {name:?}: gsm7, ucs2, concat, long, mixed or plain"))
    }
}

/// The templates of one mix, ready to be filled with ids.
#[derive(Clone, Debug)]
pub struct Payload {
    run: u16,
    templates: Vec<Template>,
}

#[derive(Clone, Debug)]
struct Template {
    data_coding: DataCoding,
    /// total and sequence of a concatenated part.
    part: Option<(u8, u8)>,
    in_message_payload: bool,
    /// The octets behind the marker.
    tail: Vec<u8>,
    tail_hash: u64,
}

/// A buffer that a session reuses for every message it builds.
#[derive(Debug, Default)]
pub struct Scratch {
    text: Vec<u8>,
    tlvs: TlvBuf,
}

/// Which message to build.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    /// Its id in the ledger.
    pub id: u32,
    /// Its place in the pattern of the mix: messages of one period are consecutive.
    pub place: u64,
    /// Whether a receipt is asked for.
    pub receipt: bool,
}

impl Payload {
    /// The templates of `mix`, marked with `run`.
    pub fn new(mix: Mix, run: u16) -> Self {
        let part = |sequence| Template::part(3, sequence);
        let templates = match mix {
            Mix::Gsm7 => vec![Template::gsm7()],
            Mix::Ucs2 => vec![Template::ucs2()],
            Mix::Long => vec![Template::long()],
            Mix::Plain => vec![Template::plain()],
            Mix::Concat => vec![part(1), part(2), part(3)],
            Mix::Mixed => vec![
                Template::gsm7(),
                Template::ucs2(),
                part(1),
                part(2),
                part(3),
                Template::gsm7(),
                Template::long(),
                Template::gsm7(),
            ],
        };
        Self { run, templates }
    }

    /// Appends the submit_sm of one message to `out`.
    pub fn submit_sm(
        &self,
        slot: Slot,
        sequence_number: u32,
        scratch: &mut Scratch,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let period = self.templates.len().max(1) as u64;
        let place = usize::try_from(slot.place % period).unwrap_or_default();
        let Some(template) = self.templates.get(place) else { return Ok(()) };
        // Parts of one message share a reference and a destination.
        let message = slot.place / period;
        template.fill(Marker::new(self.run, slot.id, template.tail_hash), message, scratch);
        let destination = destination_of(message);
        let sm = Sm {
            source: Address { ton: 1, npi: 1, addr: b"15550001111" },
            destination: Address { ton: 1, npi: 1, addr: &destination },
            esm_class: EsmClass::DEFAULT.with_udhi(template.part.is_some()),
            registered_delivery: if slot.receipt {
                RegisteredDelivery::ALWAYS
            } else {
                RegisteredDelivery::NONE
            },
            data_coding: template.data_coding,
            short_message: if template.in_message_payload { &[] } else { &scratch.text },
            tlvs: scratch.tlvs.as_tlvs(),
            ..Sm::default()
        };
        sm.encode(CommandId::SUBMIT_SM, sequence_number, out)
    }

    /// The whole text of a message of the first template, for peers that are not spoken SMPP to.
    pub fn text(&self, id: u32) -> Vec<u8> {
        let mut scratch = Scratch::default();
        if let Some(template) = self.templates.first() {
            template.fill(Marker::new(self.run, id, template.tail_hash), 0, &mut scratch);
        }
        scratch.text
    }
}

impl Template {
    fn new(data_coding: DataCoding, tail: Vec<u8>) -> Self {
        let tail_hash = tail_hash(&tail);
        Self { data_coding, part: None, in_message_payload: false, tail, tail_hash }
    }

    fn plain() -> Self {
        Self::new(
            DataCoding::DEFAULT,
            filler(b"the quick brown fox jumps over the lazy dog ", 100 - MARKER_CHARS),
        )
    }

    fn gsm7() -> Self {
        // GSM 03.38: 0x04 is e grave, 0x1B 0x65 the euro sign, 0x00 the commercial at.
        let mut tail = b" caff\x04 12\x1B\x65 me\x00example ".to_vec();
        tail.extend(filler(b"the quick brown fox ", 100 - MARKER_CHARS - tail.len()));
        Self::new(DataCoding::DEFAULT, tail)
    }

    fn ucs2() -> Self {
        let words = " \u{1F680} Привет мир 你好世界 ";
        let units = words.encode_utf16().cycle().take(2 * words.encode_utf16().count());
        Self::new(DataCoding::UCS2, units.flat_map(u16::to_be_bytes).collect())
    }

    fn part(total: u8, sequence: u8) -> Self {
        let tail = filler(b"one part of a longer text ", 153 - MARKER_CHARS);
        Self { part: Some((total, sequence)), ..Self::new(DataCoding::DEFAULT, tail) }
    }

    fn long() -> Self {
        let tail = filler(b"a text too long for short_message ", 400 - MARKER_CHARS);
        Self { in_message_payload: true, ..Self::new(DataCoding::DEFAULT, tail) }
    }

    fn fill(&self, marker: Marker, message: u64, scratch: &mut Scratch) {
        let text = &mut scratch.text;
        text.clear();
        scratch.tlvs.clear();
        if let Some((total, sequence)) = self.part {
            let [.., reference] = message.to_be_bytes();
            text.extend_from_slice(&[5, 0, 3, reference, total, sequence]);
        }
        let chars = marker.to_chars();
        if self.data_coding == DataCoding::UCS2 {
            text.extend(chars.iter().flat_map(|char| [0, *char]));
        } else {
            text.extend_from_slice(&chars);
        }
        text.extend_from_slice(&self.tail);
        if self.in_message_payload {
            // 400 octets always fit a TLV.
            let _ = scratch.tlvs.push(Tag::MESSAGE_PAYLOAD, text);
        }
    }
}

fn filler(words: &[u8], octets: usize) -> Vec<u8> {
    words.iter().copied().cycle().take(octets).collect()
}

/// A North American number that changes with every message.
fn destination_of(message: u64) -> [u8; 11] {
    let mut digits = *b"15550000000";
    let mut rest = message % 10_000_000;
    for digit in digits.iter_mut().rev().take(7) {
        *digit += u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
    }
    digits
}

#[cfg(test)]
mod tests;
