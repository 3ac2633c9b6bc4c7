//! One sweep: its report, in the service's frame.

use super::{Frame, Tab, document, to_group};
use crate::history::{GroupKey, Head};
use crate::model::GateResult;
use crate::report::{clean, gate_sections};
use maud::html;

/// The page. The head says who accepted the sweep.
pub(in crate::service::http) fn page(
    frame: Frame<'_>,
    result: &GateResult,
    known: Option<(&GroupKey, &Head)>,
) -> String {
    let id = result.sweep.as_ref().map(ToString::to_string).unwrap_or_default();
    let key = GroupKey { host_class: result.host_class.clone(), profile: result.profile.clone() };
    let body = html! {
        p.crumbs {
            a href="/" { "Overview" } " › "
            a href=(to_group(&key)) { (key.host_class) " " (clean::name(&key.profile)) } " › " (id)
        }
        @if let Some((_, head)) = known {
            @if let Some(by) = &head.accepted {
                p.small.soft { "Accepted by " (clean::name(&by.by)) ": " (clean::text(&by.reason)) "." }
            }
            @if head.partial { p.warning role="note" { "A sweep of chosen cells: it confirmed another and says nothing of the rest." } }
        }
        (gate_sections(result, None))
        p.small.soft {
            "Slow drifts and the self-test need the whole history: " code { "tollgate report " (id) } " has them. "
            a href={ "/api/v1/sweeps/" (id) } { "As JSON" } "."
        }
    };
    document(frame, Tab::Overview, &format!("Sweep {id}"), &body)
}
