//! The table of tolls: one row a metric, one column an environment.

use super::paint::{self, Ink};
use super::spark::spark;
use super::tables::{STYLE, TYPICAL_PCT, fit, fitting, right, table};
use crate::model::{EnvironmentName, SeriesKey, VerdictKind};
use crate::report::past::Past;
use crate::report::view::{self, Toll, TollRow, TollTable};
use comfy_table::{Cell, Table};

/// What is laid out.
pub(super) struct Tolls<'a> {
    /// The tolls.
    pub table: &'a TollTable,
    /// Earlier ones, where they are to be shown.
    pub past: Option<&'a Past>,
    /// Whether the guest ran under TCG.
    pub emulated: bool,
}

/// Where the history of a toll stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Nowhere,
    /// Right of it.
    Beside,
    /// In a line of its own, where the columns would be too many beside it.
    Below,
}

/// Rows of metrics by columns of environments, or a row for each of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Matrix,
    List,
}

#[derive(Debug, Clone, Copy)]
struct Layout {
    shape: Shape,
    history: Place,
    /// Sweeps of a history.
    room: usize,
}

const fn layout(shape: Shape, history: Place, room: usize) -> Layout {
    Layout { shape, history, room }
}

/// From the one that says most to the one that is made to fit.
const LAYOUTS: [Layout; 8] = [
    layout(Shape::Matrix, Place::Beside, 10),
    layout(Shape::Matrix, Place::Beside, 6),
    layout(Shape::Matrix, Place::Below, 8),
    layout(Shape::Matrix, Place::Below, 6),
    layout(Shape::List, Place::Beside, 10),
    layout(Shape::List, Place::Beside, 6),
    layout(Shape::Matrix, Place::Nowhere, 0),
    layout(Shape::List, Place::Nowhere, 0),
];

impl Tolls<'_> {
    /// The first layout that fits the width, and whether it has a history.
    pub fn lay(&self, width: u16) -> (String, bool) {
        let has_history = self.table.rows.iter().any(|row| {
            self.table.environments.iter().any(|e| !self.spark(row, e, LAYOUTS[0].room).is_empty())
        });
        let usable = LAYOUTS.iter().filter(|l| has_history || l.history == Place::Nowhere);
        for layout in usable {
            let (text, fits) = fit(&mut self.with(*layout), width);
            if fits {
                return (text, layout.history != Place::Nowhere);
            }
        }
        (fitting(vec![self.list(LAYOUTS[LAYOUTS.len() - 1])], width), false)
    }

    fn with(&self, layout: Layout) -> Table {
        match layout.shape {
            Shape::Matrix => self.matrix(layout),
            Shape::List => self.list(layout),
        }
    }

    /// How a toll came to where it is; empty where that is not known.
    fn spark(&self, row: &TollRow, environment: &EnvironmentName, room: usize) -> String {
        let key = SeriesKey { metric: row.key.clone(), environment: environment.clone() };
        let line = self.past.and_then(|p| p.of(&key));
        line.map(|l| spark(&l.tolls, l.threshold_pct.unwrap_or(TYPICAL_PCT), room)).unwrap_or_default()
    }

    fn matrix(&self, layout: Layout) -> Table {
        let mut t = table(STYLE);
        let head = |text: &str| paint::ink(Ink::Head, text);
        let mut header = vec![Cell::new(head("workload case")), right(head("native"))];
        for environment in &self.table.environments {
            // One axis a line keeps the columns as narrow as their numbers.
            let name =
                view::label(environment, self.emulated).replace('+', "\n+").replace(" (TCG)", "\n(TCG)");
            let lines: Vec<String> = name.lines().map(|l| head(&format!("{l}  "))).collect();
            header.push(right(lines.join("\n")));
        }
        t.set_header(header);
        for group in self.table.groups() {
            if let Some(first) = group.first() {
                t.add_row(vec![head(&format!("{} {}", first.workload, first.case))]);
            }
            for row in group {
                let mut cells = vec![Cell::new(format!("  {}", row.metric)), right(&row.native)];
                let tolls = self.table.environments.iter().zip(&row.cells);
                cells.extend(tolls.map(|(e, (toll, kind))| right(self.cell(row, e, (toll, *kind), layout))));
                t.add_row(cells);
            }
        }
        t
    }

    /// A toll with its history.
    fn cell(
        &self,
        row: &TollRow,
        environment: &EnvironmentName,
        (toll, kind): (&Toll, Option<VerdictKind>),
        layout: Layout,
    ) -> String {
        let number = shown(toll, kind);
        let spark = self.spark(row, environment, layout.room);
        match layout.history {
            Place::Beside => {
                let room = layout.room.min(self.past.map_or(0, Past::sweeps));
                format!("{number}{spark:>room$}")
            }
            // Below the number's last digit, not below the place for its mark.
            Place::Below if !spark.is_empty() => format!("{number}\n{spark}  "),
            Place::Below | Place::Nowhere => number,
        }
    }

    fn list(&self, layout: Layout) -> Table {
        let mut t = table(STYLE);
        let head = |text: &str| paint::ink(Ink::Head, text);
        let with_history = layout.history != Place::Nowhere;
        let mut header = vec![
            Cell::new(head("metric")),
            Cell::new(head("environment")),
            right(head("native")),
            right(head("toll  ")),
        ];
        header.extend(with_history.then(|| right(head("history"))));
        t.set_header(header);
        for row in &self.table.rows {
            for (environment, (toll, kind)) in self.table.environments.iter().zip(&row.cells) {
                if *toll == Toll::Absent {
                    continue;
                }
                let mut cells = vec![
                    Cell::new(format!("{}/{}/{}", row.workload, row.case, row.metric)),
                    Cell::new(view::label(environment, self.emulated)),
                    right(&row.native),
                    right(shown(toll, *kind)),
                ];
                cells.extend(with_history.then(|| right(self.spark(row, environment, layout.room))));
                t.add_row(cells);
            }
        }
        t
    }
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
