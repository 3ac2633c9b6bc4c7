//! The documented JSON formats: pretty, in the order of the model's fields, with a newline at the end.

use crate::model::{GateResult, Judgement, Power, SelfTest};
use serde::Serialize;

/// `gate --format json`.
pub fn gate_json(result: &GateResult) -> String {
    pretty(result)
}

/// `judge --format json`.
pub fn judgement_json(judgement: &Judgement) -> String {
    pretty(judgement)
}

/// `judge --self-test --format json`.
pub fn self_test_json(test: &SelfTest) -> String {
    pretty(test)
}

/// `power --format json`.
pub fn power_json(power: &Power) -> String {
    pretty(power)
}

fn pretty<T: Serialize>(value: &T) -> String {
    // The model's maps have names as keys and serde_json writes NaN as null, so this cannot fail; if that
    // ever changes, a reader must find an error and not half a document.
    let mut text = serde_json::to_string_pretty(value)
        .unwrap_or_else(|error| serde_json::json!({ "error": error.to_string() }).to_string());
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    #[test]
    fn a_regression() {
        insta::assert_snapshot!(gate_json(&fixtures::small_regression()));
    }

    #[test]
    fn a_bare_judgement() {
        insta::assert_snapshot!(judgement_json(&fixtures::small_regression().judgement));
    }

    #[test]
    fn what_is_written_can_be_read_back() {
        for result in fixtures::all() {
            let text = gate_json(&result);
            assert_eq!(serde_json::from_str::<GateResult>(&text).expect("reads"), result);
        }
    }
}
