//! The configuration file changes while the agent runs.

use std::fs;
use std::os::unix::fs::symlink;

use portolan_lab::namespaced_as_superuser;

use crate::foreign::Foreign;
use crate::node::{Node, served};

const HEAD: &str = "apiVersion: portolan/v1alpha1\nkind: PortolanConfiguration\n";

impl Node {
    /// What the kubelet does with a mounted ConfigMap.
    fn configure(&self, version: &str, keys: &str) {
        let mount = self.path("mount");
        let data = mount.join(format!("..{version}"));
        fs::create_dir_all(&data).unwrap();
        fs::write(data.join("config.yaml"), format!("{HEAD}{keys}")).unwrap();
        let draft = mount.join("..data_tmp");
        symlink(format!("..{version}"), &draft).unwrap();
        fs::rename(draft, mount.join("..data")).unwrap();
        let file = mount.join("config.yaml");
        if !file.exists() {
            symlink("..data/config.yaml", file).unwrap();
        }
    }

    fn until_backend(&self, backend: &str) {
        self.until(backend, |node| (node.dump()?.status.backend == backend).then_some(()));
    }
}

#[test]
fn another_backend_in_the_mounted_file_takes_new_connections_and_a_broken_file_nothing() {
    let name =
        "file::another_backend_in_the_mounted_file_takes_new_connections_and_a_broken_file_nothing";
    namespaced_as_superuser(name, || {
        let mut node = Node::new();
        node.configure("1", "backend: nftables\n");
        let file = node.path("mount/config.yaml");
        node.start(&["--config", file.to_str().unwrap()]);
        let foreign = Foreign::make(&node);
        let mut clients = node.clients(10, 10);
        let new_connections = node.new_connections();
        node.configure("2", "backend: ipvs\n");
        node.until_backend("ipvs");
        clients.talk("after the file asked for ipvs");
        node.new_connections_go_through("ipvs", "the file says so");

        node.configure("3", "backend: nftable\n");
        node.until("the error", |node| node.log().contains("\"nftable\"").then_some(()));
        node.new_connections_go_through("ipvs", "the file cannot be used");

        node.configure("4", "backend: nftables\n");
        node.until_backend("nftables");
        clients.talk("after the file asked for nftables");
        node.new_connections_go_through("nftables", "the file says so again");
        served(new_connections, 10);
        foreign.is_untouched(&node);
    });
}
