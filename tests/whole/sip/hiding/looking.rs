//! What SIPp looks for in every message of a side that is not shown the other one.

use std::net::SocketAddr;

use super::super::Transport;

/// A sealed text.
const SEALED: &str = "[A-Za-z0-9_-]+";

/// What such a side is to find.
pub(super) struct Looks<'a> {
    /// What the node calls itself.
    pub(super) node: SocketAddr,
    pub(super) transport: Transport,
    /// Regular expressions of what is in no message.
    pub(super) never: &'a [&'a str],
    /// Whether it is called: then its Call-ID is the node's too.
    pub(super) called: bool,
}

/// A scenario in which a side says who it is, but for its descriptions of media: those pass as they are.
pub(super) fn telling(scenario: &str, mark: &str) -> String {
    let contact = format!("User-Agent: {mark}/1.0\nContact: <sip:{mark}@");
    scenario.replace("IN IP4 [local_ip]", "IN IP4 192.0.2.1").replace("Contact: <sip:test@", &contact)
}

/// A scenario in which each message that comes is looked through.
pub(super) fn looking(scenario: &str, looks: &Looks<'_>) -> String {
    let lines: Vec<String> = scenario.lines().map(|line| looked_through(line, looks)).collect();
    // SIPp wants every variable used.
    let used = "<Reference variables=\"told,ours\"/>\n</scenario>";
    let scenario = lines.join("\n").replace("</scenario>", used) + "\n";
    // Who is called gets one Via.
    if looks.called { scenario.replace("Via:[$via2]\n", "") } else { scenario }
}

/// A line of a scenario; what comes is a line, or begins with one.
fn looked_through(line: &str, looks: &Looks<'_>) -> String {
    if !line.starts_with("<recv ") {
        return line.to_owned();
    }
    let actions = checks(line, looks);
    match line.split_once("<action>") {
        Some((head, rest)) => format!("{head}<action>{actions}{rest}"),
        None => line.replace("></recv>", &format!("><action>{actions}</action></recv>")),
    }
}

fn checks(line: &str, looks: &Looks<'_>) -> String {
    let what = line.split('"').nth(1).unwrap();
    let node = looks.node.to_string().replace('.', "[.]");
    let param = if looks.transport == Transport::Udp {
        String::new()
    } else {
        format!(";transport={}", looks.transport.name())
    };
    let mut actions: String =
        looks.never.iter().map(|never| check(never, "search_in=\"msg\"", false)).collect();
    if line.starts_with("<recv request") {
        let via = format!(
            "^ *SIP/2[.]0/{} {node};branch=[^;, ]+(;v={SEALED})?$",
            looks.transport.name().to_uppercase()
        );
        actions += &check(&via, &header("Via", 1), true);
        actions += &check("SIP", &header("Via", 2), false);
        if looks.called {
            actions += &check(&format!("^ *w{SEALED}$"), &header("Call-ID", 1), true);
        }
    }
    if ["INVITE", "180", "183"].contains(&what) {
        actions += &check(&format!("sip:{node}{param};c={SEALED}"), &header("Contact", 1), true);
    }
    // Only that of a first INVITE has routes.
    if looks.called && what == "INVITE" && line.contains("rrs=") {
        actions += &check(&format!("sip:{node}{param};lr;w={SEALED}"), &header("Record-Route", 1), true);
        actions += &check("sip", &header("Record-Route", 2), false);
    }
    actions
}

fn header(name: &str, occurrence: u8) -> String {
    format!("search_in=\"hdr\" header=\"{name}:\" occurrence=\"{occurrence}\"")
}

/// An action that fails the call unless this is there, or is not.
fn check(pattern: &str, place: &str, wanted: bool) -> String {
    let (check, variable) = if wanted { ("check_it", "ours") } else { ("check_it_inverse", "told") };
    format!("<ereg regexp=\"{pattern}\" {place} {check}=\"true\" assign_to=\"{variable}\"/>")
}
