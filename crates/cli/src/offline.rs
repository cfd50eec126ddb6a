//! A node as a directory of manifests has it, without an agent.

use std::path::Path;

use anyhow::{Context, bail};
use portolan_agent::config::{BackendKind, Given, Loaded, Settings, SourceConfig};
use portolan_agent::{Config, environment, missing};
use portolan_core::{Environment, Index};
use portolan_watch::{Cause, Contents, Notice, read_directory};

use crate::node_arguments::{NodeArguments, given};
use crate::output::complain;

/// What a directory says of a node.
pub(crate) struct Offline {
    pub(crate) config: Config,
    /// Everything is planned.
    pub(crate) index: Index,
    pub(crate) environment: Environment,
    pub(crate) contents: Contents,
}

impl Offline {
    /// Reads `source`, on behalf of `command`. What cannot be used is said on standard error.
    pub(crate) fn load(
        command: &str,
        source: &str,
        backend: &Option<String>,
        node: &NodeArguments,
    ) -> anyhow::Result<Offline> {
        let source = Some(Given::new(source.to_owned(), "--source"));
        // The mode of kube-proxy's file may be one that is not here.
        let backend = given(backend, "--backend")
            .or_else(|| Some(Given::new(BackendKind::default().name().to_owned(), "the default")));
        let settings = Settings { source, backend, ..Settings::default() };
        let Loaded { config, warnings, .. } = node.load(settings)?;
        let SourceConfig::Directory(path) = &config.source else {
            bail!(
                "--source: {command} reads a directory; a right value is \
                 dir:/etc/portolan/services"
            );
        };
        for warning in warnings.into_iter().chain(config.warnings()) {
            complain(warning);
        }
        let (index, contents) = read(path, &config.node_name)?;
        for warning in missing(&config, index.node(), true) {
            complain(warning);
        }
        let environment = environment(&config, index.node(), index.service_cidrs())
            .context("cannot read the addresses of this machine's interfaces")?;
        Ok(Offline { config, index, environment, contents })
    }
}

fn read(path: &Path, node_name: &str) -> anyhow::Result<(Index, Contents)> {
    let snapshot = read_directory(path, node_name)?;
    for problem in &snapshot.problems {
        complain(problem);
    }
    let mut index = Index::new(node_name);
    for update in snapshot.updates {
        index.apply(update);
    }
    index.take_changes();
    for problem in index.problems() {
        complain(problem);
    }
    if let Some(warning) = &snapshot.without_service {
        complain(warning);
    }
    if is_unreadable(&snapshot.problems, &index) {
        bail!("nothing in {} could be read", path.display());
    }
    Ok((index, snapshot.contents))
}

/// Whether there is something, but not one object in it. An object that is told to be
/// wrong was read.
fn is_unreadable(problems: &[Notice], index: &Index) -> bool {
    let counts = index.counts();
    let empty = counts.services + counts.endpoint_slices == 0
        && index.node().is_none()
        && index.service_cidrs().is_empty();
    let no_object = |problem: &Notice| matches!(problem.cause, Cause::Other(_));
    empty && !problems.is_empty() && problems.iter().all(no_object)
}
