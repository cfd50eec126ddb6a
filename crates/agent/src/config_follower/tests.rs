//! What a changed file asks for, and what it does not.

use std::path::PathBuf;

use super::*;
use crate::config::{Layers, Settings};
use crate::testing::count_warnings;

const HEAD: &str = "apiVersion: portolan/v1alpha1\nkind: PortolanConfiguration\n";

fn given(value: &str, by: &str) -> Option<Given<String>> {
    Some(Given::new(value.to_owned(), by))
}

/// A file in a directory of its own, and who follows it.
struct Scene {
    follower: Follower,
    path: PathBuf,
    _directory: tempfile::TempDir,
}

impl Scene {
    fn new(keys: &str, backend_flag: Option<&str>) -> Scene {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.yaml");
        fs::write(&path, format!("{HEAD}{keys}")).unwrap();
        let flags = Settings {
            node_name: given("node-a", "--node-name"),
            backend: backend_flag.and_then(|value| given(value, "--backend")),
            ..Settings::default()
        };
        let layers = Layers { flags, file: Some(path.clone()), ..Layers::default() };
        let follower = Follower::new(layers.load().unwrap().file.unwrap());
        Scene { follower, path, _directory: directory }
    }

    /// The file has these keys now. Returns what is asked for.
    fn says(&mut self, keys: &str) -> Option<BackendKind> {
        self.follower.look(Ok(format!("{HEAD}{keys}")));
        self.follower.wish().map(|(to, _)| to)
    }

    fn done(&mut self) {
        let from = BackendKind::Nftables;
        self.follower.heard(Ok(Switched { from, draining: None }));
    }

    fn refused(&mut self) {
        let (from, reason) = ("nftables", "no IPVS".to_owned());
        self.follower.heard(Err(SwitchError::Refused { from, reason }));
    }
}

#[test]
fn another_backend_is_asked_for_once_and_in_the_name_of_the_key() {
    let mut scene = Scene::new("backend: nftables\n", None);
    assert_eq!(scene.says("backend: nftables\n"), None);
    assert_eq!(scene.says("backend: ipvs\n"), Some(BackendKind::Ipvs));
    let (_, by) = scene.follower.wish().unwrap();
    assert_eq!(by, format!("backend in {}", scene.path.display()));
    scene.done();
    assert_eq!(scene.says("backend: ipvs\n"), None);
    assert_eq!(scene.says(""), Some(BackendKind::Nftables), "the default");
    scene.done();
    assert_eq!(scene.says("backend: nftables\n"), None, "the same in words");
}

#[test]
fn a_file_that_says_the_same_of_the_backend_does_not_undo_a_command() {
    // The follower is not told of `portolan switch`, nor has to be.
    let mut scene = Scene::new("backend: nftables\n", None);
    assert_eq!(scene.says("backend: nftables\nclusterCIDR: 10.0.0.0/8\n"), None);
}

#[test]
fn what_is_under_way_is_waited_for_and_what_was_refused_is_tried_when_the_file_changes() {
    let mut scene = Scene::new("backend: nftables\n", None);
    scene.says("backend: ipvs\n");
    scene.follower.heard(Err(SwitchError::UnderWay));
    assert_eq!(scene.says("backend: ipvs\n"), Some(BackendKind::Ipvs), "asked for again");
    scene.refused();
    assert_eq!(scene.says("backend: ipvs\n"), None, "nothing has changed");
    assert_eq!(scene.says("backend: ipvs\n# again\n"), Some(BackendKind::Ipvs));
    scene.refused();
    assert_eq!(scene.says("backend: nftables\n"), Some(BackendKind::Nftables), "which it is");
    scene.done();
    assert_eq!(scene.says("backend: nftables\n# again\n"), None);
}

