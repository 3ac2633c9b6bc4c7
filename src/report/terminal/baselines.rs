//! What `judge --self-test` and `power` print: figures of the stored baselines.

use super::paint::{self, Ink};
use super::tables::{STYLE, fitting, right, table};
use super::{Sheet, TerminalStyle};
use crate::model::{Base, CommonPlan, HostClass, MetricPower, Power, SelfTest};
use crate::report::{clean, number, self_test, view};
use comfy_table::{Cell, Table};

/// The result of `judge --self-test`.
pub fn self_test_table(test: &SelfTest, style: TerminalStyle) -> String {
    let mut out = Sheet::new(style);
    out.wrapped("Self-test: ", &self_test::sentence(test), Ink::Head);
    whose(&mut out, test.host_class.as_ref(), test.profile.as_deref(), test.sweeps);
    let rows = self_test::rows(test);
    if rows.is_empty() {
        return out.finish();
    }
    let mut t = table(STYLE);
    let head = ["", "metrics", "regressed", "candidates of the screen"];
    t.set_header(head.map(|h| Cell::new(paint::ink(Ink::Head, h))));
    for row in rows {
        let cells =
            [Cell::new(row.name), right(row.metrics), Cell::new(row.confirmed), Cell::new(row.screened)];
        t.add_row(cells);
    }
    out.gap();
    out.block(&fitting(vec![t], style.width));
    out.gap();
    for text in self_test::EXPLANATION {
        out.wrapped("", text, Ink::Faint);
    }
    // Without suites the sentence has said it.
    if let Some(reason) = test.reason.as_deref().filter(|_| test.suites.is_some()) {
        out.wrapped("", &clean::text(reason), Ink::Plain);
    }
    out.finish()
}

/// The result of `power`.
pub fn power_table(power: &Power, style: TerminalStyle) -> String {
    let mut out = Sheet::new(style);
    let emulated = power.accelerator.as_deref() == Some("tcg");
    out.wrapped("", &power_answer(power), Ink::Head);
    whose(&mut out, power.host_class.as_ref(), power.profile.as_deref(), power.sweeps);
    if emulated && power.metrics.iter().any(|m| m.environment.base() == Base::Kvm) {
        let text = "virtual machines ran under TCG emulation: their figures are the emulator's, not KVM's";
        out.wrapped("! ", text, Ink::Unsure);
    }
    if power.summary.metrics > 0 {
        out.wrapped("Four fifths of them: ", &common(power), Ink::Plain);
    }
    if let Some(reason) = &power.reason {
        out.wrapped("! ", &clean::text(reason), Ink::Unsure);
    }
    if power.metrics.is_empty() {
        return out.finish();
    }
    let layouts = [Columns::All, Columns::Some, Columns::Few].map(|c| power_layout(power, emulated, c));
    out.gap();
    out.block(&fitting(layouts.into(), style.width));
    out.gap();
    for text in power_notes(power) {
        out.wrapped("", &text, Ink::Faint);
    }
    out.finish()
}

fn whose(out: &mut Sheet, host_class: Option<&HostClass>, profile: Option<&str>, sweeps: u32) {
    let Some(class) = host_class else { return };
    let profile = profile.map(|p| format!(", profile {}", clean::name(p))).unwrap_or_default();
    let sweeps = number::count(sweeps as usize, "comparable accepted sweep");
    out.wrapped("", &format!("host class {class}{profile}, {sweeps}"), Ink::Faint);
}

/// How many metrics see their threshold now.
fn power_answer(power: &Power) -> String {
    let of = power.summary.metrics;
    if of == 0 {
        let needed = power.metrics.first().map(|m| m.reason.clone()).unwrap_or_default();
        let needed = if needed.is_empty() { "no metric was measured".to_owned() } else { needed };
        return format!("Nothing can be said of any metric yet: {needed}");
    }
    let verb = if power.summary.reach == 1 { "sees its" } else { "see their" };
    format!(
        "{} of {} {verb} threshold as things are, {} more would with a better plan, {} with none",
        power.summary.reach,
        number::count(of as usize, "metric"),
        power.summary.reachable.saturating_sub(power.summary.reach),
        of - power.summary.reachable.max(power.summary.reach)
    )
}

/// The common plan, and what it takes.
fn common(power: &Power) -> String {
    let Some(CommonPlan { effort, sweep_s, gate_s }) = &power.summary.common else {
        return "no plan of at most 30 accepted sweeps, 4 fresh ones and 100 rounds, the same for all, lets them see theirs"
            .to_owned();
    };
    let time = match (sweep_s, gate_s) {
        (Some(sweep), Some(gate)) => {
            format!(": {} a sweep, at most {} a gate", number::duration(*sweep), number::duration(*gate))
        }
        _ => String::new(),
    };
    format!(
        "would see theirs with {} of {} and {}{time}",
        number::count(effort.baseline_sweeps as usize, "accepted sweep"),
        number::count(effort.rounds as usize, "round"),
        number::count(effort.fresh_sweeps as usize, "fresh one"),
    )
}

/// How much fits the terminal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Columns {
    All,
    Some,
    Few,
}

