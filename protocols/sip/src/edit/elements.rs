//! Elements of comma lists that go: in any order and by any number of calls, each with one comma.

use smallvec::SmallVec;

use super::{EditError, Edits, Kind};
use crate::header::HeaderId;
use crate::list::List;
use crate::message::Field;

/// Elements that go of one line before a list of them allocates.
const USUAL: usize = 4;

/// Where octets begin and where they end.
type Span = (usize, usize);
type Spans = SmallVec<[Span; USUAL]>;

impl<'m> Edits<'m> {
    /// Removes one element of a comma list, an item of [`Message::list`](crate::Message::list), with its comma;
    /// the whole header when no other is left in it. To remove them all there is [`Edits::remove`].
    pub fn remove_element(&mut self, element: &[u8]) -> Result<(), EditError> {
        self.remove_elements(&[element])
    }

    /// Removes several elements, of one line or of many; on an error those of other lines may be gone.
    ///
    /// Errors: [`EditError::Absent`] for octets that are no element of this message, [`EditError::Overlap`] for
    /// one that is changed or gone already.
    pub fn remove_elements(&mut self, elements: &[&[u8]]) -> Result<(), EditError> {
        let mut spans = Spans::new();
        for element in elements {
            spans.push(self.span_of(element).ok_or(EditError::Absent)?);
        }
        spans.sort_unstable();
        let mut rest = spans.as_slice();
        while let Some(&(first, _)) = rest.first() {
            let field = self.field_at(first).ok_or(EditError::Absent)?;
            let of_line = rest.partition_point(|&(start, _)| start <= usize::from(field.value_end));
            let (wanted, after) = rest.split_at_checked(of_line).unwrap_or((rest, &[]));
            self.thin(field, wanted)?;
            rest = after;
        }
        Ok(())
    }

    /// Removes the first `count` elements of all headers of this id; none when there are fewer.
    pub(super) fn pop(&mut self, id: HeaderId, count: usize) -> Result<(), EditError> {
        let message = self.message;
        if message.list(id).take(count).count() < count {
            return Err(EditError::Absent);
        }
        let mut left = count;
        for field in message.index.all(id) {
            let elements = List::new(message.value_of(field)).take(left);
            let wanted: Spans = elements.filter_map(|element| self.span_of(element)).collect();
            if wanted.is_empty() {
                continue;
            }
            self.thin(field, &wanted)?;
            left = left.saturating_sub(wanted.len());
        }
        Ok(())
    }

    fn span_of(&self, element: &[u8]) -> Option<Span> {
        self.message.range_of(element).map(|range| (range.start, range.end))
    }

    /// The header whose value this place is in.
    fn field_at(&self, place: usize) -> Option<&'m Field> {
        let fields = &self.message.index.fields;
        let after = fields.partition_point(|field| usize::from(field.value) <= place);
        let field = fields.get(after.checked_sub(1)?)?;
        (place <= usize::from(field.value_end)).then_some(field)
    }

    /// Removes these elements of one line, in order, beside all that went of it before: what is cut out is found
    /// anew each time, for the comma that goes depends on which elements stay.
    fn thin(&mut self, field: &Field, wanted: &[Span]) -> Result<(), EditError> {
        let twice = wanted.windows(2).any(|pair| pair.first() == pair.last());
        if twice || self.is_removed(field) || wanted.iter().any(|(start, _)| self.gone.contains(start)) {
            return Err(EditError::Overlap);
        }
        match self.cuts(field, wanted)? {
            None => self.remove_line(field)?,
            Some(cuts) => {
                let of_line = self.cuts_of(field);
                let clash = |&(from, to): &Span| self.overlaps(from, to - from, &of_line);
                if cuts.iter().any(clash) {
                    return Err(EditError::Overlap);
                }
                self.splices.retain(|splice| !of_line(splice));
                for (from, to) in cuts {
                    self.insert(from, to - from, Kind::Elements, |_| {});
                }
            }
        }
        self.gone.extend(wanted.iter().map(|&(start, _)| start));
        Ok(())
    }

    /// What has to go of a line for these elements, and for those that are gone, to be missing; `None` where none
    /// stays, or nothing but commas.
    fn cuts(&self, field: &Field, wanted: &[Span]) -> Result<Option<Spans>, EditError> {
        let mut cuts = Spans::new();
        let mut found = 0;
        let mut stays: Option<usize> = None;
        let mut blank = true;
        let mut going: Option<Span> = None;
        let elements = List::new(self.message.value_of(field)).filter_map(|part| self.span_of(part));
        for (start, end) in elements {
            let is_wanted = wanted.binary_search(&(start, end)).is_ok();
            found += usize::from(is_wanted);
            if is_wanted || self.gone.contains(&start) {
                going = Some((going.map_or(start, |(first, _)| first), end));
                continue;
            }
            cuts.extend(going.take().map(|(first, _)| (first, start)));
            stays = Some(end);
            blank &= start == end;
        }
        if found != wanted.len() {
            return Err(EditError::Absent);
        }
        let Some(stays) = stays.filter(|_| !blank) else { return Ok(None) };
        cuts.extend(going.map(|(_, end)| (stays, end)));
        Ok(Some(cuts))
    }
}
