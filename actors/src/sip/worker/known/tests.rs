use super::*;
use crate::sip::testing;

fn dialog(number: u128) -> Box<Dialog> {
    Box::new(Dialog { id: Uuid::from_u128(number), ..Dialog::clone(&testing::dialog("callee")) })
}

fn of(dialogs: &Dialogs, call: u64) -> Vec<u128> {
    dialogs.of_call(call).map(|dialog| dialog.id.as_u128()).collect()
}

#[test]
fn a_call_has_its_dialogs_and_no_others() {
    let mut dialogs = Dialogs::default();
    for (number, call) in [(1, 7), (2, 7), (3, 8)] {
        dialogs.insert(call, dialog(number));
    }
    assert_eq!((of(&dialogs, 7), of(&dialogs, 8), of(&dialogs, 9)), (vec![1, 2], vec![3], vec![]));
    // It is of another call by now.
    dialogs.insert(8, dialog(1));
    assert_eq!((of(&dialogs, 7), of(&dialogs, 8), dialogs.len()), (vec![2], vec![3, 1], 3));
    let first = Uuid::from_u128(1);
    assert_eq!(dialogs.remove(&first).map(|dialog| dialog.id), Some(first));
    assert_eq!((of(&dialogs, 8), dialogs.contains_key(&first)), (vec![3], false));
    assert!(dialogs.remove(&first).is_none());
    for number in [2, 3] {
        dialogs.remove(&Uuid::from_u128(number));
    }
    assert!(dialogs.is_empty(), "nothing is left of a call: {dialogs:?}");
}

/// Either side's Call-ID finds a dialog, also when the key that sealed one of them is gone and it ends.
#[test]
fn a_dialog_goes_whatever_became_of_its_key() {
    use crate::sip::cookie::Secret;
    let mut node = testing::Node::new();
    let cookies = &node.worker.settings.cookies;
    let shown = hiding::sealed(cookies, b"a@192.0.2.10", None);
    let mut round = *dialog(1);
    round.call_id.clone_from(&shown);
    node.worker.keep_dialog(round);
    for call_id in [&b"a@192.0.2.10"[..], &*shown] {
        // Whichever side sends.
        for tags in [(&b"from-a"[..], &b"callee"[..]), (&b"callee"[..], &b"from-a"[..])] {
            assert_eq!(node.worker.dialogs_of(call_id, tags).count(), 1);
        }
    }
    assert_eq!(node.worker.dialogs_of(b"b@192.0.2.10", (b"from-a", b"callee")).count(), 0);
    let secret = |number| Secret { number, key: [number; 16] };
    node.worker.settings.cookies.replace(secret(3), Some(secret(2)));
    node.worker.dialogs.remove(&Uuid::from_u128(1));
    assert!(node.worker.is_empty());
}

/// A caller that has one Call-ID for all its calls has each of them found, and ended, by itself.
#[test]
fn calls_of_one_call_id() {
    let mut node = testing::Node::new();
    let of = |number: u128| {
        let mut dialog = *dialog(number);
        dialog.caller.name = format!("<sip:+15550001@192.0.2.10>;tag=from-{number}").into_bytes().into();
        dialog
    };
    for number in 1..=3 {
        node.worker.keep_dialog(of(number));
    }
    let call_id = of(1).call_id;
    for number in 1..=3 {
        let tag = format!("from-{number}");
        let found = node.worker.dialogs_of(&call_id, (b"callee", tag.as_bytes()));
        assert_eq!(found.map(|dialog| dialog.id.as_u128()).collect::<Vec<_>>(), [number]);
    }
    assert_eq!(node.worker.dialogs_of(&call_id, (b"from-9", b"callee")).count(), 0);
}
