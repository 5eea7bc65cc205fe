use std::collections::HashMap;

use super::*;
use crate::clock::Timestamp;
use crate::model::Vendor;
use crate::seal::RootKey;
use crate::store::testing::{Engine, each_engine};

mod accounts;
mod digest;
mod fork;
mod identity;
mod media;
mod stir;
mod voice;

const FILE: &str = r#"
[[customers]]
ban = "TB-071161708"
company_name = "Acme"

[[esme_accounts]]
system_id = "acme"
customer = "TB-071161708"
password = "secret12"
ip_whitelist = ["127.0.0.0/8"]

[[sms_vendors]]
instance_name = "atlanta"
host = "127.0.0.1"
port = 3601
system_id = "warp"
password = "hidden"

[[sms_routes]]
name = "us"
prefix = "1"
vendor = "atlanta"
cost = "0.0035"
uncertain = "retry"

[[dids]]
number = "15550001111"
customer = "TB-071161708"
system_id = "acme"
"#;

#[tokio::test]
async fn a_file_applied_twice_changes_nothing_the_second_time() {
    each_engine(async |engine: Engine| {
        let key = RootKey::load_or_create(&engine.dir.path().join("root.key")).unwrap();
        let document = Document::parse(FILE).unwrap();
        let before = Current::load(&engine.store, &key).await.unwrap();
        let changes = plan(&document, &before).unwrap();
        assert_eq!(changes.len(), 5);
        assert!(changes.iter().all(|change| change.new));
        let now = Timestamp::from_micros(1_790_000_000_000_000);
        apply(&engine.store, &key, (&document, &changes), &before, now).await.unwrap();

        let after = Current::load(&engine.store, &key).await.unwrap();
        assert_eq!(after.messaging.version, before.messaging.version + 1);
        assert_eq!(plan(&document, &after).unwrap(), []);
        assert_eq!(after.messaging.vendors[0].password.expose(), "hidden");
        assert_eq!(after.messaging.dids[0].account, Some(after.messaging.accounts[0].id));

        let changed = FILE.replace("port = 3601", "port = 3602").replace("hidden", "changed");
        let document = Document::parse(&changed).unwrap();
        let changes = plan(&document, &after).unwrap();
        let text = changes.iter().map(ToString::to_string).collect::<String>();
        assert_eq!(
            text,
            "~ sms_vendor atlanta\n    port: 3601 -> 3602\n    password: [redacted] -> [redacted]"
        );
        apply(&engine.store, &key, (&document, &changes), &after, now).await.unwrap();
        let last = Current::load(&engine.store, &key).await.unwrap();
        assert_eq!(
            (last.messaging.vendors[0].port, last.messaging.vendors[0].id),
            (3602, after.messaging.vendors[0].id)
        );
        assert_eq!(last.messaging.vendors[0].password.expose(), "changed");
    })
    .await;
}

#[test]
fn a_file_that_cannot_be_meant_is_refused_with_the_place() {
    let empty = Current::default();
    for (from, to, error) in [
        ("port = 3601", "prot = 3601", "unknown field `prot`"),
        ("vendor = \"atlanta\"", "vendor = \"boston\"", "names sms_vendor \"boston\""),
        ("password = \"secret12\"", "", "is new and has no password"),
        ("password = \"secret12\"", "password = \"123456789\"", "at most 8 octets"),
        ("127.0.0.0/8", "127.0.0.0/40", "is not a network"),
        ("0.0035", "0,0035", "is not an amount"),
        (
            "ban = \"TB-071161708\"\ncompany_name = \"Acme\"",
            "ban = \"x\"\ncompany_name = \"\"",
            "is not a BAN",
        ),
    ] {
        let text = FILE.replacen(from, to, 1);
        let refused =
            Document::parse(&text).and_then(|document| plan(&document, &empty)).unwrap_err().to_string();
        assert!(refused.contains(error), "{refused}");
    }
    let vendor = "[[sip_vendors]]\nname = \"v\"\n[sip_vendors.account]\nusername = \"u\"\nrealm = \"r\"\n";
    for (text, table) in [
        (format!("{vendor}hide_topology = true\n"), Some("sip_vendors.account")),
        (
            format!("{vendor}[sip_vendors.account.register]\nuzer = \"u\""),
            Some("sip_vendors.account.register"),
        ),
        ("[[sip_vendors]]\nname = \"v\"\nhide = true\n".to_owned(), None),
        (format!("{vendor}[[sip_vendors]]\nname = \"w\"\nhide = true\n"), None),
        (format!("{vendor}register = 1\n"), None),
    ] {
        let refused = Document::parse(&text).unwrap_err().to_string();
        let hint = table.map(|table| {
            format!(" (this line is in the table {table}, the keys of its entry stand before it)")
        });
        assert_eq!(refused.contains("(this line"), hint.is_some(), "{refused}");
        assert!(refused.ends_with(&hint.unwrap_or_default()), "{refused}");
    }
    let twice = format!("{FILE}\n[[dids]]\nnumber = \"15550001111\"\n");
    let refused = plan(&Document::parse(&twice).unwrap(), &empty).unwrap_err().to_string();
    assert!(refused.contains("stands in the file twice"), "{refused}");
}

