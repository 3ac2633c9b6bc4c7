//! Reads `alerts/policy.toml`.

use super::PipelineError;
use crate::alert::AlertPolicy;
use crate::config::{Config, ConfigError, parse_duration};
use crate::judge::Policy;
use serde::Deserialize;
use std::io::ErrorKind;
use std::time::Duration;

/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PolicyFile {
    judge: Policy,
    gate: GateTable,
    alert: AlertPolicy,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct GateTable {
    budget: Option<String>,
}

/// What the policy file says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rules {
    /// Of the judge.
    pub judge: Policy,
    /// Wall time of a gate with its fresh sweeps, when the file says one.
    pub budget: Option<Duration>,
    /// Of alerts.
    pub alert: AlertPolicy,
}

/// The thresholds of the configured policy file; the built-in ones when the default file is not there.
pub fn load(config: &Config) -> Result<Policy, PipelineError> {
    Ok(rules(config)?.judge)
}

/// All of the configured policy file; the built-in rules when the default file is not there.
pub fn rules(config: &Config) -> Result<Rules, PipelineError> {
    let path = &config.policy;
    let default = Config::resolve(None).map_err(|e| PipelineError::Usage(e.to_string()))?.policy;
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == ErrorKind::NotFound && *path == default => return Ok(Rules::default()),
        Err(e) => return Err(PipelineError::io(path)(e)),
    };
    parse(&path.display().to_string(), &text).map_err(|e| PipelineError::Usage(e.to_string()))
}

fn parse(file: &str, text: &str) -> Result<Rules, ConfigError> {
    let parsed: PolicyFile = toml::from_str(text).map_err(|e| ConfigError::from_toml(file, text, &e))?;
    parsed.judge.check().map_err(|e| {
        ConfigError::of_value(
            file,
            text,
            &format!("judge.{}", e.key),
            &format!("found {}, expected {}", e.found, e.expected),
        )
    })?;
    let budget = parsed.gate.budget.as_deref().map(parse_duration).transpose();
    let budget = budget.map_err(|why| ConfigError::of_value(file, text, "gate.budget", &why))?;
    parsed.alert.check().map_err(|e| {
        let why = format!("found {}, expected {}", e.found, e.expected);
        ConfigError::of_value(file, text, &format!("alert.{}", e.key), &why)
    })?;
    Ok(Rules { judge: parsed.judge, budget, alert: parsed.alert })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_policy_is_the_built_in_one() {
        let text = include_str!("../../alerts/policy.toml");
        assert_eq!(parse("alerts/policy.toml", text).expect("valid"), Rules::default());
    }

    #[test]
    fn unknown_keys_and_impossible_values_are_named() {
        let unknown = parse("policy.toml", "[judge]\nalfa = 0.1\n").expect_err("unknown").to_string();
        assert!(unknown.contains("policy.toml:2:1") && unknown.contains("did you mean `alpha`"), "{unknown}");
        let budget = parse("policy.toml", "[gate]\nbudget = \"soon\"\n").expect_err("no time").to_string();
        let flood = parse("policy.toml", "[alert]\nmax_new_issues = 99\n").expect_err("a flood").to_string();
        assert!(flood.contains("policy.toml:2") && flood.contains("at most 50"), "{flood}");
        assert!(budget.contains("policy.toml:2") && budget.contains("30m"), "{budget}");
        let impossible = parse("policy.toml", "[judge]\nalpha = 2.0\n").expect_err("impossible").to_string();
        assert!(impossible.contains("policy.toml:2") && impossible.contains("expected"), "{impossible}");
    }
}