#[test]
fn a_file_that_cannot_be_used_changes_nothing_and_is_told_once() {
    let (warnings, _guard) = count_warnings();
    let mut scene = Scene::new("backend: nftables\n", None);
    for broken in
        ["backend: iptables\n", "backnd: ipvs\n", "backend: ipvs\nclusterCIDR: 7\n", "a: ["]
    {
        assert_eq!(scene.says(broken), None, "{broken}");
        let error = scene.follower.file.read(&format!("{HEAD}{broken}"));
        let told = error::chain(&error.unwrap_err());
        assert!(told.contains("config.yaml"), "{broken}: {told}");
    }
    scene.follower.look(Err("No such file or directory".to_owned()));
    assert_eq!(scene.follower.wish(), None);
    assert_eq!(warnings.count(), 0, "they are errors");
    assert_eq!(scene.says("backend: nftables\n"), None, "as it was");
    assert_eq!(scene.says("backend: ipvs\n"), Some(BackendKind::Ipvs));
}

#[test]
fn keys_that_need_a_restart_are_named_unless_a_flag_wins_or_they_are_as_at_the_start() {
    let scene = Scene::new("drainTimeout: 5m\nclusterCIDR: 10.0.0.0/8\n", None);
    let named =
        |keys: &str| scene.follower.file.read(&format!("{HEAD}{keys}")).unwrap().for_restart;
    let same = "clusterCIDR: 10.0.0.0/8\ndrainTimeout: 5m\nbackend: ipvs\nnodeName: other\n";
    assert_eq!(named(same), Vec::<String>::new());
    let others = "nftables: {masqueradeBit: 3}\nclusterCIDR: 10.1.0.0/16\n";
    assert_eq!(named(others), ["nftables.masqueradeBit", "clusterCIDR", "drainTimeout"]);
}

#[test]
fn every_key_but_that_of_the_backend_is_named_when_it_changes() {
    let scene = Scene::new("", None);
    let keys = [
        ("source", "dir:/srv/objects"),
        ("clientConnection.kubeconfig", "/etc/kubeconfig"),
        ("clientConnection.master", "'https://192.0.2.1:6443'"),
        ("clientConnection.tlsServerName", "kubernetes"),
        ("clusterCIDR", "10.0.0.0/8"),
        ("nodePortAddresses", "[192.0.2.0/24]"),
        ("serviceNodePortRange", "20000-22767"),
        ("localhostNodePorts", "true"),
        ("detectLocalMode", "NodeCIDR"),
        ("detectLocal.bridgeInterface", "cni0"),
        ("detectLocal.interfaceNamePrefix", "veth"),
        ("healthzBindAddress", "192.0.2.1"),
        ("metricsBindAddress", "192.0.2.1"),
        ("controlSocket", "/run/other.sock"),
        ("nftables.masqueradeAll", "true"),
        ("nftables.masqueradeBit", "3"),
        ("ipvs.scheduler", "mh"),
        ("ipvs.markBit", "3"),
        ("ipvs.tcpTimeout", "1h"),
        ("ipvs.tcpFinTimeout", "1m"),
        ("ipvs.udpTimeout", "1m"),
        ("drainTimeout", "5m"),
    ];
    for (key, value) in keys {
        let line = match key.split_once('.') {
            Some((parent, key)) => format!("{parent}: {{{key}: {value}}}"),
            None => format!("{key}: {value}"),
        };
        let reading = scene.follower.file.read(&format!("{HEAD}{line}\n")).unwrap();
        assert_eq!(reading.for_restart, [key]);
    }
}

#[test]
fn a_backend_on_the_command_line_wins_and_that_is_told_once() {
    let (warnings, _guard) = count_warnings();
    let mut scene = Scene::new("", Some("nftables"));
    assert_eq!(scene.says("backend: nftables\n"), None);
    assert_eq!(warnings.count(), 0, "they agree");
    assert_eq!(scene.says("backend: ipvs\n"), None);
    assert_eq!(warnings.count(), 1);
    assert_eq!(scene.says("backend: ipvs\n# again\n"), None);
    assert_eq!(warnings.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_file_is_taken_once_its_writer_is_done() {
    let scene = Scene::new("backend: nftables\n", None);
    let path = scene.path.clone();
    let writer = tokio::spawn(async move {
        for keys in ["", "back", "backend: ipvs\n"] {
            fs::write(&path, format!("{HEAD}{keys}")).unwrap();
            sleep(SETTLE / 2).await;
        }
    });
    tokio::task::yield_now().await;
    let text = scene.follower.read_settled().await.unwrap();
    assert!(text.ends_with("backend: ipvs\n"), "{text}");
    writer.await.unwrap();
}
