//! A strict reader of the text format, version 0.0.4.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// One metric: its type and its samples, by the series' name and labels.
#[derive(Debug)]
pub(super) struct Metric<'a> {
    pub(super) kind: &'a str,
    pub(super) samples: Vec<(&'a str, f64)>,
}

impl Metric<'_> {
    /// The names of the labels, `le` apart.
    pub(super) fn labels(&self) -> BTreeSet<&str> {
        let labels = self.samples.iter().flat_map(|(series, _)| labels(series));
        labels.map(|(name, _)| name).filter(|name| *name != "le").collect()
    }
}

/// The labels of a series, none of which has a comma in it.
fn labels(series: &str) -> Vec<(&str, &str)> {
    let Some((_, inside)) = series.split_once('{') else { return Vec::new() };
    let inside = inside.strip_suffix('}').unwrap();
    inside.split(',').map(|label| label.split_once('=').unwrap()).collect()
}

/// All metrics of a page, each of which stands there once.
pub(super) fn parse(page: &str) -> BTreeMap<&str, Metric<'_>> {
    let mut metrics: BTreeMap<&str, Metric<'_>> = BTreeMap::new();
    let mut current = "";
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, text) = help.split_once(' ').unwrap();
            assert!(text.ends_with('.') && text.len() > 10, "{line}");
            let kind = lines.next().unwrap().strip_prefix(&format!("# TYPE {name} ")).unwrap();
            let metric = Metric { kind, samples: Vec::new() };
            assert!(metrics.insert(name, metric).is_none(), "{name} stands there twice");
            current = name;
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        let name = series.split('{').next().unwrap();
        let metric = metrics.get_mut(current).unwrap();
        let suffix = name.strip_prefix(current).unwrap_or_else(|| panic!("{line}"));
        let suffixes: &[&str] = match metric.kind {
            "histogram" => &["_bucket", "_sum", "_count"],
            _ => &[""],
        };
        assert!(suffixes.contains(&suffix), "{line}");
        metric.samples.push((series, value.parse().unwrap()));
    }
    metrics
}

/// Every series of a page.
pub(super) fn series(page: &str) -> Vec<&str> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit_once(' ').unwrap().0).collect()
}

/// The page with the series of each metric in the order of their labels: which comes
/// first is no matter to Prometheus and to the library. Lines of a histogram keep theirs.
pub(super) fn sorted(page: &str) -> String {
    let mut blocks: Vec<Vec<&str>> = Vec::new();
    for line in page.lines() {
        if line.starts_with("# HELP ") {
            blocks.push(Vec::new());
        }
        blocks.last_mut().unwrap().push(line);
    }
    let mut text = String::new();
    for mut block in blocks {
        block[2..].sort_by_key(|line| {
            let mut labels = labels(line.rsplit_once(' ').unwrap().0);
            labels.retain(|(name, _)| *name != "le");
            labels
        });
        block.iter().for_each(|line| text.push_str(&format!("{line}\n")));
    }
    text
}

#[test]
fn every_line_follows_the_format_and_no_series_stands_there_twice() {
    let page = busy_page();
    let metrics = parse(&page);
    assert!(metrics.len() > 40, "{metrics:?}");
    let all = series(&page);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    for (name, metric) in &metrics {
        assert!(!metric.samples.is_empty(), "{name}");
        let misnamed = name.ends_with("_total") && metric.kind == "gauge";
        let kube_proxys = *name == "kubeproxy_sync_proxy_rules_no_local_endpoints_total";
        assert_eq!(misnamed, kube_proxys, "{name}");
        assert_eq!(metric.kind == "counter", name.ends_with("_total") && !misnamed, "{name}");
    }
}

#[test]
fn buckets_add_up_and_end_with_all() {
    let page = busy_page();
    for (name, metric) in parse(&page).iter().filter(|(_, metric)| metric.kind == "histogram") {
        let buckets = format!("{name}_bucket");
        let (mut last, mut bound) = (0.0, 0.0);
        for (series, value) in &metric.samples {
            if series.starts_with(&buckets) {
                let le = labels(series).into_iter().find(|(name, _)| *name == "le").unwrap().1;
                let le: f64 = le.trim_matches('"').parse().unwrap();
                assert!(*value >= last && le > bound, "{series}");
                (last, bound) = (*value, le);
            } else if series.contains("_count") {
                assert_eq!((*value, bound), (last, f64::INFINITY), "{series}");
                (last, bound) = (0.0, 0.0);
            }
        }
    }
}
