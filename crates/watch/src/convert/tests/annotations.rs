//! What operators ask for beside the fields of a Service.

use portolan_core::{IpvsScheduler, WhenEndpointGone};

use super::*;

#[test]
fn a_misspelt_annotation_of_ours_is_named_with_those_that_there_are() {
    for value in [json!("reset"), json!(7), Value::Null] {
        let mut manifest = service_manifest();
        manifest["metadata"]["annotations"]["portolan.dev/tcp-when-endpoints-gone"] = value.clone();
        let (service, problems) = service(&manifest);
        assert_eq!(service.unwrap().tcp_when_endpoint_gone, WhenEndpointGone::Reset, "{value}");
        let [problem] = &problems[..] else { panic!("{value}: {problems:?}") };
        let start =
            "Service shop/web: metadata.annotations[portolan.dev/tcp-when-endpoints-gone]: ";
        assert!(problem.starts_with(start), "{problem}");
        assert!(problem.contains("portolan.dev/tcp-when-endpoint-gone"), "{problem}");
    }
}

#[test]
fn each_word_of_the_annotation_for_gone_endpoints_is_known() {
    let pointer = "/metadata/annotations/portolan.dev~1tcp-when-endpoint-gone";
    for (word, expected) in [
        (json!("keep"), WhenEndpointGone::Keep),
        (json!("drop"), WhenEndpointGone::Drop),
        (json!("reset"), WhenEndpointGone::Reset),
        (json!(""), WhenEndpointGone::Keep),
        (Value::Null, WhenEndpointGone::Keep),
    ] {
        let (service, problems) = service(&with(&service_manifest(), pointer, word.clone()));
        assert_eq!(service.unwrap().tcp_when_endpoint_gone, expected, "{word}");
        assert_eq!(problems, [""; 0], "{word}");
    }
}

/// A Service with these annotations.
fn annotated(annotations: Value) -> (Option<IpvsScheduler>, Vec<String>) {
    let (service, problems) =
        service(&with(&service_manifest(), "/metadata/annotations", annotations));
    (service.unwrap().ipvs_scheduler, problems)
}

#[test]
fn the_scheduler_is_read_from_our_annotation_or_from_that_of_kube_router() {
    const OURS: &str = "portolan.dev/ipvs-scheduler";
    const THEIRS: &str = "kube-router.io/service.scheduler";
    const FLAGS: &str = "kube-router.io/service.schedflags";
    for (annotations, expected) in [
        (json!({}), None),
        (json!({OURS: ""}), None),
        (json!({OURS: null, THEIRS: "lc"}), Some("lc")),
        (json!({OURS: " sh, sh-fallback "}), Some("sh,sh-fallback")),
        (json!({OURS: "mh"}), Some("mh")),
        (json!({THEIRS: "lc"}), Some("lc")),
        (json!({THEIRS: "mh", FLAGS: "flag-1,flag-2"}), Some("mh,mh-port,mh-fallback")),
        (json!({THEIRS: "sh", FLAGS: "flag-1,flag-2"}), Some("sh")),
        (json!({FLAGS: "flag-1"}), None),
        (json!({OURS: "wlc", THEIRS: "mh", FLAGS: "flag-1"}), Some("wlc")),
        (json!({OURS: "mh", THEIRS: "mh", FLAGS: "flag-1"}), Some("mh")),
    ] {
        let (scheduler, problems) = annotated(annotations.clone());
        let expected = expected.map(|text| text.parse().unwrap());
        assert_eq!((scheduler, problems), (expected, vec![]), "{annotations}");
    }
}

#[test]
fn a_scheduler_that_cannot_be_used_is_named_with_its_annotation() {
    for (annotations, expected) in [
        (
            json!({"kube-router.io/service.scheduler": "fastest"}),
            "metadata.annotations[kube-router.io/service.scheduler]: \"fastest\": IPVS has no such",
        ),
        (
            json!({"kube-router.io/service.scheduler": "lc", "portolan.dev/ipvs-scheduler": "x"}),
            "metadata.annotations[portolan.dev/ipvs-scheduler]: \"x\": IPVS has no such",
        ),
    ] {
        let (scheduler, problems) = annotated(annotations.clone());
        assert_eq!(scheduler, None, "{annotations}");
        assert!(problems[0].starts_with(&format!("Service shop/web: {expected}")), "{problems:?}");
        assert_eq!(problems.len(), 1, "{problems:?}");
    }
}