fn power_layout(power: &Power, emulated: bool, columns: Columns) -> Table {
    let mut t = table(STYLE);
    let head = |h: &str| right(paint::ink(Ink::Head, h));
    let left = |h: &str| Cell::new(paint::ink(Ink::Head, h));
    let mut header = vec![left("metric"), left("environment")];
    if columns != Columns::Few {
        header.extend([head("n"), head("R")]);
    }
    if columns == Columns::All {
        header.extend([head("within"), head("between")]);
    }
    header.extend([head("sees"), head("of"), left("plan: n + k × R")]);
    if power.timed && columns != Columns::Few {
        header.push(head("time"));
    }
    t.set_header(header);
    for row in &power.metrics {
        t.add_row(power_cells(row, power.timed, emulated, columns));
    }
    t
}

fn power_cells(row: &MetricPower, timed: bool, emulated: bool, columns: Columns) -> Vec<Cell> {
    let name = clean::name(&format!("{}/{}/{}", row.workload, row.case, row.metric));
    let mut cells = vec![Cell::new(name), Cell::new(view::label(&row.environment, emulated))];
    let or_none = |text: Option<String>| right(text.unwrap_or_else(|| number::NONE.to_owned()));
    if columns != Columns::Few {
        cells.extend([right(row.sweeps), or_none(row.rounds.map(|r| r.to_string()))]);
    }
    if columns == Columns::All {
        cells.extend([row.sigma_within_pct, row.sigma_between_pct].map(|pct| or_none(pct.map(size))));
    }
    let ink = match (row.reaches, &row.plan) {
        (Some(true), _) => Ink::Good,
        (Some(false), Some(_)) => Ink::Unsure,
        (Some(false), None) => Ink::Bad,
        (None, _) => Ink::Plain,
    };
    let seen = row.mde80_pct.map_or_else(|| number::NONE.to_owned(), size);
    cells.extend([right(paint::ink(ink, &seen)), right(format!("{} %", row.threshold_pct))]);
    let plan = match (&row.plan, row.best_pct) {
        (Some(plan), _) => format!("{} + {} × {}", plan.baseline_sweeps, plan.fresh_sweeps, plan.rounds),
        (None, Some(best)) => paint::ink(ink, &format!("none, best {}", size(above(best)))),
        (None, None) => paint::ink(Ink::Faint, &clean::text(&row.reason)),
    };
    cells.push(Cell::new(plan));
    if timed && columns != Columns::Few {
        cells.push(right(row.plan_s.map(number::duration).unwrap_or_default()));
    }
    cells
}

/// Rounded up to a tenth, so that what is not within a threshold does not look as if it were.
fn above(pct: f64) -> f64 {
    (pct * 10.0).ceil() / 10.0
}

/// A size in percent: `3.2 %`, `140 %`.
fn size(pct: f64) -> String {
    number::change(pct).trim_start_matches('+').to_owned()
}

/// What the columns mean, and how far to trust them.
fn power_notes(power: &Power) -> Vec<String> {
    let fresh = number::count(power.fresh_sweeps as usize, "fresh one");
    let price = if power.timed {
        "time: what the plan's missing sweeps take for that case alone, as measured"
    } else {
        "without times, to begin a sweep is priced as three rounds"
    };
    let mut notes = vec![
        format!(
            "sees: the smallest rise that n accepted sweeps of R rounds and {fresh} show four times in five; of: the threshold"
        ),
        format!(
            "plan: the cheapest n accepted sweeps + k fresh ones, × R rounds, that sees the threshold; {price}"
        ),
    ];
    if power.metrics.iter().any(|m| m.best_pct.is_some()) {
        notes.push(
            "none: not with 30 accepted sweeps, 4 fresh ones and 100 rounds, which would see the best; the host must be \
             quieter, or the threshold wider (alerts/policy.toml)"
                .to_owned(),
        );
    }
    // With ten sweeps the 95 % interval of a standard deviation still goes from 0.7 to 1.8 times its estimate.
    if power.summary.metrics > 0 && power.sweeps < 10 {
        notes.push(format!(
            "the spread between sweeps is itself estimated from {}: expect these figures to move until there are about ten",
            number::count(power.sweeps as usize, "sweep")
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    fn plain(width: u16) -> TerminalStyle {
        TerminalStyle { width, colour: false }
    }

    #[test]
    fn snapshots() {
        let [full, ..] = fixtures::self_tests();
        insta::assert_snapshot!("self_test_80", self_test_table(&full, plain(80)));
        insta::assert_snapshot!("power_80", power_table(&fixtures::power(), plain(80)));
        insta::assert_snapshot!("power_100", power_table(&fixtures::power(), plain(100)));
        insta::assert_snapshot!("power_140", power_table(&fixtures::power(), plain(140)));
        insta::assert_snapshot!("power_few_sweeps_80", power_table(&fixtures::power_of_few(), plain(80)));
    }

    #[test]
    fn nothing_is_wider_than_the_terminal() {
        for width in [60, 80, 100, 140] {
            let mut texts: Vec<String> =
                fixtures::self_tests().iter().map(|t| self_test_table(t, plain(width))).collect();
            texts
                .extend([fixtures::power(), fixtures::power_of_few()].map(|p| power_table(&p, plain(width))));
            for line in texts.iter().flat_map(|t| t.lines()) {
                assert!(line.chars().count() <= usize::from(width), "{width}: {line}");
            }
        }
    }

    #[test]
    fn hostile_names_stay_text() {
        let mut power = fixtures::power();
        power.metrics[0].workload = "\u{1b}[2J\u{202e}".into();
        power.profile = Some("a\nb".into());
        let text = power_table(&power, plain(140));
        assert!(!text.chars().any(|c| c.is_control() && c != '\n') && !text.contains('\u{202e}'));
    }
}
