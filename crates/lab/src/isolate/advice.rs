//! Which settings of a host forbid namespaces, in words for its administrator.

use std::fmt::Write as _;

struct Setting {
    name: &'static str,
    forbids: fn(u64) -> bool,
    cure: &'static str,
    where_found: &'static str,
}

const SETTINGS: [Setting; 4] = [
    Setting {
        name: "kernel.unprivileged_userns_clone",
        forbids: |value| value == 0,
        cure: "sysctl -w kernel.unprivileged_userns_clone=1",
        where_found: "Debian kernels",
    },
    Setting {
        name: "kernel.apparmor_restrict_unprivileged_userns",
        forbids: |value| value != 0,
        cure: "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        where_found: "Ubuntu from 23.10 on",
    },
    Setting {
        name: "user.max_user_namespaces",
        forbids: |value| value == 0,
        cure: "sysctl -w user.max_user_namespaces=10000",
        where_found: "every kernel",
    },
    Setting {
        name: "user.max_net_namespaces",
        forbids: |value| value == 0,
        cure: "sysctl -w user.max_net_namespaces=10000",
        where_found: "every kernel",
    },
];

/// Says what stands in the way on this host and what helps.
pub(super) fn for_this_host() -> String {
    advice(|name| {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        std::fs::read_to_string(path).ok()?.trim().parse().ok()
    })
}

fn advice(read: impl Fn(&str) -> Option<u64>) -> String {
    let mut text = String::new();
    for setting in &SETTINGS {
        if let Some(value) = read(setting.name).filter(|value| (setting.forbids)(*value)) {
            // Writing to a string cannot fail.
            let _ = write!(text, "{} is {value}, allow it with `{}`; ", setting.name, setting.cure);
        }
    }
    if text.is_empty() {
        let names = SETTINGS.map(|setting| format!("{} ({})", setting.name, setting.where_found));
        let _ = write!(
            text,
            "none of its settings forbids it ({}), so a seccomp or security profile does; \
             in a container, start it with --privileged; ",
            names.join(", ")
        );
    }
    text + "or run as root (`sudo`)"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_that_forbids_is_named_with_its_value_and_its_cure() {
        for (name, value) in [
            ("kernel.unprivileged_userns_clone", 0),
            ("kernel.apparmor_restrict_unprivileged_userns", 1),
            ("user.max_user_namespaces", 0),
            ("user.max_net_namespaces", 0),
        ] {
            let text = advice(|asked| (asked == name).then_some(value));
            assert!(text.starts_with(&format!("{name} is {value}")), "{text}");
            assert!(text.contains(&format!("`sysctl -w {name}=")), "{text}");
            assert!(text.ends_with("or run as root (`sudo`)"), "{text}");
        }
    }

    #[test]
    fn a_host_whose_settings_allow_namespaces_is_told_to_look_at_its_container() {
        let text =
            advice(|name| Some(u64::from(name.starts_with("user.") || name.contains("clone"))));
        assert!(text.starts_with("none of its settings forbids it"), "{text}");
        assert!(text.contains("--privileged"), "{text}");
    }
}
