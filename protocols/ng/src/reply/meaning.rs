//! What the text of an error means. There are no codes, so the texts themselves are told apart; they are
//! those of release 10.5 and of later ones.

/// What to make of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Meaning {
    /// This node has no room: another one may have.
    AnotherNode,
    /// This node has too much to do: another one may have less.
    Overloaded,
    /// The node has no such call, or none with such tags.
    UnknownCall,
    /// The SDP is not one that any node takes.
    BadSdp,
    /// The command is not one that any node takes.
    BadRequest,
    /// Anything else.
    Other,
}

const TEXTS: [(&str, Meaning); 36] = [
    ("Ran out of ports", Meaning::AnotherNode),
    ("Parallel session limit reached", Meaning::AnotherNode),
    ("CPU usage limit exceeded", Meaning::Overloaded),
    ("Load limit exceeded", Meaning::Overloaded),
    ("Bandwidth limit exceeded", Meaning::Overloaded),
    ("Unknown call-id", Meaning::UnknownCall),
    ("Unknown call-ID(s)", Meaning::UnknownCall),
    ("Unknown call ID(s)", Meaning::UnknownCall),
    ("Call-ID not found or tags didn't match", Meaning::UnknownCall),
    ("From-tag given, but no such tag exists", Meaning::UnknownCall),
    ("From-tag not found", Meaning::UnknownCall),
    ("To-tag not found", Meaning::UnknownCall),
    ("Given from-tag not found", Meaning::UnknownCall),
    ("Given to-tag not found", Meaning::UnknownCall),
    ("No monologue matching the given label", Meaning::UnknownCall),
    ("No monologues matched", Meaning::UnknownCall),
    ("Failed to match address to any tag", Meaning::UnknownCall),
    ("Failed to parse SDP", Meaning::BadSdp),
    ("Incomplete SDP specification", Meaning::BadSdp),
    ("Error rewriting SDP", Meaning::BadSdp),
    ("No SDP body in message", Meaning::BadSdp),
    ("No call-id in message", Meaning::BadRequest),
    ("No from-tag in message", Meaning::BadRequest),
    ("No to-tag in message", Meaning::BadRequest),
    ("No participant party specified", Meaning::BadRequest),
    ("No media file specified", Meaning::BadRequest),
    ("Out of range 'code' specified", Meaning::BadRequest),
    ("Failed to parse network address", Meaning::BadRequest),
    ("invalid limit, must be >= 0", Meaning::BadRequest),
    ("Unrecognized command", Meaning::BadRequest),
    ("Dictionary contains no key \"command\"", Meaning::BadRequest),
    ("Invalid data (no payload)", Meaning::BadRequest),
    ("Invalid NG data format", Meaning::BadRequest),
    ("Could not decode bencode dictionary", Meaning::BadRequest),
    ("Could not decode JSON dictionary", Meaning::BadRequest),
    ("Failed to parse JSON document", Meaning::BadRequest),
];

impl Meaning {
    /// What `reason` means. Letters count the same in both cases, as releases differ in them.
    #[must_use]
    pub fn of(reason: &[u8]) -> Self {
        let known = TEXTS.iter().find(|(text, _)| text.as_bytes().eq_ignore_ascii_case(reason));
        known.map_or(Self::Other, |(_, meaning)| *meaning)
    }
}
