//! The tables of the terminal, laid out with comfy-table.

use super::paint::{self, Ink};
use super::spark::spark;
use crate::model::{Change, Judgement, Verdict, VerdictKind};
use crate::report::past::Past;
use crate::report::{clean, number, view};
use comfy_table::{Cell, CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

/// Columns by two spaces, one thin line below the header.
pub(super) const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─'));
const BARE: TableStyle = TableStyle::new();

/// Threshold of a verdict that does not say its own, as in results of before they did: percent.
pub(super) const TYPICAL_PCT: f64 = 5.0;

pub(super) fn table(style: TableStyle) -> Table {
    let mut table = Table::new();
    table.load_style(style).force_no_tty().set_content_arrangement(ContentArrangement::Disabled);
    table
}

pub(super) fn right(text: impl ToString) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

/// A table as text, and whether that fits the width.
pub(super) fn fit(table: &mut Table, width: u16) -> (String, bool) {
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let text = table.trim_fmt();
    let fits = text.lines().all(|l| paint::strip(l).chars().count() <= usize::from(width));
    (text, fits)
}

/// The first layout that fits the width; the last one is made to fit by wrapping.
pub(super) fn fitting(layouts: Vec<Table>, width: u16) -> String {
    let last = layouts.len().saturating_sub(1);
    let mut text = String::new();
    for (at, mut table) in layouts.into_iter().enumerate() {
        let fits;
        (text, fits) = fit(&mut table, width);
        if fits {
            return text;
        }
        if at == last {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
            text = table.trim_fmt();
        }
    }
    text
}

/// Component, before and after.
pub(super) fn changes(changed: &[Change], width: u16) -> String {
    let mut t = table(BARE);
    for c in changed {
        let version = |v: &Option<String>| v.as_deref().map_or_else(|| "absent".to_owned(), clean::text);
        t.add_row(vec![c.component.to_string(), format!("{} → {}", version(&c.before), version(&c.after))]);
    }
    fitting(vec![t], width)
}

/// Which columns the table of verdicts has besides metric, environment and change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Columns {
    toll: bool,
    sees: bool,
    origin: bool,
    /// Sweeps of the history; 0 without one.
    history: usize,
}

const fn columns(toll: bool, sees: bool, origin: bool, history: usize) -> Columns {
    Columns { toll, sees, origin, history }
}

/// From the one that says most to the one that is made to fit.
const LAYOUTS: [Columns; 8] = [
    columns(true, true, true, 16),
    columns(true, true, true, 10),
    columns(true, true, false, 10),
    columns(false, true, false, 10),
    columns(false, true, false, 6),
    columns(false, false, false, 10),
    columns(true, true, true, 0),
    columns(false, true, false, 0),
];

/// The table of verdicts.
pub(super) struct Verdicts<'a> {
    /// Whose.
    pub judgement: &'a Judgement,
    /// Under one heading each.
    pub kinds: &'a [VerdictKind],
    /// So many of the inconclusive at most; none for all.
    pub open: Option<usize>,
    /// Earlier tolls, where they are known.
    pub past: Option<&'a Past>,
    /// Whether the guest ran under TCG.
    pub emulated: bool,
}

/// A table, and which of its columns a note must explain.
pub(super) struct Laid {
    /// The table.
    pub text: String,
    /// What a comparison would have seen.
    pub sees: bool,
    /// The history.
    pub history: bool,
}

