//! stub
use crate::model::{GateResult, Judgement};
/// stub
pub fn gate_html(_: &GateResult) -> String {
    String::new()
}
/// stub
pub fn judgement_html(_: &Judgement) -> String {
    String::new()
}
