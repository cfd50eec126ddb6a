//! The answer to a load balancer, in the form of kube-proxy's.

use hyper::StatusCode;
use hyper::header::HeaderValue;
use portolan_core::ObjectName;
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};

use crate::http::{self, Response};

/// Load balancers that weigh nodes read it.
const WEIGHT: &str = "x-load-balancing-endpoint-weight";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    service: Name<'a>,
    local_endpoints: usize,
    service_proxy_healthy: bool,
}

#[derive(Serialize)]
struct Name<'a> {
    namespace: &'a str,
    name: &'a str,
}

/// 200 if this node is to get traffic of the Service, else 503.
pub(super) fn answer(service: &ObjectName, local_endpoints: usize, live: bool) -> Response {
    let ok = live && local_endpoints > 0;
    let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let report = Report {
        service: Name { namespace: &service.namespace, name: &service.name },
        local_endpoints,
        service_proxy_healthy: live,
    };
    let mut response = http::json(status, indented(&report));
    response.headers_mut().insert(WEIGHT, HeaderValue::from(local_endpoints));
    response
}

fn indented(report: &Report<'_>) -> String {
    let mut text = Vec::new();
    let formatter = PrettyFormatter::with_indent(b"\t");
    // Texts and numbers can always be written, and JSON is UTF-8.
    let _ = report.serialize(&mut Serializer::with_formatter(&mut text, formatter));
    String::from_utf8(text).unwrap_or_default()
}
