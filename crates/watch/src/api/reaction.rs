//! What to do about an error of a watch.

use std::error::Error as _;
use std::fmt::Write as _;

use kube::runtime::watcher::Error;

use super::outage::Unreachable;
use super::trust;

/// How the initial state is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strategy {
    /// As the first events of the watch (WatchList, KEP-3157): cheapest for both sides.
    Streaming,
    /// By a list from the server's cache, before the watch.
    List,
}

/// What to do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reaction {
    /// Wait and go on: the watch resumes where it was.
    Retry,
    /// Start over at once with the whole state: the server works and has moved on.
    StartOver,
    /// Wait and start over with the whole state, since something may have been missed.
    Restart,
    /// Start over at once by a list: the server does not stream lists.
    FallBack,
    /// The server does not have the API or does not let us use it; we can do without.
    DoWithout,
}

/// Decides on an error. `listing` says that the initial state is not complete yet,
/// `optional` that this kind of object is not needed.
pub(super) fn react(error: &Error, strategy: Strategy, listing: bool, optional: bool) -> Reaction {
    match error {
        Error::WatchStartFailed(kube::Error::Api(status))
        | Error::InitialListFailed(kube::Error::Api(status)) => match status.code {
            403 | 404 if optional => Reaction::DoWithout,
            // Not allowed or not there yet, and too many requests.
            401 | 403 | 404 | 408 | 429 => Reaction::Retry,
            // The version to resume from is gone, for which the watcher itself only looks
            // in the events of a watch.
            410 => expired(listing),
            400..500 if listing && strategy == Strategy::Streaming => Reaction::FallBack,
            400..500 => Reaction::Restart,
            _ => Reaction::Retry,
        },
        Error::WatchError(status) if status.code == 410 => expired(listing),
        // An event was lost, and its object would stay stale.
        Error::WatchFailed(kube::Error::SerdeError(_)) | Error::NoResourceVersion => {
            Reaction::Restart
        }
        _ => Reaction::Retry,
    }
}

/// What to do when the version to resume from is gone. Where nothing was resumed, the answer
/// makes no sense, and would be the same again.
fn expired(listing: bool) -> Reaction {
    if listing { Reaction::Restart } else { Reaction::StartOver }
}

/// An error on one line, with what to check.
pub(super) fn describe(error: &Error, plural: &str) -> String {
    let cause = match error {
        Error::InitialListFailed(cause)
        | Error::WatchStartFailed(cause)
        | Error::WatchFailed(cause) => cause,
        Error::WatchError(status) => return format!("{} ({})", status.message, status.code),
        Error::NoResourceVersion => return error.to_string(),
    };
    if let kube::Error::Api(status) = cause {
        let hint = match status.code {
            401 => "; are the credentials right?",
            403 => {
                return format!("{}; the agent needs to list and watch {plural}", status.message);
            }
            _ => "",
        };
        return format!("{} ({}){hint}", status.message, status.code);
    }
    // "ServiceError" tells nobody anything.
    let (mut text, mut source) = match cause.source() {
        Some(outage) if outage.is::<Unreachable>() => (outage.to_string(), outage.source()),
        source => (cause.to_string(), source),
    };
    while let Some(deeper) = source {
        let deeper_text = deeper.to_string();
        if !text.contains(&deeper_text) {
            let _ = write!(text, ": {deeper_text}");
        }
        source = deeper.source();
    }
    if let Some(hint) = trust::hint(cause) {
        let _ = write!(text, "; {hint}");
    }
    text
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn status(code: u16) -> kube::Error {
        let status = Status { code, message: "because".to_owned(), ..Status::default() };
        kube::Error::Api(Box::new(status))
    }

    fn broken_json() -> kube::Error {
        kube::Error::SerdeError(serde_json::from_str::<u8>("{").unwrap_err())
    }

    #[test]
    fn a_server_that_does_not_stream_lists_is_asked_for_a_list() {
        for code in [400, 405, 406, 415, 422] {
            let error = Error::WatchStartFailed(status(code));
            assert_eq!(react(&error, Strategy::Streaming, true, false), Reaction::FallBack);
            assert_eq!(react(&error, Strategy::List, true, false), Reaction::Restart);
            assert_eq!(react(&error, Strategy::Streaming, false, false), Reaction::Restart);
        }
    }

    #[test]
    fn what_passes_by_itself_is_tried_again() {
        for code in [401, 403, 404, 408, 429, 500, 502, 503, 504] {
            for error in
                [Error::WatchStartFailed(status(code)), Error::InitialListFailed(status(code))]
            {
                for strategy in [Strategy::Streaming, Strategy::List] {
                    assert_eq!(react(&error, strategy, true, false), Reaction::Retry, "{code}");
                }
            }
        }
    }

    #[test]
    fn a_missing_or_forbidden_api_is_done_without_if_it_is_optional() {
        for code in [403, 404] {
            let error = Error::WatchStartFailed(status(code));
            assert_eq!(react(&error, Strategy::Streaming, true, true), Reaction::DoWithout);
        }
        let error = Error::WatchStartFailed(status(500));
        assert_eq!(react(&error, Strategy::Streaming, true, true), Reaction::Retry);
    }

    #[test]
    fn what_may_have_lost_an_event_starts_over() {
        for error in [Error::WatchFailed(broken_json()), Error::NoResourceVersion] {
            for listing in [true, false] {
                let reaction = react(&error, Strategy::Streaming, listing, false);
                assert_eq!(reaction, Reaction::Restart, "{error}");
            }
        }
    }

    #[test]
    fn a_version_that_is_gone_costs_no_time_unless_the_server_says_so_of_a_list() {
        let status = Status { code: 410, ..Status::default() };
        for error in [
            Error::WatchStartFailed(kube::Error::Api(Box::new(status.clone()))),
            Error::WatchError(Box::new(status)),
        ] {
            for strategy in [Strategy::Streaming, Strategy::List] {
                assert_eq!(react(&error, strategy, false, false), Reaction::StartOver);
                assert_eq!(react(&error, strategy, true, false), Reaction::Restart);
            }
        }
    }

    #[test]
    fn descriptions_say_what_to_check_and_nothing_twice() {
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        for (error, text) in [
            (
                Error::WatchStartFailed(status(403)),
                "because; the agent needs to list and watch services",
            ),
            (Error::InitialListFailed(status(401)), "because (401); are the credentials right?"),
            (Error::InitialListFailed(status(500)), "because (500)"),
            (
                Error::WatchStartFailed(kube::Error::Service(refused.into())),
                "ServiceError: connection refused",
            ),
        ] {
            assert_eq!(describe(&error, "services"), text);
        }
    }
}
