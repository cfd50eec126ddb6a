//! What an index makes of a sequence of updates.

use portolan_core::{
    EndpointSlice, Family, Index, IndexCounts, Protocol, Service, ServicePlan, ServiceType, Update,
};

use crate::support::*;

const WEB: [&str; 1] = ["10.96.0.1"];

#[test]
fn a_slice_may_come_before_its_service_or_after() {
    let [service, slice] = web_and_slice();
    let one = index([service.clone(), slice.clone()]);
    let other = index([slice, service]);
    assert!(one.plans().eq(other.plans()));
    assert_eq!(pool_of(&one, "web"), on_8080(&["10.0.0.1"]));
}

#[test]
fn a_slice_without_a_service_changes_nothing_until_the_service_comes() {
    let [service, slice] = web_and_slice();
    let mut index = Index::new(NODE);
    assert!(apply(&mut index, slice).is_empty());
    assert_eq!(touched(&apply(&mut index, service)), ["web"]);
}

#[test]
fn a_change_tells_the_plan_before_and_after() {
    let mut index = index(web_and_slice());
    let before = index.plan(&name("web")).cloned();
    let scaled = slice("web-1", "web", vec![here("10.0.0.1"), here("10.0.0.2")]);
    let changes = apply(&mut index, Update::EndpointSliceApplied(scaled));
    let [change] = changes.as_slice() else { panic!("one change expected: {changes:?}") };
    assert_eq!(change.old, before);
    assert_eq!(change.new.as_ref(), index.plan(&name("web")));
    assert_ne!(change.old, change.new);
}

#[test]
fn changes_come_in_the_order_of_names() {
    let mut index = Index::new(NODE);
    for (service_name, address) in [("c", "10.96.0.3"), ("a", "10.96.0.1"), ("b", "10.96.0.2")] {
        index.apply(Update::ServiceApplied(service(service_name, &[address])));
    }
    assert_eq!(touched(&index.take_changes()), ["a", "b", "c"]);
    assert!(index.take_changes().is_empty());
}

#[test]
fn what_makes_no_difference_to_the_plan_is_no_change() {
    let mut index = index(web_and_slice());
    let plan = index.plan(&name("web")).cloned().unwrap();
    let twice_the_same = [
        web_and_slice().to_vec(),
        vec![
            Update::ServicesReset(vec![service("web", &WEB)]),
            Update::EndpointSlicesReset(vec![slice("web-1", "web", vec![here("10.0.0.1")])]),
            Update::ServiceApplied(Service { created: Some(7), ..service("web", &WEB) }),
            Update::EndpointSliceApplied(slice(
                "web-1",
                "web",
                vec![unready(here("10.0.0.2")), here("10.0.0.1")],
            )),
        ],
    ];
    for update in twice_the_same.concat() {
        assert_eq!(apply(&mut index, update.clone()), [], "{update:?}");
    }
    assert!(std::sync::Arc::ptr_eq(index.plan(&name("web")).unwrap(), &plan));
}

#[test]
fn a_service_that_goes_leaves_its_slices_waiting() {
    let mut index = index(web_and_slice());
    let changes = apply(&mut index, Update::ServiceDeleted(name("web")));
    assert_eq!(touched(&changes), ["web"]);
    assert_eq!(changes.first().unwrap().new, None);
    apply(&mut index, Update::ServiceApplied(service("web", &WEB)));
    assert_eq!(pool_of(&index, "web"), on_8080(&["10.0.0.1"]));
}

#[test]
fn a_service_that_comes_and_goes_between_two_looks_is_no_change() {
    let mut index = Index::new(NODE);
    index.apply(Update::ServiceApplied(service("web", &WEB)));
    assert!(apply(&mut index, Update::ServiceDeleted(name("web"))).is_empty());
}

#[test]
fn a_name_that_is_used_again_stands_for_the_new_service() {
    let mut index = index(web_and_slice());
    index.apply(Update::ServiceDeleted(name("web")));
    index.apply(Update::EndpointSliceDeleted(name("web-1")));
    index.apply(Update::ServiceApplied(service("web", &["10.96.0.9"])));
    let reused = slice("web-1", "web", vec![here("10.0.0.9")]);
    let changes = apply(&mut index, Update::EndpointSliceApplied(reused));
    assert_eq!(touched(&changes), ["web"]);
    assert_eq!(pool_of(&index, "web"), on_8080(&["10.0.0.9"]));
}

#[test]
fn a_service_may_change_its_type_in_every_direction() {
    let types = |service_type| match service_type {
        ServiceType::ClusterIP => service("web", &WEB),
        ServiceType::NodePort | ServiceType::LoadBalancer => Service {
            service_type,
            ports: vec![node_port("", Protocol::Tcp, 80, 30080)],
            ..service("web", &WEB)
        },
        ServiceType::ExternalName => Service { service_type, ..service("web", &[]) },
    };
    let all = [
        ServiceType::ClusterIP,
        ServiceType::NodePort,
        ServiceType::LoadBalancer,
        ServiceType::ExternalName,
    ];
    for before in all {
        for after in all {
            let mut changed = index([Update::ServiceApplied(types(before))]);
            apply(&mut changed, Update::ServiceApplied(types(after)));
            let fresh = index([Update::ServiceApplied(types(after))]);
            assert!(changed.plans().eq(fresh.plans()), "{before:?} to {after:?}");
        }
    }
}

#[test]
fn a_slice_that_changes_its_service_moves() {
    let mut index = index(web_and_slice());
    apply(&mut index, Update::ServiceApplied(service("other", &["10.96.0.2"])));
    let moved = slice("web-1", "other", vec![here("10.0.0.1")]);
    let changes = apply(&mut index, Update::EndpointSliceApplied(moved));
    assert_eq!(touched(&changes), ["other", "web"]);
    assert_eq!(pool_of(&index, "web"), on_8080(&[]));
    assert_eq!(pool_of(&index, "other"), on_8080(&["10.0.0.1"]));
    assert_eq!(index.counts().endpoint_slices, 1);
    assert_eq!(index.counts().endpoints, 1);
}

