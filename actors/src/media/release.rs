//! Which release of RTPEngine a node runs, and whether that one passes on media of strangers (CVE-2025-53399).
//!
//! No command of the ng protocol tells the release. A call of one side (`publish`) is described by the node itself,
//! and the name of its session is the node's `software-id`: `rtpengine-10-5-3-5-1-deb12u1` where nobody gave it another
//! one.

use std::fmt;

/// The first release that is mended, and its name.
const MENDED: [u16; 4] = [13, 4, 1, 1];
const MENDED_NAME: &str = "mr13.4.1.1";

/// Releases that a distribution mended: the release, and the revision of its package from which on.
const MENDED_BY_DEBIAN: [([u16; 4], &str, u16); 1] = [([10, 5, 3, 5], "deb12u", 1)];

/// What the names of releases begin with.
const PREFIX: &[u8] = b"rtpengine-";

/// A node's session that is looked at: the media go nowhere, and it is deleted at once.
pub const PROBE: &[u8] = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
    m=audio 9 RTP/AVP 0\r\na=sendonly\r\n";

/// A release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    numbers: [u16; 4],
    /// Whether its package says that it is mended.
    packaged: bool,
}

impl Release {
    /// Reads it from the description of a call of one side; `None` where that does not tell.
    #[must_use]
    pub fn of_description(sdp: &[u8]) -> Option<Self> {
        let mut lines = sdp.split(|octet| *octet == b'\n');
        let session = lines.find_map(|line| line.strip_prefix(b"s="))?;
        Self::read(session.trim_ascii())
    }

    /// Reads a `software-id`.
    fn read(software: &[u8]) -> Option<Self> {
        let rest = std::str::from_utf8(software.strip_prefix(PREFIX)?).ok()?;
        let mut words = rest.strip_prefix("mr").unwrap_or(rest).split('-');
        let mut numbers = [0; 4];
        for number in &mut numbers {
            *number = words.next()?.parse().ok()?;
        }
        let packaged = MENDED_BY_DEBIAN.iter().any(|(release, revision, least)| {
            let of = |word: &str| word.strip_prefix(*revision).and_then(|number| number.parse::<u16>().ok());
            *release == numbers && words.clone().filter_map(of).any(|number| number >= *least)
        });
        Some(Self { numbers, packaged })
    }

    /// Whether it passes on media of strangers.
    #[must_use]
    pub fn is_open_to_strangers(&self) -> bool {
        self.numbers < MENDED && !self.packaged
    }

    /// What operators are told of a node that runs it.
    #[must_use]
    pub fn note(&self) -> String {
        if self.is_open_to_strangers() {
            format!("RTPEngine {self} passes on media of strangers (CVE-2025-53399): {MENDED_NAME} does not")
        } else {
            format!("RTPEngine {self}")
        }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch, build] = self.numbers;
        write!(f, "{major}.{minor}.{patch}.{build}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What RTPEngine 10.5.3.5 of Debian 12 answers to the probe.
    const DEBIAN: &[u8] = b"v=0\r\no=- 7711064488010963582 7711064488010963582 IN IP4 127.9.9.1\r\n\
        s=rtpengine-10-5-3-5-1-deb12u1\r\nt=0 0\r\nm=audio 30000 RTP/AVP 0\r\nc=IN IP4 127.9.9.1\r\n\
        a=rtpmap:0 PCMU/8000\r\na=recvonly\r\na=rtcp:30001\r\n";

    #[test]
    fn a_release_is_known_by_the_name_of_a_session() {
        let release = Release::of_description(DEBIAN).unwrap();
        assert_eq!((release.to_string().as_str(), release.is_open_to_strangers()), ("10.5.3.5", false));
        assert_eq!(release.note(), "RTPEngine 10.5.3.5");
        let [major, minor, patch, build] = MENDED;
        assert_eq!(MENDED_NAME, format!("mr{major}.{minor}.{patch}.{build}"));
        let table = [
            ("rtpengine-13-3-1-4", Some(("13.3.1.4", true))),
            ("rtpengine-13-4-1-0", Some(("13.4.1.0", true))),
            ("rtpengine-13-4-1-1", Some(("13.4.1.1", false))),
            ("rtpengine-13-4-1-1-0-mr13-4-1-1", Some(("13.4.1.1", false))),
            ("rtpengine-mr13-3-1-4", Some(("13.3.1.4", true))),
            ("rtpengine-14-0-1-1-git-master-abcdef", Some(("14.0.1.1", false))),
            ("rtpengine-26-1-1-1", Some(("26.1.1.1", false))),
            ("rtpengine-9-5-9-1", Some(("9.5.9.1", true))),
            ("rtpengine-10-5-3-5", Some(("10.5.3.5", true))),
            ("rtpengine-10-5-3-5-1", Some(("10.5.3.5", true))),
            ("rtpengine-10-5-3-5-1-deb12u0", Some(("10.5.3.5", true))),
            ("rtpengine-10-5-3-4-1-deb12u1", Some(("10.5.3.4", true))),
            ("rtpengine-10-5-3-5-1-deb12u12", Some(("10.5.3.5", false))),
            ("rtpengine-git-master-abcdef", None),
            ("rtpengine-13-4-1", None),
            ("rtpengine-13-4-1-", None),
            ("rtpengine-99999-4-1-1", None),
            ("rtpengine", None),
            ("edge-media-7", None),
            ("-", None),
            ("", None),
        ];
        for (software, expected) in table {
            let sdp = format!("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns={software}\r\nt=0 0\r\n");
            let found = Release::of_description(sdp.as_bytes());
            let found = found.map(|release| (release.to_string(), release.is_open_to_strangers()));
            assert_eq!(found, expected.map(|(text, open)| (text.to_owned(), open)), "{software}");
        }
        assert_eq!(Release::of_description(b"v=0\r\nt=0 0\r\n"), None, "no session");
        assert_eq!(Release::of_description(&[&b"s=rtpengine-"[..], &[0xff; 9]].concat()), None);
    }

    /// Cut anywhere, it is the same release, or none, or one with fewer digits.
    #[test]
    fn descriptions_may_be_cut() {
        for end in 0..DEBIAN.len() {
            let found = Release::of_description(&DEBIAN[..end]);
            assert!(found.is_none_or(|release| release.numbers[..3] == [10, 5, 3]), "{end}");
        }
    }
}
