//! CSV (RFC 4180) that no spreadsheet takes for formulas.

use std::fmt::{Display, Write as _};

/// What a formula begins with, as spreadsheets see it; the last four are the wide forms of the first.
const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
/// What does not stand in a cell without quotes. Some spreadsheets part cells by semicolons or tabs.
const QUOTED: [char; 6] = ['"', ',', ';', '\t', '\r', '\n'];

/// Lines of cells, under way.
#[derive(Debug, Default)]
pub(crate) struct Csv {
    text: String,
    /// The cell under way.
    cell: String,
    /// The line has a cell already.
    begun: bool,
}

impl Csv {
    /// The next cell of the line. One that a spreadsheet would compute gets an apostrophe before it, which
    /// makes it text; the number of a telephone with its plus is such a cell too.
    pub(crate) fn cell(&mut self, value: impl Display) {
        if self.begun {
            self.text.push(',');
        }
        self.begun = true;
        self.cell.clear();
        // To write into a String does not fail.
        let _ = write!(self.cell, "{value}");
        let formula = self.cell.starts_with(FORMULA);
        if !formula && !self.cell.contains(QUOTED) {
            self.text.push_str(&self.cell);
            return;
        }
        self.text.push('"');
        if formula {
            self.text.push('\'');
        }
        self.text.push_str(&self.cell.replace('"', "\"\""));
        self.text.push('"');
    }

    /// The next cell of the line: empty where there is nothing.
    pub(crate) fn maybe(&mut self, value: Option<impl Display>) {
        match value {
            Some(value) => self.cell(value),
            None => self.cell(""),
        }
    }

    /// Ends the line.
    pub(super) fn end(&mut self) {
        self.text.push_str("\r\n");
        self.begun = false;
    }

    pub(super) fn into_octets(self) -> Vec<u8> {
        self.text.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(cells: &[&str]) -> String {
        let mut csv = Csv::default();
        cells.iter().for_each(|cell| csv.cell(cell));
        csv.end();
        String::from_utf8(csv.into_octets()).unwrap()
    }

    #[test]
    fn a_cell_is_text_whatever_stands_in_it() {
        for (cell, written) in [
            ("", ""),
            ("WARP", "WARP"),
            ("15550001111", "15550001111"),
            ("2026-01-02T03:04:05.000006Z", "2026-01-02T03:04:05.000006Z"),
            ("two words", "two words"),
            ("a,b", "\"a,b\""),
            ("a;b", "\"a;b\""),
            ("say \"no\"", "\"say \"\"no\"\"\""),
            ("a\r\nb", "\"a\r\nb\""),
            ("+1555", "\"'+1555\""),
            ("-1+2", "\"'-1+2\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\t=1", "\"'\t=1\""),
            ("\r=1", "\"'\r=1\""),
            ("\n=1", "\"'\n=1\""),
            ("＝1", "\"'＝1\""),
            ("1=1", "1=1"),
            ("=HYPERLINK(\"http://x\",\"y\")", "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\""),
            ("\"=1", "\"\"\"=1\""),
        ] {
            assert_eq!(line(&[cell]), format!("{written}\r\n"), "{cell:?}");
        }
    }

    #[test]
    fn lines_have_commas_between_their_cells_and_end_with_crlf() {
        assert_eq!(line(&["a", "", "+1", "c"]), "a,,\"'+1\",c\r\n");
        let mut csv = Csv::default();
        csv.maybe(Some(7));
        csv.maybe(None::<u8>);
        csv.end();
        csv.maybe(None::<u8>);
        csv.cell(8);
        csv.end();
        assert_eq!(csv.into_octets(), b"7,\r\n,8\r\n");
    }
}
