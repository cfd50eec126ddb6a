//! Keeps requests apart that end as soon as they begin.
//!
//! The watcher asks again at once when a watch ends without an error, which is right after
//! an hour and a storm of requests when a server, or a proxy before it, ends every watch
//! that it is asked for.

use std::time::Duration;

use kube::Client;
use kube::client::Body;
use kube::core::Status;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::DefaultBackoff;
use tokio::time::{Instant, sleep, sleep_until};
use tower::service_fn;

/// A watch that lived this long was one. What lives shorter is an answer to a request.
const LIVED: Duration = Duration::from_secs(5);

/// Short requests in a row that are no reason to wait: a streaming list that is refused, a
/// list, a watch whose version is gone, and the same once more.
const UNSUSPICIOUS: u32 = 5;

/// The longest that a server may send the agent away for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(30);

/// When the requests of one client begin.
#[derive(Default)]
struct Pace {
    /// When the last request began, or will begin.
    last: Option<Instant>,
    /// Requests in a row that ended within [`LIVED`].
    short: u32,
    backoff: DefaultBackoff,
}

impl Pace {
    /// When a request that is wanted `now` may begin.
    fn next_start(&mut self, now: Instant) -> Instant {
        let start = match self.last {
            Some(last) if now < last + LIVED => last + self.pause(),
            _ => {
                self.short = 0;
                self.backoff.reset();
                now
            }
        };
        let start = start.max(now);
        self.last = Some(start);
        start
    }

    /// From the beginning of a short request to that of the next: up to half a minute, and
    /// different on each node of a cluster.
    fn pause(&mut self) -> Duration {
        self.short = self.short.saturating_add(1);
        if self.short < UNSUSPICIOUS {
            return Duration::ZERO;
        }
        self.backoff.next().unwrap_or(LIVED)
    }

    /// Whether the next pause is the first of a row.
    fn becomes_suspicious(&self) -> bool {
        self.short == UNSUSPICIOUS
    }
}

/// A client like `client` whose requests are paced. Redirections are errors: an API server
/// sends none, and following them would take the credentials elsewhere.
pub(super) fn paced(client: Client, plural: String) -> Client {
    let namespace = client.default_namespace().to_owned();
    let mut pace = Pace::default();
    let service = service_fn(move |request: http::Request<Body>| {
        let start = pace.next_start(Instant::now());
        if pace.becomes_suspicious() {
            tracing::warn!(
                "the API server ends each watch of {plural} at once: asking it more rarely; \
                 is there a proxy before it?"
            );
        }
        let client = client.clone();
        async move {
            sleep_until(start).await;
            let response = client.send(request).await?;
            if response.status().is_redirection() {
                return Err(redirected(&response));
            }
            if let Some(pause) = retry_after(&response) {
                sleep(pause).await;
            }
            Ok(response)
        }
    });
    Client::new(service, namespace)
}

/// How long an overloaded server wants to be left in peace.
fn retry_after(response: &http::Response<Body>) -> Option<Duration> {
    if !matches!(response.status().as_u16(), 429 | 503) {
        return None;
    }
    let seconds = response.headers().get(http::header::RETRY_AFTER)?.to_str().ok()?;
    Some(Duration::from_secs(seconds.parse().ok()?).min(LONGEST_RETRY_AFTER))
}

fn redirected(response: &http::Response<Body>) -> kube::Error {
    let location = response.headers().get(http::header::LOCATION);
    let location = location.map_or_else(
        || "nowhere".to_owned(),
        |location| String::from_utf8_lossy(location.as_bytes()).into_owned(),
    );
    let message = format!(
        "the server redirects to {location:?}, which an API server does not: \
         is the URL that of a proxy or a login page?"
    );
    let code = response.status().as_u16();
    kube::Error::Api(Box::new(Status { code, message, ..Status::default() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overloaded_server_is_left_in_peace_for_as_long_as_it_says() {
        for (code, header, seconds) in [
            (429, "3", Some(3)),
            (503, "7", Some(7)),
            (429, "86400", Some(30)),
            (429, "tomorrow", None),
            (200, "3", None),
        ] {
            let response = http::Response::builder().status(code).header("Retry-After", header);
            let pause = retry_after(&response.body(Body::empty()).unwrap());
            assert_eq!(pause, seconds.map(Duration::from_secs), "{code} {header}");
        }
    }

    #[test]
    fn what_lives_is_never_held_back() {
        let mut pace = Pace::default();
        let mut now = Instant::now();
        for _ in 0..100 {
            assert_eq!(pace.next_start(now), now);
            now += LIVED;
        }
    }

    #[test]
    fn what_ends_at_once_is_asked_for_ever_more_rarely_until_something_lives() {
        let mut pace = Pace::default();
        let begin = Instant::now();
        let mut now = begin;
        let mut starts = 0;
        while now < begin + Duration::from_secs(60) {
            now = pace.next_start(now);
            starts += 1;
            assert!(starts > 5 || now == begin, "the first are not held back");
        }
        assert!((6..20).contains(&starts), "{starts}");
        now += LIVED;
        assert_eq!(pace.next_start(now), now);
        assert_eq!(pace.next_start(now), now);
    }
}
