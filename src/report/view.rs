//! What every format shows, before it is laid out: the toll table, and the words and marks for verdicts.
//! All text in these types is cleaned ([`super::clean`]); formats add only their own escaping.

use super::{clean, number};
use crate::history::Event;
use crate::model::{
    Attribution, Base, CellState, CellSummary, Change, CommonMode, Drift, EnvironmentName, GateResult,
    Judgement, MetricKey, SeriesKey, Verdict, VerdictKind,
};
use std::collections::{BTreeMap, BTreeSet};

/// The environment's name, with what must be said wherever it is shown: `kvm (TCG)`.
pub fn label(environment: &EnvironmentName, emulated: bool) -> String {
    if emulated && environment.base() == Base::Kvm {
        format!("{environment} (TCG)")
    } else {
        environment.to_string()
    }
}

/// The sign beside a number, so that colour is never the only difference.
pub fn mark(kind: VerdictKind) -> &'static str {
    match kind {
        VerdictKind::Regressed => "▲",
        VerdictKind::Suspected => "△",
        VerdictKind::MeasurementFailed => "✗",
        VerdictKind::Missing => "∅",
        VerdictKind::Inconclusive => "?",
        VerdictKind::Improved => "▼",
        VerdictKind::NoBaseline => "*",
        VerdictKind::Unchanged => "=",
    }
}

/// The words for a verdict, as in legends and headings.
pub fn words(kind: VerdictKind) -> &'static str {
    match kind {
        VerdictKind::MeasurementFailed => "measurement failed",
        VerdictKind::NoBaseline => "no baseline",
        VerdictKind::Unchanged => "unchanged (proven)",
        other => other.as_str(),
    }
}

/// The words for an attribution.
pub fn attribution(a: Attribution) -> &'static str {
    match a {
        Attribution::EnvironmentSlower => "environment slower",
        Attribution::NativeFaster => "native faster",
        Attribution::EnvironmentFaster => "environment faster",
        Attribution::NativeSlower => "native slower",
        Attribution::Both => "environment and native both",
        Attribution::Unclear => "origin unclear",
    }
}

/// A sentence for each sweep in which a whole environment moved.
pub fn common(judgement: &Judgement) -> Vec<String> {
    let sentence = |c: &CommonMode| {
        let native = c.environment.is_native();
        let what = if native { "values" } else { "tolls" };
        let way = match (native, c.worse) {
            (true, true) => "became worse",
            (true, false) => "became better",
            (false, true) => "rose",
            (false, false) => "fell",
        };
        format!(
            "{} moved as a whole in {}: {} of {} {what} {way} at once, by a bad boot or by one change for all",
            c.sweep, c.environment, c.moved, c.of
        )
    };
    judgement.common.iter().map(sentence).collect()
}

/// A version; of a digest the first twelve digits.
pub fn version(version: &str) -> String {
    let digest = version.len() == 64 && version.bytes().all(|b| b.is_ascii_hexdigit());
    if digest { format!("{}…", &version[..12]) } else { clean::text(version) }
}

/// `docker-engine 20.10.24 → 26.1.5`.
pub fn change(of: &Change) -> String {
    let short = |v: &Option<String>| v.as_deref().map_or_else(|| "absent".to_owned(), version);
    format!("{} {} → {}", of.component, short(&of.before), short(&of.after))
}

/// What changed with a sweep of a history.
pub fn event(event: &Event<'_>) -> String {
    let mut parts: Vec<String> = event.changed.iter().map(change).collect();
    if event.parameters {
        parts.push("the suite's parameters: sweeps before are not comparable".to_owned());
    }
    if let Some(accelerator) = event.accelerator {
        let name = if accelerator == "tcg" { "TCG emulation" } else { "KVM" };
        parts.push(format!("virtual machines under {name}: sweeps before are not comparable"));
    }
    parts.join("; ")
}

