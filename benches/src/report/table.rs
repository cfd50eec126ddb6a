//! The table for the terminal.

use std::fmt::Write as _;

use super::format::{grouped, ratio, value};
use super::{Figure, Report};
use crate::arms::{ASKED, DIRECT, FLOOR, KUBE_PROXY, PORTOLAN};
use crate::figures::{Metric, Size};
use crate::scenarios::names::{
    CHURN, COLD_START, CONNECT, CONNECT_AFFINITY, CONNECT_SERVICE, DATAGRAM, DATAGRAM_PAST, RELIST,
    WARM_RESTART,
};

/// The width of the first column.
const NAME: usize = 34;

/// All figures, size by size.
pub(crate) fn table(report: &Report) -> String {
    let mut text = String::new();
    let machine = &report.machine;
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "Portolan {} ({}) on {} x {}, {}, Linux {}, API server over {}",
        report.portolan,
        report.build,
        machine.processors,
        machine.processor,
        value(machine.memory_bytes as f64, crate::figures::Unit::Bytes),
        machine.kernel,
        report.transport.label(),
    );
    if let Some(version) = &report.kube_proxy {
        let _ = writeln!(text, "{KUBE_PROXY}: {version}");
    }
    for size in report.sizes() {
        let of_size: Vec<&Figure> =
            report.figures.iter().filter(|figure| figure.size == size).collect();
        text += &section(size, &of_size);
    }
    text
}

fn section(size: Size, figures: &[&Figure]) -> String {
    let beside = figures.iter().any(|figure| figure.arm == KUBE_PROXY);
    let mut text = String::new();
    let title =
        format!("{} services x {} endpoints", grouped(size.services.into()), size.endpoints);
    let kube_proxy =
        if beside { format!("{:>12} {:>8}", KUBE_PROXY, "ratio") } else { String::new() };
    let _ = writeln!(
        text,
        "\n{title:<NAME$} {:>10} {:>10} {:>6}{kube_proxy} {:>16} {:>7}",
        "median", "p99", "spread", "floor", "ratio"
    );
    let mut last = "";
    for figure in figures.iter().filter(|figure| figure.arm == PORTOLAN && is_shown(figure)) {
        let name = match figure.metric {
            Metric::Time => figure.scenario.clone(),
            metric => format!("  {}", metric.label()),
        };
        if figure.scenario != last && figure.metric != Metric::Time {
            let _ = writeln!(text, "{}", figure.scenario);
        }
        last = &figure.scenario;
        let _ = writeln!(text, "{}", line(&name, figure, figures, beside).trim_end());
    }
    text
}

/// The JSON has the others.
fn is_shown(figure: &Figure) -> bool {
    let scenario = figure.scenario.as_str();
    match figure.metric {
        Metric::Time | Metric::Operations | Metric::Transactions | Metric::Bytes => true,
        Metric::Rate | Metric::Cpu | Metric::Allocations => true,
        Metric::PeakResident => [COLD_START, WARM_RESTART, RELIST].contains(&scenario),
        Metric::Resident => [COLD_START, WARM_RESTART].contains(&scenario),
        Metric::ContextSwitches => scenario == CHURN,
        Metric::Ready => scenario == COLD_START,
        // The last column has it.
        Metric::PageFaults | Metric::OverFloor => false,
    }
}

fn line(name: &str, figure: &Figure, figures: &[&Figure], beside: bool) -> String {
    let summary = &figure.summary;
    let other = |arm: &str, scenario: &str| {
        let found = figures.iter().find(|other| {
            other.arm == arm && other.scenario == scenario && other.metric == figure.metric
        });
        found.map(|other| other.summary.median)
    };
    let p99 = match summary.samples > summary.runs {
        true => value(summary.p99, figure.unit),
        false => String::new(),
    };
    let mut text = format!(
        "{name:<NAME$} {:>10} {p99:>10} {:>6}",
        value(summary.median, figure.unit),
        format!("{:.0} %", summary.spread * 100.0),
    );
    if beside {
        let median = other(KUBE_PROXY, &figure.scenario);
        let shown = median.map(|median| value(median, figure.unit)).unwrap_or_default();
        let times = median.filter(|_| summary.median > 0.0).map(|it| ratio(it / summary.median));
        let _ = write!(text, "{shown:>12} {:>8}", times.unwrap_or_default());
    }
    if let Some(asked) = summary.missed {
        let _ = write!(text, "  FELL BEHIND: {} were asked for", value(asked, figure.unit));
    }
    if matches!(figure.metric, Metric::Time | Metric::Rate) {
        let floor = [FLOOR, DIRECT, ASKED].iter().find_map(|arm| {
            Some((*arm, other(arm, floor_of(&figure.scenario))?)).filter(|(_, it)| *it > 0.0)
        });
        if let Some((arm, median)) = floor {
            let shown = format!("{arm} {}", value(median, figure.unit));
            let paired = figures.iter().find(|other| {
                other.scenario == figure.scenario && other.metric == Metric::OverFloor
            });
            let over = paired.filter(|_| figure.metric == Metric::Time);
            let over = over.map_or(summary.median / median, |over| over.summary.median);
            let _ = write!(text, " {shown:>16} {:>7}", ratio(over));
        }
    }
    text
}

/// The scenario that the floor was measured in.
pub(super) fn floor_of(scenario: &str) -> &str {
    match scenario {
        CONNECT_SERVICE | CONNECT_AFFINITY => CONNECT,
        DATAGRAM_PAST => DATAGRAM,
        other => other,
    }
}
