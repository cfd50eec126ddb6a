//! Connections that stay where no new ones go, in words.

use portolan_core::Draining;

use crate::layout::plural;

/// A line that says who has how many, and for how long at most.
pub(crate) fn line(draining: &Draining) -> String {
    format!(
        "{} still has {} with {} that {} no new ones, for up to {}\n",
        draining.backend,
        plural(
            usize::try_from(draining.connections).unwrap_or(usize::MAX),
            "connection",
            "connections"
        ),
        plural(draining.endpoints, "endpoint", "endpoints"),
        if draining.endpoints == 1 { "gets" } else { "get" },
        duration(draining.seconds_left)
    )
}

fn duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h", seconds.div_ceil(3600)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_who_has_how_many_and_for_how_long() {
        let line = |endpoints, connections, seconds_left| {
            let backend = "ipvs".to_owned();
            line(&Draining { backend, servers: 1, endpoints, connections, seconds_left })
        };
        let expected =
            "ipvs still has 1 connection with 1 endpoint that gets no new ones, for up to 0 s\n";
        assert_eq!(line(1, 1, 0), expected);
        assert!(
            line(2, 40, 119).ends_with(
                "40 connections with 2 endpoints that get no new ones, for up to 119 s\n"
            )
        );
        for (seconds, told) in [(120, "2 min"), (899, "15 min"), (7199, "120 min"), (7201, "3 h")] {
            assert!(line(2, 2, seconds).ends_with(&format!(" {told}\n")), "{seconds}");
        }
    }
}
