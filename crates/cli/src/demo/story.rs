//! What the demo shows, in order.

use portolan_core::Family;

use super::hosts::{CACHE, CALLER, DNS, EMPTY, Host, LOCAL_ONLY, Pod, WEB};
use super::question::{Question, SeenSource, Target};
use super::stage::Stage;
use super::traffic::ask;
use super::{broken_file, deployment, restart};

/// One thing that is shown.
pub(super) struct Section {
    pub(super) title: &'static str,
    /// What is shown and why it matters.
    about: &'static str,
    steps: &'static [Step],
}

enum Step {
    /// Asked in both families.
    Ask(Question<'static>),
    /// Something happens to the cluster or to the agent.
    Play(fn(&mut Stage) -> anyhow::Result<()>),
}

use Step::{Ask, Play};

/// A pod of `web`, which calls its own service.
const SERVING_POD: Host = Host::Pod(Pod::here(11));

pub(super) const STORY: &[Section] = &[
    Section {
        title: "The agent starts on a directory of YAML",
        about: "It reads Services, EndpointSlices, the Node and the ServiceCIDR, and makes one \
                nftables table of each family from them, in one transaction.",
        steps: &[Play(restart::first_start)],
    },
    Section {
        title: "A pod calls a service",
        about: "New connections are balanced over all endpoints, on this node and the other one. \
                Endpoints see the address of the pod that calls.",
        steps: &[
            Ask(Question::call(CALLER, Target::ClusterIp(&WEB))
                .is_answered(&WEB, SeenSource::Caller)),
            Ask(Question::call(CALLER, Target::ClusterIp(&DNS))
                .by_udp()
                .is_answered(&DNS, SeenSource::Caller)),
        ],
    },
    Section {
        title: "The node and an outside client call a ClusterIP",
        about: "They are no pods, so their connections are masqueraded: the answers have to come \
                back through this node.",
        steps: &[
            Ask(Question::call(Host::Node, Target::ClusterIp(&WEB))
                .is_answered(&WEB, SeenSource::Node)),
            Ask(Question::call(Host::Outside, Target::ClusterIp(&WEB))
                .is_answered(&WEB, SeenSource::Node)),
        ],
    },
    Section {
        title: "A pod calls the service that it serves itself (hairpin)",
        about: "Where it is connected to itself it sees the node's address. Its own would make it \
                answer itself directly, and the connection would hang.",
        steps: &[Ask(Question::call(SERVING_POD, Target::ClusterIp(&WEB))
            .is_answered(&WEB, SeenSource::NodeFromItself))],
    },
    Section {
        title: "A NodePort from outside",
        about: "externalTrafficPolicy: Cluster, the default, passes connections on to every pod, \
                and masquerades them.",
        steps: &[Ask(Question::call(Host::Outside, Target::NodePort(&WEB))
            .is_answered(&WEB, SeenSource::Node))],
    },
    Section {
        title: "externalTrafficPolicy: Local",
        about: "From outside, only the pod on this node answers, and it sees the client's own \
                address. A pod that calls the same NodePort reaches all endpoints.",
        steps: &[
            Ask(Question::call(Host::Outside, Target::NodePort(&LOCAL_ONLY)).is_answered_by(
                LOCAL_ONLY_HERE,
                &LOCAL_ONLY,
                SeenSource::Caller,
            )),
            Ask(Question::call(CALLER, Target::NodePort(&LOCAL_ONLY))
                .is_answered(&LOCAL_ONLY, SeenSource::Caller)),
        ],
    },
    Section {
        title: "internalTrafficPolicy: Local",
        about: "Pods reach the cache on their own node, and no other.",
        steps: &[Ask(Question::call(CALLER, Target::ClusterIp(&CACHE)).is_answered_by(
            CACHE_HERE,
            &CACHE,
            SeenSource::Caller,
        ))],
    },
    Section {
        title: "What nobody serves",
        about: "A service without endpoints and a port that a service does not have are refused \
                at once, so that clients need not wait. An address that no service has is silent.",
        steps: &[
            Ask(Question::call(CALLER, Target::ClusterIp(&EMPTY)).is_refused()),
            Ask(Question::call(Host::Outside, Target::NodePort(&EMPTY)).is_refused()),
            Ask(Question::call(CALLER, Target::UndefinedPort(&WEB, 81)).is_refused()),
            Ask(Question::call(CALLER, Target::Unallocated)),
        ],
    },
    Section {
        title: "A broken file is dropped in",
        about: "The agent says in which file, document and line the error is. All other documents \
                are served, those of the same file included.",
        steps: &[Play(broken_file::drop_in_and_remove)],
    },
    Section {
        title: "A deployment is scaled and rolled while clients connect",
        about: "web.yaml is edited as an editor would. A pod ends only after the agent has taken \
                its endpoint out of the kernel, so no connection may fail. Each change is checked \
                in both families; IPv4 is shown.",
        steps: &[Play(deployment::scale_and_roll)],
    },
    Section {
        title: "The agent ends and starts again",
        about: "Its rules stay in the kernel, so that upgrades interrupt nothing. When it starts \
                again it finds them as they should be, and sends the kernel nothing.",
        steps: &[Play(restart::end_and_start_again)],
    },
];

const LOCAL_ONLY_HERE: &[Pod] = &[Pod::here(21)];
const CACHE_HERE: &[Pod] = &[Pod::here(31)];

/// Tells all of it. What is not as expected is on the report; an error means that the demo
/// cannot go on.
pub(super) fn tell(stage: &mut Stage) -> anyhow::Result<()> {
    for section in STORY {
        stage.report.section(section.title, section.about)?;
        for step in section.steps {
            match step {
                Ask(question) => {
                    for family in Family::BOTH {
                        stage.interrupt.check()?;
                        let finding = ask(&stage.network, question, family);
                        stage.found(&finding)?;
                    }
                }
                Play(play) => play(stage)?,
            }
        }
    }
    Ok(())
}
