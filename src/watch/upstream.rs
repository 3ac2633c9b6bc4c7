//! What others offer: releases of Docker and of the kernel, and what the distribution would install. Parsers of their
//! answers, and which of it is newer than what runs here.

use super::queue::Components;
use super::status::Candidate;
use crate::model::Component;
use chrono::{DateTime, Utc};
use debversion::Version;
use serde::{Deserialize, Serialize};

/// Something that is offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// Of what.
    pub component: Component,
    /// Its version, in the numbering of whoever offers it.
    pub version: String,
    /// What is installed, in the same numbering; none where the component's own version has it.
    pub installed: Option<String>,
    /// Where it is described.
    pub url: Option<String>,
    /// Since when it is known.
    pub seen_at: DateTime<Utc>,
}

/// An answer that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the answer is not understood: {0}")]
pub struct FeedError(String);

/// Longest version that is one, bytes.
const LONGEST: usize = 200;

fn version(text: &str) -> Option<Version> {
    let is_one = text.starts_with(|c: char| c.is_ascii_digit()) && text.len() <= LONGEST;
    is_one.then(|| text.parse().ok())?
}

/// The newest release of Docker's engine, from the list of GitHub's API. Drafts and pre-releases are none.
pub fn moby(text: &str) -> Result<Option<(String, String)>, FeedError> {
    #[derive(Deserialize)]
    struct Release {
        tag_name: String,
        html_url: String,
        draft: bool,
        prerelease: bool,
    }
    let releases: Vec<Release> = serde_json::from_str(text).map_err(|e| FeedError(e.to_string()))?;
    let newest = releases.into_iter().filter(|r| !r.draft && !r.prerelease).filter_map(|r| {
        // v28.5.2 once, docker-v29.0.1 now; api/v1.52.0 and client/v0.1.0 are others.
        let name = r.tag_name.strip_prefix("docker-").unwrap_or(&r.tag_name);
        let number = name.strip_prefix('v')?.to_owned();
        Some((version(&number)?, number, r.html_url))
    });
    Ok(newest.max_by(|a, b| a.0.cmp(&b.0)).map(|(_, number, url)| (number, url)))
}

/// The newest kernel of the running one's series, or the latest stable one where the series has ended, from kernel.org's
/// `releases.json`.
pub fn kernel(text: &str, running: &str) -> Result<Option<String>, FeedError> {
    #[derive(Deserialize)]
    struct Release {
        version: String,
        iseol: bool,
    }
    #[derive(Deserialize)]
    struct Latest {
        version: String,
    }
    #[derive(Deserialize)]
    struct Releases {
        latest_stable: Latest,
        releases: Vec<Release>,
    }
    let all: Releases = serde_json::from_str(text).map_err(|e| FeedError(e.to_string()))?;
    let Some(series) = series(&upstream_of_kernel(running)) else { return Ok(None) };
    let same = all
        .releases
        .into_iter()
        .filter(|r| !r.iseol)
        .find(|r| self::series(&r.version) == Some(series.clone()));
    Ok(Some(same.map_or(all.latest_stable.version, |r| r.version)))
}

/// `6.1` of `6.1.158`.
fn series(version: &str) -> Option<String> {
    let mut parts = version.split(['.', '-']);
    Some(format!("{}.{}", parts.next().filter(|p| !p.is_empty())?, parts.next()?))
}

/// The upstream version of a kernel component: `6.1.153` of `6.1.0-40-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.1.153-1 (2025-09-20)`,
/// else that of the release.
fn upstream_of_kernel(component: &str) -> String {
    let debian = component.split_once(" Debian ").and_then(|(_, rest)| rest.split([' ', '-']).next());
    let own = debian.or_else(|| component.split([' ', '-']).next()).unwrap_or_default();
    own.to_owned()
}

/// Packages of the components that distributions have, the first that is installed counts.
pub const PACKAGES: [(Component, &[&str]); 5] = [
    (Component::DockerEngine, &["docker-ce", "docker.io"]),
    (Component::Containerd, &["containerd.io", "containerd"]),
    (Component::Runc, &["runc"]),
    (Component::Qemu, &["qemu-system-x86"]),
    (Component::Kernel, &["linux-image-amd64", "linux-image-cloud-amd64", "linux-image-generic"]),
];

