//! In which form a vendor's receipts name messages: as its submit_sm_resp did, or in another base.
//!
//! Small numbers mean something in every base, so one receipt proves little: a form is learned from what was
//! found under it, and then it alone is believed until found messages contradict it. Pure; the index and the
//! DLR tracker look things up.

use std::sync::atomic::{AtomicU8, Ordering};

use smpp::dlr::{Form, id_forms};
use uuid::Uuid;

use super::receipt_index::{canonical, hash};

/// Confirmations that are remembered; as many contradictions unlearn a form.
const CONFIRMED_MAX: u8 = 16;

/// What the receipts of one vendor have taught.
#[derive(Debug, Default)]
pub struct LearnedForm {
    /// Confirmations in the low bits, form above them.
    packed: AtomicU8,
}

/// One stored id that a receipt may mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Hash of vendor and id in this form.
    pub hash: i64,
    /// [`Form::Plain`], [`Form::Hex`] or [`Form::Decimal`].
    pub form: Form,
    /// The number that the message went to must be the one that the receipt comes from.
    pub same_address: bool,
}

impl LearnedForm {
    /// The form, when one is learned.
    #[must_use]
    pub fn form(&self) -> Option<Form> {
        let (form, confirmed) = self.load();
        (confirmed > 0).then_some(form)
    }

    /// A message was found under this form.
    pub fn confirm(&self, form: Form) {
        match self.load() {
            (_, 0) => self.store(form, 1),
            (learned, confirmed) if learned == form && confirmed < CONFIRMED_MAX => {
                self.store(form, confirmed + 1);
            }
            _ => {}
        }
    }

    /// A receipt has no message in the learned form, and has one in another.
    pub fn contradict(&self) {
        let (form, confirmed) = self.load();
        self.store(form, confirmed.saturating_sub(1));
    }

    fn load(&self) -> (Form, u8) {
        let packed = self.packed.load(Ordering::Relaxed);
        let form = match packed >> 6 {
            1 => Form::Hex,
            2 => Form::Decimal,
            _ => Form::Plain,
        };
        (form, packed & 0x3f)
    }

    /// Not atomic with the load before it: of two receipts at one moment, one may not count.
    fn store(&self, form: Form, confirmed: u8) {
        let form = match form {
            Form::Hex => 1,
            Form::Decimal => 2,
            Form::Exact | Form::Plain => 0,
        };
        self.packed.store(form << 6 | confirmed, Ordering::Relaxed);
    }

    /// What to look up for a receipt, in this order. Before anything is learned only the id as it stands is
    /// believed, and only from the right number; a receipt that has waited (`patient`) may be any form.
    #[must_use]
    pub fn candidates(&self, vendor: Uuid, id: &[u8], patient: bool) -> Vec<Candidate> {
        let plain =
            |same_address| Candidate { hash: hash(vendor, &canonical(id)), form: Form::Plain, same_address };
        match self.form() {
            Some(Form::Plain | Form::Exact) => vec![plain(false)],
            Some(learned) => others(vendor, id)
                .filter(|other| other.form == learned)
                .chain(is_the_same_in(learned, id).then(|| plain(false)))
                .collect(),
            None if patient => {
                [plain(true)].into_iter().chain(others(vendor, id)).chain([plain(false)]).collect()
            }
            None => vec![plain(true)],
        }
    }
}

/// The stored ids that a receipt's id may mean, whatever was learned.
pub fn all_candidates(vendor: Uuid, id: &[u8]) -> impl Iterator<Item = Candidate> + use<> {
    let plain = Candidate { hash: hash(vendor, &canonical(id)), form: Form::Plain, same_address: true };
    [plain].into_iter().chain(others(vendor, id))
}

/// The id read in another base.
fn others(vendor: Uuid, id: &[u8]) -> impl Iterator<Item = Candidate> + use<> {
    id_forms(id).filter(|(form, _)| matches!(form, Form::Hex | Form::Decimal)).map(move |(form, value)| {
        Candidate { hash: hash(vendor, &canonical(&value)), form, same_address: true }
    })
}

/// A number below ten is written alike in both bases.
fn is_the_same_in(learned: Form, id: &[u8]) -> bool {
    id_forms(id).all(|(form, _)| form != learned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VENDOR: Uuid = Uuid::from_u128(7);

    fn forms(learned: &LearnedForm, id: &str, patient: bool) -> Vec<(Form, bool)> {
        let candidates = learned.candidates(VENDOR, id.as_bytes(), patient);
        candidates.iter().map(|candidate| (candidate.form, candidate.same_address)).collect()
    }

    #[test]
    fn an_unlearned_vendor_is_believed_in_its_own_words_first() {
        let learned = LearnedForm::default();
        assert_eq!(forms(&learned, "10", false), [(Form::Plain, true)]);
        let all = [(Form::Plain, true), (Form::Hex, true), (Form::Decimal, true), (Form::Plain, false)];
        assert_eq!(forms(&learned, "10", true), all);
    }

    #[test]
    fn a_learned_form_is_the_only_one_until_it_is_contradicted_as_often() {
        let learned = LearnedForm::default();
        for _ in 0..3 {
            learned.confirm(Form::Hex);
        }
        learned.confirm(Form::Decimal);
        assert_eq!(forms(&learned, "26", true), [(Form::Hex, true)]);
        assert_eq!(learned.candidates(VENDOR, b"26", true)[0].hash, hash(VENDOR, b"1a"));
        assert_eq!(forms(&learned, "7", true), [(Form::Plain, false)], "alike in both bases");
        learned.contradict();
        learned.contradict();
        assert_eq!(learned.form(), Some(Form::Hex));
        learned.contradict();
        assert_eq!(learned.form(), None);
        learned.contradict();
        learned.confirm(Form::Plain);
        assert_eq!(forms(&learned, "10", true), [(Form::Plain, false)]);
    }

    #[test]
    fn confirmations_are_bounded_so_that_a_vendor_that_changes_is_learned_anew() {
        let learned = LearnedForm::default();
        for _ in 0..1000 {
            learned.confirm(Form::Decimal);
        }
        for _ in 0..CONFIRMED_MAX {
            assert_eq!(learned.form(), Some(Form::Decimal));
            learned.contradict();
        }
        assert_eq!(learned.form(), None);
    }
}
