//! What people may see of a subscriber's number in lists and logs.

use std::fmt::{self, Write as _};

/// Characters that are shown at the front, enough for country and area, and at the end.
const FRONT: usize = 4;
const END: usize = 2;
/// Characters of a number that is so short that either end would tell most of it.
const SHORT: usize = 7;

/// A number, its middle masked: `+155*****34`; a short one all of it. Characters that could move a terminal's cursor
/// are masked wherever they stand.
#[derive(Debug, Clone, Copy)]
pub struct Number<'a>(pub &'a str);

impl fmt::Display for Number<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.0.chars().count();
        self.0.chars().enumerate().try_for_each(|(place, character)| {
            let shown = length > SHORT && (place < FRONT || place >= length - END);
            f.write_char(if shown && character.is_ascii_graphic() { character } else { '*' })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_masked() {
        for (number, shown) in [
            ("+15550001234", "+155******34"),
            ("15551234", "1555**34"),
            ("5551234", "*******"),
            ("100", "***"),
            ("", ""),
            ("\u{1b}[2J4420794600", "*[2J********00"),
            ("äöüßäöüßäö", "**********"),
        ] {
            assert_eq!(Number(number).to_string(), shown, "{number:?}");
        }
    }
}
