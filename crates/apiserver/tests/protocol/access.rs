//! Who is answered, and who is told that it is nobody.

use std::io::Read;

use portolan_apiserver::{Authority, Identity};

use crate::connection::Server;

/// The code that a list is answered with.
fn code(server: &Server, headers: &str, identity: Option<&Identity>) -> u16 {
    let mut answer = String::new();
    server
        .request_as("/api/v1/services", headers, identity)
        .read_to_string(&mut answer)
        .unwrap_or_else(|error| panic!("{error} after {answer}"));
    let code = answer.split(' ').nth(1).unwrap().parse().unwrap();
    assert_eq!(answer.contains("10.0.0.1"), code == 200, "{answer}");
    assert_eq!(answer.contains(r#""reason":"Unauthorized""#), code == 401, "{answer}");
    code
}

#[test]
fn a_token_is_required_until_another_one_is() {
    for server in Server::of_each_kind() {
        assert_eq!(code(&server, "", None), 200, "nothing is required yet");
        for (required, other) in [("old", "new"), ("new", "old")] {
            server.api.access().require_token(required);
            for (headers, expected) in [
                (format!("Authorization: Bearer {required}\r\n"), 200),
                (format!("Authorization: Bearer {other}\r\n"), 401),
                (format!("Authorization: Basic {required}\r\n"), 401),
                (String::new(), 401),
            ] {
                assert_eq!(code(&server, &headers, None), expected, "{headers}");
            }
        }
    }
}

#[test]
fn only_certificates_of_the_servers_own_authority_count() {
    let authority = Authority::new("kubernetes").unwrap();
    let server = Server::https(&authority);
    let own = authority.client("system:kube-proxy").unwrap();
    // Of the same name, as those of most clusters are.
    let other = Authority::new("kubernetes").unwrap().client("system:kube-proxy").unwrap();
    assert_eq!(code(&server, "", Some(&other)), 200, "nothing is required yet");
    server.api.access().require_certificate();
    let token = "Authorization: Bearer token\r\n";
    for (headers, identity, expected) in
        [("", Some(&own), 200), ("", Some(&other), 401), ("", None, 401), (token, None, 401)]
    {
        assert_eq!(code(&server, headers, identity), expected, "{headers} {identity:?}");
    }
}
