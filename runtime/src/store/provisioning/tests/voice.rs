use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::time::Duration;

use super::*;
use crate::model::{AuthType, NumberRule, Transport, VendorStatus};

pub(super) const FILE: &str = include_str!("../../../../../config/voice.example.toml");

fn now() -> Timestamp {
    Timestamp::from_micros(1_790_000_000_000_000)
}

/// Applies a text to the database as it is and reads it again; gives the changes as text.
pub(super) async fn make_so(engine: &Engine, text: &str) -> (String, Current) {
    let key = RootKey::load_or_create(&engine.dir.path().join("root.key")).unwrap();
    let document = Document::parse(text).unwrap();
    let before = Current::load(&engine.store, &key).await.unwrap();
    let changes = plan(&document, &before).unwrap();
    apply(&engine.store, &key, (&document, &changes), &before, now()).await.unwrap();
    let after = Current::load(&engine.store, &key).await.unwrap();
    assert_eq!(plan(&document, &after).unwrap(), [], "applied, and yet it differs");
    (changes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"), after)
}

pub(super) async fn refused(engine: &Engine, text: &str) -> String {
    let key = RootKey::load_or_create(&engine.dir.path().join("root.key")).unwrap();
    let before = Current::load(&engine.store, &key).await.unwrap();
    Document::parse(text).and_then(|document| plan(&document, &before)).unwrap_err().to_string()
}

fn sources(current: &Current, trunk: &str) -> BTreeSet<String> {
    let id = current.voice.trunks.iter().find(|found| found.name == trunk).unwrap().id;
    let entries = current.voice.acl.iter().filter(|entry| entry.trunk == id);
    entries.map(|entry| entry.source().to_string()).collect()
}

#[tokio::test]
async fn the_example_is_read_back_as_it_was_written() {
    each_engine(async |engine: Engine| {
        let (changes, current) = make_so(&engine, FILE).await;
        assert_eq!(changes.lines().filter(|line| line.starts_with("+ ")).count(), 10, "{changes}");
        let voice = &current.voice;
        assert_eq!((voice.version, current.messaging.version), (1, 1));
        let vendor = voice.vendors.iter().find(|vendor| vendor.name == "atlantic").unwrap();
        assert_eq!((vendor.number, vendor.status, vendor.channels), (1, VendorStatus::Active, 4000));
        assert_eq!(vendor.gateways[1].to_string(), "sip:192.0.2.11:5060;transport=udp");
        assert_eq!(
            (vendor.pdd_timeout, vendor.ring_timeout),
            (Duration::from_secs(4), Duration::from_secs(180))
        );
        assert_eq!(
            (vendor.session_expires, voice.trunks[0].session_expires),
            (Duration::from_secs(1800), Duration::ZERO)
        );
        assert_eq!(vendor.failover_statuses, [403, 404]);
        assert_eq!(NumberRule::rewrite(&vendor.callee_rules, "+1").as_deref(), Some("9001#1"));
        let trunk = &voice.trunks[0];
        assert_eq!((trunk.number, trunk.auth_type, trunk.cps), (1, AuthType::IpAcl, 50));
        assert_eq!((trunk.partition, trunk.customer), (Some(voice.partitions[0].id), voice.customers[0].id));
        assert_eq!(
            (trunk.deny.as_slice(), trunk.opened.as_slice()),
            (&["8835".to_owned()][..], &["1900".to_owned()][..])
        );
        assert_eq!(
            (trunk.rate_max, trunk.max_duration),
            ("0.25".parse().ok(), Duration::from_secs(4 * 3600))
        );
        assert_eq!(NumberRule::rewrite(&trunk.callee_rules, "2125550100").as_deref(), Some("+12125550100"));
        let entry = voice.acl.iter().find(|entry| entry.port == Some(5060)).unwrap();
        assert_eq!((entry.trunk, entry.transport), (trunk.id, Some(Transport::Udp)));
        assert_eq!(sources(&current, "acme-east").len(), 4);
        let prefixes: BTreeSet<&str> = voice.offers.iter().map(|offer| offer.prefix.as_str()).collect();
        assert_eq!((voice.offers.len(), prefixes), (3, BTreeSet::from(["", "1"])));
        assert_eq!(voice.high_cost.len(), 4);
        assert_eq!(voice.dedicated[0].customer, trunk.customer);
        assert_eq!((voice.dids[0].trunk, voice.dids[0].number.as_str()), (Some(trunk.id), "15550002222"));
        assert_eq!(current.messaging.dids, voice.dids);
    })
    .await;
}

#[tokio::test]
async fn topology_is_hidden_from_those_who_are_named() {
    each_engine(async |engine: Engine| {
        let text = FILE.replace("# hide_topology = false", "hide_topology = true");
        let hidden = |current: &Current| {
            let vendors =
                current.voice.vendors.iter().map(|vendor| (vendor.name.clone(), vendor.hide_topology));
            let trunks = current.voice.trunks.iter().map(|trunk| (trunk.name.clone(), trunk.hide_topology));
            vendors.chain(trunks).filter(|(_, hides)| *hides).map(|(name, _)| name).collect::<BTreeSet<_>>()
        };
        let (_, current) = make_so(&engine, &text).await;
        assert_eq!(hidden(&current), BTreeSet::from(["acme-east".to_owned(), "atlantic".to_owned()]));
        let (changes, current) = make_so(&engine, FILE).await;
        assert!(changes.contains("hide_topology: true -> false"), "{changes}");
        assert_eq!(hidden(&current), BTreeSet::new());
    })
    .await;
}

#[tokio::test]
async fn numbers_stay_with_their_entity_and_grow() {
    each_engine(async |engine: Engine| {
        make_so(&engine, FILE).await;
        let more = "[[partitions]]\nname = \"retail\"\n[[partitions]]\nname = \"wholesale\"\n\
             [[sip_vendors]]\nname = \"north\"\n[[sip_vendors]]\nname = \"atlantic\"\ncps = 3\n\
             [[trunks]]\nname = \"acme-west\"\ncustomer = \"TB-071161709\"\n\
             [[trunks]]\nname = \"acme-east\"\ncustomer = \"TB-071161709\"\n";
        let (_, current) = make_so(&engine, more).await;
        let voice = &current.voice;
        let numbers =
            |names: Vec<(&str, u32)>| names.into_iter().map(|(name, n)| (name.to_owned(), n)).collect();
        let vendors: HashMap<String, u32> =
            voice.vendors.iter().map(|one| (one.name.clone(), one.number)).collect();
        assert_eq!(vendors, numbers(vec![("atlantic", 1), ("pacific", 2), ("north", 3)]));
        let trunks: HashMap<String, u32> =
            voice.trunks.iter().map(|one| (one.name.clone(), one.number)).collect();
        assert_eq!(trunks, numbers(vec![("acme-east", 1), ("acme-west", 2)]));
        let partitions: HashMap<String, u32> =
            voice.partitions.iter().map(|one| (one.name.clone(), one.number)).collect();
        assert_eq!(partitions, numbers(vec![("wholesale", 1), ("retail", 2)]));
    })
    .await;
}

#[tokio::test]
async fn a_list_is_made_equal_to_the_file_and_what_is_not_named_is_left_alone() {
    each_engine(async |engine: Engine| {
        let (_, before) = make_so(&engine, FILE).await;
        let trunk = "[[trunks]]\nname = \"acme-east\"\ncustomer = \"TB-071161709\"\npartition = \"wholesale\"\n\
             cps = 50\nchannels = 500\ndeny = [\"8835\"]\nopened = [\"1900\"]\nrate_max = \"0.25\"\nmax_duration = \"240m\"\n\
             callee_rules = [{ prefix = \"+\" }, { prefix = \"011\", strip = 3, add = \"+\" }, \
             { prefix = \"1\", add = \"+\" }, { add = \"+1\" }]\n\
             gateways = [\"203.0.113.5:5060;transport=udp\", \"203.0.113.6:5060;transport=udp\"]\n";
        let acl = "acl = [\"2001:db8:78::/48\", \"203.0.113.0/28\", \"203.0.113.78\"]\n";
        let (changes, after) = make_so(&engine, &format!("{trunk}{acl}")).await;
        assert_eq!(
            changes,
            "~ trunk acme-east\n    acl: 4 -> 3: +203.0.113.78 -203.0.113.77:5060/udp -[2001:db8:77::1]:5061/tls"
        );
        let expected = ["2001:db8:78::/48", "203.0.113.0/28", "203.0.113.78"].map(str::to_owned);
        assert_eq!(sources(&after, "acme-east"), BTreeSet::from(expected));
        let id = |current: &Current, text: &str| {
            current.voice.acl.iter().find(|entry| entry.source().to_string() == text).unwrap().id
        };
        assert_eq!(id(&before, "203.0.113.0/28"), id(&after, "203.0.113.0/28"), "what stays keeps its id");
        assert_eq!((after.voice.offers.len(), after.voice.high_cost.len()), (3, 4));

        let (changes, after) = make_so(&engine, "high_cost = [\"881\", \"870\"]\n").await;
        assert_eq!(changes, "~ high_cost list\n    prefixes: 4 -> 2: +870 -1900 -882 -883");
        let prefixes: BTreeSet<&str> = after.voice.high_cost.iter().map(|one| one.prefix.as_str()).collect();
        assert_eq!(prefixes, BTreeSet::from(["870", "881"]));

        let free = "[[dedicated_addresses]]\naddress = \"198.51.100.200\"\n";
        let (changes, after) = make_so(&engine, free).await;
        assert!(changes.starts_with("~ dedicated_address 198.51.100.200\n    customer: "), "{changes}");
        assert_eq!(after.voice.dedicated, []);
        assert_eq!(make_so(&engine, free).await.0, "");
    })
    .await;
}

#[tokio::test]
async fn a_source_belongs_to_one_trunk_and_may_go_to_another() {
    each_engine(async |engine: Engine| {
        let file = |one: &str, two: &str| {
            format!(
                "[[customers]]\nban = \"TB-1\"\ncompany_name = \"Acme\"\n\
                 [[trunks]]\nname = \"one\"\ncustomer = \"TB-1\"\nacl = [{one}]\n\
                 [[trunks]]\nname = \"two\"\ncustomer = \"TB-1\"\nacl = [{two}]\n"
            )
        };
        let both = refused(&engine, &file("\"192.0.2.7:5060/udp\"", "\"192.0.2.7/32:5060/udp\"")).await;
        assert_eq!(both, "trunk \"two\": acl: 192.0.2.7:5060/udp is trunk \"one\"'s already");
        let twice = refused(&engine, &file("\"192.0.2.7\", \"192.0.2.7/32\"", "")).await;
        assert_eq!(twice, "trunk \"one\": acl: 192.0.2.7 stands in it twice");
        // Not the same: wider, another port, another transport.
        make_so(&engine, &file("\"192.0.2.7\"", "\"192.0.2.0/24\", \"192.0.2.7:5060\", \"192.0.2.7/tcp\""))
            .await;
        let three = "[[trunks]]\nname = \"three\"\ncustomer = \"TB-1\"\nacl = [\"192.0.2.7\"]\n";
        assert_eq!(
            refused(&engine, three).await,
            "trunk \"three\": acl: 192.0.2.7 is trunk \"one\"'s already"
        );
        // The two exchange their sources in one document.
        let (_, after) = make_so(&engine, &file("\"192.0.2.0/24\"", "\"192.0.2.7\"")).await;
        assert_eq!(sources(&after, "two"), BTreeSet::from(["192.0.2.7".to_owned()]));
    })
    .await;
}

#[tokio::test]
async fn a_trunk_that_goes_to_another_customer_takes_its_numbers_along_or_leaves_them() {
    each_engine(async |engine: Engine| {
        make_so(&engine, FILE).await;
        let moved = "[[customers]]\nban = \"TB-2\"\ncompany_name = \"Other\"\n\
             [[trunks]]\nname = \"acme-east\"\ncustomer = \"TB-2\"\n";
        assert_eq!(
            refused(&engine, moved).await,
            "trunk \"acme-east\": customer: its number 15550002222 is another customer's; give it in the file too"
        );
        let along = format!("{moved}[[dids]]\nnumber = \"15550002222\"\ncustomer = \"TB-2\"\ntrunk = \"acme-east\"\n");
        let (_, after) = make_so(&engine, &along).await;
        assert_eq!(after.voice.dids[0].customer, Some(after.voice.trunks[0].customer));
    })
    .await;
}

#[tokio::test]
async fn tens_of_thousands_of_sources_and_rates_are_written_whole() {
    const ROWS: u32 = 20_000;
    each_engine(async |engine: Engine| {
        make_so(&engine, FILE).await;
        let mut text = "[[trunks]]\nname = \"many\"\ncustomer = \"TB-071161709\"\nacl = [\n".to_owned();
        let address = |n: u32| std::net::Ipv4Addr::from_bits(0x0A00_0000 + n);
        for n in 0..ROWS {
            writeln!(text, "\"{}\",", address(n)).unwrap();
        }
        text.push_str("]\n");
        for n in 0..ROWS {
            writeln!(text, "[[voice_rates]]\npartition = \"wholesale\"\nprefix = \"{}\"", 100_000 + n)
                .unwrap();
            writeln!(text, "vendor = \"atlantic\"\nrate = \"0.{n:05}\"").unwrap();
        }
        let (changes, after) = make_so(&engine, &text).await;
        assert_eq!(changes.lines().count(), ROWS as usize + 1);
        let all = (after.voice.acl.len(), after.voice.offers.len());
        assert_eq!(all, (ROWS as usize + 4, ROWS as usize + 3));

        let changed = text.replace("rate = \"0.", "rate = \"1.").replace("\"10.0.", "\"10.128.");
        let (changes, after) = make_so(&engine, &changed).await;
        assert!(changes.contains(" and 39990 more"), "{}", changes.lines().next().unwrap_or_default());
        let all = (after.voice.acl.len(), after.voice.offers.len());
        assert_eq!(all, (ROWS as usize + 4, ROWS as usize + 3));
        let one = after.voice.offers.iter().find(|offer| offer.prefix == "100001").unwrap();
        assert_eq!(one.rate.to_string(), "1.00001");
    })
    .await;
}

#[test]
fn what_cannot_be_meant_is_refused_with_what_and_who() {
    for (from, to, error) in [
        (
            "partition = \"wholesale\"\n#",
            "partition = \"retail\"\n#",
            "trunk \"acme-east\" names partition \"retail\"",
        ),
        (
            "prefix = \"1\"\nvendor = \"pacific\"",
            "prefix = \"1\"\nvendor = \"arctic\"",
            "voice_rate \"wholesale/1/arctic\" names sip_vendor \"arctic\"",
        ),
        (
            "partition = \"wholesale\"\nprefix = \"1\"",
            "partition = \"retail\"\nprefix = \"1\"",
            "names partition \"retail\"",
        ),
        (
            "prefix = \"1\"\nvendor = \"pacific\"",
            "prefix = \"1\"\nvendor = \"atlantic\"",
            "voice_rate \"wholesale/1/atlantic\" stands in the file twice",
        ),
        ("trunk = \"acme-east\"", "trunk = \"acme-west\"", "did \"15550002222\" names trunk \"acme-west\""),
        (
            "customer = \"TB-071161709\"\ntrunk",
            "trunk",
            "did \"15550002222\": trunk: \"acme-east\" is customer",
        ),
        (
            "address = \"198.51.100.200\"\ncustomer = \"TB-071161709\"",
            "address = \"198.51.100.200\"\ncustomer = \"TB-9\"",
            "dedicated_address \"198.51.100.200\" names customer \"TB-9\"",
        ),
        ("address = \"198.51.100.200\"", "address = \"0.0.0.0\"", "no call arrives at such an address"),
        ("192.0.2.8/29", "0.0.0.0/0", "sip_vendor \"atlantic\": networks: 0.0.0.0/0 is every address"),
        ("[403, 404]", "[200]", "sip_vendor \"atlantic\": failover_statuses: 200 is not 300 to 699"),
        (
            "192.0.2.11",
            "192.0.2.10",
            "sip_vendor \"atlantic\": gateways: sip:192.0.2.10:5060;transport=udp stands",
        ),
        ("192.0.2.11:5060", "192.0.2.11:0", "is not a gateway such as"),
        ("203.0.113.0/28", "203.0.113.1/28", "the address has bits outside of the prefix"),
        ("\"X-Account\"", "\"Contact\"", "the header Contact is the proxy's own"),
        ("strip = 3", "strip = 99", "strip 99 is over 32"),
        (
            "deny = [\"+8835\"]",
            "deny = [\"88x\"]",
            "trunk \"acme-east\": deny: \"88x\" is not 1 to 20 digits",
        ),
        ("\"+881\"", "\"+\"", "high_cost \"\": prefix: "),
        ("\"+881\"", "\"+882\"", "high_cost \"882\" stands in the file twice"),
        ("rate = \"0.0042\"", "rate = \"-1\"", "voice_rate \"wholesale/1/atlantic\": rate: -1 is below 0"),
        ("rate_max = \"0.25\"", "rate_max = \"-1\"", "trunk \"acme-east\": rate_max: -1 is below 0"),
        ("name = \"pacific\"", "name = \"atlantic\"", "sip_vendor \"atlantic\" stands in the file twice"),
        (
            "# pdd_timeout = \"4s\"",
            "pdd_timeout = \"0s\"",
            "sip_vendor \"atlantic\": pdd_timeout: zero cannot work",
        ),
        ("# auth_type = \"IP_ACL\"", "auth_type = \"ACL\"", "unknown variant `ACL`"),
        ("# status = \"ACTIVE\"\n# Where", "status = \"DRAIN\"\n# Where", "unknown variant `DRAIN`"),
    ] {
        assert!(FILE.contains(from), "{from}");
        let text = FILE.replacen(from, to, 1);
        let refused = Document::parse(&text).and_then(|document| plan(&document, &Current::default()));
        let refused = refused.map_err(|error| error.to_string()).unwrap_err();
        assert!(refused.contains(error), "{refused}");
        assert!(!refused.contains('\n'), "{refused}");
    }
}

/// The example shows the defaults: with its commented keys uncommented it says the same.
#[test]
fn the_example_shows_every_default() {
    let shown: String = FILE
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|rest| rest.contains(" = ")).unwrap_or(line))
        .map(|line| format!("{line}\n"))
        .collect();
    let (all, short) = (Document::parse(&shown).unwrap(), Document::parse(FILE).unwrap());
    assert_eq!(json(&all.sip_vendors), json(&short.sip_vendors));
    assert_eq!(json(&all.trunks), json(&short.trunks));
    assert_eq!(json(&all.voice_rates), json(&short.voice_rates));
    let keys = |value: Value| value[0].as_object().unwrap().len();
    let (vendor, trunk) = (keys(json(&all.sip_vendors)), keys(json(&all.trunks)));
    let sections =
        |name: &str| toml::from_str::<toml::Table>(&shown).unwrap()[name][0].as_table().unwrap().len();
    // The ACL is not part of what a trunk is compared by.
    assert_eq!((sections("sip_vendors"), sections("trunks")), (vendor, trunk + 1));
    let media = toml::from_str::<toml::Table>(&shown).unwrap()["sip_vendors"][0]["media"].clone();
    assert_eq!(media.as_table().unwrap().len(), keys(json(&[&all.sip_vendors[0].media])));
    let identity = toml::from_str::<toml::Table>(&shown).unwrap()["sip_vendors"][0]["identity"].clone();
    assert_eq!(identity.as_table().unwrap().len(), keys(json(&[&all.sip_vendors[0].identity])));
}

#[test]
fn a_session_is_no_shorter_than_it_may_be_and_no_longer_than_is_of_use() {
    for (from, to, refused) in [
        (
            "session_expires = \"30m\"",
            "session_expires = \"89s\"",
            Some("sip_vendor \"atlantic\": session_expires"),
        ),
        ("session_expires = \"30m\"", "session_expires = \"90s\"", None),
        ("session_expires = \"30m\"", "session_expires = \"24h\"", None),
        ("max_duration = \"4h\"", "session_expires = \"25h\"", Some("trunk \"acme-east\": session_expires")),
        ("max_duration = \"4h\"", "session_expires = \"0s\"", None),
    ] {
        let text = FILE.replacen(from, to, 1);
        assert_ne!(text, FILE, "{from}");
        let planned = Document::parse(&text).and_then(|document| plan(&document, &Current::default()));
        let error = planned.map(|_| ()).map_err(|error| error.to_string()).err();
        assert_eq!(error.is_some(), refused.is_some(), "{to}: {error:?}");
        assert!(error.unwrap_or_default().contains(refused.unwrap_or_default()), "{to}");
    }
}
