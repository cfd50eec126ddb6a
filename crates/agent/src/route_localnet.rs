//! The kernel's setting without which NodePorts on 127.0.0.0/8 are not forwarded.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tracing::{info, warn};

const SYSCTL: &str = "net.ipv4.conf.all.route_localnet";
const FILE: &str = "/proc/sys/net/ipv4/conf/all/route_localnet";

/// Sets `net.ipv4.conf.all.route_localnet` to 1 if NodePorts are wanted on localhost.
///
/// It is never set back: others on this machine may have come to rely on it.
pub(crate) struct RouteLocalnet {
    wanted: bool,
    file: PathBuf,
    /// The last attempt failed, and the operator was told.
    warned: bool,
}

impl RouteLocalnet {
    /// The setting of this network namespace.
    pub(crate) fn new(wanted: bool) -> RouteLocalnet {
        RouteLocalnet { wanted, file: FILE.into(), warned: false }
    }

    /// To be called after each successful sync, and only then: with the setting alone the
    /// network would reach what listens on 127.0.0.0/8. The rules that keep it away have to
    /// be in the kernel first.
    pub(crate) fn synced(&mut self) {
        if !self.wanted {
            return;
        }
        match set(&self.file) {
            Ok(changed) => {
                self.warned = false;
                if changed {
                    info!("{SYSCTL} is now 1, as --localhost-nodeports needs it");
                }
            }
            Err(error) if !self.warned => {
                self.warned = true;
                warn!("{}", complaint(&self.file, &error));
            }
            Err(_) => {}
        }
    }
}

/// What to tell the operator if packets of the network to 127.0.0.0/8 are forwarded, and
/// no rule of ours keeps them away.
///
/// `None` if the setting is off, or cannot be read.
pub fn route_localnet_warning() -> Option<String> {
    warning(Path::new(FILE))
}

fn warning(file: &Path) -> Option<String> {
    let value = fs::read_to_string(file).ok()?;
    (value.trim() != "0").then(|| {
        format!(
            "{SYSCTL} is {}, which --localhost-nodeports (or kube-proxy) sets and nobody sets \
             back, and no rules of Portolan guard it now: machines on this node's networks may \
             reach what listens on 127.0.0.1. Unless something else needs it, run `sysctl -w \
             {SYSCTL}=0`",
            value.trim()
        )
    })
}

/// Whether it had to be changed.
fn set(file: &Path) -> io::Result<bool> {
    if fs::read_to_string(file)?.trim() == "1" {
        return Ok(false);
    }
    OpenOptions::new().write(true).open(file)?.write_all(b"1")?;
    Ok(true)
}

fn complaint(file: &Path, error: &io::Error) -> String {
    format!(
        "cannot set {SYSCTL} to 1 ({}: {error}): NodePorts are not served on 127.0.0.0/8, all else \
         is. Give this agent a writable /proc/sys (a privileged container), or run `sysctl -w \
         {SYSCTL}=1` on the node, or leave --localhost-nodeports out",
        file.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(file: &Path, wanted: bool) -> RouteLocalnet {
        RouteLocalnet { file: file.to_owned(), ..RouteLocalnet::new(wanted) }
    }

    #[test]
    fn it_is_set_if_it_is_wanted_and_not_written_if_it_is_set() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("route_localnet");
        for (wanted, before, after) in
            [(true, "0\n", "1\n"), (true, "1\n", "1\n"), (true, " 1", " 1"), (false, "0\n", "0\n")]
        {
            fs::write(&file, before).unwrap();
            at(&file, wanted).synced();
            assert_eq!(fs::read_to_string(&file).unwrap(), after, "{wanted} {before:?}");
        }
    }

    #[test]
    fn what_others_set_back_is_set_again_after_the_next_sync() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("route_localnet");
        let mut setting = at(&file, true);
        setting.synced();
        assert!(setting.warned && !file.exists(), "a setting that is missing is not made");
        for _ in 0..2 {
            fs::write(&file, "0").unwrap();
            setting.synced();
            assert_eq!(fs::read_to_string(&file).unwrap(), "1");
            assert!(!setting.warned, "a later failure is told again");
        }
    }

    #[test]
    fn a_setting_that_was_left_behind_is_warned_about() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("route_localnet");
        assert_eq!(warning(&file), None, "it cannot be read");
        fs::write(&file, "0\n").unwrap();
        assert_eq!(warning(&file), None);
        fs::write(&file, "1\n").unwrap();
        let told = warning(&file).unwrap();
        assert!(told.contains("`sysctl -w net.ipv4.conf.all.route_localnet=0`"), "{told}");
    }

    #[test]
    fn the_warning_names_the_setting_and_what_to_do() {
        let error = set(Path::new("/nowhere/route_localnet")).unwrap_err();
        let text = complaint(Path::new("/nowhere/route_localnet"), &error);
        for part in [
            "/nowhere/route_localnet: No such file",
            "`sysctl -w net.ipv4.conf.all.route_localnet=1`",
            "privileged",
            "--localhost-nodeports",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
}
