//! How much memory a start takes: counted, not timed, and without a kernel.
#![expect(unsafe_code, reason = "an allocator cannot be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use portolan_core::{
    Conditions, Endpoint, EndpointPort, EndpointSlice, Environment, Family, Index, ObjectName,
    Protocol, Service, ServicePlan, ServicePort, Update,
};
use portolan_nft::{NftOptions, first_transaction};

/// The system's allocator, counting what is held and the most that ever was.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

fn hold(bytes: usize) {
    let held = HELD.fetch_add(bytes, Ordering::Relaxed) + bytes;
    MOST.fetch_max(held, Ordering::Relaxed);
}

// SAFETY: every call goes on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        hold(layout.size());
        // SAFETY: the caller keeps the promises that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        hold(size);
        // SAFETY: as above.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SERVICES: u16 = 500;
const ENDPOINTS: u8 = 20;

fn plans() -> Vec<Arc<ServicePlan>> {
    let mut index = Index::new("here");
    for number in 0..SERVICES {
        let [high, low] = number.to_be_bytes();
        let name = ObjectName::new("ns", &format!("s{number}"));
        let port =
            ServicePort { name: "".into(), protocol: Protocol::Tcp, port: 80, node_port: None };
        index.apply(Update::ServiceApplied(Service {
            cluster_ips: vec![[172, 30, high, low].into()],
            ports: vec![port],
            ..Service::new(name.clone())
        }));
        let endpoint = |last: u8| Endpoint {
            address: [10, high, low, last].into(),
            conditions: Conditions::default(),
            node_name: Some("there".into()),
            hints: None,
        };
        index.apply(Update::EndpointSliceApplied(EndpointSlice {
            name: ObjectName::new("ns", &format!("s{number}-a")),
            service: name,
            family: Family::V4,
            ports: vec![EndpointPort { name: "".into(), protocol: Protocol::Tcp, port: 8080 }],
            endpoints: (0..ENDPOINTS).map(endpoint).collect(),
            trigger_time: None,
        }));
    }
    index.take_changes();
    index.plans().cloned().collect()
}

#[test]
fn the_first_transaction_is_made_without_a_list_of_its_elements() {
    let plans = plans();
    let endpoints = usize::from(SERVICES) * usize::from(ENDPOINTS);
    let mut operations = Vec::new();
    // In one map, and in sixteen.
    for endpoints_per_map in [16_384, 1_000] {
        let options = NftOptions { endpoints_per_map, ..NftOptions::default() };
        let before = HELD.load(Ordering::Relaxed);
        MOST.store(before, Ordering::Relaxed);
        let batch = first_transaction(&plans, &Environment::default(), &options);
        let taken = MOST.load(Ordering::Relaxed) - before;
        assert!(batch.operations() > endpoints);
        // The transaction itself, whose buffer may be twice as large as it is, and who is in
        // which slot. A list of the elements would take another 100 bytes and more for each.
        let most = 2 * batch.len_bytes() + 30 * endpoints;
        let bytes = batch.len_bytes();
        assert!(taken <= most, "{taken} bytes for {bytes}, {endpoints_per_map} to a map");
        operations.push(batch.operations());
    }
    let [whole, divided] = operations[..] else { unreachable!() };
    assert!(divided >= whole + 15, "{divided} and {whole} operations: nothing is divided");
}
