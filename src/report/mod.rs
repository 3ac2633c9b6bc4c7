//! Floor 2: what a person or a program reads. Pure: data -> text; no I/O, clock or environment variable.
//!
//! Every renderer takes a [`crate::model::GateResult`], or a bare [`crate::model::Judgement`] where there is no
//! sweep (two samples files). All begin with the answer in a sentence, and all of them treat names, versions
//! and reasons as hostile: they come from a host, and end in terminals, issues and browsers.

pub mod again;
pub mod answer;
pub mod chart;
pub mod clean;
pub mod evidence;
pub mod html;
pub mod json;
pub mod junit;
pub mod markdown;
pub mod number;
pub mod openmetrics;
pub mod past;
pub mod reference;
pub mod self_test;
pub mod suite;
pub mod terminal;
pub mod troubles;
pub mod trust;
pub mod view;

#[cfg(test)]
mod fixtures;

pub use evidence::Evidence;
pub use html::{SCRIPT, STYLE, gate_html, gate_sections, judgement_html};
pub use json::{gate_json, judgement_json, power_json, self_test_json};
pub use junit::{gate_junit, judgement_junit};
pub use markdown::{gate_markdown, judgement_markdown};
pub use openmetrics::{gate_openmetrics, judgement_openmetrics};
pub use past::Past;
pub use reference::{rc25482_html, rc25482_markdown};
pub use suite::suite_markdown;
pub use terminal::{TerminalStyle, gate_table, judgement_table, power_table, self_test_table};
