use super::*;

const ONE: Source = Source::Vendor(1);
const OTHER: Source = Source::Trunk(1);

fn place(host: &str, name: usize) -> Place {
    Place { url: format!("https://{host}/{name}").into(), host: host.into() }
}

/// Everything that may be fetched at this moment.
fn all_next(wanted: &mut Wanted) -> Vec<String> {
    std::iter::from_fn(|| wanted.take_next()).map(|url| url.replace("https://", "")).collect()
}

#[test]
fn each_is_wanted_once() {
    let mut wanted = Wanted::default();
    assert_eq!(wanted.new_one(&place("a", 1), ONE), Added::Now);
    assert_eq!(wanted.new_one(&place("a", 1), OTHER), Added::Before);
    assert_eq!(wanted.again("https://a/1"), Added::Before);
    assert_eq!(wanted.again("https://a/2"), Added::Now);
    assert_eq!(all_next(&mut wanted), ["a/1", "a/2"]);
    assert_eq!(wanted.new_one(&place("a", 1), ONE), Added::Before, "it is on its way");
    assert_eq!((wanted.source("https://a/1"), wanted.source("https://a/2")), (Some(ONE), None));
    wanted.done("https://a/1");
    assert_eq!((wanted.len(), wanted.source("https://a/1")), (1, None));
    assert_eq!(wanted.new_one(&place("a", 1), ONE), Added::Now);
    // Who fetched died.
    wanted.begin();
    assert_eq!((wanted.len(), wanted.again("https://a/2")), (1, Added::Now));
    assert_eq!(all_next(&mut wanted), ["a/1", "a/2"]);
}

#[test]
fn one_source_leaves_room_for_others() {
    let mut wanted = Wanted::default();
    // Each at another host that says nothing.
    let stalling = |name: usize| place(&format!("{name}.tarpit"), 0);
    for name in 0..OF_SOURCE_MAX {
        assert_eq!(wanted.new_one(&stalling(name), ONE), Added::Now);
    }
    assert_eq!(wanted.new_one(&stalling(OF_SOURCE_MAX), ONE), Added::Full);
    assert_eq!(all_next(&mut wanted).len(), ON_WAY_OF_SOURCE_MAX);
    assert_eq!(wanted.new_one(&place("honest", 1), OTHER), Added::Now);
    assert_eq!(all_next(&mut wanted), ["honest/1"], "it waits for nobody");
    // All of it, by many sources together.
    for source in 2..100 {
        for name in 0..OF_SOURCE_MAX {
            wanted.new_one(&place(&format!("{name}.{source}"), 0), Source::Trunk(source));
        }
    }
    assert_eq!(wanted.len(), WANTED_MAX);
    all_next(&mut wanted);
    assert_eq!(wanted.on_way.len(), ON_WAY_MAX);
    // What was good before has places of its own.
    for name in 0..AGAIN_MAX {
        assert_eq!(wanted.again(&format!("https://known/{name}")), Added::Now);
    }
    assert_eq!(wanted.again("https://known/more"), Added::Full);
    assert_eq!(all_next(&mut wanted), ["known/0", "known/1", "known/2", "known/3"]);
}

#[test]
fn a_host_is_not_asked_for_many_at_once() {
    let mut wanted = Wanted::default();
    for name in 0..OF_HOST_MAX {
        assert_eq!(wanted.new_one(&place("a", name), ONE), Added::Now);
    }
    assert_eq!(wanted.new_one(&place("a", OF_HOST_MAX), OTHER), Added::Full);
    assert_eq!(wanted.new_one(&place("b", 1), ONE), Added::Now);
    assert_eq!(all_next(&mut wanted), ["a/0", "a/1", "b/1"]);
    wanted.done("https://a/0");
    assert_eq!(all_next(&mut wanted), ["a/2"]);
}

#[test]
fn sources_take_turns() {
    let mut wanted = Wanted::default();
    for name in 0..3 {
        wanted.new_one(&place(&format!("one{name}"), 0), ONE);
    }
    wanted.new_one(&place("other", 0), OTHER);
    assert_eq!(all_next(&mut wanted), ["one0/0", "other/0", "one1/0", "one2/0"]);
}
