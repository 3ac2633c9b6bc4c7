//! What is offered, told as one issue a host class.

use super::{Notifier, NotifyError, Report};
use crate::alert::candidates::{self as said, Action, Statement, Transition, decide};
use crate::alert::{Scope, WebhookFormat};
use crate::model::HostClass;
use crate::notify::github::issues::Applied;
use crate::notify::github::issues::candidates::{self as issues, Board};
use crate::notify::outbox::{Entry, Turn};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Route of statements about candidates.
const ROUTE: &str = "candidates";
/// A view of the issues may be old: so often it is read again.
const LOOKS: usize = 3;

/// A statement in the outbox.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    statement: Statement,
    /// When those were made in whose place it is, and which may have been told in part.
    earlier: BTreeSet<DateTime<Utc>>,
    /// The notices that webhooks have, or that wait for them.
    announced: BTreeSet<String>,
}

impl Kept {
    fn takes_the_place_of(&mut self, older: Self) {
        self.earlier.extend(older.earlier);
        self.earlier.insert(older.statement.at);
        self.announced.extend(older.announced);
    }
}

/// A statement that is being told.
struct Telling<'a> {
    turn: &'a Turn<'a>,
    id: u64,
    kept: Kept,
}

impl Notifier {
    /// Keeps a statement in the outbox. When this returns, a crash does not lose it.
    pub fn keep_candidates(&self, statement: &Statement) -> Result<(), NotifyError> {
        let (earlier, announced) = (BTreeSet::new(), BTreeSet::new());
        let kept = Kept { statement: statement.clone(), earlier, announced };
        let value = serde_json::to_value(kept).map_err(NotifyError::Job)?;
        self.outbox.push(ROUTE, value, self.clock.now())?;
        Ok(())
    }

    /// Tells the newest statement of each host class. The older ones say what was, so that nobody need hear them.
    pub(super) async fn candidates(&self, turn: &Turn<'_>, report: &mut Report) -> Result<(), NotifyError> {
        let mut newest: BTreeMap<HostClass, (Entry, Kept)> = BTreeMap::new();
        for entry in turn.pending(ROUTE)?.jobs {
            match serde_json::from_value::<Kept>(entry.job.clone()) {
                Ok(mut kept) => {
                    let class = kept.statement.host_class.clone();
                    if let Some((older, before)) = newest.remove(&class) {
                        kept.takes_the_place_of(before);
                        turn.update(entry.id, serde_json::to_value(&kept).map_err(NotifyError::Job)?)?;
                        turn.done(older.id)?;
                    }
                    newest.insert(class, (entry, kept));
                }
                Err(error) => drop(self.settle(turn, &entry, Err(NotifyError::Job(error)), report)?),
            }
        }
        for (entry, kept) in newest.into_values() {
            let told = self.tell_candidates(Telling { turn, id: entry.id, kept }, report).await;
            self.settle(turn, &entry, told, report)?;
        }
        Ok(())
    }

    async fn tell_candidates(
        &self,
        mut telling: Telling<'_>,
        report: &mut Report,
    ) -> Result<(), NotifyError> {
        let client = self.github.as_ref().ok_or(NotifyError::NoGithub)?;
        let statement = telling.kept.statement.clone();
        // A list may be late, and shows what was opened a moment ago only later.
        let (mut opened, mut overtaken) = (false, false);
        for look in 0..LOOKS {
            let board = issues::board(client).await?;
            let decided = decide(&statement, &board.shown);
            if look == 0 {
                self.announce_again(&mut telling, &board)?;
                report.silent.extend(decided.silent);
                if !decided.actions.is_empty() {
                    issues::ensure_label(client).await?;
                }
            }
            let mut look_again = false;
            overtaken = false;
            for action in &decided.actions {
                let is_new = action.number.is_none();
                if is_new && std::mem::replace(&mut opened, true) {
                    continue;
                }
                let was_faster = self.act_on_candidates(&board, &mut telling, action, report).await?;
                overtaken |= was_faster;
                look_again |= was_faster || is_new;
            }
            if !look_again {
                break;
            }
        }
        if overtaken { Err(NotifyError::Overtaken) } else { Ok(()) }
    }

    /// Does one thing that was decided, and tells webhooks of it. Whether somebody was faster.
    async fn act_on_candidates(
        &self,
        board: &Board,
        telling: &mut Telling<'_>,
        action: &Action,
        report: &mut Report,
    ) -> Result<bool, NotifyError> {
        let client = self.github.as_ref().ok_or(NotifyError::NoGithub)?;
        if let Some(number) = action.number {
            if !issues::is_due(client, board, action).await? {
                return Ok(true);
            }
            // Before the issue is changed: a change that was made does not come up again.
            self.announce_candidates(telling, action, board.url(number))?;
        }
        let statement = telling.kept.statement.clone();
        match issues::apply(client, board, action, &self.templates, &statement).await? {
            Applied::Gone => {
                report.silent.push("the issue about candidates was deleted meanwhile".to_owned());
            }
            Applied::Overtaken => return Ok(true),
            Applied::Done(changed) => {
                report.said.push(format!("candidates {}: {}", action.transition.as_str(), changed.url));
                report.trouble.extend(changed.trouble);
                if action.number.is_none() {
                    // Only now it has an address.
                    self.announce_candidates(telling, action, Some(&changed.url))?;
                }
            }
        }
        Ok(false)
    }

    /// A run that died after it opened the issue may not have called the webhooks. The notice has the identity that it would
    /// have had.
    fn announce_again(&self, telling: &mut Telling<'_>, board: &Board) -> Result<(), NotifyError> {
        let Kept { statement, earlier, .. } = &telling.kept;
        let ours = board.shown.iter().find(|i| {
            i.memory.host_class == statement.host_class
                && (i.memory.at == statement.at || earlier.contains(&i.memory.at))
                && i.memory.transition == Transition::Opened
        });
        let Some(issue) = ours else { return Ok(()) };
        let (number, memory) = (Some(issue.number), issue.memory.clone());
        let (joined, left) = (Vec::new(), Vec::new());
        let action = Action { number, transition: Transition::Opened, memory, joined, left };
        self.announce_candidates(telling, &action, board.url(issue.number))
    }

    fn announce_candidates(
        &self,
        telling: &mut Telling<'_>,
        action: &Action,
        url: Option<&str>,
    ) -> Result<(), NotifyError> {
        let delivery = said::delivery(action);
        let statement = &telling.kept.statement;
        let body = |format: WebhookFormat| said::body(action, statement, url, format);
        if !action.transition.is_news() || telling.kept.announced.contains(&delivery) {
            return Ok(());
        }
        if !self.push_notices(telling.turn, &Scope::Host, &delivery, body)? {
            return Ok(());
        }
        telling.kept.announced.insert(delivery);
        let value = serde_json::to_value(&telling.kept).map_err(NotifyError::Job)?;
        Ok(telling.turn.update(telling.id, value)?)
    }
}
