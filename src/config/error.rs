//! What is wrong with a configuration, where, and what was probably meant.

/// A configuration that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {why}{}{}", at(*place), lined(shown.as_deref(), "
"), lined(hint.as_deref(), "
  help: "))]
pub struct ConfigError {
    /// The file.
    pub file: String,
    /// Line and column, from 1, where they are known.
    pub place: Option<(u32, u32)>,
    /// What is wrong.
    pub why: String,
    /// The line with a mark under the place.
    pub shown: Option<String>,
    /// What to do.
    pub hint: Option<String>,
}

fn at(place: Option<(u32, u32)>) -> String {
    place.map(|(line, column)| format!(":{line}:{column}")).unwrap_or_default()
}

fn lined(text: Option<&str>, before: &str) -> String {
    text.map(|t| format!("{before}{t}")).unwrap_or_default()
}

impl ConfigError {
    /// From an error of the TOML parser.
    pub fn from_toml(file: &str, text: &str, error: &toml::de::Error) -> Self {
        let why = error.message().trim().lines().collect::<Vec<_>>().join(", ");
        let hint = nearest(&why).map(|known| format!("did you mean `{known}`?"));
        let mut located = Self { file: file.to_owned(), place: None, why, shown: None, hint };
        if let Some(span) = error.span() {
            located.locate(text, span.start, span.end);
        }
        located
    }

    /// For a value that parses but cannot be meant. `key` is looked up in the text to name its line.
    pub fn of_value(file: &str, text: &str, key: &str, why: &str) -> Self {
        let mut error = Self {
            file: file.to_owned(),
            place: None,
            why: format!("{key}: {why}"),
            shown: None,
            hint: None,
        };
        let (table, last) = key.rsplit_once('.').unwrap_or(("", key));
        let mut offset = 0;
        let mut current = String::new();
        for line in text.split_inclusive('\n') {
            let content = line.trim();
            if let Some(header) = content.strip_prefix('[') {
                header.trim_end_matches(']').trim().clone_into(&mut current);
            } else if current == table && content.split('=').next().is_some_and(|k| k.trim() == last) {
                let start = offset + line.len() - line.trim_start().len();
                error.locate(text, start, offset + line.trim_end().len());
                break;
            }
            offset += line.len();
        }
        error
    }

    fn locate(&mut self, text: &str, start: usize, end: usize) {
        let Some(before) = text.get(..start) else { return };
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let content = text[line_start..].lines().next().unwrap_or_default();
        let column = text.get(line_start..start).map_or(0, |t| t.chars().count());
        let marked = text
            .get(start..end.min(line_start + content.len()).max(start))
            .map_or(1, |t| t.chars().count().max(1));
        let number = before.matches('\n').count() + 1;
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        self.place = Some((small(number), small(column + 1)));
        let gutter = number.to_string();
        let content: String = content.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        self.shown = Some(format!(
            "  {gutter} | {content}\n  {} | {}{}",
            " ".repeat(gutter.len()),
            " ".repeat(column),
            "^".repeat(marked)
        ));
    }
}

/// Of ``unknown field `ronds`, expected one of `rounds`, `workloads` `` the nearest expected one.
fn nearest(message: &str) -> Option<&str> {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = quoted.next().filter(|_| message.starts_with("unknown"))?;
    quoted
        .map(|known| (strsim::jaro_winkler(unknown, known), known))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}
