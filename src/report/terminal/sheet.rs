//! The text of a table with what stands around it: lines that fit the width, in colour or without.

use super::TerminalStyle;
use super::paint::{self, Ink};
use super::tables::Laid;
use crate::model::{Judgement, VerdictKind};
use crate::report::answer::{Answer, Tone};
use crate::report::troubles::Trouble;
use crate::report::{clean, number, view};

/// The text that grows, line by line.
pub(super) struct Sheet {
    pub style: TerminalStyle,
    text: String,
}

impl Sheet {
    pub fn new(style: TerminalStyle) -> Self {
        Self { style, text: String::new() }
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    pub fn gap(&mut self) {
        self.line("");
    }

    pub fn block(&mut self, block: &str) {
        for line in block.lines() {
            self.line(line);
        }
    }

    pub fn heading(&mut self, text: &str) {
        self.gap();
        self.wrapped("", text, Ink::Head);
    }

    pub fn answer(&mut self, answer: &Answer) {
        let ink = match answer.tone {
            Tone::Good => Ink::Good,
            Tone::Bad => Ink::Bad,
            Tone::Unsure => Ink::Unsure,
            Tone::Neutral => Ink::Head,
        };
        self.wrapped("", &answer.sentence, ink);
    }

    /// Words that flow over lines, with a head before the first and an indent before the others.
    pub fn wrapped(&mut self, head: &str, text: &str, ink: Ink) {
        let indent = if head.chars().count() > 24 { 6 } else { head.chars().count() };
        let width = usize::from(self.style.width).max(20);
        let mut line = head.to_owned();
        let mut used = head.chars().count();
        let mut empty = true;
        for word in text.split(' ').flat_map(|w| pieces(w, width.saturating_sub(indent).max(10))) {
            let len = word.chars().count();
            if !empty && used + 1 + len > width || empty && used + len > width && used > indent {
                let full = std::mem::replace(&mut line, " ".repeat(indent));
                self.line(&paint::ink(ink, &full));
                used = indent;
                empty = true;
            }
            if !empty {
                line.push(' ');
                used += 1;
            }
            line.push_str(&word);
            used += len;
            empty = false;
        }
        self.line(&paint::ink(ink, &line));
    }

    /// The table of verdicts, and what its columns mean.
    pub fn verdicts(&mut self, laid: &Laid) {
        self.block(&laid.text);
        if laid.sees {
            let text = "would see: the smallest rise that is found four times in five";
            self.wrapped("", text, Ink::Faint);
        }
        if laid.history {
            self.history_note();
        }
    }

    /// What the blocks of a history mean.
    pub fn history_note(&mut self) {
        let text = "history: the toll in each sweep compared, newest right; a threshold is two steps or less";
        self.wrapped("", text, Ink::Faint);
    }

    /// Rises over many sweeps; nothing without any.
    pub fn drifts(&mut self, judgement: &Judgement, emulated: bool) {
        if judgement.drifts.is_empty() {
            return;
        }
        self.heading("Slow drifts");
        for d in &judgement.drifts {
            let head = format!(
                "{} in {}: {}",
                view::drift_name(d),
                view::label(&d.environment, emulated),
                number::change(d.change_pct)
            );
            self.wrapped("  ↗ ", &head, Ink::Unsure);
            self.wrapped("      ", &clean::text(&d.reason), Ink::Faint);
        }
    }

    pub fn legend(&mut self, marks: &std::collections::BTreeSet<VerdictKind>) {
        if !marks.is_empty() {
            let words: Vec<String> =
                marks.iter().map(|k| format!("{} {}", view::mark(*k), view::words(*k))).collect();
            self.wrapped("", &words.join("   ").replace("   ", " \u{a0} "), Ink::Faint);
        }
    }

    pub fn troubles(&mut self, troubles: &[Trouble], emulated: bool) {
        if troubles.is_empty() {
            return;
        }
        self.heading("Not measured or not judged");
        for t in troubles {
            self.wrapped("  ", &format!("{} in {}: {}", t.what, t.places(emulated), t.scope), Ink::Plain);
            self.wrapped("      ", &t.reason, Ink::Faint);
        }
    }

    pub fn finish(self) -> String {
        let text = self.text.replace('\u{a0}', " ");
        if self.style.colour { paint::to_ansi(&text) } else { paint::strip(&text) }
    }
}

/// A word in pieces of at most `max` characters: hostile names have no spaces.
fn pieces(word: &str, max: usize) -> Vec<String> {
    let chars: Vec<char> = word.chars().collect();
    if chars.len() <= max {
        return vec![word.to_owned()];
    }
    chars.chunks(max).map(|c| c.iter().collect()).collect()
}
