//! Calls whose media goes through real RTPEngines: what both sides are told, what they hear, and that nothing
//! of it is left at any media node. Customers send media from 127.0.0.2, vendors from 127.0.0.3.

mod calls;
mod demo;
mod discovery;
mod failures;
mod forked;
mod full;
mod hiding;
mod load;
mod nodes;
mod panics;
mod profiles;
mod recording;
mod register;
mod reports;
mod restart;
mod rtp;
mod rtpengine;
mod side;
mod sound;
mod srtp;
mod strangers;
mod telephones;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use self::rtp::{Described, body, converse};
use self::rtpengine::{PORTS, Rtpengine};
use self::side::Side;
use super::super::process::Node;
use super::super::{peer, wait};
use super::{
    CUSTOMER, Message, Route, SOON, Transport, customer_address, place_with, provision, vendor_address,
};

/// Where vendors take media.
const VENDOR_MEDIA: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));
/// The number that customers call, and the beginning of its routes.
const CALLED: &str = "+442079461234";
const PREFIX: &str = "44";
/// As many calls at most until both media nodes carry one.
const SHARED: usize = 40;

/// A node of ours, two media nodes, and places for two vendors.
struct Stage {
    node: Node,
    media: [Rtpengine; 2],
    /// In the order in which they are offered calls.
    vendors: [SocketAddr; 2],
}

impl Stage {
    /// With these lines more of the trunk and of both vendors; none where RTPEngine is absent.
    #[track_caller]
    fn new(trunk: &str, vendor: &str) -> Option<Self> {
        Self::with((trunk, vendor), [&[], &[]])
    }

    /// The same with more options of both media nodes.
    #[track_caller]
    fn with(lines: (&str, &str), options: [&[&str]; 2]) -> Option<Self> {
        Self::built(lines, options, ("", ""))
    }

    /// The same with more lines of `[sip]`, and more to provision.
    #[track_caller]
    fn provisioned(sip: &str, more: &str, lines: (&str, &str)) -> Option<Self> {
        Self::built(lines, [&[], &[]], (sip, more))
    }

    #[track_caller]
    fn built(lines: (&str, &str), options: [&[&str]; 2], (sip, more): (&str, &str)) -> Option<Self> {
        let program = peer::program("rtpengine")?;
        let media = options.map(|options| Rtpengine::start(&program, options));
        let table = |(at, node): (usize, &Rtpengine)| {
            format!("[[media_nodes]]\nname = \"media-{at}\"\naddress = \"{}\"\n", node.ng)
        };
        let nodes: String = media.iter().enumerate().map(table).collect();
        let stage = Self::placed(media, lines, &(nodes + more), sip);
        stage.wait_up(2);
        Some(stage)
    }

    /// With these tables of media nodes, and lines more of `[sip]` and what follows it.
    #[track_caller]
    fn placed(media: [Rtpengine; 2], (trunk, vendor): (&str, &str), nodes: &str, sip: &str) -> Self {
        let vendors = [(); 2].map(|()| vendor_address());
        let gateways = vendors.iter().map(|vendor| (*vendor, Transport::Udp)).collect();
        let routes = [Route { prefix: PREFIX.to_owned(), gateways }];
        let text = provision(CUSTOMER, &routes)
            .replace("[[trunks]]\n", &format!("[[trunks]]\n{trunk}\n"))
            .replace("[[sip_vendors]]\n", &format!("[[sip_vendors]]\n{vendor}\n"))
            // A vendor here has much to look at before it answers.
            .replace("pdd_timeout = \"1s\"", "pdd_timeout = \"20s\"");
        // Nobody here answers when it is asked whether a call is up.
        let sip = format!("dead_call_probe = \"0s\"\n{sip}");
        // An administrator may have actors panic.
        let api = "fault_injection = true";
        let node = place_with(&[Transport::Udp], (&sip, api), text + nodes).start();
        Self { node, media, vendors }
    }

    /// Waits until the node knows that so many media nodes answer.
    #[track_caller]
    fn wait_up(&self, count: usize) {
        let is_up = |at: &usize| {
            let seen = self.node.get(&format!("/v1/actors/rtpengine_node:media-{at}:0"));
            seen.status == 200 && seen.json()["state"] == "up"
        };
        let all = || ((0..self.media.len()).filter(is_up).count() == count).then_some(());
        wait::until(&format!("{count} media nodes answer"), SOON, all);
    }

