//! Whether what happened is what was expected.
//!
//! How often each endpoint answered is left to chance and only printed. That it answered at
//! all is expected of every one, out of so many attempts that chance is no excuse.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use portolan_core::Family;
use portolan_lab::Outcome;

use super::question::{Expected, Question, SeenSource};

/// Attempts for each endpoint: the chance that a right balancer leaves one of up to ten
/// endpoints out is less than one in a thousand million.
const ATTEMPTS_PER_ENDPOINT: usize = 24;

/// How many attempts tell whether this is what happens.
pub(super) fn attempts(expected: &Expected<'_>) -> usize {
    match expected {
        Expected::Answers { by, .. } => ATTEMPTS_PER_ENDPOINT * by.len().max(1),
        Expected::Refusal => 5,
        Expected::Silence => 3,
    }
}

/// What came of many attempts.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// How often each endpoint answered.
    pub(super) answers: BTreeMap<SocketAddr, usize>,
    /// Which source addresses it saw.
    sources: BTreeMap<SocketAddr, BTreeSet<IpAddr>>,
    refused: usize,
    silent: usize,
    failed: BTreeMap<String, usize>,
}

impl FromIterator<Outcome> for Tally {
    fn from_iter<T: IntoIterator<Item = Outcome>>(outcomes: T) -> Tally {
        let mut tally = Tally::default();
        for outcome in outcomes {
            match outcome {
                Outcome::Answered { endpoint, seen_source } => {
                    *tally.answers.entry(endpoint).or_default() += 1;
                    tally.sources.entry(endpoint).or_default().insert(seen_source.ip());
                }
                Outcome::Refused(_) => tally.refused += 1,
                Outcome::Silent => tally.silent += 1,
                Outcome::Failed(reason) => *tally.failed.entry(reason).or_default() += 1,
            }
        }
        tally
    }
}

/// What differs from what the question expects in this family; nothing if all is well.
pub(super) fn differences(question: &Question<'_>, family: Family, tally: &Tally) -> Vec<String> {
    let mut differences: Vec<String> =
        tally.failed.iter().map(|(reason, count)| format!("{count} failed: {reason}")).collect();
    let unexpected = |count: usize, what: &str| {
        (count > 0).then(|| format!("{count} {what}, which was not expected"))
    };
    if !matches!(question.expected, Expected::Refusal) {
        differences.extend(unexpected(tally.refused, "refused"));
    }
    if !matches!(question.expected, Expected::Silence) {
        differences.extend(unexpected(tally.silent, "met with silence"));
    }
    let expected: BTreeSet<SocketAddr> = match question.expected {
        Expected::Answers { by, port, .. } => {
            by.iter().map(|pod| SocketAddr::new(pod.address(family), port)).collect()
        }
        Expected::Refusal | Expected::Silence => BTreeSet::new(),
    };
    for (endpoint, count) in &tally.answers {
        if !expected.contains(endpoint) {
            differences.push(format!("{endpoint} answered ×{count}, which was not expected"));
        }
    }
    for endpoint in expected.iter().filter(|endpoint| !tally.answers.contains_key(endpoint)) {
        differences.push(format!("{endpoint} never answered"));
    }
    if let Expected::Answers { source, .. } = question.expected {
        differences.extend(wrong_sources(question, source, tally));
    }
    differences
}

