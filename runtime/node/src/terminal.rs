//! The only place that writes to the terminal: results to standard output, the rest to standard error.
//!
//! A reader that went away (`warp actors | head`) is no failure, so what cannot be written is dropped.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use crate::failure::Failure;

/// Writes text as it is.
pub(crate) fn out(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Writes text over the whole screen; without a terminal, after what was there.
pub(crate) fn screen(text: &str) {
    if io::stdout().is_terminal() {
        // Cursor home, text with each line's rest cleared, the rest of the screen cleared: no flicker.
        let text = text.replace('\n', "\x1B[K\n");
        out(&format!("\x1B[H{text}\x1B[J"));
    } else {
        out(&format!("{text}\n"));
    }
}

/// Writes a line for the operator.
pub(crate) fn note(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Says why the command ended.
pub(crate) fn error(failure: &Failure) {
    note(&format!("warp: {failure}"));
}

/// Whether a progress line can replace the one before.
pub(crate) fn is_live() -> bool {
    io::stderr().is_terminal()
}

/// Replaces the progress line; without a terminal it is a line of its own.
pub(crate) fn progress(line: &str) {
    let _ = if is_live() {
        write!(io::stderr().lock(), "\r\x1B[K{line}")
    } else {
        writeln!(io::stderr().lock(), "{line}")
    };
}

/// Takes the progress line away.
pub(crate) fn progress_over() {
    if is_live() {
        let _ = write!(io::stderr().lock(), "\r\x1B[K");
    }
}

/// What the command line's parser has to say, without its usage page.
pub(crate) fn first_line(error: &impl Display) -> String {
    let text = error.to_string();
    let said: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage")).collect();
    let said = said.join(" ");
    let said = said.trim().trim_start_matches("error: ");
    format!("{said}; warp --help tells more")
}
