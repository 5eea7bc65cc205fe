//! What a media node has counted of a call, which it says when it deletes it.
//!
//! A node counts the packets that come from a side. What became of them on their way to the other side that one reports,
//! so that loss, jitter and score of what one side sends stand at the other one.

use ng::reply::{Done, SideStatistics};
use runtime::log::MediaSent;

use super::tag_of;
use crate::sip::dialog::{Dialog, End};

/// What was counted of the sides of a call. Empty is that the node tells nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counted(Vec<Side>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Side {
    /// As the node has it.
    tag: Box<[u8]>,
    /// RTP that came from it.
    packets: u64,
    /// What it reports of what it gets.
    lost: Option<u64>,
    jitter_ms: Option<u32>,
    mos_tenths: Option<u8>,
}

impl Counted {
    /// Reads it.
    pub fn read(done: &Done<'_>) -> Self {
        let sides = done.call().map(|call| call.statistics().sides).unwrap_or_default();
        Self(sides.iter().map(Side::read).collect())
    }

    /// What one side of a dialog has sent; nothing where the node knew none of its tag.
    pub fn of(&self, end: End, dialog: &Dialog) -> MediaSent {
        let Some(sender) = self.side(end, dialog) else { return MediaSent::default() };
        let hearer = self.side(end.other(), dialog);
        MediaSent {
            packets: Some(sender.packets),
            lost: hearer.and_then(|hearer| hearer.lost),
            jitter_ms: hearer.and_then(|hearer| hearer.jitter_ms),
            mos_tenths: hearer.and_then(|hearer| hearer.mos_tenths),
        }
    }

    fn side(&self, end: End, dialog: &Dialog) -> Option<&Side> {
        let tag = tag_of(end, dialog.side(end).tag());
        self.0.iter().find(|side| *side.tag == *tag)
    }
}

impl Side {
    fn read(side: &SideStatistics<'_>) -> Self {
        Self {
            tag: Box::from(side.tag),
            packets: side.rtp.packets,
            lost: side.lost,
            jitter_ms: side.jitter_ms.and_then(|jitter| u32::try_from(jitter).ok()),
            mos_tenths: side.mos_tenths.and_then(|score| u8::try_from(score).ok()),
        }
    }
}

#[cfg(test)]
mod tests;
