//! Leaving nothing behind.

use crate::error::IpvsError;
use crate::manager::Manager;
use crate::options::IpvsOptions;
use crate::paths::{PATHS, Paths};
use crate::registry::Registry;

/// Removes everything that an IPVS backend put into the kernel, and nothing else. Returns
/// what was deleted; connections that IPVS has end.
pub fn cleanup(options: &IpvsOptions) -> Result<Vec<String>, IpvsError> {
    if Registry::of(options)?.is_there()? {
        return Manager::open(options)?.remove();
    }
    // Others may have deleted the register; rules and routes say themselves whose they are.
    let removed = Paths::of(options)?.remove()?;
    Ok(if removed > 0 { vec![PATHS.to_owned()] } else { Vec::new() })
}
