//! Before the first trial: start, prove, lay out, warm.

use super::SweepError;
use super::journal::{Line, Part};
use super::perform::{exec, failure, inside};
use super::progress::Step;
use super::run::{ClientPlace, Crew, Limits, Member, Runner, Slot};
use crate::environment::agent::process::{AgentProcess, Place};
use crate::model::EnvironmentName;
use crate::workload::{Case, CommandTemplate, Server, Target};
use std::collections::BTreeMap;
use tollgate_agent::protocol::Start;

impl Runner<'_> {
    pub(super) async fn prepare(&mut self, crew: Crew) -> Result<(), SweepError> {
        if let Some(place) = &crew.client {
            self.client = Some(start_client(place).await?);
        }
        let mut facts = BTreeMap::new();
        for member in crew.members {
            let name = member.environment.name().clone();
            self.progress.step(Step::Starting(name.clone()));
            match start(member).await {
                Ok(slot) => {
                    facts.extend(slot.session.facts());
                    self.slots.insert(name, slot);
                }
                Err(reason) => self.lose(&name, &format!("it did not start: {reason}"))?,
            }
        }
        self.journal.append(&Line::Facts(facts))?;
        self.prove_all().await?;
        self.ended(Part::Starting)?;
        self.progress.step(Step::Preparing);
        for environment in self.slots.keys().cloned().collect::<Vec<_>>() {
            self.prepare_one(&environment).await?;
        }
        self.journal.sync()?;
        Ok(())
    }

    /// Gives up every cell of an environment.
    pub(super) fn lose(&mut self, environment: &EnvironmentName, reason: &str) -> Result<(), SweepError> {
        self.progress.step(Step::Lost { environment: environment.clone(), reason: reason.to_owned() });
        let plan = self.plan;
        for (index, planned) in plan.cases.iter().enumerate() {
            if planned.environments.contains(environment) && self.cells.give_up(index, environment, reason) {
                self.tell_given_up(index, environment, reason)?;
            }
        }
        Ok(())
    }

    /// Checks all labels. An environment that is not what its label says loses its cells.
    pub(super) async fn prove_all(&mut self) -> Result<(), SweepError> {
        for environment in self.slots.keys().cloned().collect::<Vec<_>>() {
            self.check_cancelled()?;
            let Some(slot) = self.slots.get_mut(&environment) else { continue };
            let trials = slot.network_trials;
            let proving = async {
                slot.session.wake().await?;
                slot.session.prove(trials).await
            };
            // A proof asks an engine or a guest, which may answer slowly or never.
            let proofs = tokio::select! {
                proofs = proving => proofs,
                () = self.cancel.cancelled() => return Err(SweepError::Cancelled),
            };
            let _ = slot.session.rest().await;
            match proofs {
                Ok(proofs) => {
                    let refuted = proofs.iter().find(|p| !p.holds).cloned();
                    self.journal.append(&Line::Proofs(proofs))?;
                    if let Some(p) = refuted {
                        let reason =
                            format!("it is not what its label says: \"{}\" fails: {}", p.claim, p.observed);
                        self.retire(&environment, &reason).await?;
                    }
                }
                Err(error) => self.retire(&environment, &format!("it cannot be proven: {error}")).await?,
            }
        }
        Ok(())
    }

    /// Gives up an environment and ends it, so that it does not stand beside those that are measured.
    async fn retire(&mut self, environment: &EnvironmentName, reason: &str) -> Result<(), SweepError> {
        self.lose(environment, reason)?;
        if let Some(slot) = self.slots.remove(environment)
            && let Err(error) = slot.session.stop().await
        {
            self.progress.step(Step::Note(format!("{environment} did not stop cleanly: {error}")));
        }
        Ok(())
    }

    /// Starts the servers and runs the preparations of one environment, each once.
    async fn prepare_one(&mut self, environment: &EnvironmentName) -> Result<(), SweepError> {
        let plan = self.plan;
        let mut servers: Vec<(Server, Result<(), String>)> = Vec::new();
        let mut prepared: Vec<(CommandTemplate, Result<(), String>)> = Vec::new();
        for (index, planned) in plan.cases.iter().enumerate() {
            if !planned.environments.contains(environment)
                || self.cells.given_up(index, environment).is_some()
            {
                continue;
            }
            let limit = self.limits.clone();
            let Some(slot) = self.slots.get_mut(environment) else { return Ok(()) };
            if let Err(error) = slot.session.wake().await {
                return self.lose(environment, &error.to_string());
            }
            let mut outcome = server(slot, &planned.case, &limit, &mut servers).await;
            for command in &planned.case.prepare {
                if outcome.is_ok() {
                    outcome = prepare(slot, &planned.case, command, limit.output_bytes, &mut prepared).await;
                }
            }
            if let Err(why) = outcome {
                self.cells.give_up(index, environment, &why);
                self.tell_given_up(index, environment, &why)?;
            }
        }
        if let Some(slot) = self.slots.get_mut(environment) {
            let _ = slot.session.agent().settle().await;
            let _ = slot.session.rest().await;
        }
        Ok(())
    }
}

