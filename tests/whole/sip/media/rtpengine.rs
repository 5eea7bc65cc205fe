//! RTPEngine as a process, in userspace, and what it answers: bencode behind a cookie (its ng protocol).

use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Map, Value};
use tempfile::TempDir;

use super::super::super::process::signal;
use super::super::super::wait;
use super::super::{HERE, SOON, free_port};

/// Where it takes media. Each has an address of its own, so that none takes another's.
pub(super) const PORTS: RangeInclusive<u16> = 30_000..=30_999;
/// Time for what is deleted, the time included in which that is sent again.
const GONE: Duration = Duration::from_secs(20);
/// Last lines of its log that a failure shows.
const SHOWN: usize = 30;
/// Where it puts recordings, in its folder.
const RECORDINGS: &str = "recordings";

/// A media node; it ends with this thread at the latest.
pub(super) struct Rtpengine {
    /// Of its media, and of nobody else's.
    pub(super) address: IpAddr,
    /// Where it takes commands.
    pub(super) ng: SocketAddr,
    control: UdpSocket,
    child: Child,
    /// As it is started.
    command: Command,
    folder: TempDir,
}

impl Rtpengine {
    /// Starts it with more options, of which the last one counts; it answers when this returns.
    #[track_caller]
    pub(super) fn start(program: &Path, options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (address, ng) = (own_address(), SocketAddr::from((HERE, free_port())));
        let output = File::create(folder.path().join("output")).unwrap();
        let ports = PORTS;
        let (first, last) = (ports.start(), ports.end());
        let pidfile = folder.path().join("pid").display().to_string();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program);
        command.args(["--config-file=none", "--table=-1", "--foreground", "--log-stderr", "--log-level=6"]);
        command.args([format!("--interface={address}"), format!("--listen-ng={ng}")]);
        command.args([format!("--port-min={first}"), format!("--port-max={last}")]);
        command.args([
            "--num-threads=2".to_owned(),
            "--timeout=60".to_owned(),
            format!("--pidfile={pidfile}"),
        ]);
        let recordings = folder.path().join(RECORDINGS);
        fs::create_dir(&recordings).unwrap();
        command.args([
            format!("--recording-dir={}", recordings.display()),
            "--recording-method=pcap".to_owned(),
        ]);
        command.args(options);
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let child = command.spawn().unwrap();
        let control = UdpSocket::bind((HERE, 0)).unwrap();
        control.connect(ng).unwrap();
        control.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let node = Self { address, ng, control, child, command, folder };
        assert_eq!(node.ask("ping", "")["result"], "pong");
        node
    }

    /// Starts it anew where it was: it knows of no call any more. It answers when this returns.
    #[track_caller]
    pub(super) fn begin_anew(&mut self) {
        self.kill();
        self.child = self.command.spawn().unwrap();
        assert_eq!(self.ask("ping", "")["result"], "pong");
    }

    /// The calls that it has.
    #[track_caller]
    pub(super) fn calls(&self) -> Vec<String> {
        let told = self.ask("list", "");
        let calls = told["calls"].as_array().unwrap_or_else(|| panic!("{told}"));
        calls.iter().map(|call| call.as_str().unwrap().to_owned()).collect()
    }

    /// RTP packets of a call that it has carried.
    #[track_caller]
    pub(super) fn packets(&self, call: &str) -> u64 {
        let told = self.ask("query", call);
        told["totals"]["RTP"]["packets"].as_u64().unwrap_or_else(|| panic!("{told}"))
    }

    /// RTP packets of a call that it has not passed on, for they came from elsewhere than they should.
    #[track_caller]
    pub(super) fn refused(&self, call: &str) -> u64 {
        let told = self.ask("query", call);
        told["totals"]["RTP"]["errors"].as_u64().unwrap_or_else(|| panic!("{told}"))
    }

    /// How many sources of media of a call it has heard of how well they were heard.
    #[track_caller]
    pub(super) fn scored(&self, call: &str) -> usize {
        let told = self.ask("query", call);
        let sources = told["SSRC"].as_object().unwrap_or_else(|| panic!("{told}"));
        sources.values().filter(|source| source["average MOS"].is_object()).count()
    }

    /// Calls that it has had since it was started.
    #[track_caller]
    pub(super) fn had(&self) -> u64 {
        let told = self.ask("statistics", "");
        let had = told["statistics"]["totalstatistics"]["managedsessions"].as_u64();
        had.unwrap_or_else(|| panic!("{told}"))
    }

    /// Whether its log has these words.
    pub(super) fn has_said(&self, words: &str) -> bool {
        self.log().contains(words)
    }

    /// Where it puts recordings.
    pub(super) fn recordings(&self) -> PathBuf {
        self.folder.path().join(RECORDINGS)
    }

    /// Files that it has made of calls that were to be recorded: `pcaps`, or `metadata`.
    #[track_caller]
    pub(super) fn recorded(&self, what: &str) -> Vec<PathBuf> {
        let files = fs::read_dir(self.recordings().join(what)).unwrap();
        files.map(|file| file.unwrap().path()).collect()
    }

    /// Waits until it has no call.
    #[track_caller]
    pub(super) fn wait_empty(&self) {
        let empty = wait::within_time(GONE, || self.calls().is_empty().then_some(()));
        assert!(empty.is_some(), "{} still has {:?}", self.address, self.calls());
    }

    /// It does nothing any more, and is still there.
    #[track_caller]
    pub(super) fn freeze(&self) {
        signal(self.child.id(), "STOP");
    }

    #[track_caller]
    pub(super) fn thaw(&self) {
        signal(self.child.id(), "CONT");
    }

    /// kill -9.
    pub(super) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// What it answers to a command.
    #[track_caller]
    fn ask(&self, command: &str, call: &str) -> Value {
        static COOKIES: AtomicU32 = AtomicU32::new(0);
        let cookie = format!("test{}x{}", std::process::id(), COOKIES.fetch_add(1, Ordering::Relaxed));
        let mut fields = format!("7:command{}:{command}", command.len());
        if !call.is_empty() {
            fields += &format!("7:call-id{}:{call}", call.len());
        }
        // Without a limit it tells of some of its calls only.
        let request = format!("{cookie} d{fields}5:limiti10000ee");
        let answer = wait::within_time(SOON, || {
            self.control.send(request.as_bytes()).ok()?;
            self.answer(&cookie)
        });
        answer.unwrap_or_else(|| panic!("RTPEngine at {} does not answer {command}: {}", self.ng, self.log()))
    }

    /// The next answer to what had this cookie, if one comes soon.
    fn answer(&self, cookie: &str) -> Option<Value> {
        let mut datagram = vec![0; 65_536];
        loop {
            let read = self.control.recv(&mut datagram).ok()?;
            if let Some(mut body) = datagram[..read].strip_prefix(format!("{cookie} ").as_bytes()) {
                return Some(decode(&mut body));
            }
        }
    }

    fn log(&self) -> String {
        let octets = fs::read(self.folder.path().join("output")).unwrap_or_default();
        String::from_utf8_lossy(&octets).into_owned()
    }
}

