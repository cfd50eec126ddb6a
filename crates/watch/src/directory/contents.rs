//! What a directory holds, in numbers, and what to say if that is nothing.

use std::fmt;
use std::path::Path;

use portolan_core::ObjectKind;

use super::listing::list;

/// How many objects stand in the files of a directory, whether or not they are served.
/// Displayed as `5 Services, 10 EndpointSlices, 1 Node; 3 objects of other kinds ignored`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Services, those included that nothing is served for.
    pub services: usize,
    /// EndpointSlices.
    pub endpoint_slices: usize,
    /// Nodes, other ones than this included.
    pub nodes: usize,
    /// ServiceCIDRs.
    pub service_cidrs: usize,
    /// Objects of all other kinds.
    pub ignored: usize,
}

impl Contents {
    pub(super) fn add(&mut self, kind: ObjectKind) {
        let count = match kind {
            ObjectKind::Service => &mut self.services,
            ObjectKind::EndpointSlice => &mut self.endpoint_slices,
            ObjectKind::Node => &mut self.nodes,
            ObjectKind::ServiceCIDR => &mut self.service_cidrs,
        };
        *count += 1;
    }
}

impl fmt::Display for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        let Contents { services, endpoint_slices, nodes, service_cidrs, ignored } = *self;
        write!(f, "{services} Service{}", plural(services))?;
        write!(f, ", {endpoint_slices} EndpointSlice{}", plural(endpoint_slices))?;
        write!(f, ", {nodes} Node{}", plural(nodes))?;
        if service_cidrs > 0 {
            write!(f, ", {service_cidrs} ServiceCIDR{}", plural(service_cidrs))?;
        }
        match ignored {
            0 => Ok(()),
            1 => f.write_str("; 1 object of another kind ignored"),
            _ => write!(f, "; {ignored} objects of other kinds ignored"),
        }
    }
}

/// Why a directory may hold no Service. `files` says whether it has any manifests.
pub(super) fn without_service(path: &Path, files: bool) -> String {
    let below = directories_with_manifests(path);
    let why = if !below.is_empty() {
        format!(
            ". Directories below it are not read, and there are manifests in {}",
            below.join(", ")
        )
    } else if files {
        String::new()
    } else {
        ": it has no file *.yaml, *.yml or *.json".to_owned()
    };
    format!("there is no Service in {}{why}", path.display())
}

/// Where manifests may have been meant to be read from; a few names are enough.
fn directories_with_manifests(path: &Path) -> Vec<String> {
    const MOST: usize = 3;
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let has_manifests =
        |path: &Path| path.is_dir() && list(path).is_ok_and(|files| !files.is_empty());
    let mut found: Vec<String> = entries
        .map(|entry| entry.path())
        .filter(|path| has_manifests(path))
        .map(|path| path.display().to_string())
        .collect();
    found.sort_unstable();
    found.truncate(MOST);
    found
}
