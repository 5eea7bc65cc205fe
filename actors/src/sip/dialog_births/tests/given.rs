//! Calls that another node has taken over, or has ended.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::mpsc;

use super::*;
use crate::sip::worker::Input;

/// What the worker is asked to let go of.
fn asked(lab: &Lab) -> Vec<Input> {
    let (mut inputs, mut refused) = (Vec::new(), Vec::new());
    lab.calls.ring(1).unwrap().take(9, &mut inputs, &mut refused);
    inputs
}

/// The node that had a call before learns it by itself, and writes nothing of it: not in a minute where it is the
/// call's, and then at once.
#[tokio::test(start_paused = true)]
async fn a_call_of_another_node_leaves_no_record_here() {
    for is_over in [false, true] {
        let mut lab = Lab::sharing(true).await;
        lab.answered("a");
        lab.tell().await;
        sleep(Duration::from_secs(90)).await;
        assert!(asked(&lab).is_empty(), "it is this node's");
        let record = lab.disk.dialogs().remove(0);
        if is_over {
            lab.calls.log.remove_dialog(record.id);
        } else {
            assert!(lab.calls.log.take_dialog(&record, 8).await.unwrap());
        }
        sleep(Duration::from_secs(61)).await;
        let inputs = asked(&lab);
        let [Input::Give(dialog, _), ..] = inputs.as_slice() else { panic!("{inputs:?}") };
        assert_eq!(*dialog, record.id);
        lab.node.pass(Duration::from_secs(60));
        lab.node.handle(inputs);
        assert_eq!(lab.node.given.first(), Some(&record.id));
        lab.calls.given(1, record.id);
        sleep(MOMENT).await;
        assert_eq!((lab.actors(), lab.calls.live()), (0, 0));
        assert_eq!(lab.cdrs().await.len(), 0, "another node writes it");
        assert_eq!(lab.disk.dialogs().len(), usize::from(!is_over));
        assert_eq!(lab.calls.counters.dialogs_given.get(), 1);
    }
}

/// A supervisor may let go of the actor that a call had before when the call has come back: that needs no other one.
#[tokio::test(start_paused = true)]
async fn a_call_that_has_come_back_keeps_its_actor() {
    let mut lab = Lab::sharing(true).await;
    lab.answered("a");
    lab.tell().await;
    let record = lab.disk.dialogs().remove(0);
    let (call, _) = LiveCall::recover(&record, lab.calls.now()).unwrap();
    let (_told, receiver) = mpsc::unbounded_channel();
    let face = lab.calls.list.enter(&call);
    let before = Arc::new(Kept::new(1, face, (call, receiver), true));
    lab.calls.let_go(&before);
    assert!(!lab.calls.has_lost());
    assert_eq!((lab.actors(), lab.calls.live()), (1, 1));
}

/// Calls that came up at one time are not looked at at one time: the database would have all of them at once.
#[tokio::test(start_paused = true)]
async fn looks_are_spread() {
    let mut lab = Lab::sharing(true).await;
    for call in 0..8 {
        lab.answered(&format!("call-{call}"));
    }
    lab.tell().await;
    for record in lab.disk.dialogs() {
        assert!(lab.calls.log.take_dialog(&record, 8).await.unwrap());
    }
    let mut looked = BTreeMap::new();
    for second in 0..60 {
        sleep(Duration::from_secs(1)).await;
        for input in asked(&lab) {
            let Input::Give(dialog, _) = input else { panic!("{input:?}") };
            looked.entry(dialog).or_insert(second);
        }
    }
    assert_eq!(looked.len(), 8, "each within a minute: {looked:?}");
    let seconds: BTreeSet<i32> = looked.values().copied().collect();
    assert!(seconds.len() > 3, "{seconds:?}");
}