impl Drop for Rtpengine {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            wait::progress(&format!("-- last lines of RTPEngine at {}:", self.address));
            lines.iter().skip(lines.len().saturating_sub(SHOWN)).for_each(|line| wait::progress(line));
        }
    }
}

/// An address of this machine that nobody else of this or of another run has.
pub(super) fn own_address() -> IpAddr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let of_process = u8::try_from(std::process::id() % 250).unwrap();
    IpAddr::V4(Ipv4Addr::new(127, 1, of_process, NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// The value at the front of bencode, which is left behind it.
fn decode(octets: &mut &[u8]) -> Value {
    match octets[0] {
        b'i' => {
            let number = until(octets, b'e');
            number[1..].parse::<i64>().unwrap().into()
        }
        b'l' => {
            *octets = &octets[1..];
            let mut list = Vec::new();
            while octets[0] != b'e' {
                list.push(decode(octets));
            }
            *octets = &octets[1..];
            list.into()
        }
        b'd' => {
            *octets = &octets[1..];
            let mut dictionary = Map::new();
            while octets[0] != b'e' {
                let key = decode(octets).as_str().unwrap().to_owned();
                dictionary.insert(key, decode(octets));
            }
            *octets = &octets[1..];
            dictionary.into()
        }
        _ => {
            let length: usize = until(octets, b':').parse().unwrap();
            let (text, rest) = octets.split_at(length);
            *octets = rest;
            String::from_utf8_lossy(text).into_owned().into()
        }
    }
}

/// The text before an octet, which is left behind that.
fn until(octets: &mut &[u8], end: u8) -> String {
    let at = octets.iter().position(|octet| *octet == end).unwrap();
    let text = String::from_utf8(octets[..at].to_vec()).unwrap();
    *octets = &octets[at + 1..];
    text
}

#[test]
fn bencode_is_read() {
    let mut octets: &[u8] = b"d5:callsl1:a2:bbe5:totald4:lossi-3eee";
    let value = decode(&mut octets);
    assert_eq!(value, serde_json::json!({"calls": ["a", "bb"], "total": {"loss": -3}}));
    assert!(octets.is_empty());
}
