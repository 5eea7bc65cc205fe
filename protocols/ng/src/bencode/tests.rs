use proptest::prelude::*;

use super::{DEPTH_MAX, Error, ITEMS_MAX, OCTETS_MAX, Value, Writer, parse};

#[test]
fn values_are_read() {
    let table: [(&str, Value<'_>); 10] = [
        ("i0e", Value::Int(0)),
        ("i-42e", Value::Int(-42)),
        ("i9223372036854775807e", Value::Int(i64::MAX)),
        ("i-9223372036854775808e", Value::Int(i64::MIN)),
        ("0:", Value::Str(b"")),
        ("4:pong", Value::Str(b"pong")),
        ("le", Value::List(Vec::new())),
        ("l4:ponge", Value::List(vec![Value::Str(b"pong")])),
        ("de", Value::Dict(Vec::new())),
        (
            "d1:bi1e1:ai2ee",
            Value::Dict(vec![(b"b".as_slice(), Value::Int(1)), (b"a".as_slice(), Value::Int(2))]),
        ),
    ];
    for (octets, value) in table {
        assert_eq!(parse(octets.as_bytes()), Ok(value), "{octets}");
    }
}

#[test]
fn lengths_are_written_as_numbers_are() {
    for length in (0..=1_100).chain([9_999, 10_000, 65_534, 65_535]) {
        let mut out = b"before".to_vec();
        Writer::new(&mut out).str(&vec![b'x'; length]);
        assert_eq!(out, format!("before{length}:{}", "x".repeat(length)).into_bytes());
    }
}

#[test]
fn what_is_no_value_is_refused() {
    let table = [
        ("", Error::Truncated),
        ("i", Error::Truncated),
        ("i1", Error::Truncated),
        ("4", Error::Truncated),
        ("4:", Error::Truncated),
        ("4:pon", Error::Truncated),
        ("l", Error::Truncated),
        ("li1e", Error::Truncated),
        ("d", Error::Truncated),
        ("d1:a", Error::Truncated),
        ("d1:ai1e", Error::Truncated),
        ("999999999999999:a", Error::Truncated),
        ("ie", Error::Malformed),
        ("i-e", Error::Malformed),
        ("i-0e", Error::Malformed),
        ("i01e", Error::Malformed),
        ("i+1e", Error::Malformed),
        ("i1.5e", Error::Malformed),
        ("i9223372036854775808e", Error::Malformed),
        ("i-9223372036854775809e", Error::Malformed),
        ("i--1e", Error::Malformed),
        ("i1-e", Error::Malformed),
        ("i\u{663}e", Error::Malformed),
        ("i111111111111111111111111111e", Error::Malformed),
        ("04:pong", Error::Malformed),
        ("4x:pong", Error::Malformed),
        ("99999999999999999999:a", Error::Malformed),
        ("x", Error::Malformed),
        ("e", Error::Malformed),
        ("{}", Error::Malformed),
        ("di1ei1ee", Error::Malformed),
        ("d1:ae", Error::Malformed),
        ("i1ei2e", Error::Trailing),
        ("4:pongs", Error::Trailing),
        ("dee", Error::Trailing),
    ];
    for (octets, error) in table {
        assert_eq!(parse(octets.as_bytes()), Err(error), "{octets}");
    }
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| ["l".repeat(depth), "e".repeat(depth)].concat();
    assert!(parse(nested(DEPTH_MAX).as_bytes()).is_ok());
    assert_eq!(parse(nested(DEPTH_MAX + 1).as_bytes()), Err(Error::TooDeep));
    assert_eq!(parse("l".repeat(OCTETS_MAX).as_bytes()), Err(Error::TooDeep));
    assert_eq!(parse("d1:a".repeat(DEPTH_MAX + 1).as_bytes()), Err(Error::TooDeep));
}

#[test]
fn values_are_counted() {
    let list = |values: usize| ["l", &"0:".repeat(values), "e"].concat();
    // The list is a value itself.
    assert!(parse(list(ITEMS_MAX - 1).as_bytes()).is_ok());
    assert_eq!(parse(list(ITEMS_MAX).as_bytes()), Err(Error::TooManyItems));
}

#[test]
fn octets_are_bounded() {
    let text = |octets: usize| [b"65529:".as_slice(), &vec![b'a'; octets]].concat();
    assert_eq!(text(65_529).len(), OCTETS_MAX);
    assert!(parse(&text(65_529)).is_ok());
    assert_eq!(parse(&text(65_530)), Err(Error::TooLong));
}

#[test]
fn lookups_take_what_fits() {
    let value = parse(b"d1:ai7e1:b2:421:c3:4.21:dli1ee1:ede1:ai8e1:f2:-11:g0:e").unwrap();
    let int = |key| value.get(key).and_then(Value::int);
    assert_eq!(int("a"), Some(7), "the first of two");
    assert_eq!(int("b"), Some(42), "a text of digits");
    assert_eq!([int("c"), int("d"), int("g"), int("x")], [None; 4]);
    assert_eq!(value.get("f").and_then(Value::count), None);
    assert_eq!(value.get("b").and_then(Value::str), Some(b"42".as_slice()));
    assert_eq!(value.get("a").and_then(Value::str), None);
    assert_eq!(value.get("d").and_then(Value::list), Some([Value::Int(1)].as_slice()));
    assert_eq!(value.get("e").and_then(Value::dict).map(<[_]>::len), Some(0));
    assert_eq!(value.get("d").unwrap().get("a"), None, "a list has no keys");
}

#[test]
fn values_are_written() {
    let mut out = b"ck1 ".to_vec();
    Writer::new(&mut out).dict(|dict| {
        dict.key("command").str(b"list");
        dict.key("limit").int(-1);
        dict.key("flags").list(|list| {
            list.str(b"");
            list.count(u64::MAX);
        });
    });
    let expected: &[u8] = b"ck1 d7:command4:list5:limiti-1e5:flagsl0:i9223372036854775807eee";
    assert_eq!(out, expected);
}

/// A value that owns its texts.
#[derive(Clone, Debug)]
enum Owned {
    Int(i64),
    Str(Vec<u8>),
    List(Vec<Self>),
    Dict(Vec<(Vec<u8>, Self)>),
}

impl Owned {
    fn borrowed(&self) -> Value<'_> {
        match self {
            Self::Int(value) => Value::Int(*value),
            Self::Str(octets) => Value::Str(octets),
            Self::List(values) => Value::List(values.iter().map(Self::borrowed).collect()),
            Self::Dict(pairs) => {
                Value::Dict(pairs.iter().map(|(key, value)| (key.as_slice(), value.borrowed())).collect())
            }
        }
    }
}

fn owned() -> impl Strategy<Value = Owned> {
    let octets = || prop::collection::vec(any::<u8>(), 0..12);
    let leaf = prop_oneof![any::<i64>().prop_map(Owned::Int), octets().prop_map(Owned::Str)];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Owned::List),
            prop::collection::vec((octets(), inner), 0..6).prop_map(Owned::Dict),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(value in owned()) {
        let mut out = Vec::new();
        Writer::new(&mut out).value(&value.borrowed());
        prop_assert_eq!(parse(&out), Ok(value.borrowed()));
        for cut in 0..out.len() {
            prop_assert!(parse(&out[..cut]).is_err(), "cut at {}", cut);
        }
    }
}
