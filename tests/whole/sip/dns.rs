//! A gateway that is a name: dnsmasq tells its servers (RFC 3263), and later it tells nothing any more.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::super::{peer, wait};
use super::sipp::{Part, Sipp};
use super::{
    CUSTOMER, CUSTOMER_CALLS, HERE, Route, SOON, Transport, VENDOR_ANSWERS, customer_address, free_port,
    place, programs, provision, records, scenario, vendor_address, wait_quiet,
};

/// The server that never says anything.
const SILENT: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 4));
/// Of each round: as many silences as make a server one that is left alone, so that each of the first round tries it.
const CALLS: u32 = 3;
/// What the node keeps an answer for at least; the answers say one second.
const KEPT: Duration = Duration::from_secs(5);

#[test]
fn calls_follow_the_records_and_outlive_the_name_server() {
    let Some((sipp, sqlite)) = programs() else { return };
    let Some(dnsmasq) = peer::program("dnsmasq") else { return };
    let (first, second) = (SocketAddr::from((SILENT, free_port())), vendor_address());
    let _silent = UdpSocket::bind(first).unwrap();
    let names = Dnsmasq::start(&dnsmasq, &[first, second]);
    let routes = [Route { prefix: "44".to_owned(), gateways: vec![(second, Transport::Udp)] }];
    let provision =
        provision(CUSTOMER, &routes).replace(&format!("sip:{second};transport=udp"), "sip:carrier.test");
    assert!(provision.contains("carrier.test"), "{provision}");
    let lines = format!("dns_servers = [\"{}\"]\n", names.address);
    let node = place(&[Transport::Udp], &lines, provision).start();
    // Nobody waits for a name server: a configuration is in force first without what the names lead to, then with it.
    wait::until("the names are known", SOON, || {
        (node.place().log().matches("configuration of voice in force").count() > 1).then_some(())
    });
    let folder = tempfile::tempdir().unwrap();
    let play = |round: &str, number: &str| {
        let part = |side: &str, scenario: String, local: SocketAddr| Part {
            name: format!("{round} {side}").replace(' ', "-"),
            scenario,
            transport: Transport::Udp,
            local,
            calls: None,
            count: (CALLS, 10),
            folder: folder.path(),
        };
        let vendor = part("vendor", scenario::vendor(Transport::Udp, VENDOR_ANSWERS), second);
        let vendor = Sipp::start(&sipp, vendor);
        let calling = scenario::customer(number, Transport::Udp, CUSTOMER_CALLS);
        let customer = part("customer", calling, customer_address());
        let customer = Sipp::start(&sipp, Part { calls: Some(node.ports().sip[0]), ..customer });
        assert_eq!((customer.finish(), vendor.finish()), (Ok(()), Ok(())), "{round}");
        wait_quiet(&node);
    };
    play("asked", "441");
    assert!(names.asked("NAPTR") && names.asked("SRV") && names.asked("A"), "{}", names.log());
    drop(names);
    // What it said is outdated now.
    wait::pause(KEPT + Duration::from_secs(1));
    play("asked in vain", "442");
    wait::until("the node gives the name server up", SOON + SOON, || {
        node.metrics().contains("warp_sip_lookups_total{outcome=\"failed\"}").then_some(())
    });
    play("remembered", "443");
    assert!(node.metric("warp_sip_lookups_stale_total") > 0.5, "{}", node.metrics());

    let (tried, answered) =
        ((first.to_string(), None, "timeout"), (second.to_string(), Some(200), "answered"));
    for number in ["441", "442", "443"] {
        for cdr in records::wait_cdrs(&sqlite, &node, number, CALLS as usize) {
            assert_eq!((cdr.status, cdr.reason), (200, "answered"), "{cdr:?}");
            // One that was silent so often is left alone for a while.
            let alone = number != "441" && cdr.attempts == [answered.clone()];
            assert!(alone || cdr.attempts == [tried.clone(), answered.clone()], "{cdr:?}");
        }
    }
}

/// A name server that knows `carrier.test` only.
struct Dnsmasq {
    child: Child,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Dnsmasq {
    /// Starts it; it answers when this returns. The servers are for SIP over UDP, the best first.
    #[track_caller]
    fn start(program: &Path, servers: &[SocketAddr]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address: SocketAddr = (HERE, free_port()).into();
        let output = File::create(folder.path().join("output")).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program);
        command.args([
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--no-resolv",
            "--no-hosts",
            "--user=",
        ]);
        command.args([
            "--bind-interfaces",
            "--log-queries",
            "--log-facility=-",
            "--pid-file=",
            "--local-ttl=1",
        ]);
        command.args(["--local=/test/", "--except-interface=none", "--no-daemon"]);
        command.arg(format!("--listen-address={}", address.ip())).arg(format!("--port={}", address.port()));
        command.arg("--naptr-record=carrier.test,10,10,s,SIP+D2U,,_sip._udp.carrier.test");
        for (at, server) in (1..).zip(servers) {
            let name = format!("edge{at}.carrier.test");
            command.arg(format!("--host-record={name},{}", server.ip()));
            command.arg(format!("--srv-host=_sip._udp.carrier.test,{name},{},{at},10", server.port()));
        }
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let child = command.spawn().unwrap();
        let mut server = Self { child, address, folder };
        wait::until("dnsmasq answers", SOON, || {
            assert!(server.child.try_wait().unwrap().is_none(), "{}", server.log());
            server.answers().then_some(())
        });
        server
    }

    /// Whether it answers a question for the root.
    fn answers(&self) -> bool {
        let socket = UdpSocket::bind((HERE, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let question = [&[0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], b"\x04test\0", &[0, 1, 0, 1]].concat();
        socket.send_to(&question, self.address).is_ok() && socket.recv(&mut [0; 512]).is_ok()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("output")).unwrap_or_default()
    }

    /// Whether somebody wanted records of this type.
    fn asked(&self, kind: &str) -> bool {
        self.log().contains(&format!("query[{kind}]"))
    }
}

impl Drop for Dnsmasq {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
