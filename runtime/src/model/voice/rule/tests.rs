use proptest::prelude::*;

use super::*;

fn rule(prefix: &str, strip: u8, add: &str) -> NumberRule {
    NumberRule { prefix: prefix.to_owned(), strip, add: add.to_owned() }
}

#[test]
fn the_first_rule_that_fits_rewrites() {
    let national = [rule("+", 1, ""), rule("011", 3, ""), rule("1", 0, ""), rule("", 0, "1")];
    let tech = [rule("", 0, "9001#")];
    for (rules, number, rewritten) in [
        (&national[..], "+442071838750", Some("442071838750")),
        (&national, "011442071838750", Some("442071838750")),
        (&national, "12125550100", Some("12125550100")),
        (&national, "2125550100", Some("12125550100")),
        (&national, "", Some("1")),
        (&tech, "12125550100", Some("9001#12125550100")),
        (&national[..2], "12125550100", None),
        (&[], "12125550100", None),
        (&[rule("1", 9, "7")], "1", Some("7")),
        (&[rule("", 1, "")], "\u{e9}1", Some("1")),
    ] {
        assert_eq!(NumberRule::rewrite(rules, number).as_deref(), rewritten, "{number}");
    }
}

proptest! {
    #[test]
    fn no_number_breaks_a_rule(number in ".{0,40}", strip in 0_u8..=32, add in "[0-9]{0,4}") {
        let rewritten = NumberRule::rewrite(&[rule("", strip, &add)], &number).unwrap();
        let kept = number.chars().count().saturating_sub(strip.into());
        prop_assert_eq!(rewritten.chars().count(), kept + add.len());
        prop_assert!(rewritten.starts_with(&add));
    }
}

#[test]
fn rules_that_cannot_be_meant_are_refused() {
    for (text, reason) in [
        ("prefix = \"+1a\"", "prefix \"+1a\" is not"),
        ("add = \"1+\"", "add \"1+\" is not"),
        ("strip = 33", "strip 33 is over 32"),
        ("strp = 3", "unknown field `strp`"),
    ] {
        let refused = toml::from_str::<NumberRule>(text).unwrap_err().to_string();
        assert!(refused.contains(reason), "{refused}");
    }
    assert_eq!(toml::from_str::<NumberRule>("add = \"+\"").unwrap(), rule("", 0, "+"));
    for (text, reason) in [
        ("action = \"set\"\nname = \"VIA\"", "the header VIA is the proxy's own"),
        ("action = \"add\"\nname = \"m\"", "the header m is the proxy's own"),
        ("action = \"set\"\nname = \"X Y\"", "is not the name of a header"),
        ("action = \"set\"\nname = \"\"", "is not the name of a header"),
        ("action = \"set\"\nname = \"X\"\nvalue = \"a\\r\\nVia: b\"", "control characters"),
        ("action = \"remove\"\nname = \"X\"\nvalue = \"a\"", "whatever its value"),
        ("action = \"drop\"\nname = \"X\"", "unknown variant `drop`"),
    ] {
        let refused = toml::from_str::<HeaderRule>(text).unwrap_err().to_string();
        assert!(refused.contains(reason), "{refused}");
    }
    let passed: HeaderRule = toml::from_str("action = \"remove\"\nname = \"P-Asserted-Identity\"").unwrap();
    assert_eq!((passed.action, passed.value.as_str()), (HeaderAction::Remove, ""));
}