async fn start_client(place: &ClientPlace) -> Result<AgentProcess, SweepError> {
    let at = Place {
        root: Some(&place.root),
        netns: Some(&place.netns),
        cpus: Some(&place.cpus),
        ..Place::default()
    };
    AgentProcess::start(&place.agent, &at, &place.sweep).await.map_err(SweepError::Client)
}

async fn start(member: Member) -> Result<Slot, String> {
    let session = member.environment.start(&member.context).await.map_err(|e| e.to_string())?;
    let (scratch, rootfs) = (member.context.scratch, member.context.image.rootfs());
    Ok(Slot { session, ports: member.context.ports, network_trials: 0, scratch, rootfs })
}

/// Starts the case's server, unless an equal one was started (or failed) before.
async fn server(
    slot: &mut Slot,
    case: &Case,
    limits: &Limits,
    started: &mut Vec<(Server, Result<(), String>)>,
) -> Result<(), String> {
    let Some(server) = &case.server else { return Ok(()) };
    if let Some((_, outcome)) = started.iter().find(|(s, _)| s == server) {
        return outcome.clone();
    }
    let outcome = start_server(slot, case, server, limits).await;
    started.push((server.clone(), outcome.clone()));
    outcome
}

async fn start_server(slot: &mut Slot, case: &Case, server: &Server, limits: &Limits) -> Result<(), String> {
    let address = slot.session.server_address();
    let target = inside(slot, case, address.listen);
    for command in &server.before {
        run_once(slot, command, &target, limits.output_bytes).await?;
    }
    let start = Start {
        name: server.name.to_owned(),
        argv: server.command.fill(&target),
        env: BTreeMap::new(),
        ready_tcp: Some(format!("{}:{}", address.inside, target.port)),
        ready_timeout_ms: limits.server_ready_ms,
    };
    slot.session.agent().start(start).await.map(|_| ()).map_err(|e| e.to_string())
}

/// Runs a preparation, unless an equal one was run (or failed) before.
async fn prepare(
    slot: &mut Slot,
    case: &Case,
    command: &CommandTemplate,
    output_limit: usize,
    done: &mut Vec<(CommandTemplate, Result<(), String>)>,
) -> Result<(), String> {
    if let Some((_, outcome)) = done.iter().find(|(c, _)| c == command) {
        return outcome.clone();
    }
    let address = slot.session.server_address();
    let target = inside(slot, case, address.inside);
    let outcome = run_once(slot, command, &target, output_limit).await;
    done.push((command.clone(), outcome.clone()));
    outcome
}

async fn run_once(
    slot: &mut Slot,
    command: &CommandTemplate,
    target: &Target,
    output_limit: usize,
) -> Result<(), String> {
    match slot.session.agent().exec(exec(command, target, output_limit)).await {
        Ok(result) => {
            failure(&command.argv[0], &result).map_or(Ok(()), |why| Err(format!("preparation: {why}")))
        }
        Err(error) => Err(format!("preparation: {error}")),
    }
}