/// The toll before and now; of a metric that is not compared by ratio, environment minus native in its unit.
pub fn sides(v: &Verdict) -> [String; 2] {
    let side = |absolute: Option<f64>, pct: Option<f64>| match (absolute, pct) {
        (Some(x), _) => number::value(x, &clean::name(&v.unit)),
        (None, Some(pct)) => number::toll(pct),
        (None, None) => number::NONE.to_owned(),
    };
    [side(v.absolute.map(|a| a.before), v.toll_before_pct), side(v.absolute.map(|a| a.now), v.toll_now_pct)]
}

/// The change of the toll, with its interval where it is of a ratio.
pub fn change_of(v: &Verdict) -> String {
    let Some(a) = v.absolute else { return number::change_with_interval(v.change_pct, v.ci95_pct) };
    let sign = if a.change > 0.0 { "+" } else { "" };
    format!("{sign}{}", number::value(a.change, &clean::name(&v.unit)))
}

/// The sentence that must stand beside every toll of an emulated machine; none for other sweeps.
pub fn emulation(result: &GateResult) -> Option<String> {
    if !result.is_emulated() {
        return None;
    }
    let names: BTreeSet<&EnvironmentName> = result
        .cells
        .iter()
        .map(|c| &c.environment)
        .chain(result.judgement.verdicts.iter().map(|v| &v.environment))
        .filter(|e| e.base() == Base::Kvm)
        .collect();
    let names: Vec<String> = names.into_iter().map(ToString::to_string).collect();
    Some(match names.as_slice() {
        [] => return None,
        [one] => format!("{one} ran under TCG emulation: its tolls are the emulator's, not KVM's"),
        many => {
            format!("{} ran under TCG emulation: their tolls are the emulator's, not KVM's", many.join(", "))
        }
    })
}

/// `workload/case/metric`, cleaned.
pub fn metric_name(verdict: &Verdict) -> String {
    clean::name(&format!("{}/{}/{}", verdict.workload, verdict.case, verdict.metric))
}

/// `workload/case/metric` of a drift, cleaned.
pub fn drift_name(drift: &Drift) -> String {
    clean::name(&format!("{}/{}/{}", drift.workload, drift.case, drift.metric))
}

/// The verdicts of one kind, in the judge's order.
pub fn of_kind(judgement: &Judgement, kind: VerdictKind) -> Vec<&Verdict> {
    judgement.verdicts.iter().filter(|v| v.verdict == kind).collect()
}

/// The kinds whose verdicts carry numbers, in the order in which a person wants to read them.
pub const JUDGED: [VerdictKind; 5] = [
    VerdictKind::Regressed,
    VerdictKind::Suspected,
    VerdictKind::Improved,
    VerdictKind::Inconclusive,
    VerdictKind::Unchanged,
];

/// One cell of the toll table.
#[derive(Debug, Clone, PartialEq)]
pub enum Toll {
    /// Not planned here.
    Absent,
    /// Measured against native, percent.
    Percent(f64),
    /// Measured, but there is no native value to compare with (a container's life cycle): the value itself.
    Value(String),
    /// This host cannot run it.
    Unavailable,
    /// Tried, and failed.
    Failed,
    /// In the baseline, but not in this sweep.
    Missing,
}

impl Toll {
    /// As shown: `+14 %`, `~0`, `n/a`, `failed`, `missing`.
    pub fn text(&self) -> String {
        match self {
            Self::Absent => String::new(),
            Self::Percent(pct) => number::toll(*pct),
            Self::Value(value) => value.clone(),
            Self::Unavailable => "n/a".to_owned(),
            Self::Failed => "failed".to_owned(),
            Self::Missing => "missing".to_owned(),
        }
    }
}

/// One metric of the toll table.
#[derive(Debug, Clone)]
pub struct TollRow {
    /// The metric's name, not cleaned: to find it elsewhere, not to be shown.
    pub key: MetricKey,
    /// Workload.
    pub workload: String,
    /// Case.
    pub case: String,
    /// Metric.
    pub metric: String,
    /// The median of the native values with its unit; `-` without one.
    pub native: String,
    /// One for each of the table's environments, with the verdict on it.
    pub cells: Vec<(Toll, Option<VerdictKind>)>,
}

