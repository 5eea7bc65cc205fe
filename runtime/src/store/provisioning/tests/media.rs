use std::time::Duration;

use super::voice::{FILE, make_so, refused};
use super::*;
use crate::model::{Dtmf, EndpointLearning, MediaNodeState, MediaPath, MediaProfile, MediaSecurity, T38};

/// The example with the node that it shows.
fn with_node() -> String {
    let is_key = |shown: &&str| shown.starts_with(|first: char| first == '[' || first.is_ascii_lowercase());
    let lines = FILE.lines().map(|line| line.strip_prefix('#').filter(is_key).unwrap_or(line));
    let text: String = lines.map(|line| format!("{line}\n")).collect();
    assert_eq!(text.matches("\n[[media_nodes]]\n").count(), 1, "{text}");
    text
}

#[tokio::test]
async fn the_node_of_the_example_is_made_and_changed_and_keeps_its_number() {
    each_engine(async |engine: Engine| {
        let (changes, current) = make_so(&engine, &with_node()).await;
        assert!(changes.contains("+ media_node media-1\n"), "{changes}");
        let [node] = &current.voice.media_nodes[..] else { panic!("{:?}", current.voice.media_nodes) };
        assert_eq!((node.number, node.name.as_str(), node.weight), (1, "media-1", 50));
        assert_eq!(
            (node.address.to_string().as_str(), node.state),
            ("192.0.2.20:2223", MediaNodeState::Active)
        );

        let more = "[[media_nodes]]\nname = \"media-2\"\naddress = \"[2001:db8::20]:2223\"\nweight = 0\n\
             [[media_nodes]]\nname = \"media-1\"\naddress = \"192.0.2.21:2223\"\nstate = \"DRAINING\"\n";
        let (changes, after) = make_so(&engine, more).await;
        let expected = "+ media_node media-2\n~ media_node media-1\n    \
             address: \"192.0.2.20:2223\" -> \"192.0.2.21:2223\"\n    state: \"ACTIVE\" -> \"DRAINING\"";
        assert_eq!(changes, expected);
        let nodes: Vec<_> = after.voice.media_nodes.iter().map(|node| (node.number, node.weight)).collect();
        assert_eq!(nodes, [(1, 50), (2, 0)], "each keeps its number");
        assert_eq!(after.voice.media_nodes[0].id, node.id);
        let mut wanted = Document::parse(more).unwrap().media_nodes;
        wanted.reverse();
        assert_eq!(json(&Document::of(&after).media_nodes), json(&wanted));
    })
    .await;
}

#[tokio::test]
async fn a_profile_is_read_back_as_it_was_written_and_is_whole_when_it_is_left_out() {
    each_engine(async |engine: Engine| {
        let (_, current) = make_so(&engine, FILE).await;
        assert!(current.voice.vendors.iter().all(|vendor| vendor.media == MediaProfile::default()));
        assert_eq!(current.voice.trunks[0].media, MediaProfile::default());
        let shown = "media = { path = \"direct\", learning = \"heuristic\", strict_source = false, \
             codecs = [\"PCMA\", \"G729\"], transcode = [\"opus\"], security = \"srtp\", dtmf = \"inband\", \
             ptime = \"20ms\", interface = \"public\", t38 = \"refuse\", recording_retention = \"90d\" }";
        let text = FILE.replace("# media = {}", shown);
        assert_ne!(text, FILE);
        let (changes, current) = make_so(&engine, &text).await;
        assert!(changes.starts_with("~ trunk acme-east\n    media: {"), "{changes}");
        assert_eq!(changes.lines().count(), 2, "{changes}");
        let expected = MediaProfile {
            path: MediaPath::Direct,
            learning: EndpointLearning::Heuristic,
            strict_source: false,
            codecs: vec!["PCMA".to_owned(), "G729".to_owned()],
            transcode: vec!["opus".to_owned()],
            security: MediaSecurity::Srtp,
            dtmf: Dtmf::Inband,
            ptime: Duration::from_millis(20),
            interface: "public".to_owned(),
            t38: T38::Refuse,
            recording: false,
            recording_retention: Duration::from_secs(90 * 24 * 3600),
        };
        assert_eq!(current.voice.trunks[0].media, expected);

        let text =
            FILE.replace("# media.recording = false", "media.recording = true\nmedia.ptime = \"30ms\"");
        let (changes, current) = make_so(&engine, &text).await;
        assert!(changes.contains("~ sip_vendor atlantic\n    media: {"), "{changes}");
        let vendor = current.voice.vendors.iter().find(|vendor| vendor.name == "atlantic").unwrap();
        let expected =
            MediaProfile { recording: true, ptime: Duration::from_millis(30), ..MediaProfile::default() };
        assert_eq!(vendor.media, expected);
        assert_eq!(current.voice.trunks[0].media, MediaProfile::default(), "the key was left out again");
    })
    .await;
}

