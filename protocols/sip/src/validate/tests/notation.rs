//! The notation of RFC 4475, section 2, in which test messages stay text.

/// The octets that `text` stands for: lines end in CRLF, `<allOneLine>` joins them, `<repeat count=n>` repeats,
/// `<hex>` gives octets.
pub(super) fn octets(text: &str) -> Vec<u8> {
    let joined = each(text, "<allOneLine>\n", "</allOneLine>\n", |lines| lines.replace('\n', "") + "\n");
    let repeated = each(&joined, "<repeat count=", "</repeat>", |inner| {
        let (count, value) = inner.split_once('>').unwrap();
        value.repeat(count.parse().unwrap())
    });
    let mut octets = Vec::new();
    let mut rest = repeated.as_str();
    while let Some((before, after)) = rest.split_once("<hex>") {
        let (digits, after) = after.split_once("</hex>").unwrap();
        octets.extend(before.replace('\n', "\r\n").bytes());
        let digits: Vec<u32> = digits.chars().filter_map(|digit| digit.to_digit(16)).collect();
        octets.extend(digits.chunks_exact(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()));
        rest = after;
    }
    octets.extend(rest.replace('\n', "\r\n").bytes());
    octets
}

/// `text` with all between `open` and `close` put through `change`.
fn each(text: &str, open: &str, close: &str, change: impl Fn(&str) -> String) -> String {
    let mut changed = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(open) {
        let (inner, after) = after.split_once(close).unwrap();
        changed += before;
        changed += &change(inner);
        rest = after;
    }
    changed + rest
}

/// The examples of the RFC.
#[test]
fn notation_is_read() {
    let table = [
        ("Header-name: value one\n", "Header-name: value one\r\n"),
        ("Header-name: value<hex>206F6E</hex>e\n", "Header-name: value one\r\n"),
        (
            "<allOneLine>\nA: first value,\n reallylong\nsecond\nvalue,\n third value\n</allOneLine>\n\n",
            "A: first value, reallylongsecondvalue, third value\r\n\r\n",
        ),
        ("<repeat count=3>abc</repeat>", "abcabcabc"),
        ("\"1<repeat count=6><hex>30</hex></repeat> bottles of beer\"", "\"1000000 bottles of beer\""),
        ("\n<hex>\n3031\n32\n</hex>\n--", "\r\n012\r\n--"),
    ];
    for (text, expected) in table {
        assert_eq!(octets(text), expected.as_bytes());
    }
}
