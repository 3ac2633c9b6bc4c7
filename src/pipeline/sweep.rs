//! One sweep from the lock to the stored record.

use super::choose::{fitting, left_out, selected, survey};
use super::resume::{self, journal_path};
use super::{PipelineError, clean, fingerprint_with, host_class, ready, tuning};
use crate::config::Config;
use crate::environment::docker::private::{EnginePlace, EnginePool};
use crate::environment::image::BenchImage;
use crate::environment::{self, agent::embedded};
use crate::environment::{Context, GuestLink, Unavailable};
use crate::host::HostLock;
use crate::host::netns::{self, NetworkPlan, PREFIX};
use crate::model::format::JOURNAL_FORMAT;
use crate::model::{EnvironmentName, Sweep, SweepId};
use crate::sweep::plan::{PlannedCase, chosen, label, without};
use crate::sweep::record::{assemble, complete_blocks};
use crate::sweep::run::{ClientPlace, Member, run};
use crate::sweep::{
    CellSet, Crew, Header, Journal, Limits, Plan, Progress, Recorded, Rounds, SECOND, Step, SweepError,
};
use crate::wiring;
use crate::workload::{Case, Profile, Size};
use chrono::Utc;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

/// What to sweep.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Only these workloads (`redis`) or cases (`fio/randread-qd16`); all of the profile when empty.
    pub only: Vec<String>,
    /// Only these environments; `native` is added.
    pub environments: Option<Vec<EnvironmentName>>,
    /// Only these cells of what the above leaves; native is added. The environments are then those of the cells.
    pub cells: Option<CellSet>,
    /// Rounds instead of the profile's.
    pub rounds: Option<u32>,
    /// Rounds of single cases, by `workload/case`.
    pub case_rounds: BTreeMap<String, u32>,
    /// A time that chooses the rounds, where neither `rounds` nor `case_rounds` does.
    pub fit: Option<Fit>,
    /// Seed instead of a random one.
    pub seed: Option<u64>,
    /// Goes on with an interrupted sweep: the newest of the profile, or the one named.
    pub resume: Option<Option<SweepId>>,
    /// Name of a new sweep, for a caller who must find it again after a crash; one is made otherwise.
    pub id: Option<SweepId>,
}

/// A time that a sweep shall take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fit {
    /// Wall time.
    pub time: Duration,
    /// Whether more rounds than the profile's may be made of it, or only fewer.
    pub grow: bool,
}

/// Sweeps, and keeps the record in the store. The host is left as it was, whatever happens but `kill -9`.
pub async fn sweep(
    config: &Config,
    profile: Profile,
    request: &Request,
    progress: &dyn Progress,
    cancel: &CancellationToken,
) -> Result<Sweep, PipelineError> {
    need_root()?;
    let resumed = resumed(config, profile, request)?;
    let named = resumed.clone().or_else(|| request.id.clone());
    let id = named.unwrap_or_else(|| SweepId::new(Utc::now(), rand::random()));
    let _lock = take_host(config, &id)?;
    clear(config, progress).await?;
    ready::check(config, request.cells.is_none(), progress).await?;
    let say = |text: &str| progress.step(Step::Note(text.to_owned()));
    let recipe = wiring::recipe(config);
    let images = config.state.join("images");
    let image = tokio::select! {
        image = BenchImage::get(&images, &recipe, &say) => image?,
        () = cancel.cancelled() => return Err(SweepError::Cancelled.into()),
    };
    let path = journal_path(&config.state, &id);
    let preparing = async {
        if resumed.is_some() {
            go_on(config, &path, &image).await
        } else {
            begin(config, profile, request, &id, &path, &image, progress).await
        }
    };
    let scratch = config.state.join("scratch").join(id.as_str());
    let prepared = tokio::select! {
        prepared = preparing => prepared,
        () = cancel.cancelled() => Err(SweepError::Cancelled.into()),
    };
    if prepared.is_err() {
        // A trial boot may have begun there.
        let _ = std::fs::remove_dir_all(&scratch);
    }
    let prepared = prepared?;
    if prepared.complete {
        // Everything is in the journal; only the record is missing.
        return finish(config, &path);
    }
    let header = prepared.header.clone();
    let span = tracing::info_span!("sweep", %id, profile = prepared.header.profile.as_str());
    let measuring = measure(config, prepared, &id, &image, &scratch, progress, cancel);
    let finished = measuring.instrument(span).await;
    tidy(config, &scratch, progress).await;
    finished?;
    let now = tokio::select! {
        now = fingerprint_with(config, Some(&image)) => now,
        () = cancel.cancelled() => return Err(SweepError::Cancelled.into()),
    };
    resume::check_end(&path, &header, &now)?;
    finish(config, &path)
}

