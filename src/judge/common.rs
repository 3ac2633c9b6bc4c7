//! Common mode: whole environments that move at once. That is a bad boot or a busy neighbour more often than a
//! regression of everything, so such a sweep is suspect; and when it is real, it is one alert and not fifty.

use super::{
    baseline::{FEWEST, Fit},
    pair::Measured,
    policy::Policy,
    screen::{Screen, compare, screen},
    subject::Subject,
    whole,
};
use crate::model::{CommonMode, EnvironmentName, MetricKey, SweepId};
use std::collections::{BTreeMap, BTreeSet};

/// A sweep is suspect when more than this share of an environment's metrics are candidates at once, in one direction.
const SHARE: f64 = 0.25;

/// Fewer metrics than these are no crowd.
const FEWEST_MOVED: usize = 4;

/// Metrics of one environment: how many there are, and which moved in which sweep.
#[derive(Default)]
struct Crowd<'a> {
    of: usize,
    /// How many each sweep measured.
    measured: BTreeMap<&'a SweepId, usize>,
    /// Worse or better, by sweep.
    moved: BTreeMap<(&'a SweepId, bool), usize>,
}

impl<'a> Crowd<'a> {
    /// Tests each candidate sweep of one metric by itself, as the screen does.
    fn count(
        &mut self,
        subject: &'a Subject,
        fit: &Fit,
        quantity: impl Fn(&Measured) -> &Vec<f64> + Copy,
        policy: &Policy,
    ) {
        self.of += 1;
        for (sweep, measured) in subject.sweeps.iter().zip(&subject.candidates) {
            *self.measured.entry(sweep).or_default() += 1;
            let alone = compare(fit, std::slice::from_ref(measured), quantity);
            let seen = alone.map(|c| screen(&c, subject.threshold.delta, policy.alpha));
            let worse = match seen {
                Some(Screen::Rise) => true,
                Some(Screen::Fall) => false,
                _ => continue,
            };
            *self.moved.entry((sweep, worse)).or_default() += 1;
        }
    }

    /// The sweeps that moved as a whole, and those of `bad`.
    fn suspects(&self, environment: &EnvironmentName, bad: &[(&'a SweepId, bool)]) -> Vec<CommonMode> {
        let suspect = self.moved.iter().filter(|(key, moved)| self.is_crowd(**moved) || bad.contains(key));
        suspect
            .map(|(&(sweep, worse), &moved)| CommonMode {
                sweep: sweep.clone(),
                environment: environment.clone(),
                worse,
                moved: whole(moved),
                of: whole(self.of),
            })
            .collect()
    }

    fn moved(&self, sweep: &'a SweepId, worse: bool) -> usize {
        self.moved.get(&(sweep, worse)).copied().unwrap_or(0)
    }

    /// Fresh sweeps in which most of what they measured moved, while in another fresh one less than half as large a share of what
    /// it measured moved that way, and the first sweep did not either. When others moved alike it is a real change, or nobody can
    /// tell, and no bad boot. `sweeps` are the candidates, the first first.
    fn bad_boots(&self, sweeps: &[&'a SweepId]) -> Vec<(&'a SweepId, bool)> {
        let Some((first, fresh)) = sweeps.split_first() else { return Vec::new() };
        let measured = |sweep: &'a SweepId| self.measured.get(sweep).copied().unwrap_or(0);
        let is_bad = |sweep: &'a SweepId, worse: bool| {
            let (own, of) = (self.moved(sweep, worse), measured(sweep));
            let calm = |f: &'a SweepId| {
                measured(f) >= FEWEST_MOVED && 2 * self.moved(f, worse) * of < own * measured(f)
            };
            own >= FEWEST_MOVED
                && 2 * own > of
                && !self.is_crowd(self.moved(first, worse))
                && fresh.iter().any(|f| *f != sweep && calm(f))
        };
        let all = fresh.iter().flat_map(|sweep| [(*sweep, true), (*sweep, false)]);
        all.filter(|(sweep, worse)| is_bad(sweep, *worse)).collect()
    }

    fn is_crowd(&self, moved: usize) -> bool {
        moved >= FEWEST_MOVED && moved as f64 > SHARE * self.of as f64
    }
}

/// What moved as a whole.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Crowds {
    /// The suspect sweeps: those in which more than a quarter of an environment's tolls, or of native's own values, are
    /// candidates of the screen in one direction. The quarter is one of all its metrics in the suite, also where a fresh
    /// sweep measured some of them only. And the fresh ones that are set aside.
    pub suspects: Vec<CommonMode>,
    /// Fresh sweeps to be set aside, by environment.
    pub bad_boots: BTreeMap<EnvironmentName, BTreeSet<SweepId>>,
}

impl Crowds {
    /// Looks for them. `sweeps` are the candidates, the first first. Counts, which have no test, are no part of a crowd.
    pub fn of<'a>(subjects: &'a [Subject], sweeps: &[&'a SweepId], policy: &Policy) -> Self {
        let mut crowds: BTreeMap<&EnvironmentName, Crowd> = BTreeMap::new();
        let mut native = Crowd::default();
        let mut known: BTreeSet<&MetricKey> = BTreeSet::new();
        for subject in subjects.iter().filter(|s| !s.candidates.is_empty()) {
            let Some(fit) = subject.testable() else { continue };
            crowds.entry(&subject.key.environment).or_default().count(subject, &fit, |m| &m.toll, policy);
            if known.insert(&subject.key.metric) {
                let own: Vec<&[f64]> = subject.baseline.sweeps.iter().map(|m| m.native.as_slice()).collect();
                if let Some(fit) = Fit::of(&own, subject.floor).filter(|fit| fit.sweeps >= FEWEST) {
                    native.count(subject, &fit, |m| &m.native, policy);
                }
            }
        }
        let mut found = Self { suspects: native.suspects(&EnvironmentName::NATIVE, &[]), ..Self::default() };
        for (environment, crowd) in crowds {
            let bad = crowd.bad_boots(sweeps);
            found.suspects.extend(crowd.suspects(environment, &bad));
            if !bad.is_empty() {
                let ids = bad.into_iter().map(|(sweep, _)| sweep.clone()).collect();
                found.bad_boots.insert(environment.clone(), ids);
            }
        }
        found
    }

    /// Whether the first sweep of a subject is suspect in its environment.
    pub fn is_first_suspect(&self, subject: &Subject) -> bool {
        let Some(first) = subject.sweeps.first() else { return false };
        let here = |e: &EnvironmentName| *e == subject.key.environment || e.is_native();
        self.suspects.iter().any(|s| s.sweep == *first && here(&s.environment))
    }

    /// Whether a rise (else a fall) of a subject belongs to a movement of its environment, or of native in the other
    /// direction, in every sweep that was judged.
    pub fn is_common(&self, subject: &Subject, rising: bool) -> bool {
        let judged = subject.sweeps.get(1..).filter(|fresh| !fresh.is_empty()).unwrap_or(&subject.sweeps);
        let belongs = |s: &CommonMode| {
            if s.environment.is_native() {
                s.worse != rising
            } else {
                s.environment == subject.key.environment && s.worse == rising
            }
        };
        let moved = |sweep: &SweepId| self.suspects.iter().any(|s| s.sweep == *sweep && belongs(s));
        !judged.is_empty() && judged.iter().all(moved)
    }
}
