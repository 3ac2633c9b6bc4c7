//! The `alert` part of `alerts/policy.toml`: who is told, how much at once, and what is silenced.

use super::Scope;
use crate::model::{EnvironmentName, Family, is_private};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Whom to tell, and when to be silent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlertPolicy {
    /// New issues that one run may open; what is beyond them goes into one more.
    pub max_new_issues: usize,
    /// Sweeps that must prove a recovery before an issue is closed.
    pub recovered_sweeps: usize,
    /// A host whose own unchanged baselines raise alarms in surely more suites than these (percent) is not trusted.
    pub max_false_alarm_pct: f64,
    /// Who is mentioned, and which webhooks are called.
    pub route: Vec<Route>,
    /// What nobody wants to hear of for a while.
    pub silence: Vec<Silence>,
    /// Webhooks by name.
    pub webhook: BTreeMap<String, Webhook>,
}

impl Default for AlertPolicy {
    fn default() -> Self {
        Self {
            max_new_issues: 5,
            recovered_sweeps: 2,
            max_false_alarm_pct: 20.0,
            route: Vec::new(),
            silence: Vec::new(),
            webhook: BTreeMap::new(),
        }
    }
}

/// Who is told of alerts in an environment and family; absent means any.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Route {
    /// Where.
    pub environment: Option<EnvironmentName>,
    /// Which metrics.
    pub family: Option<Family>,
    /// Logins and teams that a new issue mentions: `@org/storage`.
    pub owners: Vec<String>,
    /// Webhooks that are called.
    pub webhooks: Vec<String>,
}

/// What is not alerted until a day is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Silence {
    /// Where; anywhere when absent.
    #[serde(default)]
    pub environment: Option<EnvironmentName>,
    /// Which metrics; any when absent.
    #[serde(default)]
    pub family: Option<Family>,
    /// One metric, `workload/case/metric`; any when absent.
    #[serde(default)]
    pub metric: Option<String>,
    /// The last day of the silence, in UTC: `2026-12-31`.
    pub until: NaiveDate,
    /// Why, for those who come later.
    pub reason: String,
}

/// The body that a webhook gets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// The documented JSON of an alert.
    #[default]
    Json,
    /// What Slack and its relatives understand.
    Slack,
}

/// Where a webhook is. Its address and secret come from the environment, since both are secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Name of the environment variable with its address.
    pub url_env: String,
    /// Name of the environment variable with the secret that signs.
    #[serde(default)]
    pub secret_env: Option<String>,
    /// What it gets.
    #[serde(default)]
    pub format: Format,
}

/// A policy that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: found {found}, expected {expected}")]
pub struct AlertError {
    /// Which value, as a path of the `alert` table.
    pub key: String,
    /// What it is.
    pub found: String,
    /// What it may be.
    pub expected: String,
}

impl AlertPolicy {
    /// Refuses values that cannot be meant. Whoever loads a policy from a file calls it.
    pub fn check(&self) -> Result<(), AlertError> {
        let bad = |key: &str, found: String, expected: &str| {
            Err(AlertError { key: key.to_owned(), found, expected: expected.to_owned() })
        };
        if self.max_new_issues > 50 {
            return bad("max_new_issues", self.max_new_issues.to_string(), "at most 50");
        }
        if !(1..=20).contains(&self.recovered_sweeps) {
            return bad("recovered_sweeps", self.recovered_sweeps.to_string(), "1 to 20");
        }
        if !(self.max_false_alarm_pct > 0.0 && self.max_false_alarm_pct <= 100.0) {
            let found = self.max_false_alarm_pct.to_string();
            return bad("max_false_alarm_pct", found, "percent above 0, at most 100");
        }
        for route in &self.route {
            if let Some(owner) = route.owners.iter().find(|o| !is_mention(o)) {
                return bad("route.owners", format!("{owner:?}"), "@login or @organisation/team");
            }
            if let Some(name) = route.webhooks.iter().find(|n| !self.webhook.contains_key(*n)) {
                let known: Vec<&str> = self.webhook.keys().map(String::as_str).collect();
                let expected = format!("a table [alert.webhook.{name}]; there are: {}", known.join(", "));
                return bad("route.webhooks", format!("{name:?}"), &expected);
            }
        }
        for silence in &self.silence {
            if silence.reason.trim().is_empty() {
                return bad("silence.reason", "nothing".to_owned(), "why, for those who come later");
            }
        }
        for (name, webhook) in &self.webhook {
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
            if name.is_empty() || name.len() > 40 || !name.bytes().all(plain) {
                return bad("webhook", format!("{name:?}"), "a name of lower-case letters, digits, - and _");
            }
            let variables = std::iter::once(&webhook.url_env).chain(&webhook.secret_env);
            if variables.into_iter().any(|v| !is_variable(v)) {
                // What stands there may be the secret itself, so it is not repeated.
                let expected = "the name of an environment variable that holds it, such as OPS_WEBHOOK_URL";
                return bad(&format!("webhook.{name}"), "something else".to_owned(), expected);
            }
            let variables = std::iter::once(&webhook.url_env).chain(&webhook.secret_env);
            if let Some(open) = variables.into_iter().find(|v| !is_private(v)) {
                // Everything that a sweep starts on the host would see it.
                let expected =
                    "a name with WEBHOOK, SECRET or TOKEN in it, which is kept from what a sweep starts";
                return bad(&format!("webhook.{name}"), open.clone(), expected);
            }
        }
        Ok(())
    }