fn need_root() -> Result<(), PipelineError> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    Err(PipelineError::Unavailable(Unavailable {
        reason: "a sweep needs root for chroot, namespaces and Docker's socket".into(),
        remedy: "run it with sudo, or on a self-hosted runner that is root".into(),
    }))
}

/// The sweep that is gone on with; none for a new one.
fn resumed(config: &Config, profile: Profile, request: &Request) -> Result<Option<SweepId>, PipelineError> {
    match &request.resume {
        None => Ok(None),
        Some(Some(id)) => Ok(Some(id.clone())),
        Some(None) => resume::unfinished(&config.state, profile)?.map(Some).ok_or_else(|| {
            PipelineError::Usage(format!("there is no interrupted {} sweep to resume", profile.as_str()))
        }),
    }
}

/// Removes what crashed sweeps left, and says so.
async fn clear(config: &Config, progress: &dyn Progress) -> Result<(), PipelineError> {
    let cleaned = clean::clean(config, false).await?;
    let removed = cleaned.removed.iter().map(|line| format!("removed what a crashed sweep left: {line}"));
    let failed = cleaned
        .failed
        .iter()
        .map(|line| format!("a crashed sweep left something that is not removed: {line}"));
    for line in removed.chain(failed).chain(cleaned.told) {
        progress.step(Step::Note(line));
    }
    Ok(())
}

/// Removes what is left after the sessions have ended: what was being started when something failed belongs to none.
async fn tidy(config: &Config, scratch: &Path, progress: &dyn Progress) {
    let tidied = std::fs::remove_dir_all(scratch);
    let notes = match clean::clean(config, false).await {
        Ok(left) => left.failed.iter().map(|why| format!("not removed: {why}")).collect(),
        Err(error) => vec![format!("cleaning up: {error}")],
    };
    let scratch = tidied
        .err()
        .filter(|e| e.kind() != std::io::ErrorKind::NotFound)
        .map(|error| format!("{}: {error}; `tollgate clean` removes it", scratch.display()));
    for note in notes.into_iter().chain(scratch) {
        progress.step(Step::Note(note));
    }
}

/// Takes the host for one sweep.
fn take_host(config: &Config, id: &SweepId) -> Result<HostLock, PipelineError> {
    let root = Path::new("/");
    let lock = HostLock::acquire(&config.state, root, id, Utc::now())?;
    match HostLock::living(root).into_iter().find(|l| !l.is_ours()) {
        Some(other) => Err(PipelineError::Busy(other.sweep.to_string())),
        None => Ok(lock),
    }
}

/// A sweep that is ready to run.
struct Prepared {
    journal: Journal,
    header: Header,
    plan: Plan,
    done: BTreeSet<usize>,
    complete: bool,
}

async fn begin(
    config: &Config,
    profile: Profile,
    request: &Request,
    id: &SweepId,
    path: &Path,
    image: &BenchImage,
    progress: &dyn Progress,
) -> Result<Prepared, PipelineError> {
    let settings = config.profile(profile);
    let cases = chosen(selected(config, profile, &request.only)?, request.cells.as_ref());
    // Chosen cells say themselves where they are measured.
    let of_profile = settings.environments.as_ref().filter(|_| request.cells.is_none());
    let wanted = request.environments.as_ref().or(of_profile);
    let (environments, unavailable) = survey(config, profile, &cases, wanted).await?;
    let left_out = left_out(config, profile, &cases, &environments, id, image).await?;
    let rest = without(cases.clone(), &left_out);
    let parameters = wiring::parameters(config, profile);
    let nominal = match (request.rounds, request.fit) {
        (Some(rounds), _) => rounds,
        (None, Some(fit)) if request.case_rounds.is_empty() => {
            fitting(config, profile, fit, &rest, &environments, !left_out.is_empty(), &parameters, progress)?
        }
        _ => settings.rounds,
    };
    let rounds = Rounds { nominal, cases: request.case_rounds.clone() };
    let seed = request.seed.unwrap_or_else(|| rand::random::<u32>().into());
    let plan = Plan::new(&rest, &environments, &rounds, seed);
    let header = Header {
        format: JOURNAL_FORMAT,
        sweep: id.clone(),
        tollgate: env!("CARGO_PKG_VERSION").to_owned(),
        host_class: host_class(config),
        profile,
        memory_mib: wiring::memory_mib(config, profile),
        rounds: rounds.nominal,
        case_rounds: rounds.cases,
        warmup_rounds: settings.warmup_rounds,
        seed,
        workloads: cases.iter().map(label).collect(),
        environments,
        unavailable,
        left_out,
        cells: request.cells.clone(),
        plan: plan.digest.clone(),
        parameters,
        bench_image: image.manifest.digest.clone(),
        fingerprint: fingerprint_with(config, Some(image)).await,
        started_at: Utc::now(),
    };
    let journal = Journal::create(path, header.clone())?;
    Ok(Prepared { journal, header, plan, done: BTreeSet::new(), complete: false })
}

