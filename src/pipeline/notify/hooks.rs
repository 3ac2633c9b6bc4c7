//! Webhooks: a notice for each change of an issue's state, through the outbox.

use super::telling::Telling;
use super::{Notifier, NotifyError, Report};
use crate::alert::payload;
use crate::alert::render::title;
use crate::alert::{Action, Scope, WebhookFormat};
use crate::notify::outbox::{Entry, Turn};
use crate::notify::webhook::Webhook;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;

/// Routes of webhooks begin so.
const ROUTE: &str = "webhook-";

/// A webhook of the policy.
#[derive(Debug, Clone)]
pub struct Hook {
    /// Its name in the policy.
    pub name: String,
    /// What it gets.
    pub format: WebhookFormat,
    /// The environment variable that holds its address.
    pub variable: String,
    /// Address and secret; none where the variable is not set.
    pub target: Option<Webhook>,
}

/// One notice in the outbox.
#[derive(Debug, Serialize, Deserialize)]
struct Notice {
    delivery: String,
    body: Value,
}

impl Notifier {
    /// Keeps a notice of an action for every webhook that its scope is routed to. One that waits already, or that was
    /// announced by an earlier attempt, is not kept twice.
    pub(super) fn announce(
        &self,
        telling: &mut Telling<'_>,
        action: &Action<'_>,
        url: Option<&str>,
    ) -> Result<(), NotifyError> {
        let delivery = payload::delivery(&action.record);
        let scope = &action.record.key.scope;
        if self.hooks_of(scope).is_empty() || !telling.is_news(&delivery) {
            return Ok(());
        }
        let result = &telling.job.result;
        let title = title(action, result);
        let body = |format| payload::body(action, result, &title, url, format);
        self.push_notices(telling.turn, scope, &delivery, body)?;
        telling.keep()
    }

    /// The webhooks that a scope is routed to.
    fn hooks_of(&self, scope: &Scope) -> Vec<&Hook> {
        let names = self.policy.webhooks(scope);
        self.hooks.iter().filter(|hook| names.contains(&hook.name.as_str())).collect()
    }

    /// Keeps a notice for every webhook that a scope is routed to; one that waits already is not kept twice. Whether there is
    /// such a webhook.
    pub(super) fn push_notices(
        &self,
        turn: &Turn<'_>,
        scope: &Scope,
        delivery: &str,
        body: impl Fn(WebhookFormat) -> Value,
    ) -> Result<bool, NotifyError> {
        let hooks = self.hooks_of(scope);
        for hook in &hooks {
            let route = format!("{ROUTE}{}", hook.name);
            if turn.pending(&route)?.jobs.iter().any(|e| e.job["delivery"] == delivery) {
                continue;
            }
            let notice = Notice { delivery: delivery.to_owned(), body: body(hook.format) };
            let value = serde_json::to_value(notice).map_err(NotifyError::Job)?;
            self.outbox.push(&route, value, self.clock.now())?;
        }
        Ok(!hooks.is_empty())
    }

    /// Sends the notices, each webhook's in order.
    pub(super) async fn webhooks(&self, turn: &Turn<'_>, report: &mut Report) -> Result<(), NotifyError> {
        let mut blocked: BTreeSet<String> = BTreeSet::new();
        for entry in turn.all()?.jobs {
            let Some(name) = entry.route.strip_prefix(ROUTE) else { continue };
            if blocked.contains(&entry.route) {
                continue;
            }
            let sent = self.send(name, &entry).await;
            if sent.is_ok() {
                report.said.push(format!("webhook {name} was called"));
            }
            if self.settle(turn, &entry, sent, report)? {
                blocked.insert(entry.route);
            }
        }
        Ok(())
    }

    async fn send(&self, name: &str, entry: &Entry) -> Result<(), NotifyError> {
        let missing =
            |variable: &str| NotifyError::NoAddress { name: name.to_owned(), variable: variable.to_owned() };
        let hook = self.hooks.iter().find(|h| h.name == name);
        let hook = hook.ok_or_else(|| missing("of its table in the policy, which is gone,"))?;
        let target = hook.target.as_ref().ok_or_else(|| missing(&hook.variable))?;
        let notice: Notice = serde_json::from_value(entry.job.clone()).map_err(NotifyError::Job)?;
        let body = serde_json::to_vec(&notice.body).map_err(NotifyError::Job)?;
        Ok(self.sender.send(target, &body, &notice.delivery).await?)
    }
}
