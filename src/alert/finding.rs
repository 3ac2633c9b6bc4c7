//! What a gate found that people should know, one by one.

use super::{AlertPolicy, Scope};
use crate::model::{CellState, Decision, Drift, EnvironmentName, Family, GateResult, Verdict, VerdictKind};
use std::collections::{BTreeMap, BTreeSet};

/// One thing to tell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Subject<'a> {
    /// A confirmed regression.
    Regression(&'a Verdict),
    /// A slow drift.
    Drift(&'a Drift),
}

/// A finding: a subject with its name and place.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding<'a> {
    /// What.
    pub subject: Subject<'a>,
    /// `workload/case/metric@environment`, by which issues know it.
    pub name: String,
    /// Which issue is about it, when none is yet.
    pub scope: Scope,
    /// How large the rise is, in thresholds.
    pub thresholds: f64,
}

/// What one issue is about, the largest rise first.
pub type Group<'a> = Vec<Finding<'a>>;

/// The name by which an issue knows a metric.
pub fn name(workload: &str, case: &str, metric: &str, environment: &EnvironmentName) -> String {
    format!("{workload}/{case}/{metric}@{environment}")
}

/// The name of a verdict's metric.
pub fn name_of(v: &Verdict) -> String {
    name(&v.workload, &v.case, &v.metric, &v.environment)
}

/// The class of a regression: 1 below twice its threshold, 2 below four times, and so on.
pub fn magnitude_of(v: &Verdict) -> u8 {
    of_verdict(v).magnitude()
}

impl Finding<'_> {
    /// 1 below twice the threshold, 2 below four times, and so on.
    pub fn magnitude(&self) -> u8 {
        let mut class = 1;
        let mut limit = 2.0;
        while class < 10 && self.thresholds >= limit {
            class += 1;
            limit *= 2.0;
        }
        class
    }

    /// Where it is.
    pub fn environment(&self) -> &EnvironmentName {
        match self.subject {
            Subject::Regression(v) => &v.environment,
            Subject::Drift(d) => &d.environment,
        }
    }

    /// Which metrics it belongs to.
    pub fn family(&self) -> Option<Family> {
        match (&self.scope, self.subject) {
            (_, Subject::Regression(v)) => v.family,
            (scope, Subject::Drift(_)) => scope.family(),
        }
    }

    /// `workload/case/metric`.
    pub fn metric(&self) -> &str {
        self.name.split('@').next().unwrap_or(&self.name)
    }
}

/// Everything to tell of a result, the largest rises first: its confirmed regressions, and its drifts.
pub fn findings(result: &GateResult) -> Vec<Finding<'_>> {
    let verdicts = &result.judgement.verdicts;
    let regressed = verdicts.iter().filter(|v| v.verdict == VerdictKind::Regressed).map(of_verdict);
    let families: BTreeMap<(&str, &str, &str), Option<Family>> =
        verdicts.iter().map(|v| ((&*v.workload, &*v.case, &*v.metric), v.family)).collect();
    let drifts = result.judgement.drifts.iter().map(|d| {
        let family = families.get(&(&*d.workload, &*d.case, &*d.metric)).copied().flatten();
        let of =
            verdicts.iter().find(|v| name_of(v) == name(&d.workload, &d.case, &d.metric, &d.environment));
        let threshold = of.and_then(|v| v.threshold_pct).unwrap_or(5.0);
        Finding {
            subject: Subject::Drift(d),
            name: name(&d.workload, &d.case, &d.metric, &d.environment),
            scope: Scope::Drift { environment: d.environment.clone(), family },
            thresholds: d.change_pct / threshold,
        }
    });
    let mut found: Vec<Finding> = regressed.chain(drifts).collect();
    found.sort_by(|a, b| b.thresholds.total_cmp(&a.thresholds).then_with(|| a.name.cmp(&b.name)));
    found
}

fn of_verdict(v: &Verdict) -> Finding<'_> {
    let environment = v.environment.clone();
    let scope =
        if v.common { Scope::Whole { environment } } else { Scope::Family { environment, family: v.family } };
    let thresholds = match (v.absolute, v.change_pct.zip(v.threshold_pct)) {
        (Some(a), _) if a.threshold > 0.0 => a.change / a.threshold,
        (None, Some((change, threshold))) if threshold > 0.0 => change / threshold,
        // A count has no threshold: any change is one.
        _ => 1.0,
    };
    Finding { subject: Subject::Regression(v), name: name_of(v), scope, thresholds }
}

/// Why nothing else of this result should be told, if so: nothing was measured, or the host's own unchanged
/// baselines raise so many alarms that one more proves nothing.
pub fn mistrust(result: &GateResult, policy: &AlertPolicy) -> Option<String> {
    if result.judgement.decision == Decision::NotMeasured {
        return Some(result.reason.clone().unwrap_or_else(|| not_measured(result)));
    }
    let suites = result.self_test.as_ref()?.suites?;
    (suites.ci95_pct[0] > policy.max_false_alarm_pct).then(|| {
        format!(
            "too noisy to be trusted: its own baselines, in which nothing changed, raise an alarm in {:.0} % of suites \
             ({:.0} % or more with 95 % confidence, {:.0} % are allowed)",
            suites.rate_pct, suites.ci95_pct[0], policy.max_false_alarm_pct
        )
    })
}

fn not_measured(result: &GateResult) -> String {
    let bad = result.cells.iter().filter(|c| c.state != CellState::Ok);
    let reasons: BTreeSet<&str> = bad.filter_map(|c| c.reason.as_deref()).collect();
    match reasons.len() {
        0 => "nothing could be measured".to_owned(),
        n => {
            let first: Vec<&str> = reasons.into_iter().take(3).collect();
            let more = if n > 3 { format!("; and {} more reasons", n - 3) } else { String::new() };
            format!("nothing could be measured: {}{more}", first.join("; "))
        }
    }
}
