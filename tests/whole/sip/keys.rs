//! A new key of cookies: calls that the last one sealed go on, in this process and in the next.

use super::super::{peer, wait};
use super::ua::{Callee, Caller, Datagrams};
use super::{
    CUSTOMER, Route, SOON, Transport, customer_address, place, provision, records, vendor_address, wait_quiet,
};

#[test]
fn a_new_cookie_key_ends_no_call() {
    let Some(sqlite) = peer::program("sqlite3") else { return };
    let gateways = [vendor_address(), vendor_address()];
    let route = |(at, gateway): (usize, &_)| Route {
        prefix: format!("440{at}"),
        gateways: vec![(*gateway, Transport::Udp)],
    };
    let routes: Vec<Route> = gateways.iter().enumerate().map(route).collect();
    let place = place(&[Transport::Udp], "", provision(CUSTOMER, &routes));
    let mut node = place.start();
    let at = node.ports().sip[0];
    let mut ends = gateways.map(|gateway| {
        let local = customer_address();
        let id = format!("key{}", gateway.port());
        let caller = Caller::new(Datagrams::bind(local, at), Transport::Udp, local, &id);
        (caller, Callee::new(Datagrams::bind(gateway, at), Transport::Udp, gateway))
    });
    for (call, (caller, callee)) in ends.iter_mut().enumerate() {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                callee.rings();
                callee.answers();
            });
            caller.call(&format!("+440{call}20"));
        });
        if call == 0 {
            let rotated = place.warp(&["rotate", "cookie-key"]);
            rotated.assert_success();
            assert!(rotated.stdout.starts_with("key 1 seals cookies soon"), "{}", rotated.stdout);
            wait::until("the new key seals", SOON, || {
                place.log().contains("keys of cookies in force seals=1").then_some(())
            });
        }
    }
    let again = place.warp(&["rotate", "cookie-key"]);
    assert!(again.stderr.contains("retired for less than 24 hours"), "{}{}", again.stdout, again.stderr);
    node.kill();
    let node = place.start();
    for (caller, callee) in &mut ends {
        std::thread::scope(|scope| {
            scope.spawn(|| callee.is_hung_up_on());
            caller.hang_up();
        });
    }
    wait_quiet(&node);
    let cdrs = records::wait_cdrs(&sqlite, &node, "44", 2);
    assert_eq!(cdrs.len(), 2, "{cdrs:?}");
    assert!(cdrs.iter().all(|cdr| (cdr.status, cdr.ended_by) == (200, "caller")), "{cdrs:?}");
}
