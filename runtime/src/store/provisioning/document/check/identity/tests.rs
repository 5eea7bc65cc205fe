use super::*;

fn checked(profile: &str) -> [Option<String>; 2] {
    let profile: IdentityProfile = toml::from_str(profile).unwrap();
    let trunk = Entry { kind: "trunk", key: "acme" }.identity(&profile);
    let vendor = Entry { kind: "sip_vendor", key: "atlantic" }.vendor_identity(&profile);
    [trunk, vendor].map(|checked| checked.err().map(|error| error.to_string()))
}

#[test]
fn profiles_with_values_that_cannot_be_are_refused_with_their_key() {
    let twice = "identity.caller_from: from stands in it twice";
    let needed = "identity.default_number: replace needs the number";
    let own = "sip_vendor \"atlantic\": identity.foreign_numbers: a vendor has no numbers of its own";
    for (profile, trunk, vendor) in [
        ("", None, None),
        ("caller_from = []", None, None),
        ("caller_from = [\"p_asserted_identity\", \"from\"]\nsend = \"both\"", None, None),
        ("caller_from = [\"from\", \"remote_party_id\", \"from\"]", Some(twice), Some(twice)),
        ("foreign_numbers = \"replace\"", Some(needed), Some(needed)),
        ("foreign_numbers = \"replace\"\ndefault_number = \"+15550100\"", None, Some(own)),
        ("foreign_numbers = \"refuse\"", None, Some(own)),
        ("default_number = \"15550100\"", None, None),
        (
            "default_number = \"1555a\"",
            Some("trunk \"acme\": identity.default_number: \"1555a\" is not 1 to 20 digits"),
            Some("identity.default_number"),
        ),
        ("default_number = \"+\"", Some("identity.default_number"), Some("identity.default_number")),
        (
            "default_number = \"012345678901234567890\"",
            Some("identity.default_number"),
            Some("identity.default_number"),
        ),
    ] {
        for (refused, expected) in checked(profile).into_iter().zip([trunk, vendor]) {
            assert_eq!(refused.is_some(), expected.is_some(), "{profile}: {refused:?}");
            assert!(
                refused.clone().unwrap_or_default().contains(expected.unwrap_or_default()),
                "{refused:?}"
            );
        }
    }
}
