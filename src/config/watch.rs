//! `[watch]`: what the service measures, when, and what it listens to.

use super::{Invalid, duration, invalid, part, raw, within};
use crate::workload::Profile;
use chrono::{DateTime, NaiveTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;
use core::net::SocketAddr;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::str::FromStr as _;
use std::time::Duration;

/// Who sweeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WatchMode {
    /// The service.
    Local,
    /// A job of GitHub Actions that the service wakes.
    Dispatch,
}

/// Something that offers upgrades.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Feed {
    /// Releases of Docker's engine.
    Moby,
    /// kernel.org.
    Kernel,
    /// The distribution.
    Apt,
}

impl Feed {
    /// The word used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Moby => "moby",
            Self::Kernel => "kernel",
            Self::Apt => "apt",
        }
    }
}

/// The service.
#[derive(Debug, Clone, PartialEq)]
pub struct Watch {
    /// What it measures when something changed.
    pub profile: Profile,
    /// Who sweeps.
    pub mode: WatchMode,
    /// Where hours are meant.
    pub time_zone: Tz,
    /// Sweeps at fixed times, by name.
    pub schedules: Vec<Schedule>,
    /// How much later than its time a schedule may begin.
    pub jitter: Duration,
    /// When no sweep begins.
    pub quiet_hours: Vec<QuietHours>,
    /// Files and directories whose changes make it look.
    pub files: Vec<PathBuf>,
    /// How long a burst of changes must be over.
    pub debounce: Duration,
    /// How often it looks in any case.
    pub look_every: Duration,
    /// How often a job is tried.
    pub attempts: u32,
    /// Wait after the first failure.
    pub retry_wait: Duration,
    /// What is followed.
    pub follow: Vec<Feed>,
    /// Whether what is offered gets an issue.
    pub notices: bool,
    /// Address of the dashboard.
    pub listen: Option<SocketAddr>,
    /// File with its token.
    pub token_file: Option<PathBuf>,
    /// Environment variable with the secret of the hook.
    pub hook_secret_env: String,
}

/// A sweep at fixed times.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Its name.
    pub name: String,
    /// When.
    pub cron: CronExpression,
    /// What; the service's profile when absent.
    pub profile: Option<Profile>,
}

/// Five fields of cron.
#[derive(Debug, Clone)]
pub struct CronExpression {
    text: String,
    cron: croner::Cron,
}

impl PartialEq for CronExpression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl CronExpression {
    fn parse(text: &str) -> Result<Self, String> {
        let fields = text.split_whitespace().count();
        let example = "expected five fields such as \"30 2 * * *\" (minute, hour, day, month, weekday)";
        if fields != 5 {
            return Err(format!("{text:?} has {fields} fields; {example}"));
        }
        let cron = croner::Cron::from_str(text).map_err(|e| format!("{text:?}: {e}; {example}"))?;
        let expression = Self { text: text.to_owned(), cron };
        let anywhen = DateTime::from_timestamp(1_767_225_600, 0).unwrap_or_default();
        match expression.after(anywhen, Tz::UTC) {
            Some(_) => Ok(expression),
            None => Err(format!("{text:?} never comes; {example}")),
        }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first time after `at`; none when there is none.
    pub fn after(&self, at: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
        let next = self.cron.find_next_occurrence(&at.with_timezone(&zone), false).ok()?;
        Some(next.with_timezone(&Utc)).filter(|next| *next > at)
    }
}

/// Hours of each day in which no sweep begins; they may cross midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuietHours {
    /// Their first moment.
    pub from: NaiveTime,
    /// The first moment after them.
    pub to: NaiveTime,
}

impl QuietHours {
    fn parse(text: &str) -> Result<Self, String> {
        let hours = text.split_once('-').and_then(|(from, to)| {
            let time = |text: &str| NaiveTime::parse_from_str(text.trim(), "%H:%M").ok();
            Some(Self { from: time(from)?, to: time(to)? })
        });
        match hours {
            Some(hours) if hours.from != hours.to => Ok(hours),
            _ => Err(format!("{text:?} are no hours; expected two different times such as \"08:00-18:30\"")),
        }
    }

    /// Whether a time of day is in them.
    fn covers(self, time: NaiveTime) -> bool {
        if self.from < self.to {
            self.from <= time && time < self.to
        } else {
            self.from <= time || time < self.to
        }
    }

