//! The kernel that tests run on.

use std::fs;

/// Whether this machine's kernel is of the given release (`6, 16`) or newer, by what it says
/// of itself; `false` if that cannot be read.
pub fn kernel_is_at_least(major: u32, minor: u32) -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    is_at_least(&release, (major, minor))
}

fn is_at_least(release: &str, wanted: (u32, u32)) -> bool {
    let mut numbers = release.split('.').map_while(|number| number.parse::<u32>().ok());
    let (Some(major), Some(minor)) = (numbers.next(), numbers.next()) else { return false };
    (major, minor) >= wanted
}

#[cfg(test)]
mod tests {
    use super::is_at_least;

    #[test]
    fn releases_are_compared_as_numbers() {
        for (release, wanted, expected) in [
            ("6.18.44-fc-v657\n", (6, 16), true),
            ("6.16.0", (6, 16), true),
            ("6.1.0-40-cloud-amd64", (6, 16), false),
            ("5.10.0", (6, 1), false),
            ("7.2.1", (6, 16), true),
            ("", (5, 10), false),
        ] {
            assert_eq!(is_at_least(release, wanted), expected, "{release}");
        }
    }
}
