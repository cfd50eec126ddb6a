//! Asking a question of the network.

use std::time::{Duration, Instant};

use portolan_core::Family;
use portolan_lab::{Outcome, Probe, Protocol, Refusal};

use super::judge::{self, Tally};
use super::network::Network;
use super::question::{Expected, Question};
use super::report::Finding;

/// Where an answer is expected, a busy machine may take its time.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long silence has to last to be called so.
const SILENCE: Duration = Duration::from_millis(500);

/// Sends real packets and judges what comes back.
pub(super) fn ask(network: &Network, question: &Question<'_>, family: Family) -> Finding {
    let destination = question.to.address(family);
    let source = question.from.address(family);
    let patience = match question.expected {
        Expected::Silence => SILENCE,
        Expected::Answers { .. } | Expected::Refusal => PATIENCE,
    };
    let probe = Probe::new(source, question.protocol, destination).within(patience);
    let count = judge::attempts(&question.expected);
    let attempts = match question.expected {
        // One after the other, because it is told how long each takes.
        Expected::Refusal => one_by_one(network, &probe, count),
        Expected::Answers { .. } | Expected::Silence => {
            let outcomes = network.read().probe_repeatedly(&probe, count);
            outcomes.into_iter().map(|outcome| (outcome, Duration::ZERO)).collect()
        }
    };
    let tally: Tally = attempts.iter().map(|(outcome, _)| outcome.clone()).collect();
    Finding {
        subject: subject(question, family),
        summary: summary(question, &attempts),
        details: details(question.protocol, count, &tally),
        differences: judge::differences(question, family, &tally),
        ..Finding::default()
    }
}

fn one_by_one(network: &Network, probe: &Probe, count: usize) -> Vec<(Outcome, Duration)> {
    let attempt = |_| {
        let topology = network.read();
        let started = Instant::now();
        (topology.probe(probe), started.elapsed())
    };
    (0..count).map(attempt).collect()
}

fn subject(question: &Question<'_>, family: Family) -> String {
    let protocol = match question.protocol {
        Protocol::Tcp => "",
        Protocol::Udp => " UDP",
        Protocol::Sctp => " SCTP",
    };
    format!(
        "{} {} → {} {}{protocol}",
        question.from.name(),
        question.from.address(family),
        question.to.name(),
        question.to.address(family),
    )
}

fn summary(question: &Question<'_>, attempts: &[(Outcome, Duration)]) -> String {
    match question.expected {
        Expected::Answers { source, .. } => source.describe().to_owned(),
        Expected::Silence => format!("silence for {} ms", SILENCE.as_millis()),
        Expected::Refusal => {
            let slowest = attempts.iter().map(|(_, took)| *took).max().unwrap_or_default();
            let is_reset =
                |(outcome, _): &(Outcome, Duration)| *outcome == Outcome::Refused(Refusal::Reset);
            let how = if attempts.iter().all(is_reset) { "TCP reset" } else { "refused" };
            format!("{how} within {:.1} ms", slowest.as_secs_f64() * 1000.0)
        }
    }
}

/// Who answered how often, if anybody did.
fn details(protocol: Protocol, count: usize, tally: &Tally) -> Vec<String> {
    if tally.answers.is_empty() {
        return Vec::new();
    }
    let what = if protocol == Protocol::Udp { "datagrams" } else { "connections" };
    let mut details = vec![format!("{count} {what}:")];
    for (endpoint, count) in &tally.answers {
        details.push(format!("{} ×{count}", endpoint.ip()));
    }
    details
}
