//! Keys of requests that send messages now: a repetition of one that is under way would find nothing yet.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;

/// The keys of one node.
#[derive(Default)]
pub(crate) struct UnderWay(Arc<Mutex<HashSet<Arc<str>>>>);

/// A request that is under way until this is dropped.
pub(crate) struct Sending {
    keys: Arc<Mutex<HashSet<Arc<str>>>>,
    key: Arc<str>,
}

impl UnderWay {
    /// Begins a request; none while another with this key is under way.
    pub(crate) fn begin(&self, key: &Arc<str>) -> Option<Sending> {
        let is_first = self.0.lock().insert(Arc::clone(key));
        is_first.then(|| Sending { keys: Arc::clone(&self.0), key: Arc::clone(key) })
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.keys.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_request_with_a_key_at_a_time() {
        let under_way = UnderWay::default();
        let first = under_way.begin(&"a".into());
        assert!(first.is_some() && under_way.begin(&"a".into()).is_none());
        assert!(under_way.begin(&"b".into()).is_some());
        drop(first);
        assert!(under_way.begin(&"a".into()).is_some());
    }
}
