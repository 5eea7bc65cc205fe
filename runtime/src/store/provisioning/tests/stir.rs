use super::voice::{make_so, refused};
use super::*;
use crate::model::{Attestation, VerifyIdentity};

fn file(vendor: &str, trunk: &str) -> String {
    format!(
        "[[customers]]\nban = \"AAA-1\"\ncompany_name = \"First\"\n\
         [[sip_vendors]]\nname = \"north\"\n{vendor}\n\
         [[trunks]]\nname = \"east\"\ncustomer = \"AAA-1\"\n{trunk}\n"
    )
}

#[tokio::test]
async fn what_is_signed_and_checked_is_read_back_as_it_was_written() {
    each_engine(async |engine: Engine| {
        let (_, current) = make_so(&engine, &file("", "")).await;
        let (vendor, trunk) = (&current.voice.vendors[0], &current.voice.trunks[0]);
        assert_eq!((vendor.verify_identity, vendor.sign_calls), (VerifyIdentity::Off, false));
        assert_eq!((trunk.verify_identity, trunk.attestation_max), (VerifyIdentity::Off, Attestation::A));

        let vendor = "verify_identity = \"refuse\"\nsign_calls = true";
        let (changes, current) =
            make_so(&engine, &file(vendor, "verify_identity = \"note\"\nattestation_max = \"C\"")).await;
        let expected = "~ sip_vendor north\n    sign_calls: false -> true\n    \
             verify_identity: \"off\" -> \"refuse\"\n~ trunk east\n    attestation_max: \"A\" -> \"C\"\n    \
             verify_identity: \"off\" -> \"note\"";
        assert_eq!(changes, expected);
        let (vendor, trunk) = (&current.voice.vendors[0], &current.voice.trunks[0]);
        assert_eq!((vendor.verify_identity, vendor.sign_calls), (VerifyIdentity::Refuse, true));
        assert_eq!((trunk.verify_identity, trunk.attestation_max), (VerifyIdentity::Note, Attestation::C));

        for (vendor, trunk) in [("verify_identity = \"maybe\"", ""), ("", "attestation_max = \"D\"")] {
            let text = refused(&engine, &file(vendor, trunk)).await;
            assert!(text.contains("line "), "{text}");
        }
    })
    .await;
}
