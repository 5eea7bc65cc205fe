//! Kannel as a customer: HTTP in, SMPP to the node, receipts back over HTTP.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::super::peer::{self, Peer};
use super::super::process::{fetch, free_port};
use super::super::smsc::{Script, Smsc};
use super::super::wait;
use super::{GSM7, LONG_CHARACTERS, UCS2, assert_texts, node};

/// Kannel waits 10 s before it tries a refused connection again.
const WITHIN: Duration = Duration::from_secs(40);

#[test]
fn kannel_submits_and_gets_receipts() {
    let (Some(bearerbox), Some(smsbox)) = (peer::program("bearerbox"), peer::program("smsbox")) else {
        return;
    };
    let smsc = Smsc::start(Script::default());
    let node = node(&smsc, "");
    let folder = tempfile::tempdir().unwrap();
    let ports =
        Ports { smpp: node.smpp().port(), admin: free_port(), smsbox: free_port(), http: free_port() };
    let config = folder.path().join("kannel.conf");
    fs::write(&config, ports.config()).unwrap();
    let _bearerbox = start(&bearerbox, &config, folder.path());
    wait_listening(ports.smsbox);
    let _smsbox = start(&smsbox, &config, folder.path());
    wait_listening(ports.http);
    wait::until("Kannel is bound", WITHIN, || {
        (node.metric("smpp_server_active_sessions_total") > 0.5).then_some(())
    });

    let receipts = Receipts::listen();
    ports.send(&receipts, &format!("coding=0&charset=UTF-8&text={}", encode(GSM7.as_bytes())));
    let ucs2: Vec<u8> = UCS2.encode_utf16().flat_map(u16::to_be_bytes).collect();
    ports.send(&receipts, &format!("coding=2&charset=UTF-16BE&text={}", encode(&ucs2)));
    ports.send(&receipts, &format!("coding=0&text={}", "x".repeat(LONG_CHARACTERS)));

    smsc.wait("two messages and three parts", WITHIN, |state| state.submits.len() == 5);
    assert_texts(&smsc);
    // Kannel asks for the receipt of a long message on one of its parts only.
    wait::until("Kannel has the receipts", WITHIN, || (receipts.delivered() >= 3).then_some(()));
}

struct Ports {
    smpp: u16,
    admin: u16,
    smsbox: u16,
    http: u16,
}

impl Ports {
    fn config(&self) -> String {
        format!(
            "group = core\nadmin-port = {}\nadmin-password = test\nadmin-interface = 127.0.0.1\nsmsbox-port = {}\n\
             smsbox-interface = 127.0.0.1\nbox-deny-ip = \"*.*.*.*\"\nbox-allow-ip = \"127.0.0.1\"\n\
             dlr-storage = internal\n\n\
             group = smsc\nsmsc = smpp\nsmsc-id = warp\nhost = 127.0.0.1\nport = {}\ntransceiver-mode = true\n\
             smsc-username = acme\nsmsc-password = secret12\nsystem-type = \"\"\nreconnect-delay = 1\n\n\
             group = smsbox\nbearerbox-host = 127.0.0.1\nsendsms-port = {}\nsendsms-interface = 127.0.0.1\n\n\
             group = sendsms-user\nusername = test\npassword = test\nmax-messages = 5\nconcatenation = true\n",
            self.admin, self.smsbox, self.smpp, self.http
        )
    }

    /// One message by Kannel's HTTP interface, every receipt wanted at our own address.
    #[track_caller]
    fn send(&self, receipts: &Receipts, message: &str) {
        // %d, which Kannel replaces by the kind of the receipt, encoded once.
        let callback = encode(format!("http://127.0.0.1:{}/?kind=%d", receipts.port).as_bytes());
        let path = format!(
            "/cgi-bin/sendsms?username=test&password=test&from=15550001111&to=15551234567&dlr-mask=31\
             &dlr-url={callback}&{message}"
        );
        let answer = fetch(([127, 0, 0, 1], self.http).into(), &path).unwrap();
        assert_eq!(answer.status, 202, "{}", answer.body);
    }
}

/// Logs go to the folder: Kannel talks much.
fn start(program: &Path, config: &Path, folder: &Path) -> Peer {
    let name = program.file_name().unwrap().to_string_lossy().into_owned();
    let log = fs::File::create(folder.join(name + ".log")).unwrap();
    Peer::start(program, |command| {
        command.args(["-v", "1"]).arg(config).stderr(log);
    })
}

#[track_caller]
fn wait_listening(port: u16) {
    wait::until("Kannel listens", WITHIN, || TcpStream::connect(("127.0.0.1", port)).ok());
}

fn encode(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("%{octet:02X}")).collect()
}

/// Kinds of the receipts that Kannel reported: 1 delivered, 2 failed, 8 accepted by the SMSC.
struct Receipts {
    port: u16,
    kinds: Arc<Mutex<Vec<String>>>,
}

impl Receipts {
    /// Answers every request with 200; ends with the process.
    fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let kinds = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&kinds);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                if let Some(kind) = kind(&stream) {
                    heard.lock().push(kind);
                }
                let _ =
                    stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            }
        });
        Self { port, kinds }
    }

    fn delivered(&self) -> usize {
        self.kinds.lock().iter().filter(|kind| *kind == "1").count()
    }
}

/// Reads a request's header.
fn kind(stream: &TcpStream) -> Option<String> {
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let first = lines.next()?;
    lines.find(String::is_empty)?;
    Some(first.split_once("kind=")?.1.split(' ').next()?.to_owned())
}
