//! stub
use crate::model::{GateResult, Judgement};
/// stub
pub fn gate_markdown(_: &GateResult) -> String {
    String::new()
}
/// stub
pub fn judgement_markdown(_: &Judgement) -> String {
    String::new()
}
