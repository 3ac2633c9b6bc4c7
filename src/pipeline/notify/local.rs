//! Alerts without GitHub: the issues are lines of `<state>/alerts.json`, and webhooks tell of them.

use super::telling::Telling;
use super::{Notifier, NotifyError, Place, Report};
use crate::alert::render::title;
use crate::alert::{Action, Phase, Record, ShownIssue, Situation, decide};
use crate::durable;
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;

/// What is remembered: an issue's number and record.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Line {
    number: u64,
    record: Record,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Board {
    version: u32,
    alerts: Vec<Line>,
}

impl Line {
    fn shown(&self) -> ShownIssue {
        let open = self.record.phase == Phase::Open;
        ShownIssue {
            number: self.number,
            open,
            reason: None,
            closed_at: (!open).then_some(self.record.at),
            accept: false,
            state: self.record.state(),
            record: self.record.clone(),
        }
    }
}

impl Board {
    /// Closed ones are kept for a relapse, the newest five hundred.
    const KEPT: usize = 500;

    fn apply(&mut self, action: &Action) {
        let record = action.record.clone();
        if let Some(line) = action.number.and_then(|n| self.alerts.iter_mut().find(|l| l.number == n)) {
            line.record = record;
        } else {
            let number = self.alerts.iter().map(|l| l.number).max().unwrap_or(0) + 1;
            self.alerts.push(Line { number, record });
        }
        while self.alerts.len() > Self::KEPT
            && let Some(at) = self.alerts.iter().position(|l| l.record.phase != Phase::Open)
        {
            self.alerts.remove(at);
        }
    }
}

impl Notifier {
    /// Decides against the alerts of this host. The notices are kept before the file is written: after a crash between
    /// the two they are kept once more, with the same identity.
    pub(super) async fn to_this_host(
        &self,
        mut telling: Telling<'_>,
        report: &mut Report,
    ) -> Result<(), NotifyError> {
        if !matches!(telling.place(None).await?, Place::Issues { .. }) {
            report
                .silent
                .push("what a branch or a pull request measured is no alert of this host".to_owned());
            return Ok(());
        }
        let path = self.state.join("alerts.json");
        let io = |source| NotifyError::Io { path: path.clone(), source };
        let mut board: Board = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| io(e.into()))?,
            Err(e) if e.kind() == ErrorKind::NotFound => Board { version: 1, ..Board::default() },
            Err(e) => return Err(io(e)),
        };
        let issues: Vec<ShownIssue> = board.alerts.iter().map(Line::shown).collect();
        let (result, now) = (telling.job.result.clone(), self.clock.now());
        let url = telling.job.run_url.clone();
        let decided = decide(&Situation { result: &result, issues: &issues, policy: &self.policy, now });
        for action in &decided.actions {
            let title = title(action, &result);
            self.announce(&mut telling, action, url.as_deref())?;
            report.said.push(format!("{}: {title}", action.transition.as_str()));
            board.apply(action);
        }
        report.silent.extend(decided.silent);
        if !decided.actions.is_empty() {
            let text = serde_json::to_vec_pretty(&board).map_err(NotifyError::Job)?;
            durable::write(&path, &text, 0o600).map_err(io)?;
        }
        Ok(())
    }
}