impl Verdicts<'_> {
    /// The first layout that fits the width; none without any verdict.
    pub fn lay(&self, width: u16) -> Option<Laid> {
        let any = self.kinds.iter().any(|kind| !view::of_kind(self.judgement, *kind).is_empty());
        if !any {
            return None;
        }
        let has_history = self.shown().any(|v| !self.spark(v, LAYOUTS[0].history).is_empty());
        let usable = LAYOUTS.iter().filter(|l| has_history || l.history == 0);
        let mut last = None;
        for columns in usable {
            let (text, fits) = fit(&mut self.layout(*columns), width);
            let laid = Laid { text, sees: columns.sees && self.sees(), history: columns.history > 0 };
            if fits {
                return Some(laid);
            }
            last = Some(*columns);
        }
        let columns = last?;
        let text = fitting(vec![self.layout(columns)], width);
        Some(Laid { text, sees: columns.sees && self.sees(), history: false })
    }

    /// The verdicts that have a row.
    fn shown(&self) -> impl Iterator<Item = &Verdict> {
        self.kinds.iter().flat_map(|kind| {
            let most = self.most(*kind);
            view::of_kind(self.judgement, *kind).into_iter().take(most)
        })
    }

    fn most(&self, kind: VerdictKind) -> usize {
        self.open.filter(|_| kind == VerdictKind::Inconclusive).unwrap_or(usize::MAX)
    }

    /// Whether a row says what it would have seen.
    fn sees(&self) -> bool {
        self.shown().any(|v| v.verdict == VerdictKind::Inconclusive && v.mde80_pct.is_some())
    }

    /// Of what is proven unchanged nobody asks how it went.
    fn spark(&self, verdict: &Verdict, room: usize) -> String {
        let past = self.past.filter(|_| verdict.verdict != VerdictKind::Unchanged);
        let line = past.and_then(|p| p.of(&view::series_key(verdict)));
        line.map(|l| spark(&l.tolls, verdict.threshold_pct.unwrap_or(TYPICAL_PCT), room)).unwrap_or_default()
    }

    fn layout(&self, columns: Columns) -> Table {
        let mut t = table(STYLE);
        let mut header = vec!["metric", "environment"];
        header.extend(columns.toll.then_some("toll"));
        header.push("change [95 %]");
        header.extend(columns.sees.then_some("would see"));
        header.extend((columns.history > 0).then_some("history"));
        header.extend(columns.origin.then_some("origin"));
        t.set_header(header.into_iter().map(|h| Cell::new(paint::ink(Ink::Head, h))));
        for kind in self.kinds {
            let verdicts = view::of_kind(self.judgement, *kind);
            if verdicts.is_empty() {
                continue;
            }
            let ink = if *kind == VerdictKind::Unchanged { Ink::Head } else { paint::of_verdict(*kind) };
            let head = format!("{} {} ({})", view::mark(*kind), view::words(*kind), verdicts.len());
            t.add_row(vec![paint::ink(ink, &head)]);
            let most = self.most(*kind);
            for v in verdicts.iter().take(most) {
                t.add_row(self.cells(v, columns));
            }
            if verdicts.len() > most {
                t.add_row(vec![format!("  and {} more", verdicts.len() - most)]);
            }
        }
        t
    }

    fn cells(&self, v: &Verdict, columns: Columns) -> Vec<Cell> {
        let mut cells = vec![
            Cell::new(format!(" {}", view::metric_name(v))),
            Cell::new(view::label(&v.environment, self.emulated)),
        ];
        if columns.toll {
            cells.push(Cell::new(view::sides(v).join(" → ")));
        }
        cells.push(Cell::new(view::change_of(v)));
        if columns.sees {
            // Of a proven verdict nobody asks what else could have been seen.
            let detectable = v.mde80_pct.filter(|_| v.verdict != VerdictKind::Unchanged);
            cells.push(Cell::new(detectable.map(number::change).unwrap_or_default()));
        }
        if columns.history > 0 {
            cells.push(right(newest_inked(&self.spark(v, columns.history), v.verdict)));
        }
        if columns.origin {
            cells.push(Cell::new(v.attribution.map(view::attribution).unwrap_or_default()));
        }
        cells
    }
}

/// The newest block in the ink of the verdict.
fn newest_inked(spark: &str, kind: VerdictKind) -> String {
    match spark.char_indices().last() {
        Some((at, newest)) if newest != ' ' => {
            format!("{}{}", &spark[..at], paint::ink(paint::of_verdict(kind), &spark[at..]))
        }
        _ => spark.to_owned(),
    }
}
