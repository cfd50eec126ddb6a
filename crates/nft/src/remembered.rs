//! How many clients session affinity remembers.

use portolan_core::{Family, Remembered};
use portolan_netlink::nftables::Connection;

use crate::container::Container;
use crate::lower::kernel_family;
use crate::partition::Parts;

/// How full the maps are; nothing where the kernel does not tell without listing them.
pub(crate) fn remembered(connection: &mut Connection, table: &str) -> Vec<Remembered> {
    let mut all = Vec::new();
    for family in Family::BOTH {
        for container in Container::all(Parts::ONE).filter(|it| it.is_dynamic()) {
            let map = container.name();
            // Nothing depends on it: whatever is wrong shows in the calls that matter.
            match connection.element_count(kernel_family(family), table, map) {
                Ok(Some(clients)) => {
                    let room = container.minimum_size() as usize;
                    all.push(Remembered { family, map, clients, room });
                }
                _ => return Vec::new(),
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use portolan_core::Environment;
    use portolan_lab::{kernel_is_at_least, namespaced};
    use portolan_netlink::nftables::{Data, ElementOperation};

    use super::*;
    use crate::{NftOptions, first_transaction};

    #[test]
    fn clients_are_counted_by_map_where_the_kernel_tells() {
        let name = "remembered::tests::clients_are_counted_by_map_where_the_kernel_tells";
        namespaced(name, || {
            let options = NftOptions::default();
            let mut connection = Connection::open().unwrap();
            let mut batch = first_transaction(&[], &Environment::default(), &options);
            let (family, map) = (kernel_family(Family::V4), "local-affinity");
            let mut clients = batch.elements(family, &options.table, map, ElementOperation::Add);
            for client in 1..=3 {
                let key = [10, 0, 0, client, 10, 96, 0, 1, 6, 0, 0, 0, 0, 80, 0, 0];
                clients.push(&key, Some(Data::Bytes(&[0; 4])), None);
            }
            connection.commit(&mut batch).unwrap();
            let all = remembered(&mut connection, &options.table);
            assert_eq!(all.len(), if kernel_is_at_least(6, 16) { 8 } else { 0 });
            for Remembered { family, map, clients, room } in all {
                let expected = if (family, map) == (Family::V4, "local-affinity") { 3 } else { 0 };
                assert_eq!((clients, room), (expected, 262_144), "{family} {map}");
            }
        });
    }
}
