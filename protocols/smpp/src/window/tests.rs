use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[expect(clippy::disallowed_methods, reason = "an Instant has no other origin; only differences are tested")]
fn origin() -> Instant {
    Instant::now()
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[test]
fn numbers_start_at_one_and_count() {
    let (now, mut window) = (origin(), Window::new(3));
    assert_eq!(window.insert('a', now), Ok(1));
    assert_eq!(window.next_sequence_number(), 2, "takes no slot");
    assert_eq!(window.insert('b', now), Ok(3));
    assert_eq!((window.len(), window.free(), window.capacity()), (2, 1, 3));
    assert_eq!(window.get(3), Some(&'b'));
}

#[test]
fn memory_is_taken_as_it_is_needed_and_kept() {
    let (now, mut window) = (origin(), Window::new(1000));
    assert_eq!((window.slots.capacity(), window.table.room()), (0, 1));
    for round in 0..3 {
        for value in 0..40 {
            window.insert(value, now).unwrap();
        }
        assert_eq!(window.drain().count(), 40, "round {round}");
        assert_eq!((window.slots.len(), window.table.room()), (40, 64));
    }
    assert_eq!((window.capacity(), window.free()), (1000, 1000));
}

#[test]
fn full_is_an_answer() {
    let (now, mut window) = (origin(), Window::new(2));
    window.insert('a', now).unwrap();
    window.insert('b', now).unwrap();
    assert_eq!(window.insert('c', now), Err(Full));
    assert_eq!(window.remove(1), Some(('a', now)));
    assert_eq!(window.insert('c', now), Ok(3));
}

#[test]
fn a_response_is_taken_once() {
    let (now, mut window) = (origin(), Window::new(2));
    let number = window.insert('a', now).unwrap();
    assert_eq!(window.remove(number), Some(('a', now)));
    assert_eq!(window.remove(number), None, "a duplicate");
    assert_eq!(window.remove(0), None);
    assert_eq!(window.remove(u32::MAX), None);
}

#[test]
fn numbers_wrap_past_those_outstanding() {
    let (now, mut window) = (origin(), Window::new(4));
    window.insert('a', now).unwrap();
    window.insert('b', now).unwrap();
    window.last_sequence_number = SEQUENCE_NUMBER_MAX - 1;
    assert_eq!(window.insert('c', now), Ok(SEQUENCE_NUMBER_MAX));
    assert_eq!(window.insert('d', now), Ok(3), "1 and 2 are outstanding");
}

#[test]
fn expired_takes_the_oldest_first() {
    let (start, mut window) = (origin(), Window::new(8));
    for (value, at) in [('a', 0), ('b', 1), ('c', 2)] {
        window.insert(value, start + secs(at)).unwrap();
    }
    assert_eq!(window.oldest(), Some(start));
    assert_eq!(window.expired(start + secs(9), secs(10)), None);
    assert_eq!(window.remove(1), Some(('a', start)));
    assert_eq!(window.oldest(), Some(start + secs(1)));
    assert_eq!(window.expired(start + secs(10), secs(10)), None);
    assert_eq!(window.expired(start + secs(12), secs(10)), Some((2, 'b')));
    assert_eq!(window.expired(start + secs(12), secs(10)), Some((3, 'c')));
    assert_eq!(window.expired(start + secs(12), secs(10)), None);
    assert_eq!(window.oldest(), None);
}

#[test]
fn a_shrunken_window_waits_for_slots() {
    let (now, mut window) = (origin(), Window::new(4));
    for value in 0..4 {
        window.insert(value, now).unwrap();
    }
    window.set_capacity(2);
    assert_eq!((window.len(), window.free()), (4, 0));
    window.remove(1).unwrap();
    window.remove(2).unwrap();
    assert_eq!(window.insert(9, now), Err(Full));
    window.remove(3).unwrap();
    assert_eq!(window.insert(9, now), Ok(5));
    window.set_capacity(100);
    assert_eq!(window.free(), 98);
    assert_eq!(window.drain().collect::<Vec<_>>(), [(4, 3), (5, 9)]);
    assert!(window.is_empty());
}

#[test]
fn an_unfinished_drain_keeps_the_rest() {
    let (now, mut window) = (origin(), Window::new(4));
    for value in 0..3 {
        window.insert(value, now).unwrap();
    }
    assert_eq!(window.drain().next(), Some((1, 0)));
    assert_eq!(window.len(), 2);
    assert_eq!(window.remove(3), Some((2, now)));
}

#[derive(Clone, Debug)]
enum Step {
    Insert,
    Remove(usize),
    Stray(u32),
    Expire(u64),
    Capacity(usize),
    Jump(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Insert),
        4 => any::<usize>().prop_map(Step::Remove),
        1 => any::<u32>().prop_map(Step::Stray),
        1 => (0_u64..20).prop_map(Step::Expire),
        1 => (0_usize..40).prop_map(Step::Capacity),
        1 => (SEQUENCE_NUMBER_MAX - 8..=SEQUENCE_NUMBER_MAX).prop_map(Step::Jump),
    ]
}

proptest! {
    /// The window against a plain map and an order of insertion.
    #[test]
    fn behaves_like_a_map(steps in prop::collection::vec(step(), 1..300)) {
        let start = origin();
        let mut window = Window::new(16);
        let mut map: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
        let mut order: Vec<u32> = Vec::new();
        let mut capacity = 16;
        for (tick, step) in (0_u64..).zip(steps) {
            let now = start + secs(tick);
            match step {
                Step::Insert => match window.insert(tick, now) {
                    Ok(number) => {
                        prop_assert!((1..=SEQUENCE_NUMBER_MAX).contains(&number));
                        prop_assert!(map.insert(number, (tick, tick)).is_none(), "reused");
                        prop_assert!(order.len() < capacity);
                        order.push(number);
                    }
                    Err(Full) => prop_assert!(order.len() >= capacity),
                },
                Step::Remove(at) => if let Some(number) = order.get(at % order.len().max(1)).copied() {
                    let (value, sent) = map.remove(&number).unwrap();
                    prop_assert_eq!(window.remove(number), Some((value, start + secs(sent))));
                    order.retain(|kept| *kept != number);
                },
                Step::Stray(number) => if !map.contains_key(&number) {
                    prop_assert_eq!(window.remove(number), None);
                },
                Step::Expire(timeout) => {
                    let due = order.first().filter(|first| tick - map[first].1 >= timeout).copied();
                    let expected = due.map(|number| (number, map[&number].0));
                    prop_assert_eq!(window.expired(now, secs(timeout)), expected);
                    if let Some(number) = due {
                        map.remove(&number);
                        order.remove(0);
                    }
                }
                Step::Capacity(to) => {
                    capacity = to.max(1);
                    window.set_capacity(to);
                }
                Step::Jump(to) => window.last_sequence_number = to,
            }
            prop_assert_eq!(window.len(), order.len());
            prop_assert_eq!(window.capacity(), capacity);
            for (number, (value, _)) in &map {
                prop_assert_eq!(window.get(*number), Some(value));
            }
        }
        let drained: Vec<u32> = window.drain().map(|(number, _)| number).collect();
        prop_assert_eq!(drained, order);
    }
}
