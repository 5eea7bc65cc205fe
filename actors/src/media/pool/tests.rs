//! Which node a call takes, and what outlives a change of the configuration.

use std::time::Duration;

use super::*;
use crate::media::load::Shortage;

fn node(number: u8, state: MediaNodeState) -> MediaNode {
    MediaNode {
        id: Uuid::from_u128(number.into()),
        number,
        name: format!("media-{number}"),
        address: SocketAddr::from(([127, 0, 0, 1], 22_000 + u16::from(number))),
        weight: 50,
        state,
    }
}

fn pool(nodes: &[MediaNode]) -> (Pool, Instant) {
    let now = tokio::time::Instant::now().into_std();
    let pool = Pool::default();
    pool.configure(nodes, now.checked_sub(Duration::from_millis(1)).unwrap());
    for node in pool.nodes().iter() {
        node.health.heard(Duration::from_millis(1), now);
    }
    (pool, now)
}

fn calls() -> impl Iterator<Item = u128> {
    (0..200).map(|call: u128| call.wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

#[test]
fn a_call_goes_where_it_is_taken() {
    let active = MediaNodeState::Active;
    let nodes = [node(1, active), node(2, active), node(3, MediaNodeState::Draining)];
    let (pool, now) = pool(&nodes);
    let chosen: Vec<_> = calls().map(|call| pool.choose(call, &[], now).unwrap()).collect();
    assert!(chosen.contains(&1) && chosen.contains(&2) && !chosen.contains(&3), "{chosen:?}");
    // One that is full, or silent, is the last resort.
    let first = pool.node(1).unwrap();
    first.health.short(Shortage::Full, now);
    assert!(calls().all(|call| pool.choose(call, &[], now) == Some(2)));
    assert!(calls().all(|call| pool.choose(call, &[2], now) == Some(1)));
    assert_eq!([1, 2, 3, 4].map(|number| pool.has_room(number, now)), [false, true, true, false]);
    pool.node(2).unwrap().health.silent(now, now);
    assert!(calls().all(|call| pool.choose(call, &[], now) == Some(1)), "rather full than silent");
    let second = pool.node(2).unwrap();
    for _ in 0..3 {
        second.health.silent(now, now);
    }
    assert_eq!(second.health.state(), State::Down);
    assert!(calls().all(|call| pool.choose(call, &[], now) == Some(1)));
    assert!(!pool.has_more(&[1]), "nobody hurries to one that is down");
    assert!(calls().all(|call| pool.choose(call, &[1], now) == Some(2)), "the last that may be there");
    let later = now + Duration::from_secs(11);
    assert_eq!(pool.choose(0, &[1], later), None, "it has been silent for too long");
    for _ in 0..2 {
        second.health.heard(Duration::from_millis(1), now);
    }
    first.health.gone(now);
    assert!(calls().all(|call| pool.choose(call, &[], now) == Some(2)));
    assert_eq!(
        [&[][..], &[1], &[2], &[1, 2]].map(|refused| pool.has_more(refused)),
        [true, true, false, false]
    );
    pool.node(2).unwrap().health.gone(now);
    assert!(calls().all(|call| pool.choose(call, &[], now).is_none()), "nobody is there");
    assert!(!pool.has_more(&[]));
}

#[test]
fn what_is_known_of_a_node_outlives_a_change_of_its_weight() {
    let (pool, now) = pool(&[node(1, MediaNodeState::Active)]);
    // As its actor has it.
    let before = pool.node(1).unwrap();
    let mut changed = node(1, MediaNodeState::Draining);
    changed.weight = 7;
    pool.configure(&[changed.clone()], now);
    assert_eq!([&before, &pool.node(1).unwrap()].map(|node| node.state_name()), ["draining"; 2]);
    before.look_again();
    let after = pool.node(1).unwrap();
    assert_eq!([after.is_to_look_again(), before.is_to_look_again()], [true, false], "once");
    changed.address.set_port(1);
    pool.configure(&[changed], now);
    assert_eq!(pool.node(1).unwrap().health.state(), State::Down, "another address is another node");
}

#[test]
fn who_is_disabled_or_has_too_much_gets_nothing() {
    let (pool, _) = pool(&[node(1, MediaNodeState::Active), node(2, MediaNodeState::Disabled)]);
    let command = || Command {
        ticket: Ticket::Nobody,
        body: Bytes::new(),
        patience: super::super::exchange::Patience::PINNED,
    };
    assert!(pool.submit(2, command()).is_err() && pool.submit(9, command()).is_err());
    let taken = (0..QUEUE + 10).filter(|_| pool.submit(1, command()).is_ok()).count();
    assert_eq!(taken, QUEUE);
}
