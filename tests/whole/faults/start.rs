//! A node that cannot start says why in one line, and with which exit code; so do commands.

use std::fs;
use std::net::TcpListener;

use super::super::certificate::Certificate;
use super::super::process::{Finished, Place, Setup};

/// Runs `warp serve`, which is to refuse.
#[track_caller]
fn serve(place: &Place) -> Finished {
    place.warp(&["serve"])
}

fn place(smpp: &str, sections: &str) -> std::sync::Arc<Place> {
    Place::unprovisioned(&Setup { smpp: smpp.to_owned(), sections: sections.to_owned(), ..Setup::default() })
}

/// Replaces a line of the configuration.
fn edit(place: &Place, from: &str, to: &str) {
    let text = fs::read_to_string(place.config()).unwrap();
    assert!(text.contains(from), "{from:?} in {text}");
    fs::write(place.config(), text.replacen(from, to, 1)).unwrap();
}

#[test]
fn a_port_that_is_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for section in ["[smpp]\nlisten = [\"127.0.0.1:0\"]", "[api]\nlisten = \"127.0.0.1:0\""] {
        let place = place("", "");
        edit(&place, section, &section.replace("127.0.0.1:0", &address));
        serve(&place).assert_refused(&[&address]);
    }
}

#[test]
fn tls_files_that_are_none() {
    let good = tempfile::tempdir().unwrap();
    let certificate = Certificate::write(good.path());
    let (chain, key) = (certificate.chain.display().to_string(), certificate.key.display().to_string());
    let garbage = good.path().join("garbage.pem");
    fs::write(&garbage, "no certificate, no key\n").unwrap();
    let garbage = garbage.display().to_string();
    let cases = [
        ("/nonexistent/chain.pem", key.as_str(), "/nonexistent/chain.pem"),
        (chain.as_str(), "/nonexistent/key.pem", "/nonexistent/key.pem"),
        (&garbage, &key, &garbage),
        (&chain, &garbage, &garbage),
    ];
    for (chain, key, named) in cases {
        let lines =
            format!("tls_listen = [\"127.0.0.1:0\"]\ntls_certificate = {chain:?}\ntls_key = {key:?}\n");
        serve(&place(&lines, "")).assert_refused(&[named]);
    }
}

#[test]
fn a_database_that_is_not_there() {
    // Nobody listens on port 9; the password must not show.
    let place = place("", "[store]\nurl = \"postgres://warp:hidden-word@127.0.0.1:9/warp\"\n");
    let refused = serve(&place);
    refused.assert_refused(&["database"]);
    let said = format!("{}{}", refused.stdout, refused.stderr);
    assert!(!said.contains("hidden-word"), "{said}");
}

#[test]
fn a_configuration_that_is_wrong() {
    let cases = [
        ("enquire_lnik = \"30s\"", "enquire_lnik"),
        ("enquire_link = \"30 bananas\"", "30 bananas"),
        ("enquire_link = ", "node.toml"),
    ];
    for (line, named) in cases {
        let place = place(line, "");
        serve(&place).assert_refused(&[]);
        let checked = place.warp(&["config", "check"]);
        assert!(!checked.status.success(), "config check takes {line:?}");
        let said = format!("{}{}", checked.stdout, checked.stderr);
        assert!(said.contains(named), "{named:?} is missing in {said:?}");
    }
    place("", "").warp(&["config", "check"]).assert_success();
}

#[test]
fn a_data_directory_of_another_node() {
    let place = Place::new(&Setup::default());
    let node = place.start();
    // The same file, on other ports: the lock of the data directory refuses.
    serve(&place).assert_refused(&[place.data().to_str().unwrap()]);
    assert!(node.ready(), "the first node does not mind");
}

#[test]
fn a_data_directory_that_cannot_be() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let inside = file.path().join("data");
    let place = Place::unprovisioned(&Setup { data_dir: Some(inside.clone()), ..Setup::default() });
    serve(&place).assert_refused(&[inside.to_str().unwrap()]);
}

#[test]
fn a_provisioning_file_that_is_wrong() {
    let place = Place::new(&Setup { provision: super::provision(&[1]), ..Setup::default() });
    let cases = [
        ("[[sms_routes]]\nname = \"r\"\nvendor = \"nobody\"\n", "nobody"),
        (
            "[[esme_accounts]]\nsystem_id = \"x\"\ncustomer = \"TB-999999999\"\npassword = \"p\"\n",
            "TB-999999999",
        ),
        ("[[sms_vendors]]\ninstance_nmae = \"x\"\n", "instance_nmae"),
        ("[[customers]\n", "line 1"),
    ];
    for (text, named) in cases {
        let refused = place.apply(text);
        assert!(!refused.status.success(), "{text:?} is applied");
        assert!(refused.stderr.contains(named), "{named:?} is missing in {:?}", refused.stderr);
        assert!(!refused.stderr.contains("panicked"), "{}", refused.stderr);
    }
    // The same file again changes nothing, and a dry run says so.
    place.apply(&super::provision(&[1])).assert_success();
}

#[test]
fn sigterm_ends_it_in_order() {
    let mut node = Place::new(&Setup::default()).start();
    assert!(node.terminate().success(), "{}", node.place().log());
    assert!(!node.place().log().contains("panicked"), "{}", node.place().log());
}