/// Tolls: one row a metric, one column an environment.
#[derive(Debug, Clone)]
pub struct TollTable {
    /// The columns, native left out.
    pub environments: Vec<EnvironmentName>,
    /// The rows: cases with regressions first, otherwise in the order of the sweep.
    pub rows: Vec<TollRow>,
    /// The verdicts that occur beside a cell, in their order of weight; what a legend must explain.
    pub marks: BTreeSet<VerdictKind>,
}

impl TollTable {
    /// Whether anything in it was measured; otherwise the list of troubles says all there is to say.
    pub fn is_informative(&self) -> bool {
        self.rows.iter().flat_map(|r| &r.cells).any(|(t, _)| matches!(t, Toll::Percent(_) | Toll::Value(_)))
    }

    /// The rows by workload and case.
    pub fn groups(&self) -> impl Iterator<Item = &[TollRow]> {
        self.rows.chunk_by(|a, b| (&a.workload, &a.case) == (&b.workload, &b.case))
    }
}

/// Workload, case, metric.
pub(super) type Key<'a> = (&'a str, &'a str, &'a str);

/// The toll table of a sweep, verdicts beside the cells.
pub fn toll_table(result: &GateResult) -> TollTable {
    let verdicts = &result.judgement.verdicts;
    let environments: Vec<EnvironmentName> = result
        .cells
        .iter()
        .map(|c| &c.environment)
        .chain(verdicts.iter().map(|v| &v.environment))
        .filter(|e| !e.is_native())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .cloned()
        .collect();
    let cells: BTreeMap<(Key, &EnvironmentName), &CellSummary> =
        result.cells.iter().map(|c| ((cell_key(c), &c.environment), c)).collect();
    let kinds: BTreeMap<(Key, &EnvironmentName), VerdictKind> =
        verdicts.iter().map(|v| ((verdict_key(v), &v.environment), v.verdict)).collect();
    // On a first run every mark would be the same and say nothing.
    let judged = kinds.values().any(|k| *k != VerdictKind::NoBaseline);

    let mut order: Vec<Key> = Vec::new();
    let mut seen = BTreeSet::new();
    for key in result.cells.iter().map(cell_key).chain(verdicts.iter().map(verdict_key)) {
        if seen.insert(key) {
            order.push(key);
        }
    }
    let reference = EnvironmentName::NATIVE;
    let mut marks = BTreeSet::new();
    let mut rows: Vec<TollRow> = Vec::with_capacity(order.len());
    for key in order {
        let native = cells.get(&(key, &reference));
        let row_cells = environments
            .iter()
            .map(|environment| {
                let kind = kinds.get(&(key, environment)).copied();
                let toll = toll_of(cells.get(&(key, environment)).copied(), kind);
                let shown = kind.filter(|_| judged && matches!(toll, Toll::Percent(_) | Toll::Value(_)));
                marks.extend(shown);
                (toll, shown)
            })
            .collect();
        rows.push(TollRow {
            key: MetricKey::new(key.0, key.1, key.2),
            workload: clean::name(key.0),
            case: clean::name(key.1),
            metric: clean::name(key.2),
            native: native.map_or_else(|| number::NONE.to_owned(), |c| native_text(c)),
            cells: row_cells,
        });
    }
    sort_worst_first(&mut rows);
    TollTable { environments, rows, marks }
}

/// The series that a verdict is on.
pub fn series_key(v: &Verdict) -> SeriesKey {
    SeriesKey { metric: MetricKey::new(&v.workload, &v.case, &v.metric), environment: v.environment.clone() }
}

pub(super) fn cell_key(c: &CellSummary) -> Key<'_> {
    (&c.workload, &c.case, &c.metric)
}

pub(super) fn verdict_key(v: &Verdict) -> Key<'_> {
    (&v.workload, &v.case, &v.metric)
}