    /// When the hours end in which `now` is; none when it is outside of them.
    fn end(self, now: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
        let local = now.with_timezone(&zone).naive_local();
        let (day, time) = (local.date(), local.time());
        let end = if self.from < self.to {
            (self.from <= time && time < self.to).then_some(day)
        } else if time >= self.from {
            day.succ_opt()
        } else {
            (time < self.to).then_some(day)
        }?;
        // Where the clocks change there may be two such times, or none.
        let end = (0..4).find_map(|hour| {
            zone.from_local_datetime(&(end.and_time(self.to) + TimeDelta::hours(hour))).latest()
        })?;
        Some(end.with_timezone(&Utc)).filter(|end| *end > now)
    }
}

impl Watch {
    /// When a sweep may begin; none when it may now.
    pub fn quiet_until(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut until = None;
        // Hours may follow one another.
        for _ in 0..=self.quiet_hours.len() {
            let at = until.unwrap_or(now);
            match self.quiet_hours.iter().filter_map(|hours| hours.end(at, self.time_zone)).max() {
                Some(end) => until = Some(end),
                None => break,
            }
        }
        until
    }

    /// Whether quiet hours leave no minute of the day.
    pub fn is_always_quiet(&self) -> bool {
        let covered = |time| self.quiet_hours.iter().any(|hours| hours.covers(time));
        // They have no seconds.
        (0..24 * 60).filter_map(|m| NaiveTime::from_hms_opt(m / 60, m % 60, 0)).all(covered)
    }

    pub(super) fn from_raw(raw: Option<raw::Watch>) -> Result<Self, Invalid> {
        let raw = part(raw, "watch")?;
        let time = |value: Option<String>, key: &str, least: u64| {
            let text = part(value, key)?;
            match duration::parse(&text) {
                Ok(time) if time.as_secs() >= least => Ok(time),
                Ok(_) => Err(invalid(key, format!("{text:?} is less than {least} seconds"))),
                Err(why) => Err(invalid(key, why)),
            }
        };
        let zone = part(raw.time_zone, "watch.time_zone")?;
        let quiet_hours = part(raw.quiet_hours, "watch.quiet_hours")?;
        let quiet_hours = quiet_hours.iter().map(|text| QuietHours::parse(text)).collect::<Result<_, _>>();
        let watch = Self {
            profile: part(raw.profile, "watch.profile")?,
            mode: part(raw.mode, "watch.mode")?,
            time_zone: zone.parse().map_err(|_| {
                invalid(
                    "watch.time_zone",
                    format!("{zone:?} is no time zone; expected one such as \"UTC\" or \"Europe/Berlin\""),
                )
            })?,
            schedules: schedules(raw.schedules.unwrap_or_default())?,
            jitter: time(raw.jitter, "watch.jitter", 0)?,
            quiet_hours: quiet_hours.map_err(|why| invalid("watch.quiet_hours", why))?,
            files: part(raw.files, "watch.files")?,
            debounce: time(raw.debounce, "watch.debounce", 1)?,
            look_every: time(raw.look_every, "watch.look_every", 10)?,
            attempts: within(raw.attempts, "watch.attempts", 1, 20)?,
            retry_wait: time(raw.retry_wait, "watch.retry_wait", 1)?,
            follow: part(raw.follow, "watch.follow")?,
            notices: part(raw.notices, "watch.notices")?,
            listen: listen(&part(raw.listen, "watch.listen")?)?,
            token_file: raw.token_file,
            hook_secret_env: part(raw.hook_secret_env, "watch.hook_secret_env")?,
        };
        if let Some(path) = watch.files.iter().find(|path| !path.is_absolute()) {
            return Err(invalid("watch.files", format!("{} is not an absolute path", path.display())));
        }
        if watch.must_have_token() {
            let why = "others than this host can reach it: set watch.token_file, too, or listen on 127.0.0.1";
            return Err(invalid("watch.listen", why.to_owned()));
        }
        Ok(watch)
    }

    /// Whether the dashboard would be open to others without a token.
    pub fn must_have_token(&self) -> bool {
        self.token_file.is_none() && self.listen.is_some_and(|address| !address.ip().is_loopback())
    }
}

fn listen(text: &str) -> Result<Option<SocketAddr>, Invalid> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        let why =
            format!("{text:?} is no address; expected one such as \"127.0.0.1:9417\", or \"\" for none");
        invalid("watch.listen", why)
    })
}

