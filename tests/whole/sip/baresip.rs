//! baresip, a telephone that was not written here, calls through the node, and another one is called.

use std::fs::{self, File};
use std::io::{BufReader, Read, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::super::{peer, wait};
use super::{CUSTOMER, HERE, Route, SOON, Transport, free_port, place, provision, records, wait_quiet};

/// Where Debian has its modules.
const MODULES: &str = "/usr/lib/baresip/modules";
/// Of an account that is not registered, and whose calls somebody answers.
pub(super) const BY_HAND: &str = "regint=0;answermode=manual";
/// Whom the calls are for.
const CALLED: &str = "442079460001";

#[test]
fn two_telephones_over_udp() {
    talk(Transport::Udp, CUSTOMER);
}

#[test]
fn two_telephones_over_tcp() {
    // The source of a connection is that of the machine: the customer is there, and the vendor by its port.
    talk(Transport::Tcp, HERE);
}

/// A call that the caller ends, and one that the callee ends.
fn talk(transport: Transport, customer: IpAddr) {
    let Some((baresip, sqlite)) = peer::program("baresip").zip(peer::program("sqlite3")) else { return };
    let gateway = SocketAddr::from((HERE, two_ports()));
    let routes = [Route { prefix: "44".to_owned(), gateways: vec![(gateway, transport)] }];
    let node = place(&[transport], "", provision(customer, &routes)).start();
    let at = node.ports().sip[0];
    let name = transport.name();
    let of_callee = format!("<sip:+{CALLED}@{gateway};transport={name}>;{BY_HAND}");
    let callee = Baresip::start(&baresip, gateway, &of_callee, "");
    let local = SocketAddr::from((customer, two_ports()));
    let of_caller = format!(
        "<sip:+442079460000@{local};transport={name}>;{BY_HAND};outbound=\"sip:{at};transport={name}\""
    );
    let caller = Baresip::start(&baresip, local, &of_caller, "");

    for (number, hangs_up) in (1..).zip([&caller, &callee]) {
        caller.command("dial", &format!("sip:+{CALLED}@{at}"));
        callee.wait("CALL_INCOMING", number);
        caller.wait("CALL_RINGING", number);
        callee.command("accept", "");
        for side in [&caller, &callee] {
            side.wait("CALL_ESTABLISHED", number);
        }
        hangs_up.command("hangup", "");
        for side in [&caller, &callee] {
            side.wait("CALL_CLOSED", number);
        }
        wait_quiet(&node);
    }
    let mut cdrs = records::wait_cdrs(&sqlite, &node, CALLED, 2);
    cdrs.sort_by_key(|cdr| cdr.ended_by);
    let ends: Vec<_> = cdrs.iter().map(|cdr| (cdr.status, cdr.reason, cdr.ended_by)).collect();
    assert_eq!(ends, [(200, "answered", "callee"), (200, "answered", "caller")], "{cdrs:?}");
    let answered = [(gateway.to_string(), Some(200), "answered")];
    assert!(cdrs.iter().all(|cdr| cdr.rang && cdr.answered && cdr.attempts == answered), "{cdrs:?}");
}

/// A port whose next is free too: baresip takes that for TLS, asked or not.
pub(super) fn two_ports() -> u16 {
    loop {
        let (port, next) = (free_port(), free_port());
        if next == port + 1 {
            return port;
        }
    }
}

/// A telephone without a loudspeaker: it sends back what it hears.
pub(super) struct Baresip {
    child: Child,
    control: TcpStream,
    events: Arc<Mutex<Vec<Value>>>,
    folder: TempDir,
}

impl Baresip {
    /// Starts it with an account, and with more lines of configuration; it listens when this returns.
    #[track_caller]
    pub(super) fn start(program: &Path, local: SocketAddr, account: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let control: SocketAddr = (HERE, free_port()).into();
        let lines = format!(
            "module_path {MODULES}\nsip_listen {local}\naudio_source aubridge,nowhere\naudio_player aubridge,nowhere\n\
             audio_alert aubridge,nowhere\nmodule g711.so\nmodule aubridge.so\n\
             module_app account.so\nmodule_app menu.so\nmodule_app ctrl_tcp.so\nctrl_tcp_listen {control}\n{more}\n"
        );
        fs::write(folder.path().join("config"), lines).unwrap();
        fs::write(folder.path().join("accounts"), format!("{account}\n")).unwrap();
        let output = File::create(folder.path().join("output")).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program).arg("-f").arg(folder.path());
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let child = command.spawn().unwrap();
        let control = wait::until("baresip takes commands", SOON, || TcpStream::connect(control).ok());
        let (events, heard) = (Arc::default(), control.try_clone().unwrap());
        let telephone = Self { child, control, events, folder };
        let events = Arc::clone(&telephone.events);
        std::thread::spawn(move || {
            let mut heard = BufReader::new(heard);
            while let Some(said) = netstring(&mut heard) {
                events.lock().push(said);
            }
        });
        // It says so after everything else.
        wait::until("baresip is ready", SOON, || telephone.output().contains("is ready").then_some(()));
        telephone
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn output(&self) -> String {
        let octets = fs::read(self.folder.path().join("output")).unwrap_or_default();
        String::from_utf8_lossy(&octets).into_owned()
    }

    #[track_caller]
    pub(super) fn command(&self, command: &str, params: &str) {
        let said = json!({ "command": command, "params": params }).to_string();
        (&self.control).write_all(format!("{}:{said},", said.len()).as_bytes()).unwrap();
    }

    /// Waits for the event of this type that has this number, counted from 1.
    #[track_caller]
    pub(super) fn wait(&self, event: &str, number: usize) {
        let found = wait::within_time(SOON, || {
            let events = self.events.lock();
            (events.iter().filter(|said| said["type"] == event).count() >= number).then_some(())
        });
        let events = || format!("{:?}\n{}", self.events.lock(), self.output());
        assert!(found.is_some(), "no {event} {number} of baresip: {}", events());
    }
}

impl Drop for Baresip {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The next of `LENGTH:JSON,`; none at the end.
fn netstring(from: &mut impl Read) -> Option<Value> {
    let mut length: usize = 0;
    loop {
        let mut octet = [0];
        from.read_exact(&mut octet).ok()?;
        match octet[0] {
            b':' => break,
            digit => length = length * 10 + usize::from(digit - b'0'),
        }
    }
    let mut said = vec![0; length + 1];
    from.read_exact(&mut said).ok()?;
    serde_json::from_slice(&said[..length]).ok()
}
