//! Colours. Cells are laid out with invisible characters of width zero where an ink begins and ends, which
//! become ANSI sequences, or nothing, when the layout is done. (Text from outside cannot hold them:
//! [`crate::report::clean`] writes them as escapes.) So the layout never counts escape sequences, and neither
//! the terminal nor `NO_COLOR` is asked: that is the caller's decision.

use crate::model::VerdictKind;

/// What a piece of text is, rather than which colour it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    /// Nothing special.
    Plain,
    /// A heading.
    Head,
    /// Worse.
    Bad,
    /// Perhaps worse, or unknown.
    Unsure,
    /// Better, or no worse.
    Good,
    /// Less important.
    Faint,
}

const INKS: [(Ink, char, &str); 5] = [
    (Ink::Head, '\u{206a}', "\u{1b}[1m"),
    (Ink::Bad, '\u{206b}', "\u{1b}[1;31m"),
    (Ink::Unsure, '\u{206c}', "\u{1b}[33m"),
    (Ink::Good, '\u{206d}', "\u{1b}[32m"),
    (Ink::Faint, '\u{206e}', "\u{1b}[2m"),
];
const END: char = '\u{206f}';

/// `text` in an ink.
pub(super) fn ink(ink: Ink, text: &str) -> String {
    match INKS.iter().find(|(i, ..)| *i == ink) {
        Some((_, start, _)) if !text.trim().is_empty() => format!("{start}{text}{END}"),
        _ => text.to_owned(),
    }
}

/// The ink of a verdict.
pub(super) fn of_verdict(kind: VerdictKind) -> Ink {
    match kind {
        VerdictKind::Regressed => Ink::Bad,
        VerdictKind::Suspected | VerdictKind::MeasurementFailed | VerdictKind::Missing => Ink::Unsure,
        VerdictKind::Improved => Ink::Good,
        VerdictKind::Inconclusive | VerdictKind::NoBaseline => Ink::Plain,
        VerdictKind::Unchanged => Ink::Faint,
    }
}

/// Inks as ANSI sequences. A line never ends inside one.
pub(super) fn to_ansi(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    let mut open = false;
    for c in text.chars() {
        if let Some((_, _, code)) = INKS.iter().find(|(_, start, _)| *start == c) {
            out.push_str(code);
            open = true;
        } else if c == END || c == '\n' {
            if open {
                out.push_str("\u{1b}[0m");
                open = false;
            }
            if c == '\n' {
                out.push(c);
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Without inks.
pub(super) fn strip(text: &str) -> String {
    text.chars().filter(|c| !('\u{206a}'..='\u{206f}').contains(c)).collect()
}