fn schedules(raw: std::collections::BTreeMap<String, raw::Schedule>) -> Result<Vec<Schedule>, Invalid> {
    raw.into_iter()
        .map(|(name, schedule)| {
            let key = format!("watch.schedules.{name}");
            let text = part(schedule.cron, &key)?;
            let cron = CronExpression::parse(&text).map_err(|why| invalid(&key, why))?;
            Ok(Schedule { name, cron, profile: schedule.profile })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;
    use proptest::prelude::*;

    fn watch(text: &str) -> Watch {
        Config::resolve(Some(("tollgate.toml", &format!("[watch]\n{text}")))).expect("valid").watch
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    #[test]
    fn mistakes_are_named_with_their_place_and_remedy() {
        for (text, place, words) in [
            ("mode = \"remote\"", "2:8", "dispatch"),
            ("profile = \"huge\"", "2:11", "standard"),
            ("time_zone = \"Berlin\"", "2:1", "Europe/Berlin"),
            ("quiet_hours = [\"8-18\"]", "2:1", "08:00-18:30"),
            ("quiet_hours = [\"08:00-08:00\"]", "2:1", "different"),
            ("debounce = \"0\"", "2:1", "less than 1"),
            ("attempts = 0", "2:1", "1 to 20"),
            ("listen = \"9417\"", "2:1", "127.0.0.1:9417"),
            ("listen = \"0.0.0.0:9417\"", "2:1", "watch.token_file"),
            ("files = [\"etc\"]", "2:1", "absolute"),
            ("[watch.schedules]\nnightly = { cron = \"30 2 * *\" }", "3:1", "4 fields"),
            ("[watch.schedules]\nnightly = { cron = \"61 2 * * *\" }", "3:1", "five fields"),
            ("[watch.schedules]\nnever = { cron = \"0 0 30 2 *\" }", "3:1", "five fields"),
            ("[watch.schedules]\nnightly = { corn = \"30 2 * * *\" }", "3:", "did you mean `cron`"),
        ] {
            let text = format!("[watch]\n{text}");
            let error = Config::resolve(Some(("tollgate.toml", &text))).expect_err(&text).to_string();
            assert!(error.starts_with(&format!("tollgate.toml:{place}")) && error.contains(words), "{error}");
        }
    }

    #[test]
    fn quiet_hours_end_in_the_time_zone_and_follow_one_another() {
        let text = "time_zone = \"Europe/Berlin\"\nquiet_hours = [\"08:00-12:00\", \"12:00-18:30\", \"23:00-02:00\"]";
        let watch = watch(text);
        let until = |now: &str| watch.quiet_until(at(now)).map(|t| t.to_rfc3339());
        assert_eq!(until("2026-11-25T06:59:59Z"), None);
        assert_eq!(until("2026-11-25T07:00:00Z").as_deref(), Some("2026-11-25T17:30:00+00:00"));
        assert_eq!(until("2026-11-25T17:30:00Z"), None);
        assert_eq!(until("2026-11-25T22:00:00Z").as_deref(), Some("2026-11-26T01:00:00+00:00"));
        assert_eq!(until("2026-11-26T00:59:00Z").as_deref(), Some("2026-11-26T01:00:00+00:00"));
    }

    #[test]
    fn hours_that_leave_no_minute_are_found() {
        for (hours, always) in [
            ("", false),
            ("\"08:00-07:59\"", false),
            ("\"08:00-18:00\", \"18:00-08:00\"", true),
            ("\"08:00-18:00\", \"18:01-08:00\"", false),
            ("\"00:00-12:00\", \"11:00-00:00\"", true),
        ] {
            assert_eq!(watch(&format!("quiet_hours = [{hours}]")).is_always_quiet(), always, "{hours}");
        }
    }

    #[test]
    fn quiet_hours_end_also_when_their_end_does_not_exist() {
        let watch = watch("time_zone = \"Europe/Berlin\"\nquiet_hours = [\"22:00-02:30\"]");
        let end = watch.quiet_until(at("2026-03-28T23:00:00Z")).expect("quiet");
        assert!(end > at("2026-03-29T00:00:00Z") && end < at("2026-03-29T03:00:00Z"), "{end}");
    }

    #[test]
    fn a_token_opens_it_to_others_and_no_address_is_no_dashboard() {
        let open = watch("listen = \"0.0.0.0:9417\"\ntoken_file = \"/etc/tollgate/token\"");
        assert!(!open.must_have_token() && open.listen.is_some());
        assert_eq!(watch("listen = \"\"").listen, None);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,20}") {
            let _ = CronExpression::parse(&text);
            let _ = QuietHours::parse(&text);
        }

        #[test]
        fn quiet_hours_always_end(from in 0_u32..1440, to in 0_u32..1440, minute in 0_i64..600_000) {
            prop_assume!(from != to);
            let text = |m: u32| format!("{:02}:{:02}", m / 60, m % 60);
            let hours = format!("time_zone = \"Europe/Berlin\"\nquiet_hours = [\"{}-{}\"]", text(from), text(to));
            let now = at("2026-01-01T00:00:00Z") + TimeDelta::minutes(minute);
            if let Some(end) = watch(&hours).quiet_until(now) {
                prop_assert!(end > now && end <= now + TimeDelta::hours(26));
            }
        }
    }
}
