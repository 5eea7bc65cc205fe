use super::voice::{FILE, make_so, refused};
use super::*;
use crate::model::{CallerSource, Diversions, ForeignNumbers, IdentityHeaders, IdentityProfile};

#[tokio::test]
async fn who_calls_is_read_back_as_it_was_written() {
    each_engine(async |engine: Engine| {
        let (_, current) = make_so(&engine, FILE).await;
        assert!(current.voice.vendors.iter().all(|vendor| vendor.identity == IdentityProfile::default()));
        assert_eq!(current.voice.trunks[0].identity, IdentityProfile::default());
        let shown = "identity = { caller_from = [\"p_preferred_identity\", \"from\"], \
             foreign_numbers = \"replace\", default_number = \"+15550002222\", send = \"none\" }";
        let text = FILE.replace("# identity = {}", shown);
        assert_ne!(text, FILE);
        let (changes, current) = make_so(&engine, &text).await;
        assert!(changes.starts_with("~ trunk acme-east\n    identity: {"), "{changes}");
        assert_eq!(changes.lines().count(), 2, "{changes}");
        let expected = IdentityProfile {
            caller_from: vec![CallerSource::PPreferredIdentity, CallerSource::From],
            foreign_numbers: ForeignNumbers::Replace,
            default_number: "+15550002222".to_owned(),
            send: IdentityHeaders::Nothing,
            diversions: Diversions::AsReceived,
        };
        assert_eq!(current.voice.trunks[0].identity, expected);

        let text = FILE.replace(
            "# identity.send = \"as_received\"",
            "identity.send = \"both\"\nidentity.diversions = \"history_info\"",
        );
        let (changes, current) = make_so(&engine, &text).await;
        assert!(changes.contains("~ sip_vendor atlantic\n    identity: {"), "{changes}");
        let vendor = current.voice.vendors.iter().find(|vendor| vendor.name == "atlantic").unwrap();
        let (send, diversions) = (IdentityHeaders::Both, Diversions::HistoryInfo);
        assert_eq!(vendor.identity, IdentityProfile { send, diversions, ..IdentityProfile::default() });
        assert_eq!(
            current.voice.trunks[0].identity,
            IdentityProfile::default(),
            "the key was left out again"
        );
    })
    .await;
}

#[tokio::test]
async fn identities_that_cannot_be_meant_are_refused_with_what_and_who() {
    each_engine(async |engine: Engine| {
        make_so(&engine, FILE).await;
        let vendor =
            |identity: &str| format!("[[sip_vendors]]\nname = \"atlantic\"\nidentity = {{ {identity} }}\n");
        let trunk = "[[trunks]]\nname = \"acme-east\"\ncustomer = \"TB-071161709\"\n";
        for (text, error) in [
            (vendor("send = \"pai\""), "unknown variant `pai`"),
            (vendor("sends = \"none\""), "unknown field `sends`"),
            (
                vendor("foreign_numbers = \"refuse\""),
                "sip_vendor \"atlantic\": identity.foreign_numbers: a vendor has no numbers of its own",
            ),
            (
                format!("{trunk}identity.foreign_numbers = \"replace\"\n"),
                "trunk \"acme-east\": identity.default_number: replace needs the number",
            ),
            (
                format!("{trunk}identity.caller_from = [\"from\", \"from\"]\n"),
                "trunk \"acme-east\": identity.caller_from: from stands in it twice",
            ),
        ] {
            let refused = refused(&engine, &text).await;
            assert!(refused.contains(error), "{refused}");
            assert!(!refused.contains('\n'), "{refused}");
        }
    })
    .await;
}
