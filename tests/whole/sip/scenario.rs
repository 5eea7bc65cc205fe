//! Both sides' parts in a call, in few words, as scenarios of SIPp.
//!
//! | line | meaning |
//! |---|---|
//! | `INVITE` | the customer's call |
//! | `ACK`, `PRACK`, `UPDATE`, `BYE`, `re-INVITE`, `CANCEL` | a request within it; `ACK refused` is of a refusal |
//! | `expect 180`, `expect BYE` | waits for it; anything else fails the call, but for copies over UDP |
//! | `answer 180` | the vendor's response to the INVITE, whatever came since |
//! | `reply 200` | a response to what came last |
//! | `pause 200` | milliseconds |
//!
//! `sdp` behind a message gives it a description of media, or demands that it has one; `bare` demands that it has
//! none; `reliable` makes a provisional answer one that wants PRACK (RFC 3262). `once` sends an INVITE that is challenged
//! one time only: each copy would get a challenge of its own. `authorized` answers the challenge that came last, as the
//! arguments of SIPp have it. What is `lossy` may be missing, where a busy machine has no room for it: what is expected
//! next comes all the same.

use std::fmt::Write as _;

use super::Transport;

/// Who plays.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Customer,
    Vendor,
}

/// What of the INVITE the vendor remembers, for answers after other requests: two Vias, the node's and the customer's.
const CAPTURE: &str = r#"<ereg regexp=".*" search_in="hdr" header="Via:" occurrence="1" assign_to="via1"/>
<ereg regexp=".*" search_in="hdr" header="Via:" occurrence="2" assign_to="via2"/>
<ereg regexp=".*" search_in="hdr" header="Record-Route:" assign_to="route"/>
<ereg regexp=".*" search_in="hdr" header="From:" assign_to="from"/>
<ereg regexp=".*" search_in="hdr" header="To:" assign_to="to"/>
<ereg regexp=".*" search_in="hdr" header="CSeq:" assign_to="cseq"/>
"#;
const CAPTURED: &str = "via1,via2,route,from,to,cseq";
const MEDIA: &str = r#"<ereg regexp="m=audio" search_in="msg" check_it="true" assign_to="media"/>"#;
const NO_MEDIA: &str =
    r#"<ereg regexp="m=audio" search_in="msg" check_it_inverse="true" assign_to="media"/>"#;
/// SIPp ends the lines with CRLF.
const SDP: &str = "v=0\no=test 1 1 IN IP4 [local_ip]\ns=-\nc=IN IP4 [local_ip]\nt=0 0\n\
                   m=audio 20000 RTP/AVP 0 8\na=sendrecv\n";

/// The customer's part, calling numbers that begin so.
pub(super) fn customer(prefix: &str, transport: Transport, lines: &[&str]) -> String {
    Writer::new(Role::Customer, prefix, transport).write(lines)
}

/// The vendor's part.
pub(super) fn vendor(transport: Transport, lines: &[&str]) -> String {
    Writer::new(Role::Vendor, "", transport).write(lines)
}

struct Writer<'a> {
    role: Role,
    prefix: &'a str,
    transport: Transport,
    contact: String,
    /// Of our last request that was neither ACK nor CANCEL, and of our last INVITE.
    cseq: (u32, u32),
    /// Of our last INVITE that was to begin a call.
    begun: u32,
    media: bool,
    /// What was expected last, and the last request of that.
    asked: String,
    heard: String,
    xml: String,
}

impl<'a> Writer<'a> {
    fn new(role: Role, prefix: &'a str, transport: Transport) -> Self {
        let contact = format!("Contact: <sip:test@[local_ip]:[local_port];transport={}>\n", transport.name());
        Self {
            role,
            prefix,
            transport,
            contact,
            cseq: (0, 0),
            begun: 0,
            media: false,
            asked: String::new(),
            heard: String::new(),
            xml: String::new(),
        }
    }

