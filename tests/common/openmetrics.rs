//! A strict reader of `OpenMetrics` text 1.0 (<https://prometheus.io/docs/specs/om/open_metrics_spec/>), as far as counters and
//! gauges go: what a lenient scraper would let pass is an error here.

use std::collections::{BTreeMap, BTreeSet};

/// One sample: labels and value.
pub type Sample = (BTreeMap<String, String>, f64);

/// A family: its type, and its samples by labels.
#[derive(Debug, Default)]
pub struct Family {
    pub kind: String,
    pub help: String,
    pub unit: Option<String>,
    pub samples: Vec<Sample>,
}

/// All families by name, or the line that is wrong and why.
pub fn parse(text: &str) -> Result<BTreeMap<String, Family>, String> {
    let body = text.strip_suffix("# EOF\n").ok_or("it does not end with # EOF")?;
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for (number, line) in (1..).zip(body.lines()) {
        let wrong = |why: &str| format!("line {number}: {why}: {line}");
        if let Some(rest) = line.strip_prefix("# ") {
            let mut parts = rest.splitn(3, ' ');
            let (word, name, value) = (parts.next(), parts.next(), parts.next().unwrap_or_default());
            let (word, name) = word.zip(name).ok_or_else(|| wrong("half a comment"))?;
            if !is_name(name) {
                return Err(wrong("no name"));
            }
            if name != current {
                if families.contains_key(name) {
                    return Err(wrong("its family is torn apart"));
                }
                name.clone_into(&mut current);
                families.insert(current.clone(), Family::default());
            }
            let family = families.get_mut(name).ok_or_else(|| wrong("no family"))?;
            if !family.samples.is_empty() {
                return Err(wrong("metadata behind samples"));
            }
            match word {
                "HELP" => family.help = escaped(value, false).ok_or_else(|| wrong("help"))?,
                "TYPE" if ["counter", "gauge"].contains(&value) => value.clone_into(&mut family.kind),
                "UNIT" if name.ends_with(&format!("_{value}")) => family.unit = Some(value.to_owned()),
                _ => return Err(wrong("no comment that there is")),
            }
            continue;
        }
        let (name, labels, value) = sample(line).ok_or_else(|| wrong("no sample"))?;
        let family = families.get_mut(&current).ok_or_else(|| wrong("a sample before its type"))?;
        let expected = if family.kind == "counter" { format!("{current}_total") } else { current.clone() };
        if name != expected || family.kind.is_empty() || family.help.is_empty() {
            return Err(wrong("not of the family above, or that has no type or help"));
        }
        if family.kind == "counter" && (value < 0.0 || value.is_nan()) {
            return Err(wrong("a counter below zero"));
        }
        if !seen.insert(format!("{name}{labels:?}")) {
            return Err(wrong("the same twice"));
        }
        family.samples.push((labels, value));
    }
    Ok(families)
}

fn is_name(name: &str) -> bool {
    let first = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    first && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The text behind escapes; none where one is unknown or a quote is not escaped.
fn escaped(text: &str, quoted: bool) -> Option<String> {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.push(match chars.next()? {
                'n' => '\n',
                '\\' => '\\',
                '"' => '"',
                _ => return None,
            }),
            '"' if quoted => return None,
            '\n' => return None,
            c => out.push(c),
        }
    }
    Some(out)
}

fn sample(line: &str) -> Option<(String, BTreeMap<String, String>, f64)> {
    let end = line.find(['{', ' '])?;
    let name = line[..end].to_owned();
    let mut rest = &line[end..];
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (key, after) = rest.split_once("=\"")?;
            let close = closing(after)?;
            let old = labels.insert(key.to_owned(), escaped(&after[..close], true)?);
            if old.is_some() || !is_name(key) {
                return None;
            }
            rest = &after[close + 1..];
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => break,
            }
        }
        rest = rest.strip_prefix('}')?;
    }
    let number = rest.strip_prefix(' ')?;
    let plain = number.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    let value = if plain { number.parse().ok()? } else { None::<f64>? };
    is_name(&name).then_some((name, labels, value))
}

/// Where the quote is that is not escaped.
fn closing(text: &str) -> Option<usize> {
    let mut escape = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escape => escape = false,
            '\\' => escape = true,
            '"' => return Some(at),
            _ => {}
        }
    }
    None
}
