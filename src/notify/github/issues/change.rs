//! Changes of issues, of whatever kind: looked at first, written once, and told apart from what others did.

use super::board::Issue;
use super::{Applied, Changed, find, is_gone, url};
use crate::alert::Marker;
use crate::notify::github::client::Client;
use crate::notify::github::error::GithubError;
use reqwest::Method;
use serde_json::{Value, json};

/// What an issue is to become, by the board that this was decided from.
pub(super) struct Change {
    /// Which.
    pub number: u64,
    /// Whether it was open, and what its marker said.
    pub before: (bool, Option<Marker>),
    /// What its marker says once it is done.
    pub marker: Marker,
    /// GitHub's `state` and the reason for coming to it.
    pub state: (&'static str, &'static str),
}

impl Change {
    fn opens(&self) -> bool {
        self.state.0 == "open"
    }

    fn is_done(&self, present: &Issue) -> bool {
        present.is_open() == self.opens()
            && present.marker_of(self.marker.kind).as_ref() == Some(&self.marker)
    }

    /// Whether the issue is not any more what it was when the board was read: open or closed, and what its marker says.
    fn is_overtaken(&self, present: &Issue) -> bool {
        let (was_open, marker) = &self.before;
        *was_open != present.is_open() || *marker != present.marker_of(self.marker.kind)
    }

    /// Whether it may still be done: nothing has changed since the board was read, or it is done already.
    pub async fn is_due(&self, client: &Client) -> Result<bool, GithubError> {
        let present = find(client, self.number).await?;
        Ok(present.is_none_or(|p| self.is_done(&p) || !self.is_overtaken(&p)))
    }

    /// Writes `fields`, and the state where it changes, unless it is done already or a person was faster. `more` adds what
    /// depends on the issue as it is now; it is told whether the state changes.
    pub async fn write(
        &self,
        client: &Client,
        fields: &Value,
        more: impl Fn(&Issue, bool, &mut Value),
    ) -> Result<Applied, GithubError> {
        client.settle(async || self.patch(client, fields.clone(), &more).await).await
    }

    async fn patch(
        &self,
        client: &Client,
        mut fields: Value,
        more: impl Fn(&Issue, bool, &mut Value),
    ) -> Result<Applied, GithubError> {
        let number = self.number;
        let Some(present) = find(client, number).await? else { return Ok(Applied::Gone) };
        let done = |url: String| Applied::Done(Changed { number, url, trouble: None });
        if self.is_done(&present) {
            return Ok(done(present.html_url));
        }
        if self.is_overtaken(&present) {
            return Ok(Applied::Overtaken);
        }
        let turns = present.is_open() != self.opens();
        if turns {
            fields["state"] = json!(self.state.0);
            fields["state_reason"] = json!(self.state.1);
        }
        more(&present, turns, &mut fields);
        let path = client.repo(&format!("issues/{number}"));
        match client.write(Method::PATCH, &path, &fields).await.map_err(GithubError::from) {
            Err(error) if is_gone(client, number, &error).await? => Ok(Applied::Gone),
            answer => Ok(done(url(&answer?, client, number))),
        }
    }
}