/// The plan of a journal's header, and every cell that was wanted.
fn plan_of(header: &Header) -> (Plan, Vec<PlannedCase>) {
    let size = Size { profile: header.profile, memory_mib: header.memory_mib };
    let cases: Vec<Case> =
        wiring::cases_of(size).into_iter().filter(|c| header.workloads.contains(&label(c))).collect();
    let cases = chosen(cases, header.cells.as_ref());
    let rounds = header.rounds();
    let plan =
        Plan::new(&without(cases.clone(), &header.left_out), &header.environments, &rounds, header.seed);
    let asked = |e: &EnvironmentName| {
        header.environments.contains(e) || header.unavailable.iter().any(|(name, _)| name == e)
    };
    let wanted = cases
        .into_iter()
        .map(|case| PlannedCase {
            environments: case.environments.iter().filter(|e| asked(e)).cloned().collect(),
            rounds: rounds.of(&case),
            case,
        })
        .collect();
    (plan, wanted)
}

async fn go_on(config: &Config, path: &Path, image: &BenchImage) -> Result<Prepared, PipelineError> {
    if !path.exists() {
        return Err(PipelineError::Usage(format!("there is no journal {} to go on with", path.display())));
    }
    let (journal, recorded) = Journal::resume(path)?;
    let (plan, _) = plan_of(&recorded.header);
    let now = fingerprint_with(config, Some(image)).await;
    resume::check(&recorded, &host_class(config), &now, &image.manifest.digest, &plan.digest)?;
    let done = complete_blocks(&plan, &recorded);
    let complete = recorded.finished_at().is_some();
    Ok(Prepared { journal, header: recorded.header, plan, done, complete })
}

/// Tunes the host, makes the network, runs the plan, removes the network, restores the host.
async fn measure(
    config: &Config,
    mut prepared: Prepared,
    id: &SweepId,
    image: &BenchImage,
    scratch: &Path,
    progress: &dyn Progress,
    cancel: &CancellationToken,
) -> Result<(), PipelineError> {
    std::fs::create_dir_all(scratch).map_err(PipelineError::io(scratch))?;
    let tuned = tuning::begin(config, id)?;
    let network = NetworkPlan::for_host(id).await?;
    let crew = crew(config, &prepared, id, image, scratch, &network)?;
    let made = netns::setup(&network).await;
    let outcome = match made {
        Ok(()) => run(
            &prepared.plan,
            crew,
            prepared.header.warmup_rounds,
            &prepared.done,
            &mut prepared.journal,
            &tuned.watch(progress),
            cancel,
            &limits(config),
        )
        .await
        .map_err(PipelineError::from),
        Err(error) => Err(error.into()),
    };
    if let Err(error) = netns::teardown(&network).await {
        progress.step(Step::Note(format!("the sweep's network: {error}; `tollgate clean` removes it")));
    }
    tuned.end(progress);
    outcome
}

fn limits(config: &Config) -> Limits {
    Limits {
        output_bytes: config.limits.output_bytes,
        max_failed_share: config.limits.max_failed_share,
        server_ready_ms: u64::try_from(config.limits.server_ready.as_millis()).unwrap_or(u64::MAX),
    }
}