    fn write(mut self, lines: &[&str]) -> String {
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            let (second, rest) =
                (words.get(1).copied().unwrap_or_default(), words.get(2..).unwrap_or_default());
            match words[0] {
                "expect" => self.expect(second, rest),
                "answer" | "reply" => self.response(words[0] == "answer", second, rest),
                "pause" => {
                    let _ = writeln!(self.xml, "<pause milliseconds=\"{second}\"/>");
                }
                method => self.request(method, &words[1..]),
            }
        }
        let mut variables = Vec::new();
        variables.extend((self.role == Role::Vendor).then_some(CAPTURED));
        variables.extend(self.media.then_some("media"));
        let reference = format!("<Reference variables=\"{}\"/>", variables.join(","));
        let reference = if variables.is_empty() { "" } else { &reference };
        format!("<?xml version=\"1.0\"?>\n<scenario name=\"test\">\n{}{reference}\n</scenario>\n", self.xml)
    }

    fn expect(&mut self, what: &str, words: &[&str]) {
        what.clone_into(&mut self.asked);
        let kind =
            if what.starts_with(|first: char| first.is_ascii_digit()) { "response" } else { "request" };
        let initial = what == "INVITE" && self.role == Role::Vendor && !self.xml.contains("<recv");
        let mut actions = String::new();
        if initial {
            actions.push_str(CAPTURE);
        }
        let mut optional = "";
        for word in words {
            if *word == "lossy" {
                optional = " optional=\"true\"";
                continue;
            }
            self.media = true;
            actions.push_str(match *word {
                "sdp" => MEDIA,
                "bare" => NO_MEDIA,
                other => panic!("{other:?} behind {what}"),
            });
        }
        // The routes of a dialog are those of its first messages; a refresh does not change them (12.2).
        let is_challenge = ["401", "407"].contains(&what);
        let first = self.cseq.0 == self.begun && !is_challenge;
        let routes = initial || (kind == "response" && self.role == Role::Customer && first);
        let routes = if routes { " rrs=\"true\"" } else { "" };
        if kind == "response" && !self.xml.trim_end().ends_with("</recv>") {
            self.xml.push_str("<recv response=\"100\" optional=\"true\"></recv>\n");
        }
        self.allow_copies(what);
        if kind == "request" {
            what.clone_into(&mut self.heard);
        }
        let actions = if actions.is_empty() { actions } else { format!("<action>{actions}</action>") };
        let asks = if is_challenge { " auth=\"true\"" } else { "" };
        let _ = writeln!(self.xml, "<recv {kind}=\"{what}\"{optional}{routes}{asks}>{actions}</recv>");
    }

    /// Whoever heard nothing for half a second asks again over UDP, which happens where the machine stands still. SIPp
    /// knows a copy by itself only until it has sent two messages.
    fn allow_copies(&mut self, expected: &str) {
        if self.transport == Transport::Udp && !["", expected].contains(&self.heard.as_str()) {
            let _ = writeln!(self.xml, "<recv request=\"{}\" optional=\"true\"></recv>", self.heard);
        }
    }

    fn request(&mut self, name: &str, words: &[&str]) {
        let method = name.trim_start_matches("re-");
        if !matches!(method, "ACK" | "CANCEL") {
            self.cseq.0 += 1;
            if method == "INVITE" {
                self.cseq.1 = self.cseq.0;
            }
            if name == "INVITE" {
                self.begun = self.cseq.0;
            }
        }
        let number = if matches!(method, "ACK" | "CANCEL") { self.cseq.1 } else { self.cseq.0 };
        let of_invite = method == "CANCEL" || words.contains(&"refused");
        let initial = name == "INVITE" || of_invite;
        let called = format!("sip:+{}[call_number]@[remote_ip]:[remote_port]", self.prefix);
        let uri = if initial { called.as_str() } else { "[next_url]" };
        let via = "Via: SIP/2.0/[transport] [local_ip]:[local_port];rport;branch=[branch]";
        // A CANCEL and the ACK of a refusal have the branch of the INVITE, and its response has it.
        let via = if of_invite { "[last_Via:]" } else { via };
        let routes = if initial { "" } else { "[routes]\n" };
        let (from, to) = match self.role {
            Role::Customer => (
                "<sip:+442079460000@[local_ip]:[local_port]>;tag=[pid]c[call_number]".to_owned(),
                format!(
                    "<{called}>{}",
                    if matches!(name, "INVITE" | "CANCEL") { "" } else { "[peer_tag_param]" }
                ),
            ),
            Role::Vendor => ("[$to];tag=[pid]v[call_number]".to_owned(), "[$from]".to_owned()),
        };
        let more = match method {
            "PRACK" => "RAck: 1 1 INVITE\n",
            "INVITE" => "Supported: 100rel\n",
            _ => "",
        };
        let authorization = if words.contains(&"authorized") { "[authentication]\n" } else { "" };
        let head = format!(
            "{method} {uri} SIP/2.0\n{via}\nMax-Forwards: 70\n{routes}From: {from}\nTo: {to}\n\
             Call-ID: [call_id]\nCSeq: {number} {method}\n{more}{authorization}{}",
            self.contact
        );
        self.send(&head, method != "ACK" && !words.contains(&"once"), words.contains(&"sdp"));
    }

    fn response(&mut self, to_invite: bool, status: &str, words: &[&str]) {
        let copied = match (to_invite, self.asked.as_str()) {
            (true, "INVITE") => {
                "[last_Via:]\n[last_Record-Route:]\n[last_From:]\n[last_To:];tag=[pid]v[call_number]\n\
                 [last_Call-ID:]\n[last_CSeq:]\n"
            }
            (true, _) => {
                "Via:[$via1]\nVia:[$via2]\nRecord-Route:[$route]\nFrom:[$from]\n\
                 To:[$to];tag=[pid]v[call_number]\nCall-ID: [call_id]\nCSeq:[$cseq]\n"
            }
            (false, _) => {
                "[last_Via:]\n[last_Record-Route:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\n"
            }
        };
        let reliable = if words.contains(&"reliable") { "Require: 100rel\nRSeq: 1\n" } else { "" };
        let head = format!("SIP/2.0 {status} Test\n{copied}{reliable}{}", self.contact);
        // Only responses to INVITE are sent again, until the ACK.
        let again = !status.starts_with('1') && (to_invite || self.asked == "INVITE");
        self.send(&head, again, words.contains(&"sdp"));
    }

    fn send(&mut self, head: &str, again: bool, sdp: bool) {
        let again = if again { " retrans=\"500\"" } else { "" };
        let body = if sdp {
            format!("Content-Type: application/sdp\nContent-Length: [len]\n\n{SDP}")
        } else {
            "Content-Length: 0\n\n".to_owned()
        };
        let _ = writeln!(self.xml, "<send{again}><![CDATA[\n{head}{body}]]></send>");
    }
}