    /// The silence that holds at `now` for one metric (`workload/case/metric`), if any.
    pub fn silence(
        &self,
        environment: &EnvironmentName,
        family: Option<Family>,
        metric: &str,
        now: DateTime<Utc>,
    ) -> Option<&Silence> {
        self.silence.iter().find(|s| {
            now.date_naive() <= s.until
                && s.environment.as_ref().is_none_or(|e| e == environment)
                && s.family.is_none_or(|f| Some(f) == family)
                && s.metric.as_deref().is_none_or(|m| m == metric)
        })
    }

    /// The silences that are over at `now`: to be taken out of the file.
    pub fn expired(&self, now: DateTime<Utc>) -> impl Iterator<Item = &Silence> {
        self.silence.iter().filter(move |s| now.date_naive() > s.until)
    }

    /// Who is mentioned, each once.
    pub fn owners<'a>(&'a self, scope: &'a Scope) -> Vec<&'a str> {
        distinct(self.routes(scope).flat_map(|r| &r.owners))
    }

    /// The webhooks that are called: those of the routes that fit, or all where there is no route with a webhook at all.
    pub fn webhooks<'a>(&'a self, scope: &'a Scope) -> Vec<&'a str> {
        if self.route.iter().all(|r| r.webhooks.is_empty()) {
            return self.webhook.keys().map(String::as_str).collect();
        }
        distinct(self.routes(scope).flat_map(|r| &r.webhooks))
    }

    /// The routes for a scope. One that is about all (a host, the rest) takes every route without a restriction.
    fn routes<'a>(&'a self, scope: &'a Scope) -> impl Iterator<Item = &'a Route> {
        self.route.iter().filter(move |r| {
            r.environment.as_ref().is_none_or(|e| scope.environment() == Some(e))
                && r.family.is_none_or(|f| scope.family() == Some(f))
        })
    }
}

fn distinct<'a>(names: impl Iterator<Item = &'a String>) -> Vec<&'a str> {
    let mut out: Vec<&str> = Vec::new();
    for name in names {
        if !out.contains(&name.as_str()) {
            out.push(name);
        }
    }
    out
}

/// `@login` or `@organisation/team`, as GitHub allows them.
fn is_mention(text: &str) -> bool {
    let word = |w: &str| {
        !w.is_empty()
            && w.len() <= 100
            && w.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    text.strip_prefix('@').is_some_and(|name| {
        let mut parts = name.split('/');
        parts.next().is_some_and(word) && parts.next().is_none_or(word) && parts.next().is_none()
    })
}

fn is_variable(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(text: &str) -> AlertPolicy {
        toml::from_str(text).expect("readable")
    }

    #[test]
    fn routes_and_silences_are_found_by_place_and_family() {
        let policy = policy(
            "[[route]]\nenvironment = \"docker+nat\"\nowners = [\"@org/net\"]\nwebhooks = [\"ops\"]\n\
             [[route]]\nowners = [\"@lead\"]\n\
             [[silence]]\nfamily = \"network\"\nuntil = \"2026-12-31\"\nreason = \"new switch\"\n\
             [webhook.ops]\nurl_env = \"OPS_WEBHOOK_URL\"\n",
        );
        assert_eq!(policy.check(), Ok(()));
        let scope = |e: &str| Scope::Family { environment: e.parse().expect("a name"), family: None };
        assert_eq!(policy.owners(&scope("docker+nat")), ["@org/net", "@lead"]);
        assert_eq!(policy.owners(&scope("docker")), ["@lead"]);
        assert_eq!(
            (policy.webhooks(&scope("docker+nat")), policy.webhooks(&scope("kvm"))),
            (vec!["ops"], vec![])
        );
        let day = |d: &str| format!("{d}T12:00:00Z").parse::<DateTime<Utc>>().expect("a time");
        let silent = |family, d| {
            policy.silence(&"kvm".parse().expect("a name"), family, "rr/tcp/p50", day(d)).is_some()
        };
        assert!(silent(Some(Family::Network), "2026-12-31") && !silent(Some(Family::Network), "2027-01-01"));
        assert!(!silent(Some(Family::Disk), "2026-12-01") && !silent(None, "2026-12-01"));
        assert_eq!(policy.expired(day("2027-01-01")).count(), 1);
    }

    #[test]
    fn without_a_route_every_webhook_is_called() {
        let policy = policy(
            "[webhook.ops]\nurl_env = \"OPS_WEBHOOK_URL\"\n[webhook.dev]\nurl_env = \"DEV_WEBHOOK_URL\"\n",
        );
        assert_eq!(policy.webhooks(&Scope::Host), ["dev", "ops"]);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (text, word) in [
            ("max_new_issues = 100", "at most 50"),
            ("recovered_sweeps = 0", "1 to 20"),
            ("max_false_alarm_pct = 0", "above 0"),
            ("[[route]]\nowners = [\"everyone <!-- -->\"]", "@login"),
            ("[[route]]\nwebhooks = [\"ops\"]", "[alert.webhook.ops]"),
            ("[[silence]]\nuntil = \"2026-12-31\"\nreason = \" \"", "why"),
            ("[webhook.Ops]\nurl_env = \"OPS\"", "lower-case"),
            ("[webhook.ops]\nurl_env = \"https://hooks.example/T0/B0\"", "environment variable"),
            ("[webhook.ops]\nurl_env = \"OPS_URL\"", "kept from what a sweep starts"),
        ] {
            let error = policy(text).check().expect_err(text).to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