fn crew(
    config: &Config,
    prepared: &Prepared,
    id: &SweepId,
    image: &BenchImage,
    scratch: &Path,
    network: &NetworkPlan,
) -> Result<Crew, PipelineError> {
    let agents = config.state.join("agent");
    let agent = embedded::install(&agents).map_err(PipelineError::io(&agents))?;
    let named = |name: &str| PathBuf::from("/run/netns").join(name);
    let mut free = free_ports(config.ports);
    let engines = EnginePool::new(EnginePlace {
        netns: named(&network.engine_namespace),
        address: network.engine_address,
    });
    let (system, client_cpus) = wiring::processors(config);
    let profile = prepared.header.profile;
    let limits = environment::Limits { memory_mib: wiring::memory_mib(config, profile), cpus: system };
    let mut members = Vec::new();
    for name in prepared.plan.environments() {
        let mut ports = BTreeMap::new();
        for server in port_names(&prepared.plan, &name) {
            let port = free.next().ok_or_else(|| {
                PipelineError::Usage(format!(
                    "all ports from {} to {} are in use; widen network.ports in the configuration",
                    config.ports.0, config.ports.1
                ))
            })?;
            ports.insert(server, port);
        }
        let port = &network.guests[usize::from(name.has("tuned"))];
        members.push(Member {
            environment: wiring::environment(&name, config, prepared.header.profile),
            context: Context {
                sweep: id.to_string(),
                image: image.clone(),
                agent: agent.clone(),
                scratch: scratch.to_owned(),
                limits: limits.clone(),
                host_address: network.host_address,
                guest: GuestLink {
                    netns: named(&network.guest_namespace),
                    tap: port.tap.clone(),
                    mac: port.mac.clone(),
                    address: port.address,
                    prefix: PREFIX,
                },
                engines: engines.clone(),
                ports,
            },
        });
    }
    let client = ClientPlace {
        agent,
        root: image.rootfs(),
        netns: named(&network.client_namespace),
        sweep: id.to_string(),
        cpus: client_cpus,
    };
    Ok(Crew { members, client: Some(client) })
}

/// What the servers of an environment need a port for.
fn port_names(plan: &Plan, environment: &EnvironmentName) -> BTreeSet<String> {
    let cases = plan.cases.iter().filter(|c| c.environments.contains(environment));
    let servers = cases.filter_map(|c| c.case.server.as_ref());
    servers
        .flat_map(|s| {
            let second = s.second_port.then(|| format!("{}{SECOND}", s.name));
            [Some(s.name.to_owned()), second]
        })
        .flatten()
        .collect()
}

/// Ports of the range on which nobody listens now.
fn free_ports((first, last): (u16, u16)) -> impl Iterator<Item = u16> {
    let free = |port: &u16| {
        let any = (Ipv4Addr::UNSPECIFIED, *port);
        TcpListener::bind(any).is_ok() && UdpSocket::bind(any).is_ok()
    };
    (first..=last).filter(free)
}

/// Assembles the record of a complete journal and stores it.
fn finish(config: &Config, journal: &Path) -> Result<Sweep, PipelineError> {
    let recorded = Recorded::read(journal)?;
    let (plan, wanted) = plan_of(&recorded.header);
    let finished_at = recorded.finished_at().unwrap_or_else(Utc::now);
    let sweep = assemble(&plan, &recorded, &wanted, finished_at);
    wiring::store(config).save(&sweep)?;
    Ok(sweep)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_passed_over() {
        let taken = TcpListener::bind("0.0.0.0:0").expect("a port");
        let port = taken.local_addr().expect("an address").port().min(65_000);
        assert!(!free_ports((port, port + 10)).any(|p| p == port));
    }

    #[test]
    fn the_plan_of_a_header_has_the_chosen_cells_and_the_rounds_of_cases_and_nothing_else() {
        let names = |names: &[&str]| -> Vec<EnvironmentName> {
            names.iter().map(|n| n.parse().expect("a name")).collect()
        };
        let whole = Header {
            workloads: wiring::cases_of(Size::of(Profile::Smoke)).iter().map(label).collect(),
            environments: names(&["native", "docker", "docker+layer"]),
            case_rounds: [("fio/randread-qd16".to_owned(), 5)].into(),
            ..crate::sweep::fixtures::header()
        };
        let (all, wanted_of_all) = plan_of(&whole);
        assert!(
            all.cases.len() > 2 && wanted_of_all.iter().any(|c| c.environments.len() > 3),
            "kvm is wanted, too"
        );
        let cells: CellSet =
            [("fio/randread-qd16".to_owned(), names(&["docker", "kvm"]).into_iter().collect())].into();
        let (plan, wanted) = plan_of(&Header { cells: Some(cells), ..whole });
        assert_eq!((plan.cases.len(), plan.blocks.len()), (1, 5));
        assert_eq!(plan.environments(), names(&["native", "docker"]));
        assert_eq!((wanted.len(), wanted[0].rounds), (1, 5));
        assert_eq!(
            wanted[0].environments,
            names(&["native", "docker", "kvm"]),
            "what is not available is in the record"
        );
    }
}
