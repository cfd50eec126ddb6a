//! What was measured, for people, programs and baselines.

mod build;
mod compare;
mod format;
mod limits;
mod machine;
mod plot;
mod ratios;
mod table;

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use self::build::Build;
pub(crate) use self::compare::{Baseline, compare};
use self::machine::Machine;
pub(crate) use self::plot::plot;
use self::ratios::{Ratio, ratios};
pub(crate) use self::table::table;
use crate::figures::{Figures, Metric, Size, Unit};
use crate::statistics::Summary;
use crate::transport::Transport;

/// Raised when the meaning of a field changes.
const SCHEMA: u32 = 2;

/// All figures of a run, with where they are from. This is the JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    schema: u32,
    /// The version of Portolan.
    portolan: String,
    #[serde(default)]
    build: Build,
    /// As a kube-proxy that was measured beside it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kube_proxy: Option<String>,
    machine: Machine,
    /// Between the processes and the API server; HTTP in files that do not say it.
    #[serde(default)]
    transport: Transport,
    /// As typed.
    arguments: Vec<String>,
    /// How long all of it took.
    seconds: f64,
    figures: Vec<Figure>,
    /// Made of the figures, whenever they are read; what baselines hold.
    #[serde(skip_deserializing)]
    ratios: Vec<Ratio>,
}

/// One figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figure {
    #[serde(flatten)]
    pub(crate) size: Size,
    pub(crate) scenario: String,
    pub(crate) arm: String,
    pub(crate) metric: Metric,
    pub(crate) unit: Unit,
    #[serde(flatten)]
    pub(crate) summary: Summary,
    pub(crate) mean: f64,
    /// The median of each run, in their order. Runs are in order of time.
    pub(crate) medians: Vec<f64>,
}

impl Report {
    pub(crate) fn new(
        figures: &Figures,
        transport: Transport,
        arguments: Vec<String>,
        seconds: f64,
    ) -> Report {
        let figures: Vec<Figure> = figures
            .summaries()
            .map(|(key, summary, samples)| Figure {
                size: key.size,
                scenario: key.scenario.to_owned(),
                arm: key.arm.to_owned(),
                metric: key.metric,
                unit: key.metric.unit(),
                summary,
                mean: samples.mean(),
                medians: samples.medians(),
            })
            .collect();
        Report {
            schema: SCHEMA,
            portolan: env!("CARGO_PKG_VERSION").to_owned(),
            build: Build::of_environment(),
            kube_proxy: None,
            machine: Machine::this(),
            transport,
            arguments,
            seconds,
            ratios: ratios(&figures),
            figures,
        }
    }

    /// Reads what [`Report::write`] wrote, and makes the ratios of its figures anew.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Report> {
        let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let report: Report = serde_json::from_slice(&text)
            .with_context(|| format!("{} holds no figures of this version", path.display()))?;
        Ok(Report { ratios: ratios(&report.figures), ..report })
    }

    /// The same, beside a kube-proxy that says this of itself.
    pub(crate) fn beside(self, kube_proxy: Option<String>) -> Report {
        Report { kube_proxy, ..self }
    }

    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        write(path, &format!("{}\n", serde_json::to_string_pretty(self)?))
    }

    /// The sizes, smallest first.
    fn sizes(&self) -> Vec<Size> {
        let mut sizes: Vec<Size> = self.figures.iter().map(|figure| figure.size).collect();
        sizes.sort_unstable();
        sizes.dedup();
        sizes
    }

    /// Whether a scenario was measured at this size, of this arm.
    pub(crate) fn has(&self, size: Size, arm: &str, scenario: &str) -> bool {
        let mut figures = self.figures.iter();
        figures.any(|it| it.size == size && it.arm == arm && it.scenario == scenario)
    }
}

/// A figure by its name.
fn find<'a>(
    figures: &'a [Figure],
    size: Size,
    scenario: &str,
    arm: &str,
    metric: Metric,
) -> Option<&'a Figure> {
    figures.iter().find(|figure| {
        figure.size == size
            && figure.scenario == scenario
            && figure.arm == arm
            && figure.metric == metric
    })
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests;
