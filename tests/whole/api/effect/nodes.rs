//! Two nodes on one database: what one of them is told is in force on both.

use std::time::Duration;

use super::super::super::process::{Database, Place, Setup};
use super::super::super::wait;
use super::line::{BUSY, Line};
use super::{ANY_GATEWAY, CUSTOMER, ban, customer, gone, id, make, sections, source, trunk};

/// Time for something that takes no time but a busy machine's.
const SOON: Duration = Duration::from_secs(10);

#[test]
fn a_source_that_one_node_is_told_of_is_admitted_and_refused_by_the_other() {
    let Some(database) = Database::create() else { return };
    let store = format!("[store]\nurl = {:?}\n", database.url());
    // What one seals in the database the other opens.
    let keys = tempfile::tempdir().unwrap();
    let root_key = keys.path().join("root.key").display().to_string();
    let node = format!("root_key_file = {root_key:?}\n");
    let setup = Setup { sections: sections(&store), node, ..Setup::default() };
    let nodes = [(); 2].map(|()| Place::new(&setup).start());
    for node in &nodes {
        wait::until("the node listens", SOON, || {
            let listener = node.get("/v1/actors/announcement_listener:main:0").json();
            (listener["state"] == "listening").then_some(())
        });
    }
    let [one, other] = &nodes;
    let mut line = Line::new(CUSTOMER, ANY_GATEWAY);
    let ips = format!("{}/ips", trunk(one, &ban(&customer(one)), line.gateway()));
    for node in [other, one] {
        assert_eq!(line.call(node), 403, "nobody knows the source yet");
    }

    let added = make(one, &ips, source());
    line.wait(other, BUSY, "the other node admits the source");
    line.wait(one, BUSY, "so does the node that was told");
    gone(one, &format!("{ips}/{}", id(&added)));
    line.wait(other, 403, "the other node refuses the source");
    line.wait(one, 403, "so does the node that was told");
}
