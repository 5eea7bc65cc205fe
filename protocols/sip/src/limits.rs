//! What a message may be at most.

/// Bounds of a message. What goes beyond one is a [`Defect`](crate::message::Defect) of its own, with its
/// own answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of a whole message. On a stream a Content-Length beyond this is answered 513.
    pub message: usize,
    /// Octets of start line and headers; at most 65,535 whatever stands here.
    pub head: usize,
    /// Header fields; answered 400.
    pub headers: usize,
    /// Octets of one header with its folds, or of the start line; answered 400. On a stream a longer start line ends
    /// the stream.
    pub line: usize,
    /// Via values; more of them than Max-Forwards begins with is a loop, answered 483.
    pub vias: usize,
    /// Whether a line may end in LF alone; else it is answered 400. What may is written with CRLF by
    /// [`Edits`](crate::Edits): an element that takes nothing else for the end of a line would see other headers.
    pub lf_line_ends: bool,
}

/// Offsets into a head are 16 bits wide.
pub(crate) const HEAD_MAX: usize = u16::MAX as usize;

impl Limits {
    /// [`Limits::head`] within what an index can hold.
    pub(crate) fn head_max(&self) -> usize {
        self.head.min(HEAD_MAX)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { message: 65_536, head: HEAD_MAX, headers: 256, line: 8_192, vias: 70, lf_line_ends: false }
    }
}
