use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[test]
fn a_removed_entry_hides_none_that_shared_its_home() {
    // Eight cells: 3, 11 and 19 share a home, 4 is pushed aside by them.
    let mut table = Table::new(4);
    for (slot, number) in (0..).zip([3, 11, 19, 4]) {
        table.insert(number, slot);
    }
    table.remove(3);
    assert_eq!([3, 11, 19, 4].map(|number| table.get(number)), [None, Some(1), Some(2), Some(3)]);
    table.remove(19);
    assert_eq!([11, 19, 4].map(|number| table.get(number)), [Some(1), None, Some(3)]);
}

proptest! {
    /// Few homes, many numbers: every probe collides.
    #[test]
    fn behaves_like_a_map(steps in prop::collection::vec((any::<bool>(), 1..12_u32, 0..4_u32), 1..200)) {
        let mut table = Table::new(8);
        let mut map = BTreeMap::new();
        for (slot, (insert, low, high)) in (0_u32..).zip(steps) {
            let number = high * 16 + low;
            if insert && map.len() < 8 && !map.contains_key(&number) {
                table.insert(number, slot);
                map.insert(number, slot);
            } else if !insert {
                table.remove(number);
                map.remove(&number);
            }
            for number in 0..64 {
                prop_assert_eq!(table.get(number), map.get(&number).copied());
            }
        }
    }
}
