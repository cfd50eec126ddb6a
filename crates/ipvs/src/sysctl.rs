//! The kernel's settings without which IPVS does not do what services need.

use std::fs;
use std::io;
use std::path::Path;

const DIRECTORY: &str = "/proc/sys/net/ipv4/vs";

/// A setting of this network namespace.
struct Setting {
    name: &'static str,
    value: &'static str,
    purpose: &'static str,
}

const SETTINGS: [Setting; 3] = [
    Setting {
        name: "conntrack",
        value: "1",
        purpose: "connections can be masqueraded, and keep their packets",
    },
    Setting {
        name: "expire_nodest_conn",
        value: "1",
        purpose: "clients of an endpoint that is gone are sent to another",
    },
    Setting {
        name: "expire_quiescent_template",
        value: "1",
        purpose: "clients are not kept on an endpoint that gets no new connections",
    },
];

/// A connection from a port that was used a moment ago goes where that one went, even if
/// nobody is there any more. Since Linux 5.9 the kernel does better by itself.
const REUSE: Setting = Setting {
    name: "conn_reuse_mode",
    value: "0",
    purpose: "connections from ports that are used again do not wait for a second",
};

/// A setting that could not be made what it should be.
#[derive(Debug, thiserror::Error)]
#[error("cannot set net.ipv4.vs.{name} to {value}, so that {purpose}: {}", self.advice())]
pub struct SysctlError {
    name: &'static str,
    value: &'static str,
    purpose: &'static str,
    source: io::Error,
}

impl SysctlError {
    fn advice(&self) -> String {
        let SysctlError { name, value, .. } = self;
        if self.source.kind() == io::ErrorKind::NotFound {
            return format!(
                "there is no {DIRECTORY}/{name}, which the kernel shows only to those who have \
                 CAP_NET_ADMIN in the initial user namespace"
            );
        }
        format!(
            "give this agent a writable /proc/sys (a privileged container), or run `sysctl -w \
             net.ipv4.vs.{name}={value}` on the node"
        )
    }
}

/// Makes the settings of this network namespace what they should be.
pub(crate) fn set() -> Result<(), SysctlError> {
    settings().try_for_each(|it| set_one(Path::new(DIRECTORY), it))
}

/// Whether they are so. What cannot be read is left to [`set`] to tell.
pub(crate) fn are_set() -> bool {
    settings().all(|it| is_set(Path::new(DIRECTORY), it))
}

fn settings() -> impl Iterator<Item = &'static Setting> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    SETTINGS.iter().chain(before_5_9(&release).then_some(&REUSE))
}

fn is_set(directory: &Path, setting: &Setting) -> bool {
    let found = fs::read_to_string(directory.join(setting.name));
    found.map_or(true, |found| found.trim() == setting.value)
}

fn set_one(directory: &Path, setting: &Setting) -> Result<(), SysctlError> {
    let Setting { name, value, purpose } = *setting;
    let file = directory.join(name);
    let done = match fs::read_to_string(&file) {
        Ok(found) if found.trim() == value => Ok(()),
        Ok(_) => fs::write(&file, value),
        Err(error) => Err(error),
    };
    done.map_err(|source| SysctlError { name, value, purpose, source })
}

fn before_5_9(release: &str) -> bool {
    let mut numbers = release.split(['.', '-']).map(|it| it.parse::<u32>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) => (major, minor) < (5, 9),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_told_apart_by_their_numbers() {
        for (release, expected) in [
            ("4.19.0-27-amd64", true),
            ("5.8.18\n", true),
            ("5.9.0", false),
            ("5.10.0-32-cloud-amd64", false),
            ("6.1.0-9", false),
            ("nonsense", false),
        ] {
            assert_eq!(before_5_9(release), expected, "{release}");
        }
    }

    #[test]
    fn a_setting_that_cannot_be_made_says_what_to_do() {
        let [conntrack, ..] = SETTINGS;
        let refused = |kind: io::ErrorKind| {
            let Setting { name, value, purpose } = conntrack;
            SysctlError { name, value, purpose, source: kind.into() }.to_string()
        };
        let error = refused(io::ErrorKind::PermissionDenied);
        assert!(error.contains("`sysctl -w net.ipv4.vs.conntrack=1`"), "{error}");
        let error = set_one(Path::new("/nowhere"), &conntrack).unwrap_err().to_string();
        assert!(error.contains("in the initial user namespace"), "{error}");
    }
}
