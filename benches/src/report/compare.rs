//! A run beside a baseline.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::build::Build;
use super::limits::Kind;
use super::ratios::Ratio;
use super::{Report, format, write};

/// Ratios and counts that were once measured, each with how much worse it may become.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Baseline {
    /// For readers of the file.
    about: String,
    /// How both programs were built that were measured.
    build: String,
    /// Where limits are from, for readers of the file.
    kinds: BTreeMap<Kind, String>,
    values: BTreeMap<String, Limit>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Limit {
    kind: Kind,
    value: f64,
    /// More is worse.
    most: f64,
}

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Comparison {
    pub(crate) text: String,
    /// Names of what is worse, or was not measured.
    pub(crate) failed: Vec<String>,
}

const ABOUT: &str = "Ratios and counts of a run, never times. A run fails `--compare` if one is \
                     more than its \"most\", or missing. Written by `--write-baseline`, by the \
                     rule of the value's kind, but never beyond what DESIGN's table allows; \
                     limits are free to edit.";

impl Baseline {
    /// What a run measured, with limits that other machines keep within.
    pub(crate) fn of(report: &Report) -> Baseline {
        let compared = report.ratios.iter().filter(|it| Kind::COMPARED.contains(&it.kind));
        let values = compared.map(|ratio| (ratio.name.clone(), Limit::of(ratio, &report.build)));
        let reasons = Kind::COMPARED.map(|kind| (kind, kind.reason().to_owned()));
        Baseline {
            about: ABOUT.to_owned(),
            build: report.build.profile.clone(),
            kinds: reasons.into(),
            values: values.collect(),
        }
    }

    pub(crate) fn read(path: &Path) -> anyhow::Result<Baseline> {
        let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is no baseline", path.display()))
    }

    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        write(path, &format!("{}\n", serde_json::to_string_pretty(self)?))
    }
}

/// Every value of the baseline beside what was measured.
pub(crate) fn compare(report: &Report, baseline: &Baseline) -> Comparison {
    let mut comparison = Comparison::default();
    let width = baseline.values.keys().map(String::len).max().unwrap_or_default();
    let mut line = |cells: [&str; 5]| {
        let [name, baseline, limit, measured, verdict] = cells;
        // Writing to a string cannot fail.
        let _ = writeln!(
            comparison.text,
            "{name:<width$}  {baseline:>12}  {limit:>12}  {measured:>12}  {verdict}"
        );
    };
    line(["", "baseline", "at most", "measured", ""]);
    let mut failed = Vec::new();
    for (name, limit) in &baseline.values {
        let measured = report.ratios.iter().find(|ratio| ratio.name == *name);
        let verdict = judge(measured, limit);
        let shown = measured.map_or("-".to_owned(), |ratio| number(ratio.value));
        line([name, &number(limit.value), &number(limit.most), &shown, verdict]);
        if verdict != OK {
            failed.push(name.clone());
        }
    }
    if baseline.build != report.build.profile {
        let (theirs, ours) = (&baseline.build, &report.build.profile);
        // Writing to a string cannot fail.
        let _ = writeln!(
            comparison.text,
            "\nThe baseline is of a build with the profile {theirs:?}, this run of {ours:?}: only \
             operations, bytes and transactions are the same with both."
        );
    }
    comparison.failed = failed;
    comparison
}

const OK: &str = "ok";

/// What is not measured any more has not become better.
fn judge(measured: Option<&Ratio>, limit: &Limit) -> &'static str {
    match measured {
        None => "NOT MEASURED (other --services than the baseline's?)",
        Some(ratio) if ratio.value <= limit.most => OK,
        Some(_) => "WORSE",
    }
}

impl Limit {
    fn of(ratio: &Ratio, build: &Build) -> Limit {
        // Digits beyond these differ from run to run.
        let rounded = |value: f64| (value * 1000.0).round() / 1000.0;
        // A target is for builds as users have them; growth is that of any build.
        let target = ratio.target.filter(|_| ratio.kind == Kind::Growth || !build.is_lane_s());
        let most = ratio.kind.most(ratio.value).min(target.unwrap_or(f64::INFINITY));
        Limit { kind: ratio.kind, value: rounded(ratio.value), most: rounded(most) }
    }
}

fn number(value: f64) -> String {
    if value >= 1000.0 || value.fract() == 0.0 {
        format::grouped(value)
    } else {
        format!("{value:.2}")
    }
}
