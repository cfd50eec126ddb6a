//! Which answers clients take.

use http::HeaderMap;
use http::header::ACCEPT;

/// Whether the client takes JSON, which is all that is spoken here.
pub(crate) fn accepts_json(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(ACCEPT).iter().peekable();
    let json = |range: &str| {
        let range = range.split(';').next().unwrap_or_default().trim();
        matches!(range, "application/json" | "application/*" | "*/*")
    };
    accepted.peek().is_none()
        || accepted.any(|value| value.to_str().is_ok_and(|value| value.split(',').any(json)))
}
