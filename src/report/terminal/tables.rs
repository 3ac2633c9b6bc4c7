//! The tables of the terminal, laid out with comfy-table.

use super::paint::{self, Ink};
use crate::model::{Change, Judgement, Verdict, VerdictKind};
use crate::report::view::{self, Toll, TollTable};
use crate::report::{clean, number};
use comfy_table::{Cell, CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

/// Columns by two spaces, one thin line below the header.
pub(super) const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─'));
const BARE: TableStyle = TableStyle::new();

pub(super) fn table(style: TableStyle) -> Table {
    let mut table = Table::new();
    table.load_style(style).force_no_tty().set_content_arrangement(ContentArrangement::Disabled);
    table
}

pub(super) fn right(text: impl ToString) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

/// The first layout that fits the width; the last one is made to fit by wrapping.
pub(super) fn fitting(layouts: Vec<Table>, width: u16) -> String {
    let last = layouts.len().saturating_sub(1);
    let mut text = String::new();
    for (at, mut table) in layouts.into_iter().enumerate() {
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        text = table.trim_fmt();
        if text.lines().all(|l| paint::strip(l).chars().count() <= usize::from(width)) {
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

/// One row a metric, one column an environment; where that is too wide, one row a metric and environment.
pub(super) fn tolls(tolls: &TollTable, emulated: bool, width: u16) -> String {
    fitting(vec![toll_matrix(tolls, emulated), toll_list(tolls, emulated)], width)
}

fn shown(toll: &Toll, kind: Option<VerdictKind>) -> String {
    let mark = kind.map_or(" ", view::mark);
    let ink = match (kind, toll) {
        (Some(kind), _) => paint::of_verdict(kind),
        (None, Toll::Failed | Toll::Missing) => Ink::Unsure,
        (None, Toll::Unavailable) => Ink::Faint,
        (None, _) => Ink::Plain,
    };
    paint::ink(ink, &format!("{} {mark}", toll.text()))
}

fn toll_matrix(tolls: &TollTable, emulated: bool) -> Table {
    let mut t = table(STYLE);
    let mut header =
        vec![Cell::new(paint::ink(Ink::Head, "workload case")), right(paint::ink(Ink::Head, "native"))];
    for environment in &tolls.environments {
        // One axis a line keeps the columns as narrow as their numbers.
        let name = view::label(environment, emulated).replace('+', "\n+").replace(" (TCG)", "\n(TCG)");
        let lines: Vec<String> = name.lines().map(|l| paint::ink(Ink::Head, &format!("{l}  "))).collect();
        header.push(right(lines.join("\n")));
    }
    t.set_header(header);
    for group in tolls.groups() {
        if let Some(first) = group.first() {
            t.add_row(vec![paint::ink(Ink::Head, &format!("{} {}", first.workload, first.case))]);
        }
        for row in group {
            let mut cells = vec![Cell::new(format!("  {}", row.metric)), right(&row.native)];
            cells.extend(row.cells.iter().map(|(toll, kind)| right(shown(toll, *kind))));
            t.add_row(cells);
        }
    }
    t
}

fn toll_list(tolls: &TollTable, emulated: bool) -> Table {
    let mut t = table(STYLE);
    t.set_header(vec![
        Cell::new(paint::ink(Ink::Head, "metric")),
        Cell::new(paint::ink(Ink::Head, "environment")),
        right(paint::ink(Ink::Head, "native")),
        right(paint::ink(Ink::Head, "toll  ")),
    ]);
    for row in &tolls.rows {
        for (environment, (toll, kind)) in tolls.environments.iter().zip(&row.cells) {
            if *toll != Toll::Absent {
                t.add_row(vec![
                    Cell::new(format!("{}/{}/{}", row.workload, row.case, row.metric)),
                    Cell::new(view::label(environment, emulated)),
                    right(&row.native),
                    right(shown(toll, *kind)),
                ]);
            }
        }
    }
    t
}

/// The verdicts of `kinds` under one heading each, `open` of the inconclusive at most; none without any.
pub(super) fn verdicts(
    judgement: &Judgement,
    kinds: &[VerdictKind],
    open: Option<usize>,
    emulated: bool,
    width: u16,
) -> Option<String> {
    let layouts: Vec<Table> = [true, false]
        .into_iter()
        .map(|wide| verdict_layout(judgement, kinds, open, emulated, wide))
        .collect();
    layouts.first().is_some_and(|t| t.row_iter().next().is_some()).then(|| fitting(layouts, width))
}

fn verdict_layout(
    judgement: &Judgement,
    kinds: &[VerdictKind],
    open: Option<usize>,
    emulated: bool,
    wide: bool,
) -> Table {
    let mut t = table(STYLE);
    let mut header = vec!["metric", "environment", "change [95 %]", "would see"];
    if wide {
        header.insert(2, "toll");
        header.push("origin");
    }
    t.set_header(header.into_iter().map(|h| Cell::new(paint::ink(Ink::Head, h))));
    for kind in kinds {
        let verdicts = view::of_kind(judgement, *kind);
        if verdicts.is_empty() {
            continue;
        }
        let ink = if *kind == VerdictKind::Unchanged { Ink::Head } else { paint::of_verdict(*kind) };
        let head = format!("{} {} ({})", view::mark(*kind), view::words(*kind), verdicts.len());
        t.add_row(vec![paint::ink(ink, &head)]);
        let most = open.filter(|_| *kind == VerdictKind::Inconclusive).unwrap_or(usize::MAX);
        for v in verdicts.iter().take(most) {
            t.add_row(verdict_cells(v, emulated, wide));
        }
        if verdicts.len() > most {
            t.add_row(vec![format!("  and {} more", verdicts.len() - most)]);
        }
    }
    t
}

fn verdict_cells(v: &Verdict, emulated: bool, wide: bool) -> Vec<Cell> {
    let mut cells = vec![
        Cell::new(format!(" {}", view::metric_name(v))),
        Cell::new(view::label(&v.environment, emulated)),
    ];
    if wide {
        let pct = |p: Option<f64>| p.map_or_else(|| number::NONE.to_owned(), number::toll);
        cells.push(Cell::new(format!("{} → {}", pct(v.toll_before_pct), pct(v.toll_now_pct))));
    }
    cells.push(Cell::new(number::change_with_interval(v.change_pct, v.ci95_pct)));
    // Of a proven verdict nobody asks what else could have been seen.
    let detectable = v.mde80_pct.filter(|_| v.verdict != VerdictKind::Unchanged);
    cells.push(Cell::new(detectable.map(number::change).unwrap_or_default()));
    if wide {
        cells.push(Cell::new(v.attribution.map(view::attribution).unwrap_or_default()));
    }
    cells
}
