//! What becomes of packets, as the loop knows it.

use std::net::IpAddr;

use portolan_core::Protocol;
use portolan_core::explain::{Client, Explained, Explanation, Found, Packet, Question, Verdict};

use super::*;

const ADDRESS: [u8; 4] = [192, 0, 2, 7];

fn explain(scene: &Scene, destination: [u8; 4]) -> Result<Explanation, String> {
    let (protocol, destination) = (Protocol::Tcp, IpAddr::from(destination));
    let packet = Packet { client: Client::default(), protocol, destination, port: 80 };
    match scene.reconciler.explain(&Question::Packet(packet), "nftables")? {
        Explained::Packet(explanation) => Ok(*explanation),
        other @ Explained::Service(_) => panic!("{other:?}"),
    }
}

fn endpoints(explanation: &Explanation) -> usize {
    match &explanation.outcomes[0].verdict {
        Verdict::Balance { endpoints, .. } => endpoints.len(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_answer_is_about_what_the_backend_was_given_and_says_what_waits() {
    let mut scene = Scene::new();
    scene.list();
    assert_eq!(explain(&scene, [10, 96, 0, 1]).unwrap().found, Found::Nobody);
    scene.succeed();
    assert_eq!(endpoints(&explain(&scene, [10, 96, 0, 1]).unwrap()), 1);

    scene.receive(slice_applied("web", &[1, 2]));
    let explanation = explain(&scene, [10, 96, 0, 1]).unwrap();
    assert_eq!(endpoints(&explanation), 1);
    let Found::Frontend(found) = &explanation.found else { panic!("{explanation:?}") };
    assert!(found.pending);
    scene.succeed();
    assert_eq!(endpoints(&explain(&scene, [10, 96, 0, 1]).unwrap()), 2);
}

#[test]
fn addresses_of_the_node_are_read_when_somebody_asks_and_never_guessed() {
    let read: ReadInterfaces = Box::new(|| Ok(vec![IpAddr::from(ADDRESS)]));
    let scene = Scene { reconciler: Reconciler::new(config(), read), now: Instant::now() };
    assert_eq!(explain(&scene, ADDRESS).unwrap().found, Found::ThisNode);
    assert_eq!(explain(&scene, [192, 0, 2, 8]).unwrap().found, Found::Nobody);

    let read: ReadInterfaces = Box::new(|| Err(std::io::Error::other("no luck")));
    let scene = Scene { reconciler: Reconciler::new(config(), read), now: Instant::now() };
    let error = explain(&scene, ADDRESS).unwrap_err();
    assert!(error.ends_with("interfaces: no luck"), "{error}");
}
