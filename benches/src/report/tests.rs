use super::*;
use crate::arms::{DIRECT, FLOOR, KUBE_PROXY, PORTOLAN};
use crate::figures::Recorder;
use crate::scenarios::names::{
    COLD_START, CONNECT, CONNECT_SERVICE, PLAN_FULL, REPLACED, WARM_RESTART,
};

const SMALL: Size = Size { services: 1_000, endpoints: 10 };
const LARGE: Size = Size { services: 10_000, endpoints: 10 };

/// A run, slower by a factor than another one. What it sends is the same.
pub(super) fn report(slower: f64, operations: u64) -> Report {
    let mut figures = Figures::default();
    for (size, scenario, arm, time) in [
        (SMALL, PLAN_FULL, FLOOR, 0.010),
        (SMALL, PLAN_FULL, PORTOLAN, 0.013 * slower),
        (SMALL, CONNECT, DIRECT, 0.000_02),
        (SMALL, CONNECT_SERVICE, PORTOLAN, 0.000_03),
        (SMALL, COLD_START, PORTOLAN, 0.2),
        (SMALL, COLD_START, KUBE_PROXY, 2.0),
        (SMALL, REPLACED, PORTOLAN, 0.000_1),
        (LARGE, REPLACED, PORTOLAN, 0.000_11),
    ] {
        Recorder { figures: &mut figures, size, arm, run: 0 }.record(scenario, Metric::Time, time);
    }
    let mut recorder = Recorder { figures: &mut figures, size: SMALL, arm: PORTOLAN, run: 0 };
    recorder.count(PLAN_FULL, Metric::Operations, operations);
    recorder.count(WARM_RESTART, Metric::Transactions, 0);
    recorder.count(COLD_START, Metric::PeakResident, 40 << 20);
    Report::new(&figures, Transport::Http, vec!["--quick".to_owned()], 1.0)
}

fn value(report: &Report, name: &str) -> Option<f64> {
    report.ratios.iter().find(|ratio| ratio.name == name).map(|ratio| ratio.value)
}

#[test]
fn ratios_are_of_figures_of_one_size_or_of_one_figure_at_two_sizes() {
    let report = report(1.0, 1_000);
    for (name, expected) in [
        ("plan to kernel: everything / floor, at 1000 services", Some(1.3)),
        ("connect to a ClusterIP / direct, at 1000 services", Some(1.5)),
        ("cold start / floor of \"plan to kernel: everything\", at 1000 services", Some(20.0)),
        ("endpoint replaced: 10000 services / 1000 services", Some(1.1)),
        ("cold start / kube-proxy, at 1000 services", Some(0.1)),
        ("plan to kernel: everything: operations, at 1000 services", Some(1_000.0)),
        ("plan to kernel: everything / floor, at 10000 services", None),
    ] {
        let found = value(&report, name);
        let close = |found: f64| (found - expected.unwrap_or_default()).abs() < 1e-9;
        assert!(
            found.is_some() == expected.is_some() && found.is_none_or(close),
            "{name}: {found:?}"
        );
    }
}

#[test]
fn a_ratio_is_the_median_of_those_of_each_run() {
    let mut figures = Figures::default();
    for (scenario, arm, times) in [
        (CONNECT, DIRECT, [0.000_02, 0.000_02, 0.000_09]),
        (CONNECT_SERVICE, PORTOLAN, [0.000_03, 0.000_12, 0.000_12]),
    ] {
        for (run, time) in (0..).zip(times) {
            let mut recorder = Recorder { figures: &mut figures, size: SMALL, arm, run };
            recorder.record(scenario, Metric::Time, time);
        }
    }
    let report = Report::new(&figures, Transport::Http, Vec::new(), 1.0);
    // Of the medians it would be six.
    let found = value(&report, "connect to a ClusterIP / direct, at 1000 services").unwrap();
    assert!((found - 1.5).abs() < 1e-9, "{found}");
}

#[test]
fn no_time_and_nothing_that_needs_a_kube_proxy_is_in_a_baseline() {
    let baseline = serde_json::to_value(Baseline::of(&report(1.0, 1_000))).unwrap();
    let names: Vec<&String> = baseline["values"].as_object().unwrap().keys().collect();
    assert_eq!(names.len(), 7, "{names:?}");
    assert!(names.iter().all(|name| !name.contains(KUBE_PROXY)), "{names:?}");
}

#[test]
fn a_run_passes_its_own_baseline() {
    let report = report(1.0, 1_000);
    let comparison = compare(&report, &Baseline::of(&report));
    assert_eq!(comparison.failed, Vec::<String>::new(), "{}", comparison.text);
}

#[test]
fn what_is_worse_by_more_than_its_margin_fails_and_is_named() {
    let baseline = Baseline::of(&report(1.0, 1_000));
    let floor = "plan to kernel: everything / floor, at 1000 services";
    let operations = "plan to kernel: everything: operations, at 1000 services";
    for (slower, sent, expected) in [
        (1.4, 1_010, &[][..]),
        (1.5, 1_000, &[floor]),
        (0.1, 500, &[]),
        (1.0, 1_011, &[operations]),
        (1.5, 1_011, &[floor, operations]),
    ] {
        let comparison = compare(&report(slower, sent), &baseline);
        let mut failed = comparison.failed.clone();
        failed.sort_unstable();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(failed, expected, "{}", comparison.text);
        assert_eq!(comparison.text.matches("WORSE").count(), expected.len());
    }
}

#[test]
fn a_restart_that_sends_anything_fails() {
    let baseline = Baseline::of(&report(1.0, 1_000));
    let mut worse = report(1.0, 1_000);
    let restart = worse.ratios.iter_mut().find(|it| it.name.starts_with(WARM_RESTART)).unwrap();
    restart.value = 1.0;
    assert_eq!(compare(&worse, &baseline).failed.len(), 1);
}

