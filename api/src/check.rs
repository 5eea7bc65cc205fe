//! What a value of a body may be, beyond its form.

use std::ops::RangeInclusive;

use runtime::store::provisioning::Error;

use crate::problem::{Code, Problem};

/// The rules of provisioning for one entry, told by the place of the value in the body.
pub(crate) fn form(checked: Result<(), Error>) -> Result<(), Problem> {
    checked.map_err(|error| match error {
        // A dot leads into a table of the file.
        Error::Value { field, text, .. } => Problem::invalid(format!("/{}", field.replace('.', "/")), text),
        Error::Store(error) => error.into(),
        refused @ (Error::Form(_)
        | Error::Unknown { .. }
        | Error::Twice { .. }
        | Error::NoPassword { .. }
        | Error::Sealed(_)
        | Error::Changed) => Problem::new(Code::Invalid, refused.to_string()),
    })
}

/// What a thing is known by never changes.
pub(crate) fn unchanged(pointer: &str, now: &str, wanted: &str) -> Result<(), Problem> {
    if now == wanted { Ok(()) } else { Err(Problem::invalid(pointer, format!("it stays {now:?}"))) }
}

/// Text for people: so many printable characters, not all of them blank.
pub(crate) fn name(pointer: &str, text: &str, length: RangeInclusive<usize>) -> Result<(), Problem> {
    let blank = !text.is_empty() && text.trim().is_empty();
    if blank || !length.contains(&text.chars().count()) || text.chars().any(char::is_control) {
        let (least, most) = (length.start(), length.end());
        return Err(Problem::invalid(pointer, format!("it is not {least} to {most} printable characters")));
    }
    Ok(())
}

/// Longer text for people, of several lines.
pub(crate) fn text(pointer: &str, text: &str, length: RangeInclusive<usize>) -> Result<(), Problem> {
    let control = |character: char| character.is_control() && character != '\n' && character != '\t';
    if text.trim().is_empty() || !length.contains(&text.chars().count()) || text.chars().any(control) {
        let (least, most) = (length.start(), length.end());
        return Err(Problem::invalid(pointer, format!("it is not {least} to {most} characters of text")));
    }
    Ok(())
}