/// Installed and candidate versions of the components' packages, where they differ, from `apt-cache policy`.
pub fn apt(text: &str) -> Vec<(Component, String, String)> {
    let policy = |package: &str| {
        let header = format!("{package}:");
        let mut lines = text.lines().skip_while(|line| *line != header).skip(1);
        let mut field = |name: &str| Some(lines.next()?.trim().strip_prefix(name)?.trim().to_owned());
        let (installed, candidate) = (field("Installed:")?, field("Candidate:")?);
        (installed != "(none)" && candidate != "(none)").then_some((installed, candidate))
    };
    let offered = PACKAGES.iter().filter_map(|(component, packages)| {
        let (installed, candidate) = packages.iter().find_map(|package| policy(package))?;
        Some((*component, installed, candidate))
    });
    offered.filter(|(_, installed, candidate)| installed != candidate).collect()
}

/// The offers that are newer than what is installed.
pub fn candidates(source: &str, offers: &[Offer], now: &Components) -> Vec<Candidate> {
    let newer = |offer: &&Offer| {
        let installed = offer.installed.clone().or_else(|| match offer.component {
            Component::Kernel => now.get(&Component::Kernel).map(|v| upstream_of_kernel(v)),
            component => now.get(&component).cloned(),
        });
        match (installed.as_deref().and_then(version), version(&offer.version)) {
            (Some(installed), Some(offered)) => offered > installed,
            _ => false,
        }
    };
    let candidate = |offer: &Offer| Candidate {
        component: offer.component,
        installed: offer.installed.clone().or_else(|| now.get(&offer.component).cloned()),
        offered: offer.version.clone(),
        source: source.to_owned(),
        url: offer.url.clone(),
        seen_at: offer.seen_at,
    };
    offers.iter().filter(newer).map(candidate).collect()
}

/// Whether a sweep of a host that was made of `then` measured what is offered: a host that was taken back has an upgrade
/// before it that is no news. Of a package only the upstream version is compared, which is all that a component says of
/// itself; another build of the version that is installed is therefore never called measured.
pub fn is_measured(candidate: &Candidate, then: &Components) -> bool {
    let own = |text: &str| match candidate.component {
        Component::Kernel => upstream_of_kernel(text),
        _ => text.to_owned(),
    };
    let Some(measured) = then.get(&candidate.component).map(|text| own(text)) else { return false };
    let offered = upstream_of_package(&candidate.offered);
    let installed = candidate.installed.as_deref().map(|text| upstream_of_package(&own(text)).to_owned());
    offered == upstream_of_package(&measured) && installed.as_deref() != Some(offered)
}