fn wrong_sources(question: &Question<'_>, source: SeenSource, tally: &Tally) -> Vec<String> {
    let mut wrong = Vec::new();
    for (endpoint, seen) in &tally.sources {
        let expected = source.address(question.from, endpoint.ip());
        for seen in seen.iter().filter(|seen| **seen != expected) {
            wrong.push(format!("{endpoint} saw the source {seen}, expected was {expected}"));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use portolan_lab::Refusal;

    use super::super::hosts::{Host, Pod, WEB};
    use super::super::question::Target;
    use super::*;

    const CALL: Question<'static> =
        Question::call(Host::Pod(Pod::here(11)), Target::ClusterIp(&WEB));

    fn answered(endpoint: &str, source: &str) -> Outcome {
        Outcome::Answered {
            endpoint: endpoint.parse().unwrap(),
            seen_source: format!("{source}:40000").parse().unwrap(),
        }
    }

    fn all_answer() -> Vec<Outcome> {
        ["10.244.1.11:8080", "10.244.1.12:8080", "10.244.2.11:8080"]
            .map(|endpoint| answered(endpoint, "10.244.1.11"))
            .to_vec()
    }

    fn judge(question: &Question<'_>, outcomes: Vec<Outcome>) -> Vec<String> {
        differences(question, Family::V4, &outcomes.into_iter().collect())
    }

    #[test]
    fn what_is_expected_makes_no_difference() {
        let answers = CALL.is_answered(&WEB, SeenSource::Caller);
        assert_eq!(judge(&answers, all_answer()), [""; 0]);
        assert_eq!(judge(&CALL.is_refused(), vec![Outcome::Refused(Refusal::Icmp)]), [""; 0]);
        assert_eq!(judge(&CALL, vec![Outcome::Silent]), [""; 0]);
    }

    #[test]
    fn every_difference_is_named() {
        let answers = CALL.is_answered(&WEB, SeenSource::Caller);
        let mut outcomes = all_answer();
        outcomes.pop();
        outcomes.push(answered("10.244.9.9:8080", "10.244.1.11"));
        outcomes.push(answered("10.244.1.12:8080", "192.168.50.10"));
        outcomes.push(Outcome::Silent);
        outcomes.push(Outcome::Refused(Refusal::Reset));
        outcomes.push(Outcome::Failed("no route".to_owned()));
        assert_eq!(
            judge(&answers, outcomes),
            [
                "1 failed: no route",
                "1 refused, which was not expected",
                "1 met with silence, which was not expected",
                "10.244.9.9:8080 answered ×1, which was not expected",
                "10.244.2.11:8080 never answered",
                "10.244.1.12:8080 saw the source 192.168.50.10, expected was 10.244.1.11",
            ]
        );
    }

    #[test]
    fn a_wrong_port_of_a_right_pod_is_a_difference() {
        let answers = CALL.is_answered_by(&WEB.pods[..1], &WEB, SeenSource::Caller);
        let outcomes = vec![answered("10.244.1.11:80", "10.244.1.11")];
        assert_eq!(judge(&answers, outcomes).len(), 2);
    }

    #[test]
    fn an_answer_where_none_is_expected_is_a_difference() {
        for question in [CALL, CALL.is_refused()] {
            assert!(!judge(&question, all_answer()).is_empty());
        }
        assert!(!judge(&CALL, vec![Outcome::Refused(Refusal::Icmp)]).is_empty());
        assert!(!judge(&CALL.is_refused(), vec![Outcome::Silent]).is_empty());
    }

    #[test]
    fn only_a_pod_that_was_connected_to_itself_sees_the_node() {
        let hairpin = CALL.is_answered(&WEB, SeenSource::NodeFromItself);
        let mut outcomes = all_answer();
        assert_eq!(judge(&hairpin, outcomes.clone()).len(), 1);
        outcomes[0] = answered("10.244.1.11:8080", "192.168.50.10");
        assert_eq!(judge(&hairpin, outcomes), [""; 0]);
    }

    #[test]
    fn chance_hardly_ever_fails_the_demo() {
        for endpoints in 1..=10_usize {
            let pods = vec![Pod::here(1); endpoints];
            let expected = Expected::Answers { by: &pods, port: 80, source: SeenSource::Caller };
            let endpoints = f64::from(u8::try_from(endpoints).unwrap());
            let attempts = i32::try_from(attempts(&expected)).unwrap();
            let left_out = endpoints * (1.0 - 1.0 / endpoints).powi(attempts);
            assert!(left_out < 1e-9, "{endpoints} endpoints: {left_out}");
        }
    }
}