#[test]
fn what_only_some_changes_send_is_counted_and_of_peaks_the_highest() {
    let mut figures = Figures::default();
    let mut recorder = Recorder { figures: &mut figures, size: SMALL, arm: PORTOLAN, run: 0 };
    for operations in [2, 2, 2, 10] {
        recorder.count(PLAN_FULL, Metric::Operations, operations);
    }
    for peak in [30 << 20, 20 << 20, 10 << 20] {
        recorder.count(COLD_START, Metric::PeakResident, peak);
    }
    let report = Report::new(&figures, Transport::Http, Vec::new(), 1.0);
    let operations = value(&report, "plan to kernel: everything: operations, at 1000 services");
    let peak = value(&report, "cold start: peak of resident memory, at 1000 services");
    assert_eq!((operations, peak), (Some(4.0), Some(f64::from(30 << 20))));
}

#[test]
fn no_baseline_of_a_build_as_users_have_it_allows_more_than_the_design() {
    let mut report = report(1.0, 1_000);
    for (value, expected) in [(40e6, 48e6), (60e6, 64e6), (70e6, 64e6)] {
        let peak = report.ratios.iter_mut().find(|it| it.name.contains("resident")).unwrap();
        peak.value = value;
        let baseline = serde_json::to_value(Baseline::of(&report)).unwrap();
        let limit = &baseline["values"]["cold start: peak of resident memory, at 1000 services"];
        assert_eq!(limit["most"], expected, "{limit}");
    }
    report.build.profile = "bench-ci".to_owned();
    let baseline = serde_json::to_value(Baseline::of(&report)).unwrap();
    let limit = &baseline["values"]["cold start: peak of resident memory, at 1000 services"];
    assert_eq!(limit["most"], 84e6, "{limit}");
    let growth = report.ratios.iter_mut().find(|it| it.name.contains("services / ")).unwrap();
    growth.value = 1.9;
    let baseline = serde_json::to_value(Baseline::of(&report)).unwrap();
    let limit = &baseline["values"]["endpoint replaced: 10000 services / 1000 services"];
    assert_eq!(limit["most"], 2.0, "{limit}");
}

#[test]
fn a_scenario_is_looked_for_at_each_size_and_of_each_arm() {
    let report = report(1.0, 1_000);
    assert!(report.has(SMALL, PORTOLAN, COLD_START) && report.has(SMALL, KUBE_PROXY, COLD_START));
    assert!(!report.has(LARGE, PORTOLAN, COLD_START) && report.has(LARGE, PORTOLAN, REPLACED));
    assert!(!report.has(SMALL, KUBE_PROXY, REPLACED));
}

#[test]
fn the_head_of_the_table_says_what_was_measured() {
    let report = report(1.0, 1_000).beside(Some("Kubernetes v1.36.2".to_owned()));
    let build = Build { commit: "1234abc".to_owned(), profile: "bench-ci".to_owned() };
    let text = table(&Report { build, ..report });
    let head: Vec<&str> = text.lines().take(2).collect();
    assert!(head[0].contains("(1234abc, bench-ci)") && head[0].contains("Linux"), "{head:?}");
    assert_eq!(head[1], "kube-proxy: Kubernetes v1.36.2");
}

#[test]
fn what_is_not_measured_any_more_fails() {
    let baseline = Baseline::of(&report(1.0, 1_000));
    let mut less = report(1.0, 1_000);
    less.ratios.retain(|ratio| !ratio.name.contains("ClusterIP"));
    let comparison = compare(&less, &baseline);
    assert_eq!(comparison.failed.len(), 1);
    assert!(comparison.text.contains("NOT MEASURED"), "{}", comparison.text);
}

#[test]
fn a_report_and_a_baseline_are_read_as_they_were_written() {
    let directory = tempfile::tempdir().unwrap();
    let (figures, limits) = (directory.path().join("new/a.json"), directory.path().join("b.json"));
    let report = report(1.0, 1_000);
    report.write(&figures).unwrap();
    let read = Report::read(&figures).unwrap();
    assert_eq!((&read.figures, &read.ratios), (&report.figures, &report.ratios));
    Baseline::of(&report).write(&limits).unwrap();
    assert_eq!(Baseline::read(&limits).unwrap(), Baseline::of(&report));
    assert!(Baseline::read(&figures).is_err());
}

#[test]
fn the_table_has_a_line_for_each_figure_with_what_it_is_compared_to() {
    let text = table(&report(1.0, 1_000));
    let line = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(line(COLD_START).contains("200 ms") && line(COLD_START).contains("10x"), "{text}");
    assert!(line(PLAN_FULL).ends_with("floor 10.0 ms   1.30x"), "{text}");
    assert!(line(CONNECT_SERVICE).contains("direct 20.0 us"), "{text}");
    assert!(text.contains("10,000 services x 10 endpoints"), "{text}");
}

#[test]
fn the_head_of_the_table_and_the_json_say_how_the_api_server_was_spoken_to() {
    for (transport, name, word) in
        [(Transport::Http, "http", "HTTP"), (Transport::Https, "https", "HTTPS")]
    {
        let report = Report::new(&Figures::default(), transport, Vec::new(), 1.0);
        let head = table(&report).lines().next().unwrap().to_owned();
        assert!(head.ends_with(&format!("API server over {word}")), "{head}");
        let mut json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["transport"], name);
        json.as_object_mut().unwrap().remove("transport");
        let older: Report = serde_json::from_value(json).unwrap();
        assert_eq!(older.transport, Transport::Http, "there was nothing else");
    }
}
