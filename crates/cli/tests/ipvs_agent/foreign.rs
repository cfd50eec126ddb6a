//! What other programs have in the kernel, which must survive everything.

use portolan_netlink::ipvs::{Destination, Ipvs, Operation, Server, ServerKey};
use portolan_netlink::nftables::{Batch, Connection, ElementOperation, Family, Field, Set, Table};

use crate::kernel::Kernel;
use crate::node::Node;

const TABLE: &str = "theirs";

fn server() -> Server {
    let address = "192.0.2.1:80".parse().unwrap();
    let key = ServerKey::Address { protocol: 6, address };
    Server { key, scheduler: "wlc".to_owned(), flags: 0, persistence: None }
}

fn make() {
    let Server { key, .. } = server();
    let destination = Destination { address: "192.0.2.7:8080".parse().unwrap(), weight: 3 };
    let operations = [Operation::AddServer(server()), Operation::AddDestination(key, destination)];
    assert_eq!(Ipvs::open().unwrap().execute(&operations).unwrap(), []);
    let mut batch = Batch::new(None);
    let set = Set { name: "addresses".to_owned(), key: vec![Field::Ipv4Address], ..Set::default() };
    batch.add_table(Family::Ip, &Table { name: TABLE.to_owned(), ..Table::default() });
    batch.add_set(Family::Ip, TABLE, &set);
    let mut writer = batch.elements(Family::Ip, TABLE, "addresses", ElementOperation::Add);
    writer.push(&[192, 0, 2, 9], None, None);
    Connection::open().unwrap().commit(&mut batch).unwrap();
}

/// Others' virtual server and table, as they were made.
pub(crate) struct Foreign {
    server: String,
    table: String,
}

impl Foreign {
    pub(crate) fn make(node: &Node) -> Foreign {
        node.run(make);
        Foreign::read(node)
    }

    fn read(node: &Node) -> Foreign {
        let kernel = Kernel::read(node);
        let server = kernel.servers.get(&server().key.to_string()).unwrap();
        let table = kernel.tables.get(&format!("{} {TABLE}", Family::Ip)).unwrap();
        Foreign { server: format!("{server:?}"), table: format!("{table:?}") }
    }

    pub(crate) fn is_untouched(&self, node: &Node) {
        let now = Foreign::read(node);
        assert_eq!((&self.server, &self.table), (&now.server, &now.table));
    }

    /// What the kernel has besides.
    pub(crate) fn without(kernel: &mut Kernel) {
        kernel.servers.remove(&server().key.to_string());
        kernel.tables.remove(&format!("{} {TABLE}", Family::Ip));
    }
}
