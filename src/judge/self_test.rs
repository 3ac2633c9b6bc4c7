//! What the judge says of the baselines themselves, in which nothing changed: its measured rate of false alarms.

use super::{baseline::FEWEST, judge, policy::Policy, present::Present, whole};
use crate::{
    model::{
        FalseAlarms, Family, FamilyAlarms, Judgement, SelfTest, SeriesKey, SweepId, SweepSamples, Verdict,
        VerdictKind, format::SELF_TEST_FORMAT,
    },
    stats::clopper_pearson,
};
use chrono::DateTime;
use rand::{SeedableRng, seq::SliceRandom, seq::index};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};

/// Fewest sweeps of which one can be left out.
const FEWEST_TO_SCREEN: usize = FEWEST + 1;
/// One screens, two confirm.
const SUITE: usize = 3;
/// The same, among counts.
const SUITE_U32: u32 = 3;
/// Fewest sweeps from which a suite can be drawn.
const FEWEST_TO_CONFIRM: usize = FEWEST + SUITE;
/// Suites drawn, at most: there are n (n - 1) (n - 2) / 6.
const MOST_SUITES: usize = 200;
/// The same sweeps give the same suites.
const SEED: u64 = 8;

/// Judges `baselines` as if they were new. Nothing changed in them, so every alarm is a false one.
///
/// - **Leave-one-out** (from four sweeps): each sweep alone against all others. A verdict `suspected` is a candidate of
///   the screen: it costs fresh sweeps, but opens no issue.
/// - **Suites** (from six): triples in random order, at most 200 of all that there are; the first screens, the two others
///   confirm, the remaining n - 3 are the baseline. A verdict `regressed` is a false alarm.
///
/// Only what is comparable with the newest sweep, and of the present regime, counts; a sweep that holds less counts for
/// what it holds. Judgements of sweeps that were drawn twice are not independent, so the intervals (95 %, Clopper and Pearson)
/// are over those that do not overlap: the n sweeps of leave-one-out, floor(n/3) suites; for a family times its
/// metrics, which are taken as independent. The same baselines give the same answer.
pub fn self_test(baselines: &[SweepSamples], policy: &Policy) -> SelfTest {
    let Present { mut sweeps, left_out } = Present::of(baselines, policy);
    let n = sweeps.len();
    let newest = sweeps.last();
    let (host_class, profile) =
        (newest.map(|s| s.host_class.clone()), newest.and_then(|s| s.comparability.profile.clone()));
    let families = families(&sweeps);
    let screened = leave_one_out(&mut sweeps, policy);
    let confirmed = resampled(&mut sweeps, policy);
    let suites = confirmed.rate(screened.judgements / SUITE_U32);
    let screened_suites = screened.rate(screened.judgements);
    let tested = !screened.series.is_empty();
    SelfTest {
        version: SELF_TEST_FORMAT,
        host_class,
        profile,
        sweeps: whole(n),
        suites,
        screened_suites,
        families: by_family(&families, &screened, &confirmed),
        reason: reason(n, tested, left_out),
    }
}

/// Each sweep alone against all others.
fn leave_one_out(sweeps: &mut [SweepSamples], policy: &Policy) -> Tally {
    let mut tally = Tally::new(VerdictKind::Suspected);
    if sweeps.len() >= FEWEST_TO_SCREEN {
        let ids: Vec<SweepId> = sweeps.iter().map(|s| s.sweep.clone()).collect();
        for id in ids {
            tally.add(&judge_last(sweeps, &[id], policy));
        }
    }
    tally
}

/// Random triples against the others.
fn resampled(sweeps: &mut [SweepSamples], policy: &Policy) -> Tally {
    let mut tally = Tally::new(VerdictKind::Regressed);
    if sweeps.len() >= FEWEST_TO_CONFIRM {
        let ids: Vec<SweepId> = sweeps.iter().map(|s| s.sweep.clone()).collect();
        for suite in draw(ids.len()) {
            tally.add(&judge_last(sweeps, &suite.map(|at| ids[at].clone()), policy));
        }
    }
    tally
}

/// Judges the sweeps called `last`, in that order, against all others. It puts them last and gives every sweep a new
/// start, so that the order of judgement is the drawn one and no baseline is newer than a candidate.
fn judge_last(sweeps: &mut [SweepSamples], last: &[SweepId], policy: &Policy) -> Judgement {
    sweeps.sort_by_cached_key(|s| last.iter().position(|id| *id == s.sweep).map_or(0, |at| at + 1));
    for (day, sweep) in (0_i64..).zip(sweeps.iter_mut()) {
        sweep.started_at = DateTime::from_timestamp(day * 86_400, 0).unwrap_or_default();
    }
    let (baseline, candidates) = sweeps.split_at(sweeps.len() - last.len());
    judge(baseline, candidates, policy)
}

/// Distinct triples of 0..n, each in random order: all when there are at most [`MOST_SUITES`], else so many at random.
fn draw(n: usize) -> Vec<[usize; SUITE]> {
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let all = n * n.saturating_sub(1) * n.saturating_sub(2) / 6;
    let mut triples: BTreeSet<[usize; SUITE]> = BTreeSet::new();
    if all <= MOST_SUITES {
        for c in 0..n {
            triples.extend((0..c).flat_map(|b| (0..b).map(move |a| [a, b, c])));
        }
    }
    while triples.len() < all.min(MOST_SUITES) {
        let mut triple = [0; SUITE];
        for (place, at) in triple.iter_mut().zip(index::sample(&mut random, n, SUITE)) {
            *place = at;
        }
        triple.sort_unstable();
        triples.insert(triple);
    }
    let mut triples: Vec<_> = triples.into_iter().collect();
    for triple in &mut triples {
        triple.shuffle(&mut random);
    }
    triples
}

