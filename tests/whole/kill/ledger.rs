//! What the customer did, was promised, and got.

use std::collections::{HashMap, HashSet};

use parking_lot::Mutex;

use super::super::pdu::Sm;

/// The customer's side, shared by its sessions.
#[derive(Default)]
pub(super) struct Ledger(Mutex<Book>);

#[derive(Default)]
struct Book {
    submitted: u64,
    /// Text and destination of acknowledged messages, by message id.
    acknowledged: HashMap<String, Acknowledged>,
    /// State of the first receipt, by message id.
    ended: HashMap<String, String>,
    mo: HashSet<String>,
    refused: u64,
    again: u64,
}

struct Acknowledged {
    text: String,
    destination: String,
}

/// A message on its way out.
#[derive(Clone)]
pub(super) struct Outgoing {
    pub(super) text: String,
    pub(super) destination: String,
}

impl Ledger {
    /// The next message; its text says which it is. Every second goes to the other vendor.
    pub(super) fn next(&self) -> Outgoing {
        let mut book = self.0.lock();
        book.submitted += 1;
        let n = book.submitted;
        Outgoing { text: format!("k{n:08}"), destination: format!("{}555{:07}", 1 + n % 2, n) }
    }

    /// ESME_ROK.
    #[track_caller]
    pub(super) fn acknowledged(&self, id: String, message: Outgoing) {
        let promise = Acknowledged { text: message.text, destination: message.destination };
        let before = self.0.lock().acknowledged.insert(id.clone(), promise);
        assert!(before.is_none(), "message id {id} was given out twice");
    }

    /// Any other status.
    pub(super) fn refused(&self) {
        self.0.lock().refused += 1;
    }

    /// A deliver_sm: a receipt or an MO message.
    pub(super) fn delivered(&self, sm: &Sm) {
        let mut book = self.0.lock();
        let again = match sm.receipt() {
            Some((id, stat)) if book.ended.contains_key(&id) => {
                // A second state may repeat the first after a kill, never contradict a delivery.
                let first = &book.ended[&id];
                assert!(first != "DELIVRD" || stat == "DELIVRD", "{id} was DELIVRD, then {stat}");
                true
            }
            Some((id, stat)) => book.ended.insert(id, stat).is_some(),
            None => !book.mo.insert(sm.words()),
        };
        book.again += u64::from(again);
    }

    /// Acknowledged messages without a receipt: their text and id.
    pub(super) fn unfinished(&self) -> Vec<String> {
        let book = self.0.lock();
        let open = book.acknowledged.iter().filter(|(id, _)| !book.ended.contains_key(*id));
        open.map(|(id, promise)| format!("{} {id}", promise.text)).collect()
    }

    /// Text and final state of acknowledged messages to a prefix.
    pub(super) fn outcomes(&self, prefix: &str) -> Vec<(String, String)> {
        let book = self.0.lock();
        let of_prefix =
            book.acknowledged.iter().filter(|(_, promise)| promise.destination.starts_with(prefix));
        of_prefix.map(|(id, promise)| (promise.text.clone(), book.ended[id].clone())).collect()
    }

    /// Messages with a receipt, known to the customer or not.
    pub(super) fn receipts(&self) -> usize {
        self.0.lock().ended.len()
    }

    pub(super) fn mo_heard(&self) -> usize {
        self.0.lock().mo.len()
    }

    pub(super) fn summary(&self) -> String {
        let book = self.0.lock();
        format!(
            "{} submitted, {} acknowledged, {} refused, {} receipts, {} MO, {} heard again",
            book.submitted,
            book.acknowledged.len(),
            book.refused,
            book.ended.len(),
            book.mo.len(),
            book.again,
        )
    }
}

/// How often each text occurs.
pub(super) fn count(texts: &[String]) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for text in texts {
        *counts.entry(text.clone()).or_insert(0) += 1;
    }
    counts
}