fn native_text(cell: &CellSummary) -> String {
    match (cell.state, cell.median) {
        (CellState::Ok, Some(median)) => number::value(median, &clean::name(&cell.unit)),
        (CellState::Ok, None) => number::NONE.to_owned(),
        (CellState::Unavailable, _) => "n/a".to_owned(),
        (CellState::MeasurementFailed, _) => "failed".to_owned(),
    }
}

fn toll_of(cell: Option<&CellSummary>, kind: Option<VerdictKind>) -> Toll {
    let Some(cell) = cell else {
        return match kind {
            Some(VerdictKind::Missing) => Toll::Missing,
            Some(VerdictKind::MeasurementFailed) => Toll::Failed,
            _ => Toll::Absent,
        };
    };
    match (cell.state, cell.toll_pct, cell.median) {
        (CellState::Unavailable, ..) => Toll::Unavailable,
        (CellState::MeasurementFailed, ..) | (CellState::Ok, None, None) => Toll::Failed,
        (CellState::Ok, Some(pct), _) => Toll::Percent(pct),
        (CellState::Ok, None, Some(median)) => Toll::Value(number::value(median, &clean::name(&cell.unit))),
    }
}

/// Cases by their worst verdict, then metrics within their case; the sweep's order where that is equal.
fn sort_worst_first(rows: &mut [TollRow]) {
    let mut weight: BTreeMap<(String, String), (u8, usize)> = BTreeMap::new();
    for (at, row) in rows.iter().enumerate() {
        let entry = weight.entry((row.workload.clone(), row.case.clone())).or_insert((u8::MAX, at));
        entry.0 = entry.0.min(badness(row));
    }
    rows.sort_by_key(|row| {
        let group =
            weight.get(&(row.workload.clone(), row.case.clone())).copied().unwrap_or((u8::MAX, usize::MAX));
        (group, badness(row))
    });
}

/// 0 for a row with a regression, 1 with a suspicion, 2 otherwise.
fn badness(row: &TollRow) -> u8 {
    let worst = row.cells.iter().filter_map(|(_, kind)| *kind).min();
    match worst {
        Some(VerdictKind::Regressed) => 0,
        Some(VerdictKind::Suspected) => 1,
        _ => 2,
    }
}

/// `35 % of 4 min 50 s was the harness's own: starting 30.0 s, ...`; none where nothing ran.
pub fn timing(result: &GateResult) -> Option<String> {
    let t = result.timing;
    if t.wall_s <= 0.0 {
        return None;
    }
    let whole = number::duration(t.wall_s);
    let text = format!("{:.0} % of {whole} was the harness's own", t.harness_share * 100.0);
    let h = t.harness;
    if h.is_unknown() {
        return Some(text);
    }
    let parts = h.starting_s + h.preparing_s + h.warming_up_s + h.stopping_s;
    let between = (t.wall_s - t.in_trials_s - parts).max(0.0);
    let named = [
        ("starting", h.starting_s),
        ("preparing", h.preparing_s),
        ("warming up", h.warming_up_s),
        ("between trials", between),
        ("stopping", h.stopping_s),
    ];
    let named = named.map(|(what, seconds)| format!("{what} {}", number::duration(seconds)));
    Some(format!("{text}: {}", named.join(", ")))
}

/// The command that makes such a sweep again.
pub fn reproduce(result: &GateResult) -> String {
    again(&result.profile)
}

/// The gate of a profile, whether anything changed or not.
pub(super) fn again(profile: &str) -> String {
    format!("tollgate gate --always --profile {}", word(profile))
}

/// One word for the shell, cleaned; quoted unless it is a plain one.
fn word(text: &str) -> String {
    quoted(&clean::name(text))
}

/// The same of what is clean already, however long it is.
pub(super) fn quoted(text: &str) -> String {
    let is_plain =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b',' | b'/' | b'+' | b'=');
    if !text.is_empty() && text.bytes().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}
