//! Names as long as those of real clusters: what a node agent keeps and compares is mostly
//! text.

/// Services of one namespace, as many as there are parts.
const PARTS: [&str; 20] = [
    "frontend",
    "api-gateway",
    "worker",
    "scheduler",
    "session-store",
    "cache",
    "search-index",
    "notifications",
    "billing-exporter",
    "metrics-proxy",
    "feature-flags",
    "image-resizer",
    "web",
    "admin-console",
    "event-stream",
    "auth-proxy",
    "reports",
    "inventory-sync",
    "rate-limiter",
    "webhooks",
];
const TEAMS: [&str; 18] = [
    "checkout",
    "payments",
    "catalogue",
    "logistics",
    "identity",
    "recommendations",
    "search",
    "customer-care",
    "marketing",
    "data-platform",
    "observability",
    "fulfilment",
    "pricing",
    "fraud-detection",
    "returns",
    "subscriptions",
    "messaging",
    "storefront",
];
const STAGES: [&str; 3] = ["production", "staging", "qa"];
/// What Kubernetes makes random parts of names of (`k8s.io/apimachinery/pkg/util/rand`).
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// The namespaces that services are spread over, in stretches.
pub(super) fn namespace(service: u32) -> String {
    let number = service / as_u32(PARTS.len());
    let [team, stage] = [number, number / as_u32(TEAMS.len())];
    let (team, stage) = (pick(&TEAMS, team), pick(&STAGES, stage));
    match number / as_u32(TEAMS.len() * STAGES.len()) {
        0 => format!("{team}-{stage}"),
        more => format!("{team}-{stage}-{more}"),
    }
}

/// The services of a namespace, by their numbers.
pub(super) fn together_with(service: u32) -> std::ops::Range<u32> {
    let first = service - service % as_u32(PARTS.len());
    first..first + as_u32(PARTS.len())
}

/// `checkout-frontend`
pub(super) fn service(service: u32) -> String {
    let team = pick(&TEAMS, service / as_u32(PARTS.len()));
    format!("{team}-{}", pick(&PARTS, service))
}

/// `checkout-frontend-7d9c6b5f4-x2x7k`
pub(super) fn pod(service_number: u32, pod: u32) -> String {
    let replica_set = letters(scatter(u64::from(service_number)), 9);
    format!("{}-{replica_set}-{}", service(service_number), letters(scatter(u64::from(pod)), 5))
}

/// `checkout-frontend-x7k2p`; each slice of a service has another seed.
pub(super) fn slice(service_number: u32, seed: u32) -> String {
    let number = u64::from(service_number) << 32 | u64::from(seed);
    format!("{}-{}", service(service_number), letters(scatter(number), 5))
}

/// `ip-10-64-3-17.eu-central-1.compute.internal`
pub(super) fn node(node: u32) -> String {
    let [_, b, c, d] = node.wrapping_add(0x40_0000).to_be_bytes();
    format!("ip-10-{b}-{c}-{d}.eu-central-1.compute.internal")
}

/// `eu-central-1a`
pub(super) fn zone(zone: u32) -> String {
    let letter = char::from_u32(u32::from('a') + zone % 26).unwrap_or('a');
    format!("eu-central-1{letter}")
}

/// The UID of the object with this number among those of its kind.
pub(super) fn uid(kind: &str, number: u32) -> String {
    let kind = kind.bytes().fold(0u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    let high = scatter(kind ^ u64::from(number));
    let low = scatter(high ^ 0x5555);
    let [a, b, c] = [high >> 32, high >> 16 & 0xffff, high & 0xfff];
    let [d, e] = [0x8000 | low >> 48 & 0x3fff, low & 0xffff_ffff_ffff];
    format!("{a:08x}-{b:04x}-4{c:03x}-{d:04x}-{e:012x}")
}

fn letters(mut number: u64, length: usize) -> String {
    let mut text = String::with_capacity(length);
    for _ in 0..length {
        let letter = usize::try_from(number % 27).ok().and_then(|place| ALPHABET.get(place));
        text.extend(letter.map(|letter| char::from(*letter)));
        number /= 27;
    }
    text
}

/// Neighbouring numbers become unlike ones, each its own (the finisher of SplitMix64).
fn scatter(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn pick<'a>(words: &[&'a str], number: u32) -> &'a str {
    let place = usize::try_from(number).unwrap_or_default() % words.len().max(1);
    words.get(place).copied().unwrap_or_default()
}

fn as_u32(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_services_have_one_name() {
        let names: HashSet<_> = (0..60_000).map(|it| (namespace(it), service(it))).collect();
        assert_eq!(names.len(), 60_000);
    }

    #[test]
    fn the_slices_of_a_service_and_all_objects_of_a_kind_are_told_apart() {
        let slices: HashSet<_> = (0..200).map(|seed| slice(7, seed)).collect();
        assert_eq!(slices.len(), 200);
        let uids: HashSet<_> = (0..100_000).map(|number| uid("Pod", number)).collect();
        assert_eq!(uids.len(), 100_000);
    }

    #[test]
    fn names_are_of_the_length_and_form_that_kubernetes_gives_them() {
        assert_eq!(service(0), "checkout-frontend");
        assert_eq!(pod(0, 5).len(), "checkout-frontend-7d9c6b5f4-x2x7k".len());
        assert_eq!(uid("Pod", 1).len(), 36);
        assert_eq!(node(273), "ip-10-64-1-17.eu-central-1.compute.internal");
        assert_eq!(zone(1), "eu-central-1b");
        assert!(uid("Pod", 1) != uid("Service", 1));
    }
}
