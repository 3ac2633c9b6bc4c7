//! Makes text that came from a host harmless. Names, versions and reasons may hold anything: escape sequences
//! for terminals, marks that turn the direction of writing, mentions and markup for issues.

use std::fmt::Write as _;

/// Longest name that is shown.
pub const NAME_MAX: usize = 100;
/// Longest reason, claim or version that is shown.
pub const TEXT_MAX: usize = 400;

/// One visible line of at most `max` characters: white space of all kinds becomes one space; control
/// characters, and characters that are invisible or turn the direction of writing, are written as `\u{1b}`.
pub fn one_line(text: &str, max: usize) -> String {
    let mut out = String::new();
    let mut shown = 0;
    for c in text.trim().chars() {
        if shown >= max {
            out.push('…');
            break;
        }
        if c.is_whitespace() {
            if out.ends_with(' ') {
                continue;
            }
            out.push(' ');
        } else if is_hidden(c) {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
        shown += 1;
    }
    out
}

/// A workload, case, metric, unit or host class.
pub fn name(text: &str) -> String {
    one_line(text, NAME_MAX)
}

/// A reason, claim, observation or version.
pub fn text(text: &str) -> String {
    one_line(text, TEXT_MAX)
}

/// Controls, format characters (direction marks, joiners, soft hyphens, tags), variation selectors and
/// noncharacters: everything that changes how its neighbours look without being seen.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{115f}'
            | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{ffff}' | '\u{e0000}'..='\u{e0fff}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}')
}

/// Text for GitHub's Markdown that stays text: every character with a meaning becomes a character reference, so
/// that there is no markup, HTML, comment, table cell or link in it. Clean it with [`one_line`] first.
pub fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let after_dot_or_w = matches!(c, 'w' | 'W') && matches!(rest.peek(), Some('w' | 'W'));
        // `: ` ends nothing; `://` begins a link and `:x:` is a picture.
        let calm_colon = c == ':' && rest.peek().is_none_or(|n| *n == ' ');
        let harmless = calm_colon
            || c.is_alphanumeric() && !after_dot_or_w
            || matches!(c, ' ' | '.' | ',' | ';' | '/' | '+' | '-' | '=' | '%' | '(' | ')' | '?' | '\'')
            || (!c.is_ascii() && !c.is_control());
        if harmless {
            out.push(c);
        } else {
            let _ = write!(out, "&#{};", u32::from(c));
        }
        // GitHub looks for mentions, mail addresses and issue numbers after it has resolved references.
        if matches!(c, '@' | '#') && rest.peek().is_some_and(|n| n.is_alphanumeric()) {
            out.push_str("&#8288;");
        }
    }
    out
}

/// [`markdown`] in a `<code>` element: GitHub links neither names nor issue numbers nor commits inside it.
pub fn markdown_code(text: &str) -> String {
    format!("<code>{}</code>", markdown(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escape_sequences_become_visible() {
        assert_eq!(name("a\u{1b}[31mred"), "a\\u{1b}[31mred");
        assert_eq!(name("a\u{202e}b\u{9b}c"), "a\\u{202e}b\\u{9b}c");
        assert_eq!(name("a\r\n\t b"), "a b");
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(one_line("abcdef", 3), "abc…");
        assert_eq!(one_line("abc", 3), "abc");
    }

    #[test]
    fn nothing_keeps_its_meaning_in_markdown() {
        let hostile = "@all `x` |y| <!-- z --> <script> [a](http://b) www.c #1 *d* \\ &lt; a@b.c";
        let safe = markdown(hostile);
        for bad in ["@", "`", "|", "<", "[", "://", "www", "*", "\\", "&lt;"] {
            assert!(!safe.contains(bad), "{bad} in {safe}");
        }
    }

    proptest! {
        #[test]
        fn cleaned_text_is_one_line_without_controls(s in any::<String>()) {
            let line = text(&s);
            prop_assert!(!line.chars().any(char::is_control));
            let md = markdown(&line);
            prop_assert!(!md.contains(['<', '>', '@', '`', '|', '*', '_', '[', '\n', '\\']));
        }
    }
}
