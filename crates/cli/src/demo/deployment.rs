//! `web` is scaled up, scaled down and rolled, and no client notices.

use portolan_core::Family;

use super::clients::while_clients_connect;
use super::hosts::{CALLER, Pod, WEB};
use super::question::{Question, SeenSource, Target};
use super::stage::{Stage, wait};
use super::traffic::ask;

/// What happens to the pods of a deployment.
struct Change {
    name: &'static str,
    started: &'static [Pod],
    ended: &'static [Pod],
}

const CHANGES: &[Change] = &[
    Change {
        name: "scaled from 3 pods to 5",
        started: &[Pod::here(13), Pod::elsewhere(12)],
        ended: &[],
    },
    Change {
        name: "scaled from 5 pods to 2",
        started: &[],
        ended: &[Pod::here(12), Pod::here(13), Pod::elsewhere(12)],
    },
    Change {
        name: "rolled, the first of 2 pods",
        started: &[Pod::here(14)],
        ended: &[Pod::here(11)],
    },
    Change {
        name: "rolled, the second of 2 pods",
        started: &[Pod::elsewhere(14)],
        ended: &[Pod::elsewhere(11)],
    },
];

pub(super) fn scale_and_roll(stage: &mut Stage) -> anyhow::Result<()> {
    let network = stage.network.clone();
    let (result, experience) = while_clients_connect(&network, |clients| {
        CHANGES.iter().try_for_each(|change| {
            make(stage, change)?;
            clients.go_on(&stage.interrupt)
        })
    });
    // First what the clients met with: it may explain why the rest failed.
    stage.found(&experience.finding("meanwhile, from pod, node and outside"))?;
    result
}

/// New pods start, the endpoints change, the kernel follows, and only then old pods end.
fn make(stage: &mut Stage, change: &Change) -> anyhow::Result<()> {
    change.started.iter().try_for_each(|pod| stage.network.start_pod(*pod, &WEB))?;
    stage.web_pods.retain(|pod| !change.ended.contains(pod));
    stage.web_pods.extend(change.started);
    let mark = stage.agent.log.mark();
    stage.manifests.set_web_pods(&stage.web_pods)?;
    stage.await_kernel(&WEB, &stage.web_pods)?;
    change.ended.iter().try_for_each(|pod| stage.network.stop_pod(*pod))?;
    wait(&stage.interrupt, "the agent has no line about the change in its log", || {
        Ok(stage.agent.log.synced_since(mark)?.syncs > 0)
    })?;

    let [mut finding, in_v6] = Family::BOTH.map(|family| {
        let question = Question::call(CALLER, Target::ClusterIp(&WEB)).is_answered_by(
            &stage.web_pods,
            &WEB,
            SeenSource::Caller,
        );
        ask(&stage.network, &question, family)
    });
    finding.subject = change.name.to_owned();
    finding.summary = stage.agent.log.synced_since(mark)?.describe();
    finding.differences.extend(in_v6.differences);
    stage.found(&finding)
}