/// `29.0.1` of `5:29.0.1-1~debian.12~bookworm`: no epoch and no revision (deb-version(7)).
fn upstream_of_package(version: &str) -> &str {
    let rest = version.split_once(':').map_or(version, |(_, rest)| rest);
    rest.rsplit_once('-').map_or(rest, |(upstream, _)| upstream)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RUNNING: &str = "6.1.0-40-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.1.153-1 (2025-09-20)";

    const POLICY: &str = "\
docker-ce:
  Installed: (none)
  Candidate: 5:29.0.1-1~debian.12~bookworm
  Version table:
docker.io:
  Installed: 20.10.24+dfsg1-1+deb12u1+b2
  Candidate: 20.10.24+dfsg1-1+deb12u2
  Version table:
     20.10.24+dfsg1-1+deb12u2 500
runc:
  Installed: 1.1.5+ds1-1+deb12u1
  Candidate: 1.1.5+ds1-1+deb12u1
  Version table:
";

    #[test]
    fn the_newest_engine_is_a_release_and_no_other_tag() {
        let release = |tag: &str, prerelease| serde_json::json!({ "tag_name": tag, "html_url": format!("https://x/{tag}"), "draft": false, "prerelease": prerelease });
        let list = serde_json::json!([
            release("api/v1.52.0", false),
            release("docker-v29.1.0-rc.1", true),
            release("docker-v29.0.1", false),
            release("v28.5.2", false),
            release("docker-v29.0.10", false),
        ]);
        let newest = moby(&list.to_string()).expect("understood").expect("one");
        assert_eq!(newest, ("29.0.10".to_owned(), "https://x/docker-v29.0.10".to_owned()));
        assert_eq!(moby("[]").expect("understood"), None);
        assert!(moby("{\"message\":\"API rate limit exceeded\"}").is_err());
    }

    #[test]
    fn the_newest_kernel_is_of_the_running_series_while_that_lives() {
        let releases = |iseol: bool| {
            serde_json::json!({
                "latest_stable": { "version": "6.17.8" },
                "releases": [
                    { "version": "6.18-rc6", "iseol": false },
                    { "version": "6.17.8", "iseol": false },
                    { "version": "6.1.158", "iseol": iseol },
                ],
            })
            .to_string()
        };
        assert_eq!(kernel(&releases(false), RUNNING).expect("understood").as_deref(), Some("6.1.158"));
        assert_eq!(kernel(&releases(true), RUNNING).expect("understood").as_deref(), Some("6.17.8"));
        let ubuntu = "6.8.0-45-generic #45-Ubuntu SMP";
        assert_eq!(kernel(&releases(false), ubuntu).expect("understood").as_deref(), Some("6.17.8"));
    }

    #[test]
    fn apt_offers_what_differs_of_what_is_installed() {
        let docker = (
            Component::DockerEngine,
            "20.10.24+dfsg1-1+deb12u1+b2".to_owned(),
            "20.10.24+dfsg1-1+deb12u2".to_owned(),
        );
        assert_eq!(apt(POLICY), [docker]);
    }

    #[test]
    fn only_what_is_newer_is_a_candidate() {
        let seen_at = DateTime::from_timestamp(1_800_000_000, 0).expect("a time");
        let offer = |component, version: &str| Offer {
            component,
            version: version.to_owned(),
            installed: None,
            url: None,
            seen_at,
        };
        let now: Components =
            [(Component::DockerEngine, "26.1.5".to_owned()), (Component::Kernel, RUNNING.to_owned())].into();
        let offers = [
            offer(Component::DockerEngine, "29.0.1"),
            offer(Component::DockerEngine, "26.1.5"),
            offer(Component::DockerEngine, "20.10.24"),
            offer(Component::Kernel, "6.1.158"),
            offer(Component::Kernel, "6.1.153"),
            offer(Component::Qemu, "10.1.0"),
        ];
        let found: Vec<_> =
            candidates("x", &offers, &now).into_iter().map(|c| (c.component, c.offered)).collect();
        assert_eq!(
            found,
            [(Component::DockerEngine, "29.0.1".to_owned()), (Component::Kernel, "6.1.158".to_owned())],
            "what is not installed is no upgrade"
        );
    }

    #[test]
    fn what_a_host_had_before_it_was_taken_back_is_measured() {
        let of = |component, installed: &str, offered: &str| Candidate {
            component,
            installed: Some(installed.to_owned()),
            offered: offered.to_owned(),
            source: "x".to_owned(),
            url: None,
            seen_at: DateTime::from_timestamp(1_800_000_000, 0).expect("a time"),
        };
        let engine = |version: &str| Components::from([(Component::DockerEngine, version.to_owned())]);
        let moby = of(Component::DockerEngine, "28.5.2", "29.0.1");
        assert!(is_measured(&moby, &engine("29.0.1")));
        assert!(!is_measured(&moby, &engine("28.5.2")) && !is_measured(&moby, &Components::new()));
        let apt = of(Component::DockerEngine, "20.10.24+dfsg1-1+deb12u1", "26.1.5+dfsg1-9+b9");
        assert!(is_measured(&apt, &engine("26.1.5+dfsg1")));
        let rebuilt = of(Component::DockerEngine, "20.10.24+dfsg1-1+deb12u1", "20.10.24+dfsg1-1+deb12u2");
        assert!(!is_measured(&rebuilt, &engine("20.10.24+dfsg1")), "a component does not tell its revision");
        let ce =
            of(Component::DockerEngine, "5:28.5.2-1~debian.12~bookworm", "5:29.0.1-1~debian.12~bookworm");
        assert!(is_measured(&ce, &engine("29.0.1")));
        let kernel = of(Component::Kernel, RUNNING, "6.1.158");
        let newer = RUNNING.replace("6.1.153", "6.1.158");
        assert!(is_measured(&kernel, &[(Component::Kernel, newer)].into()));
        assert!(!is_measured(&kernel, &[(Component::Kernel, RUNNING.to_owned())].into()));
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(text in "\\PC{0,200}", running in "\\PC{0,60}") {
            let _ = (moby(&text), kernel(&text, &running), apt(&text), upstream_of_kernel(&running));
            let list = format!("{{\"latest_stable\":{{\"version\":{text:?}}},\"releases\":[]}}");
            let _ = kernel(&list, &running);
        }
    }
}