/// Judgements counted, as wholes and by series.
struct Tally {
    /// The verdict that is an alarm.
    alarm: VerdictKind,
    /// Judgements that tested anything.
    judgements: u32,
    /// Those of them with any alarm.
    alarmed: u32,
    /// Verdicts that tested the series, and alarms among them.
    series: BTreeMap<SeriesKey, [u32; 2]>,
}

impl Tally {
    fn new(alarm: VerdictKind) -> Self {
        Self { alarm, judgements: 0, alarmed: 0, series: BTreeMap::new() }
    }

    fn add(&mut self, judgement: &Judgement) {
        let tested: Vec<&Verdict> = judgement.verdicts.iter().filter(|v| self.is_tested(v)).collect();
        for verdict in &tested {
            let [of, alarms] = self.series.entry(verdict_key(verdict)).or_default();
            *of += 1;
            *alarms += u32::from(verdict.verdict == self.alarm);
        }
        self.judgements += u32::from(!tested.is_empty());
        self.alarmed += u32::from(tested.iter().any(|v| v.verdict == self.alarm));
    }

    /// Whether a verdict could have been an alarm: enough baseline sweeps for a test, and fresh sweeps where the
    /// alarm needs them.
    fn is_tested(&self, verdict: &Verdict) -> bool {
        use VerdictKind::{Improved, Inconclusive, Regressed, Suspected, Unchanged};
        let fewest = if self.alarm == Regressed { 2 } else { 1 };
        matches!(verdict.verdict, Regressed | Suspected | Inconclusive | Improved | Unchanged)
            && verdict.sweeps_baseline as usize >= FEWEST
            && verdict.sweeps_candidate >= fewest
    }

    fn rate(&self, independent: u32) -> Option<FalseAlarms> {
        rate(self.alarmed, self.judgements, independent)
    }
}

fn verdict_key(verdict: &Verdict) -> SeriesKey {
    let metric = crate::model::MetricKey::new(&verdict.workload, &verdict.case, &verdict.metric);
    SeriesKey { metric, environment: verdict.environment.clone() }
}

/// `alarms` of `of`, with the interval that the same share of `independent` judgements has. None of nothing.
fn rate(alarms: u32, of: u32, independent: u32) -> Option<FalseAlarms> {
    let rate = (of > 0).then(|| f64::from(alarms) / f64::from(of))?;
    let independent = independent.min(of);
    let count = f64::from(independent);
    let ci95_pct = clopper_pearson(rate * count, count, 0.95).map(|share| 100.0 * share);
    Some(FalseAlarms { alarms, of, rate_pct: 100.0 * rate, ci95_pct, independent })
}

/// Family of every series; the newest sweep that says it counts.
fn families(sweeps: &[SweepSamples]) -> BTreeMap<SeriesKey, Family> {
    let series = sweeps.iter().flat_map(|s| s.series.keys().map(move |key| (s, key)));
    series.filter_map(|(s, key)| Some((key.clone(), s.metrics.get(&key.metric)?.family))).collect()
}

/// Sums over the series of each family. A series that n sweeps tested has n judgements of leave-one-out, and floor(n/3)
/// suites, that do not overlap.
fn by_family(
    families: &BTreeMap<SeriesKey, Family>,
    screened: &Tally,
    confirmed: &Tally,
) -> Vec<FamilyAlarms> {
    let mut sums: BTreeMap<Family, (u32, [u32; 3], [u32; 3])> = BTreeMap::new();
    for (key, [of, alarms]) in &screened.series {
        let Some(family) = families.get(key) else { continue };
        let (metrics, screen, confirm) = sums.entry(*family).or_default();
        *metrics += 1;
        add(screen, [*alarms, *of, *of]);
        if let Some([judged, false_ones]) = confirmed.series.get(key) {
            add(confirm, [*false_ones, *judged, of / SUITE_U32]);
        }
    }
    let row = |(family, (metrics, screen, confirm)): (Family, (u32, [u32; 3], [u32; 3]))| FamilyAlarms {
        family,
        metrics,
        confirmed: rate(confirm[0], confirm[1], confirm[2]),
        screened: rate(screen[0], screen[1], screen[2]),
    };
    sums.into_iter().map(row).collect()
}

fn add(sum: &mut [u32; 3], more: [u32; 3]) {
    sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
}

/// What `n` sweeps are too few for; what was left out of them.
fn reason(n: usize, tested: bool, left_out: Option<String>) -> Option<String> {
    let sweeps = |n: usize| if n == 1 { "1 sweep".to_owned() } else { format!("{n} sweeps") };
    let more = |fewest: usize| fewest - n;
    let few = match n {
        0 => Some(format!(
            "there is no accepted sweep: leaving one out needs {FEWEST_TO_SCREEN}, suites of three need {FEWEST_TO_CONFIRM}"
        )),
        _ if n < FEWEST_TO_SCREEN => Some(format!(
            "{} accepted: leaving one out needs {} more, suites of three need {} more",
            sweeps(n),
            more(FEWEST_TO_SCREEN),
            more(FEWEST_TO_CONFIRM)
        )),
        _ if !tested => {
            Some(format!("{} accepted, but no metric was measured in {FEWEST_TO_SCREEN} of them", sweeps(n)))
        }
        _ if n < FEWEST_TO_CONFIRM => {
            Some(format!("{} accepted: suites of three need {} more", sweeps(n), more(FEWEST_TO_CONFIRM)))
        }
        _ => None,
    };
    let parts: Vec<String> = few.into_iter().chain(left_out).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

#[cfg(test)]
#[path = "self_test_tests.rs"]
mod tests;
