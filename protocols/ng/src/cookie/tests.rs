use std::collections::HashSet;

use proptest::prelude::*;

use super::{COOKIE_MAX, Cookie, Cookies, Error, split};

#[test]
fn datagrams_are_split() {
    type Parts = Result<(&'static [u8], &'static [u8]), Error>;
    let table: [(&[u8], Parts); 9] = [
        (b"ck1 d7:command4:pinge", Ok((b"ck1", b"d7:command4:pinge"))),
        (b"ck1  d", Ok((b"ck1", b" d"))),
        (b"ck1 ", Ok((b"ck1", b""))),
        (b"", Err(Error::Missing)),
        (b" d", Err(Error::Missing)),
        (b"ck1", Err(Error::Missing)),
        (b"d6:result4:ponge", Err(Error::Missing)),
        (b"c\0k d", Err(Error::Unprintable)),
        (b"c\xfck d", Err(Error::Unprintable)),
    ];
    for (datagram, parts) in table {
        assert_eq!(split(datagram), parts, "{}", datagram.escape_ascii());
    }
}

#[test]
fn cookies_are_bounded() {
    let longest = [b'c'; COOKIE_MAX];
    assert_eq!(Cookie::new(&longest).unwrap().as_bytes(), longest);
    assert_eq!(split(&[&longest[..], b" d"].concat()), Ok((&longest[..], b"d".as_slice())));
    let longer = [b'c'; COOKIE_MAX + 1];
    assert_eq!(Cookie::new(&longer), Err(Error::TooLong));
    assert_eq!(split(&[&longer[..], b" d"].concat()), Err(Error::TooLong));
    assert_eq!(Cookie::new(b""), Err(Error::Missing));
    assert_eq!(Cookie::new(b"c k"), Err(Error::Unprintable));
}

#[test]
fn cookies_of_one_maker_differ_from_each_other_and_from_those_of_another() {
    let (mut one, mut other) = (Cookies::new(7), Cookies::new(8));
    let made: HashSet<Cookie> = (0..10_000).flat_map(|_| [one.fresh(), other.fresh()]).collect();
    assert_eq!(made.len(), 20_000);
}

#[test]
fn a_cookie_is_prefix_and_number() {
    let mut cookies = Cookies::new(0xc0ff_ee00);
    assert_eq!(cookies.fresh().as_bytes(), b"00000000c0ffee00_0");
    assert_eq!(format!("{:?}", cookies.fresh()), "Cookie(00000000c0ffee00_1)");
    let mut out = Vec::new();
    cookies.fresh().frame(b"de", &mut out);
    assert_eq!(out, b"00000000c0ffee00_2 de");
}

proptest! {
    #[test]
    fn what_is_framed_is_split(prefix in any::<u64>(), made in any::<u64>(), body in any::<Vec<u8>>()) {
        let cookie = Cookies { prefix, made }.fresh();
        prop_assert!(cookie.as_bytes().len() <= COOKIE_MAX);
        prop_assert_eq!(Cookie::new(cookie.as_bytes()), Ok(cookie));
        let mut datagram = Vec::new();
        cookie.frame(&body, &mut datagram);
        prop_assert_eq!(split(&datagram), Ok((cookie.as_bytes(), body.as_slice())));
    }

    #[test]
    fn the_prefix_and_the_number_are_told_apart(one in any::<(u64, u64)>(), other in any::<(u64, u64)>()) {
        let make = |(prefix, made)| Cookies { prefix, made }.fresh();
        prop_assert_eq!(make(one) == make(other), one == other);
    }
}