/// Rows that were written before there was any media.
#[tokio::test]
async fn trunks_and_vendors_of_an_older_program_have_the_defaults() {
    each_engine(async |engine: Engine| {
        make_so(&engine, FILE).await;
        for statement in
            ["UPDATE voice.vendors SET media = '{}'", "UPDATE accounts.trunk_groups SET media = '{}'"]
        {
            match &engine.store {
                Db::Pg(pool) => _ = sqlx::query(statement).execute(pool).await.unwrap(),
                Db::Lite(lite) => {
                    let statement = sqlx::AssertSqlSafe(crate::store::without_schemas(statement));
                    _ = sqlx::query(statement).execute(&lite.write).await.unwrap();
                }
            }
        }
        let (changes, current) = make_so(&engine, FILE).await;
        assert_eq!(changes, "");
        assert_eq!(current.voice.trunks[0].media, MediaProfile::default());
    })
    .await;
}

#[tokio::test]
async fn media_that_cannot_be_meant_is_refused_with_what_and_who() {
    each_engine(async |engine: Engine| {
        make_so(&engine, &with_node()).await;
        let node = |name: &str, rest: &str| format!("[[media_nodes]]\nname = \"{name}\"\n{rest}\n");
        let vendor = |media: &str| format!("[[sip_vendors]]\nname = \"atlantic\"\nmedia = {{ {media} }}\n");
        for (text, error) in [
            (
                node("media-2", "address = \"192.0.2.20:2223\""),
                "media_node \"media-2\": address: 192.0.2.20:2223 is media node \"media-1\"'s",
            ),
            (node("media-2", "address = \"media.example:2223\""), "line 3"),
            (node("media-2", "address = \"192.0.2.30\""), "line 3"),
            (node("media-2", "address = \"0.0.0.0:2223\""), "address: no node listens on 0.0.0.0:2223"),
            (
                node("media-2", "address = \"192.0.2.30:1\"\nweight = 10001"),
                "weight: 10001 is not 0 to 10000",
            ),
            (node("media-2", "address = \"192.0.2.30:1\"\nstate = \"DRAINED\""), "unknown variant `DRAINED`"),
            (node("media-2", "address = \"192.0.2.30:1\"\nnumber = 7"), "unknown field `number`"),
            (vendor("path = \"relay\""), "unknown variant `relay`"),
            (vendor("codec = []"), "unknown field `codec`"),
            (vendor("ptime = \"15ms\""), "sip_vendor \"atlantic\": media.ptime: it is 0s, or 10ms to 200ms"),
            (vendor("codecs = [\"a;b\"]"), "sip_vendor \"atlantic\": media.codecs: \"a;b\" is not"),
            (
                "[[trunks]]\nname = \"acme-east\"\ncustomer = \"TB-071161709\"\nmedia.interface = \"a b\"\n"
                    .to_owned(),
                "trunk \"acme-east\": media.interface: \"a b\" is not",
            ),
        ] {
            let refused = refused(&engine, &text).await;
            assert!(refused.contains(error), "{refused}");
            assert!(!refused.contains('\n'), "{refused}");
        }
    })
    .await;
}
