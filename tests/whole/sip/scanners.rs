//! Scanners from the street: sipvicious looks for devices, extensions and passwords, and learns that it is not
//! welcome.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::super::peer;
use super::super::process::run;
use super::wire::Message;
use super::{CUSTOMER, HERE, Transport, place, provision, records};

/// Seconds of a scan: svcrack, which is refused without a challenge, would ask for ever.
const SCAN: &str = "4";
/// Time for a scanner that is told to end.
const ENDED: Duration = Duration::from_secs(10);

#[test]
fn sipvicious_learns_nothing_but_403() {
    let Some(sqlite) = peer::program("sqlite3") else { return };
    let scans: [(&str, &[&str]); 4] = [
        ("svmap", &["-m", "OPTIONS"]),
        ("svwar", &["--force", "-e", "100-130", "-m", "REGISTER"]),
        ("svwar", &["--force", "-e", "442079460000-442079460030", "-m", "INVITE"]),
        ("svcrack", &["-u", "100", "-r", "1-30"]),
    ];
    let programs = scans.map(|(name, arguments)| peer::program(name).map(|program| (program, arguments)));
    let node = place(&[Transport::Udp], "", provision(CUSTOMER, &[])).start();
    let folder = tempfile::tempdir().unwrap();
    for (program, arguments) in programs.into_iter().flatten() {
        let relay = Relay::start(node.ports().sip[0]);
        let said = scan(&program, arguments, relay.port, folder.path());
        let heard = relay.stop();
        let what = format!("{} {}", program.display(), arguments.join(" "));
        assert!(heard.requests > 0, "{what} sent nothing:\n{said}");
        assert_eq!(heard.statuses.keys().copied().collect::<Vec<_>>(), [403], "{what}:\n{said}");
        assert!(
            heard.larger.is_empty(),
            "{what}: answers that are larger than what they answer: {:?}",
            heard.larger
        );
        assert!(heard.telling.is_empty(), "{what}: answers that tell who we are: {:?}", heard.telling);
    }
    assert!(records::cdrs(&sqlite, &node, "").is_empty(), "strangers leave no records");
    assert!(node.metric("warp_sip_invites_total") < 0.5, "nor are their calls calls");
}

/// What it said; its exit code says nothing of what it found.
fn scan(program: &Path, arguments: &[&str], port: u16, home: &Path) -> String {
    let mut command = Command::new("timeout");
    command
        .arg(SCAN)
        .arg(program)
        .args(arguments)
        .args(["-p", &port.to_string(), &HERE.to_string()])
        .env("HOME", home);
    let finished = run(&mut command, ENDED);
    format!("{}{}", finished.stdout, finished.stderr)
}

/// What went through a relay.
#[derive(Default)]
struct Heard {
    requests: usize,
    statuses: BTreeMap<u16, usize>,
    larger: Vec<String>,
    telling: Vec<String>,
}

/// A wire between a scanner and the node, on which we listen.
struct Relay {
    port: u16,
    heard: Arc<Mutex<Heard>>,
    stopped: Arc<AtomicBool>,
}

impl Relay {
    fn start(node: SocketAddr) -> Self {
        let (outside, inside) = (UdpSocket::bind((HERE, 0)).unwrap(), UdpSocket::bind((HERE, 0)).unwrap());
        inside.connect(node).unwrap();
        let port = outside.local_addr().unwrap().port();
        let (heard, stopped) = (Arc::new(Mutex::new(Heard::default())), Arc::new(AtomicBool::new(false)));
        let (listening, until) = (Arc::clone(&heard), Arc::clone(&stopped));
        std::thread::spawn(move || relay(&outside, &inside, &listening, &until));
        Self { port, heard, stopped }
    }

    fn stop(self) -> Heard {
        self.stopped.store(true, Ordering::Release);
        std::mem::take(&mut *self.heard.lock())
    }
}

/// One request at a time: whatever comes back within a moment is its answer.
fn relay(outside: &UdpSocket, inside: &UdpSocket, heard: &Mutex<Heard>, stopped: &AtomicBool) {
    outside.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    inside.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let mut buffer = vec![0; 65_536];
    while !stopped.load(Ordering::Acquire) {
        let Ok((asked, from)) = outside.recv_from(&mut buffer) else { continue };
        heard.lock().requests += 1;
        let _ = inside.send(&buffer[..asked]);
        while let Ok(read) = inside.recv(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..read]).into_owned();
            let answer = Message { text };
            let mut heard = heard.lock();
            *heard.statuses.entry(answer.status()).or_default() += 1;
            if read > asked {
                heard.larger.push(answer.text.clone());
            }
            if ["Server", "User-Agent", "Allow", "Supported"].iter().any(|name| answer.header(name).is_some())
            {
                heard.telling.push(answer.text.clone());
            }
            drop(heard);
            let _ = outside.send_to(&buffer[..read], from);
        }
    }
}
