//! Order by weight among equals.

/// Orders each run of equal neighbours by weighted draws without replacement: one of weight 3 comes first three
/// times as often as one of weight 1. `draw(n)` gives a number below `n`. Equals without any weight stay as they are.
pub(crate) fn shuffle_equals<T>(
    items: &mut [T],
    is_equal: impl Fn(&T, &T) -> bool,
    weight: impl Fn(&T) -> u32,
    mut draw: impl FnMut(u64) -> u64,
) {
    for run in items.chunk_by_mut(is_equal) {
        for first in 0..run.len().saturating_sub(1) {
            let Some(rest) = run.get_mut(first..) else { continue };
            let total: u64 = rest.iter().map(|item| u64::from(weight(item))).sum();
            if total == 0 {
                break;
            }
            let mut point = draw(total);
            let chosen = rest.iter().position(|item| {
                let weight = u64::from(weight(item));
                let hit = point < weight;
                point = point.saturating_sub(weight);
                hit
            });
            rest.swap(0, chosen.unwrap_or(0));
        }
    }
}