    /// A customer.
    #[track_caller]
    fn caller(&self) -> Side {
        Side::new(customer_address(), CUSTOMER, self.node.ports().sip[0])
    }

    /// A vendor.
    #[track_caller]
    fn callee(&self, number: usize) -> Side {
        Side::new(self.vendors[number], VENDOR_MEDIA, self.node.ports().sip[0])
    }

    /// Where the description in a message leads: to a media node, and nothing in it tells of the other side.
    #[track_caller]
    fn leads(&self, message: &Message) -> Described {
        let described = Described::of(message);
        let (address, port) = (described.at.ip(), described.at.port());
        let known = self.media.iter().any(|media| media.address == address);
        assert!(known && PORTS.contains(&port), "it leads to no media node: {}", message.text);
        for side in [CUSTOMER, VENDOR_MEDIA] {
            assert!(!body(message).contains(&side.to_string()), "{side} shows: {}", message.text);
        }
        described
    }

    /// The calls that media nodes have. One that is asked for its release has another one for a moment.
    #[track_caller]
    fn carried(&self) -> Vec<String> {
        let calls = self.media.iter().flat_map(Rtpengine::calls);
        calls.filter(|call| call.starts_with("warp-")).collect()
    }

    /// Waits until none has any.
    #[track_caller]
    fn wait_empty(&self) {
        self.media.iter().for_each(Rtpengine::wait_empty);
    }

    /// The call that is up, and its media node, which has another one for a moment when it is asked for its release.
    #[track_caller]
    fn up(&self) -> (&Rtpengine, String) {
        let ours = |media: &Rtpengine| media.calls().into_iter().find(|call| call.starts_with("warp-"));
        self.media.iter().find_map(|media| Some((media, ours(media)?))).expect("a media node carries a call")
    }

    /// A call until the ACK of its answer, and where each side was told to send.
    #[track_caller]
    fn set_up(&self, caller: &mut Side, callee: &mut Side) -> Up {
        caller.call(CALLED, &caller.sdp("sendrecv"));
        let invite = callee.expect("INVITE");
        self.answer(caller, callee, &invite)
    }

    /// The same of a call whose INVITE has arrived.
    #[track_caller]
    fn answer(&self, caller: &mut Side, callee: &mut Side, invite: &Message) -> Up {
        let of_callee = self.leads(invite);
        callee.reply(invite, "200 OK", "", &callee.sdp("sendrecv"));
        let of_caller = self.leads(&caller.expect("200 INVITE"));
        caller.request("ACK", "");
        callee.expect("ACK");
        Up { of_caller, of_callee }
    }

    /// Calls that are up, so many that each media node carries one.
    #[track_caller]
    fn share(&self, callee: &mut Side) -> Vec<(Side, Up)> {
        let mut calls: Vec<(Side, Up)> = Vec::new();
        let carries = |calls: &[(Side, Up)], media: &Rtpengine| {
            calls.iter().any(|(_, up)| up.of_caller.at.ip() == media.address)
        };
        while !self.media.iter().all(|media| carries(&calls, media)) {
            assert!(calls.len() < SHARED, "{SHARED} calls, and one media node has none of them");
            let mut caller = self.caller();
            let up = self.set_up(&mut caller, callee);
            calls.push((caller, up));
        }
        calls
    }

    /// Another description of one side in a call that is up, as these directions, offered and answered.
    #[track_caller]
    fn change(
        &self,
        (method, offered, answered): (&str, &str, &str),
        asks: &mut Side,
        answers: &mut Side,
    ) -> [Described; 2] {
        asks.request(method, &asks.sdp(offered));
        let request = answers.expect(method);
        let of_answers = self.leads(&request);
        answers.reply(&request, "200 OK", "", &answers.sdp(answered));
        let of_asks = self.leads(&asks.expect(&format!("200 {method}")));
        if method == "INVITE" {
            asks.request("ACK", "");
            answers.expect("ACK");
        }
        let directions = (of_answers.direction.as_str(), of_asks.direction.as_str());
        assert_eq!(directions, (offered, answered), "{method}");
        [of_asks, of_answers]
    }
}

/// Where both sides of a call that is up send.
struct Up {
    of_caller: Described,
    of_callee: Described,
}

/// Both sides of each of these calls hear each other.
#[track_caller]
fn all_hear(calls: &[(Side, Up)], callee: &Side) {
    for (caller, up) in calls {
        converse((&caller.media, &up.of_caller), (&callee.media, &up.of_callee));
    }
}
