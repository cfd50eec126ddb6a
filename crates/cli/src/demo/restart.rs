//! The agent starts, ends and starts again.

use std::time::Duration;

use anyhow::anyhow;
use portolan_core::Family;

use super::agent_log::Synced;
use super::clients::while_clients_connect;
use super::hosts::{CALLER, SERVICES, WEB};
use super::question::{Question, SeenSource, Target};
use super::report::Finding;
use super::stage::Stage;
use super::traffic::ask;

/// Longer than any exchange takes over a connection that is alive.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn first_start(stage: &mut Stage) -> anyhow::Result<()> {
    let mark = stage.agent.log.mark();
    stage.start_agent()?;
    let synced = stage.agent.log.synced_since(mark)?;
    let dump = stage.agent.dump()?;
    let mut differences: Vec<String> =
        dump.problems.iter().map(|problem| format!("the agent says {problem}")).collect();
    let status = dump.status;
    if status.service_count != SERVICES.len() {
        differences.push(format!("the example has {} Services", SERVICES.len()));
    }
    stage.found(&Finding {
        subject: "it is started on the node, and its /healthz answers 200".to_owned(),
        summary: synced.describe(),
        details: vec![format!(
            "it serves {} Services, {} EndpointSlices, {} endpoints",
            status.service_count, status.endpoint_slice_count, status.endpoint_count
        )],
        differences,
        ..Finding::default()
    })
}

pub(super) fn end_and_start_again(stage: &mut Stage) -> anyhow::Result<()> {
    let destination = Target::ClusterIp(&WEB).address(Family::V4);
    let source = CALLER.address(Family::V4);
    let opened = stage.network.read().connect(source, destination, PATIENCE);
    let mut connection =
        opened.map_err(|outcome| anyhow!("cannot connect to {destination}: {outcome:?}"))?;
    let network = stage.network.clone();
    let (result, experience) = while_clients_connect(&network, |clients| {
        end(stage)?;
        ask_web(stage)?;
        clients.go_on(&stage.interrupt)?;
        start_again(stage)?;
        clients.go_on(&stage.interrupt)
    });
    stage.found(&experience.finding("meanwhile, from pod, node and outside"))?;
    result?;
    let exchanged = connection.exchange(PATIENCE);
    stage.found(&Finding {
        subject: format!("a connection to {} that was open all the time", connection.endpoint()),
        summary: "is still alive".to_owned(),
        differences: exchanged
            .err()
            .map(|error| format!("it is not: {error}"))
            .into_iter()
            .collect(),
        ..Finding::default()
    })
}

fn end(stage: &mut Stage) -> anyhow::Result<()> {
    let (status, took) = stage.agent.terminate()?;
    let unexpected = (!status.success()).then(|| "it did not end well".to_owned());
    stage.found(&Finding {
        subject: "the agent is sent SIGTERM".to_owned(),
        summary: format!("{status} after {} ms", took.as_millis()),
        differences: unexpected.into_iter().collect(),
        ..Finding::default()
    })
}

fn ask_web(stage: &mut Stage) -> anyhow::Result<()> {
    let web_pods = stage.web_pods.clone();
    let question = Question::call(CALLER, Target::ClusterIp(&WEB)).is_answered_by(
        &web_pods,
        &WEB,
        SeenSource::Caller,
    );
    for family in Family::BOTH {
        let finding = ask(&stage.network, &question, family);
        stage.found(&finding)?;
    }
    Ok(())
}

fn start_again(stage: &mut Stage) -> anyhow::Result<()> {
    let mark = stage.agent.log.mark();
    stage.start_agent()?;
    let synced = stage.agent.log.synced_since(mark)?;
    stage.found(&Finding {
        subject: "the agent is started again, and its /healthz answers 200".to_owned(),
        summary: synced.describe(),
        differences: sent_something(&synced).into_iter().collect(),
        ..Finding::default()
    })
}

fn sent_something(synced: &Synced) -> Option<String> {
    match (synced.syncs, synced.operations(), synced.transactions) {
        (0, ..) => Some("there is no line about it in its log".to_owned()),
        (_, 0, 0) => None,
        _ => Some(format!(
            "it added {}, deleted {}, in {} transactions",
            synced.added, synced.deleted, synced.transactions
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_that_sends_anything_or_says_nothing_is_a_difference() {
        let nothing = Synced { syncs: 1, ..Synced::default() };
        assert_eq!(sent_something(&nothing), None);
        for something in [
            Synced::default(),
            Synced { added: 1, ..nothing },
            Synced { deleted: 1, ..nothing },
            Synced { transactions: 1, ..nothing },
        ] {
            assert!(sent_something(&something).is_some(), "{something:?}");
        }
    }
}
