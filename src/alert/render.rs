//! Texts for people, from the templates in `alerts/templates/`.
//!
//! Every value that a template prints is cleaned and escaped for Markdown by the formatter itself, so that a template
//! cannot forget it. What does not fit a body is rendered in a shorter form; nothing is cut.

use super::decide::{Action, Transition};
use super::view::{View, change};
use super::{AlertPolicy, Kind, Marker, Scope, candidates};
use crate::model::GateResult;
use crate::report::clean;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};
use serde::Serialize;
use std::fmt::Write as _;

/// Longest body, characters: GitHub refuses more than 65,536.
pub const BODY_MAX: usize = 65_000;
/// Longest title, characters: GitHub refuses more than 256.
const TITLE_MAX: usize = 240;
/// Rows above the fold.
const ROWS: usize = 10;

/// The built-in templates, by name.
const BUILT_IN: [(&str, &str); 4] = [
    ("issue.md.j2", include_str!("../../alerts/templates/issue.md.j2")),
    ("comment.md.j2", include_str!("../../alerts/templates/comment.md.j2")),
    (candidates::NAMES[0], include_str!("../../alerts/templates/candidates.md.j2")),
    (candidates::NAMES[1], include_str!("../../alerts/templates/candidates-comment.md.j2")),
];

/// A template of the user's that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// Its syntax, or what it does with a value.
    #[error("template {name}: {source}; mend it, or remove it to use the built-in one")]
    Template {
        /// Which.
        name: String,
        /// What is wrong, with its line.
        source: Box<Error>,
    },
    /// Even its shortest form is too long.
    #[error(
        "template {name}: its shortest form has {length} characters, GitHub takes {BODY_MAX}; make it shorter when `folded` is false"
    )]
    TooLong {
        /// Which.
        name: &'static str,
        /// How long.
        length: usize,
    },
}

/// The templates: the built-in ones, with those of the user in their place.
pub struct Templates {
    environment: Environment<'static>,
}

impl std::fmt::Debug for Templates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Templates").finish_non_exhaustive()
    }
}

/// The text of an issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// One line of plain text.
    pub title: String,
    /// With its marker.
    pub body: String,
}

/// What is said of a result besides the result itself.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// What the gate found.
    pub result: &'a GateResult,
    /// Whom to tell.
    pub policy: &'a AlertPolicy,
    /// Where the run can be seen; only an address of the tracker itself.
    pub run_url: Option<&'a str>,
}

/// The text, where GitHub takes one so long.
pub(super) fn within(name: &'static str, text: String) -> Result<String, TemplateError> {
    let length = text.chars().count();
    if length > BODY_MAX { Err(TemplateError::TooLong { name, length }) } else { Ok(text) }
}

impl Templates {
    /// The built-in ones, with `own` (name and text) in their place.
    pub fn new(own: Vec<(String, String)>) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::Custom("markdown".into()));
        environment.set_formatter(|out, _state, value| {
            let text = value.to_string();
            let text = if value.is_safe() { text } else { markdown(&text) };
            out.write_str(&text).map_err(|e| Error::new(ErrorKind::WriteFailure, e.to_string()))
        });
        environment.add_filter("code", |value: Value| {
            Value::from_safe_string(clean::markdown_code(&clean::text(&value.to_string())))
        });
        let built_in = BUILT_IN.map(|(name, text)| (name.to_owned(), text.to_owned()));
        for (name, text) in built_in.into_iter().chain(own) {
            let added = environment.add_template_owned(name.clone(), text);
            added.map_err(|source| TemplateError::Template { name, source: Box::new(source) })?;
        }
        Ok(Self { environment })
    }

    /// The names of the templates that a user may replace.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.into_iter().map(|(name, _)| name)
    }

    /// Title and body of an issue that failed.
    pub fn issue(&self, action: &Action, context: &Context) -> Result<Issue, TemplateError> {
        const NAME: &str = "issue.md.j2";
        let marker = Marker::of(&action.record).line();
        let mut length = 0;
        for (most, folded) in [(ROWS, true), (ROWS, false), (3, false)] {
            let form = Form { most, folded };
            let body = format!("{marker}\n{}\n", self.render(NAME, action, context, form)?);
            length = body.chars().count();
            if length <= BODY_MAX {
                return Ok(Issue { title: title(action, context.result), body });
            }
        }
        Err(TemplateError::TooLong { name: NAME, length })
    }

    /// The comment on what happened to an issue; `None` for a new one, whose body says it.
    pub fn comment(&self, action: &Action, context: &Context) -> Result<Option<String>, TemplateError> {
        const NAME: &str = "comment.md.j2";
        if action.transition == Transition::Opened {
            return Ok(None);
        }
        let record = &action.record;
        let marker = Marker::new(Kind::Event, &record.key.to_string(), &event_state(action)).line();
        let text = self.render(NAME, action, context, Form { most: ROWS, folded: false })?;
        within(NAME, format!("{marker}\n{text}\n")).map(Some)
    }

    fn render(
        &self,
        name: &str,
        action: &Action,
        context: &Context,
        form: Form,
    ) -> Result<String, TemplateError> {
        self.fill(name, &View::of(action, context, form))
    }

    /// A template with what it sees.
    pub(super) fn fill(&self, name: &str, view: &impl Serialize) -> Result<String, TemplateError> {
        let template = self.environment.get_template(name).and_then(|t| t.render(Value::from(Serde(view))));
        let rendered = template
            .map_err(|source| TemplateError::Template { name: name.to_owned(), source: Box::new(source) })?;
        Ok(rendered.trim().to_owned())
    }
}

/// What tells the comments on one issue apart: the state that it came to, the transition, and the sweep or outage.
pub fn event_state(action: &Action) -> String {
    format!("{}:{}:{}", action.transition.as_str(), action.record.state(), action.record.reached_with())
}

fn markdown(text: &str) -> String {
    clean::markdown(&clean::text(text))
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    pub(super) most: usize,
    pub(super) folded: bool,
}

/// Title of an action's issue. Plain text: GitHub shows no markup in titles.
pub fn title(action: &Action, result: &GateResult) -> String {
    let class = &result.host_class;
    let largest = action.group.first().map(|f| change(f, false)).unwrap_or_default();
    let what = match &action.record.key.scope {
        Scope::Host => format!("{class} cannot be judged"),
        Scope::Drift { environment, .. } => format!("{environment} drifts: {largest} on {class}"),
        Scope::Whole { environment } => {
            format!("{environment} as a whole: tolls rose by up to {largest} on {class}")
        }
        Scope::Rest => format!("{} more tolls rose on {class}", action.group.len()),
        Scope::Family { environment, family } => {
            let family = family.map_or("other", |f| f.as_str());
            format!("{environment}: the {family} toll rose by up to {largest} on {class}")
        }
    };
    let mut changed = String::new();
    for c in &result.changed {
        let version = |v: &Option<String>| v.as_deref().map_or_else(|| "absent".to_owned(), clean::name);
        let joint = if changed.is_empty() { " with " } else { ", " };
        // Writing to a String cannot fail.
        let _ = write!(changed, "{joint}{} {} → {}", c.component, version(&c.before), version(&c.after));
    }
    let changed = if action.record.key.scope == Scope::Host { String::new() } else { changed };
    // A mention in a title would reach people, too.
    clean::one_line(&format!("{what}{changed}").replace('@', "(at)"), TITLE_MAX)
}