#[test]
fn what_a_list_leaves_out_is_gone() {
    let mut index = index(web_and_slice());
    let other = service("other", &["10.96.0.2"]);
    apply(&mut index, Update::ServiceApplied(other.clone()));

    let changes = apply(&mut index, Update::EndpointSlicesReset(vec![]));
    assert_eq!(touched(&changes), ["web"]);
    assert_eq!(pool_of(&index, "web"), on_8080(&[]));

    let changes = apply(&mut index, Update::ServicesReset(vec![other]));
    assert_eq!(touched(&changes), ["web"]);
    assert_eq!(index.plans().count(), 1);
}

#[test]
fn an_index_is_complete_once_services_and_slices_have_been_listed() {
    let (services, slices) = (Update::ServicesReset(vec![]), Update::EndpointSlicesReset(vec![]));
    for [first, second] in [[services.clone(), slices.clone()], [slices, services]] {
        let mut index = index(web_and_slice());
        assert!(!index.is_complete());
        index.apply(first);
        assert!(!index.is_complete());
        index.apply(second);
        assert!(index.is_complete());
    }
}

#[test]
fn counts_follow_every_object() {
    let counts = |services, endpoint_slices, endpoints, problems| IndexCounts {
        services,
        endpoint_slices,
        endpoints,
        problems,
        conflicts: 0,
    };
    let endpoints = |list: &[&str]| slice("s", "web", list.iter().map(|e| here(e)).collect());
    let mut index = Index::new(NODE);
    let headless = service("web", &[]);
    let steps = [
        (Update::ServiceApplied(headless.clone()), counts(1, 0, 0, 0)),
        (Update::ServiceApplied(headless), counts(1, 0, 0, 0)),
        (Update::EndpointSliceApplied(endpoints(&["10.0.0.1"])), counts(1, 1, 1, 0)),
        (Update::EndpointSliceApplied(endpoints(&["10.0.0.1", "::1"])), counts(1, 1, 2, 1)),
        (Update::EndpointSliceApplied(endpoints(&["10.0.0.1", "10.0.0.2"])), counts(1, 1, 2, 0)),
        (Update::EndpointSliceDeleted(name("unknown")), counts(1, 1, 2, 0)),
        (Update::EndpointSlicesReset(vec![endpoints(&["10.0.0.1"])]), counts(1, 1, 1, 0)),
        (Update::EndpointSliceDeleted(name("s")), counts(1, 0, 0, 0)),
        (Update::ServiceDeleted(name("unknown")), counts(1, 0, 0, 0)),
        (Update::ServicesReset(vec![]), counts(0, 0, 0, 0)),
    ];
    for (update, expected) in steps {
        index.apply(update.clone());
        assert_eq!(index.counts(), expected, "{update:?}");
    }
}

#[test]
fn conflicts_are_counted_among_the_problems() {
    let mut index = Index::new(NODE);
    for service_name in ["web", "copy"] {
        index.apply(Update::ServiceApplied(service(service_name, &WEB)));
    }
    let both_bad = slice("s", "web", vec![here("10.0.0.1"), here("::1")]);
    index.apply(Update::EndpointSliceApplied(both_bad));
    let counts = index.counts();
    assert_eq!((counts.problems, counts.conflicts), (2, 1));
    index.apply(Update::ServiceDeleted(name("copy")));
    let counts = index.counts();
    assert_eq!((counts.problems, counts.conflicts), (1, 0));
}

#[test]
fn a_time_is_told_once_and_only_of_a_slice_that_really_changed() {
    let triggered = |time, endpoints: &[&str]| {
        let endpoints = endpoints.iter().map(|it| here(it)).collect();
        EndpointSlice { trigger_time: time, ..slice("web-1", "web", endpoints) }
    };
    let mut index = Index::new(NODE);
    let one = ["10.0.0.1"];
    let two = ["10.0.0.1", "10.0.0.2"];
    let applied = |slice| Update::EndpointSliceApplied(slice);
    let listed = |slice| Update::EndpointSlicesReset(vec![slice]);
    for (update, expected) in [
        (applied(triggered(Some(5), &one)), &[(Family::V4, 5)][..]),
        (applied(triggered(Some(6), &one)), &[]),
        (listed(triggered(Some(6), &one)), &[]),
        (listed(triggered(Some(7), &two)), &[(Family::V4, 7)]),
        (applied(triggered(None, &one)), &[]),
        (Update::EndpointSliceDeleted(name("web-1")), &[]),
        (applied(triggered(Some(8), &["fd00::1"])), &[(Family::V6, 8)]),
    ] {
        index.apply(update.clone());
        assert_eq!(index.take_triggers(), expected, "{update:?}");
    }
    assert!(index.take_triggers().is_empty());
}

#[test]
fn another_scheduler_is_a_change_of_the_plan_and_of_nothing_else_in_it() {
    let mut index = index(web_and_slice());
    let before = index.plan(&name("web")).cloned().unwrap();
    for text in [Some("mh,mh-port"), Some("mh"), None] {
        let ipvs_scheduler = text.map(|text| text.parse().unwrap());
        let service = Service { ipvs_scheduler, ..service("web", &WEB) };
        assert_eq!(touched(&apply(&mut index, Update::ServiceApplied(service))), ["web"]);
        let expected = ServicePlan { ipvs_scheduler, ..(*before).clone() };
        assert_eq!(**index.plan(&name("web")).unwrap(), expected);
    }
}
