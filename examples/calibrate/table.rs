//! Outcomes as Markdown, each figure with its 95 % interval and what is asked of it.

use crate::rivals::RIVALS;
use crate::rows::{RIVALS_REQUIRED, Required, Row};
use crate::simulate::Found;
use crate::{ADJUSTED, JUDGED, Outcome, Outcomes};

/// A figure with its 95 % interval, percent.
#[derive(Debug, Clone, Copy)]
struct Figure {
    value: f64,
    low: f64,
    high: f64,
}

const Z: f64 = 1.96;

impl Figure {
    /// A share of suites, with the interval of Wilson (1927).
    fn share(suites: impl ExactSizeIterator<Item = bool>) -> Self {
        let n = suites.len() as f64;
        let p = suites.filter(|yes| *yes).count() as f64 / n;
        let z2 = Z * Z / n;
        let (centre, half) = (p + z2 / 2.0, Z * (p * (1.0 - p) / n + z2 / (4.0 * n)).sqrt());
        let percent = |x: f64| 100.0 * x / (1.0 + z2);
        Self { value: 100.0 * p, low: percent(centre - half).max(0.0), high: percent(centre + half) }
    }

    /// A mean over suites. The metrics of a suite are no independent trials, so the suite is the unit.
    fn mean(suites: impl Iterator<Item = f64>) -> Self {
        let values: Vec<f64> = suites.map(|x| 100.0 * x).collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
        let half = Z * (variance / n).sqrt();
        Self { value: mean, low: (mean - half).max(0.0), high: (mean + half).min(100.0) }
    }

    /// `1.8 (0.9-3.6)`, and `≤1.8 ok` or `≥78 NO`: reached unless the whole interval lies on the wrong side.
    fn cell(self, digits: usize, (sign, required): (char, Option<f64>)) -> String {
        let text = format!("{:.1} ({:.digits$}-{:.digits$})", self.value, self.low, self.high);
        let Some(required) = required else { return text };
        let reached = if sign == '≤' { self.low <= required } else { self.high >= required };
        format!("{text} {sign}{required} {}", if reached { "ok" } else { "NO" })
    }
}

/// The figures of one way of judging.
struct Figures {
    any: Figure,
    power_5: Figure,
    power_10: Figure,
    fdr_5: Figure,
    /// False alarms in an unchanged suite.
    alarms: f64,
    /// Suites in which something is said to have improved, percent: unchanged ones, and with +5 %.
    improved: [f64; 2],
}

impl Figures {
    fn of(row: &Row, outcomes: &Outcomes, found: impl Fn(&Outcome) -> Found) -> Self {
        let shifted = row.scenario.shifted as f64;
        let of_shift = |shift: usize| outcomes.iter().map(move |o| &o[shift]).map(&found);
        let power = |shift: usize| Figure::mean(of_shift(shift).map(|f| f.right as f64 / shifted));
        Self {
            any: Figure::share(of_shift(0).map(|f| f.wrong > 0)),
            power_5: power(1),
            power_10: power(2),
            fdr_5: Figure::mean(of_shift(1).map(Found::false_share)),
            alarms: of_shift(0).map(|f| f.wrong as f64).sum::<f64>() / outcomes.len() as f64,
            improved: [0, 1].map(|shift| Figure::share(of_shift(shift).map(|f| f.improved > 0)).value),
        }
    }

    fn line(&self, head: &str, required: &Required) {
        println!(
            "| {head} | {} | {} | {} | {} |",
            self.any.cell(1, ('≤', required.any)),
            self.power_5.cell(0, ('≥', required.power_5)),
            self.power_10.cell(0, ('≥', required.power_10)),
            self.fdr_5.cell(1, ('≤', required.fdr_5))
        );
    }
}

/// One line for each row and each of `ways`, which `found` picks by its index; then what else is counted.
fn tables<const N: usize>(
    done: &[(Row, Outcomes)],
    ways: [&str; N],
    found: impl Fn(&Outcome) -> [Found; N],
    required: impl Fn(&Row, usize) -> Required,
) {
    println!("| row | | any false | power +5 % | power +10 % | FDR +5 % |\n|---|---|---|---|---|---|");
    let mut besides = Vec::new();
    for (row, outcomes) in done {
        for (w, way) in ways.into_iter().enumerate() {
            let figures = Figures::of(row, outcomes, |o| found(o)[w]);
            figures.line(&format!("{} | {way}", row.name), &required(row, w));
            let [unchanged, shifted] = figures.improved;
            besides.push(format!(
                "| {} | {way} | {:.2} | {unchanged:.1} | {shifted:.1} |",
                row.name, figures.alarms
            ));
        }
    }
    println!(
        "\n| row | | alarms | improved | improved, +5 % |\n|---|---|---|---|---|\n{}\n",
        besides.join("\n")
    );
}

const LEGEND: &str = "Percent, with 95 % intervals; ok: what is asked lies within or is surpassed.
Confirmed by the fresh sweeps: C = the candidates only, C+I = the candidates and the inconclusive.
alarms: false ones in an unchanged suite; improved: suites in which something is falsely said to have improved, percent.
";

/// Prints all tables.
pub fn print(done: &[(Row, Outcomes)], common_factor: bool) {
    let suites = done.first().map_or(0, |(_, outcomes)| outcomes.len());
    println!("{suites} suites a row. {LEGEND}\n## The judge\n");
    tables(done, JUDGED, |o| o.judged, |row, way| row.required[way]);
    if common_factor {
        println!("## The judge, common factor taken out\n");
        println!(
            "C and C+I: the fresh sweeps measure everything, so that the factor is estimated from all that is not"
        );
        println!("suspected. part: C+I, where they measure only that.\n");
        tables(done, ADJUSTED, |o| o.adjusted, |_, _| Required::default());
    }
    rivals(done);
}

fn rivals(done: &[(Row, Outcomes)]) {
    println!("## Others on the same suites\n\nAny false alarm / power at +5 % / at +10 %.\n");
    let names: Vec<&str> = RIVALS.iter().map(|(name, _)| *name).collect();
    println!("| row | {} |\n|---|{}", names.join(" | "), "---|".repeat(RIVALS.len()));
    for (row, outcomes) in done {
        let cell = |r: usize| {
            let f = Figures::of(row, outcomes, |o| o.rivals[r]);
            format!("{:.1} / {:.0} / {:.0}", f.any.value, f.power_5.value, f.power_10.value)
        };
        let cells: Vec<String> = (0..RIVALS.len()).map(cell).collect();
        println!("| {} | {} |", row.name, cells.join(" | "));
    }
    let asked = RIVALS_REQUIRED
        .map(|asked| asked.map_or("-".to_owned(), |[any, p5, p10]| format!("{any} / {p5} / {p10}")));
    println!("| n=10, asked | {} |\n", asked.join(" | "));
    for (name, what) in RIVALS {
        println!("- {name}: {what}");
    }
}
