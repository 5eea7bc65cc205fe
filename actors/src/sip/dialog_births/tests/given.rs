//! Calls that another node has taken over, or has ended.

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