#[tokio::test]
async fn of_two_applies_planned_on_the_same_state_the_second_is_refused_whole() {
    each_engine(async |engine: Engine| {
        let key = RootKey::load_or_create(&engine.dir.path().join("root.key")).unwrap();
        let before = Current::load(&engine.store, &key).await.unwrap();
        let now = Timestamp::from_micros(1_790_000_000_000_000);
        let first = Document::parse(FILE).unwrap();
        let second = Document::parse(&FILE.replace("hidden", "other")).unwrap();
        let plans = [plan(&first, &before).unwrap(), plan(&second, &before).unwrap()];
        apply(&engine.store, &key, (&first, &plans[0]), &before, now).await.unwrap();
        let refused = apply(&engine.store, &key, (&second, &plans[1]), &before, now).await.unwrap_err();
        assert_eq!(refused.to_string(), "the configuration was changed meanwhile, apply again");

        let after = Current::load(&engine.store, &key).await.unwrap();
        assert_eq!(after.messaging.version, before.messaging.version + 1);
        assert_eq!(after.messaging.vendors[0].password.expose(), "hidden");
    })
    .await;
}

#[tokio::test]
async fn a_vendor_whose_password_does_not_open_is_inactive_and_mended_by_its_entry() {
    each_engine(async |engine: Engine| {
        let key = RootKey::load_or_create(&engine.dir.path().join("root.key")).unwrap();
        let other = RootKey::load_or_create(&engine.dir.path().join("other.key")).unwrap();
        let now = Timestamp::from_micros(1_790_000_000_000_000);
        let text = format!(
            "{FILE}\n[[sms_vendors]]\ninstance_name = \"boston\"\nhost = \"b\"\nport = 1\n\
             system_id = \"warp\"\npassword = \"b\"\n"
        );
        let (all, atlanta) = (Document::parse(&text).unwrap(), Document::parse(FILE).unwrap());
        let before = Current::load(&engine.store, &key).await.unwrap();
        let changes = plan(&all, &before).unwrap();
        apply(&engine.store, &key, (&all, &changes), &before, now).await.unwrap();
        // Sealed again with a key that is not the node's.
        let good = Current::load(&engine.store, &key).await.unwrap();
        let bad = Document::parse(&FILE.replace("hidden", "x")).unwrap();
        let changes = plan(&bad, &good).unwrap();
        apply(&engine.store, &other, (&bad, &changes), &good, now).await.unwrap();

        let partly = Current::load(&engine.store, &key).await.unwrap();
        let active = |vendor: &Vendor| (vendor.instance_name.clone(), vendor.active);
        let states: HashMap<String, bool> = partly.messaging.vendors.iter().map(active).collect();
        assert_eq!(states, HashMap::from([("boston".to_owned(), true), ("atlanta".to_owned(), false)]));
        let id = good.messaging.vendors.iter().find(|vendor| vendor.instance_name == "atlanta").unwrap().id;
        assert_eq!(partly.messaging.vendors_sealed, [(id, "atlanta".to_owned())]);

        let silent = Document::parse(&FILE.replace("password = \"hidden\"", "")).unwrap();
        let refused = plan(&silent, &partly).unwrap_err().to_string();
        assert!(refused.contains("does not open with this root key; give it in the file"), "{refused}");
        let changes = plan(&atlanta, &partly).unwrap();
        let text = changes.iter().map(ToString::to_string).collect::<String>();
        assert_eq!(text, "~ sms_vendor atlanta\n    password: [does not open] -> [redacted]");
        apply(&engine.store, &key, (&atlanta, &changes), &partly, now).await.unwrap();
        let mended = Current::load(&engine.store, &key).await.unwrap();
        let vendor = mended.messaging.vendors.iter().find(|vendor| vendor.id == id).unwrap();
        assert_eq!((vendor.password.expose(), vendor.active), ("hidden", true));
    })
    .await;
}
