//! Sets that others made in the place of ours, and declared otherwise.

use std::io::Write as _;
use std::process::{Command, Stdio};

use portolan_lab::namespaced;

use super::mending::filled;
use super::*;

/// What a set of another program is like, and the servers of ours that it has.
struct Case {
    what: &'static str,
    declaration: &'static str,
    kept: &'static [&'static str],
}

const SERVER: &str = "10.96.0.1:80";

const CASES: [Case; 9] = [
    Case {
        what: "another key",
        declaration: "set IT { type ipv4_addr; size 262144; elements = { 10.96.0.1 }; }",
        kept: &[],
    },
    Case {
        what: "a key as long as ours",
        declaration: "set IT { type inet_service . inet_proto . ipv4_addr; size 262144;
                      elements = { 80 . tcp . 10.96.0.1 }; }",
        kept: &[],
    },
    Case {
        what: "constant",
        declaration: "set IT { type KEY; flags constant; size 262144; elements = { SERVER }; }",
        kept: &[SERVER],
    },
    Case {
        what: "timeout",
        declaration: "set IT { type KEY; flags timeout; timeout 1h; size 262144;
                      elements = { SERVER }; }",
        kept: &[SERVER],
    },
    Case {
        what: "a small size",
        declaration: "set IT { type KEY; size 1; elements = { SERVER }; }",
        kept: &[SERVER],
    },
    Case {
        what: "no size",
        declaration: "set IT { type KEY; elements = { SERVER }; }",
        kept: &[SERVER],
    },
    Case {
        what: "ranges",
        declaration: "set IT { type KEY; flags interval; size 262144;
                      elements = { 10.96.0.1 . tcp . 80-90 }; }",
        kept: &[],
    },
    Case {
        what: "statements",
        declaration: "set IT { type KEY; size 262144; counter; elements = { SERVER }; }",
        kept: &[SERVER],
    },
    Case {
        what: "a map",
        declaration: "map IT { type KEY : verdict; size 262144; elements = { SERVER : accept }; }",
        kept: &[SERVER],
    },
];

impl Case {
    /// What `nft -f` reads.
    fn text(&self) -> String {
        let declaration = self.declaration.replace("IT", &format!("ip ours {SET}"));
        let declaration = declaration.replace("KEY", "ipv4_addr . inet_proto . inet_service");
        let declaration = declaration.replace("SERVER", "10.96.0.1 . tcp . 80");
        format!("flush table ip ours\ndelete set ip ours {SET}\nadd {declaration}\n")
    }
}

/// Runs an `nft` that `cargo xtask test` fetches, or the one on the search path.
fn nft(lines: &str) {
    let fetched = std::env::var_os("PORTOLAN_NFT_SID");
    let mut command = Command::new(fetched.unwrap_or_else(|| "nft".into()));
    command.args(["-f", "-"]).stdin(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{lines}");
}

fn keys<'a>(servers: impl IntoIterator<Item = &'a str>) -> BTreeSet<ServerKey> {
    let key = |it: &str| ServerKey::Address { protocol: 6, address: it.parse().unwrap() };
    servers.into_iter().map(key).collect()
}

/// `nft` leaves out the size of a constant set, but others need not.
#[test]
fn a_constant_set_of_the_size_of_ours_is_declared_otherwise() {
    const CONSTANT: u32 = 1 << 1;
    for family in Family::ALL {
        let comment = Some("of whoever".to_owned());
        let ours = Set { comment, ..element::set(family) };
        assert!(element::is_declared(family, &ours));
        assert!(!element::is_declared(family, &Set { other_flags: CONSTANT, ..ours }));
    }
}

#[test]
fn a_set_that_others_declared_otherwise_is_made_anew_and_keeps_its_servers() {
    let name = "registry::tests::declarations::\
                a_set_that_others_declared_otherwise_is_made_anew_and_keeps_its_servers";
    namespaced(name, || {
        for case in &CASES {
            let mut registry = filled();
            nft(&case.text());
            let what = case.what;
            let kept = keys(case.kept.iter().copied().chain(["[fd00::1]:80"]));
            assert_eq!(registry.servers().unwrap(), kept, "{what}: what is read of it");

            assert!(!registry.is_guarded().unwrap(), "{what}");
            registry.create().unwrap_or_else(|error| panic!("{what}: {error}"));
            assert!(registry.is_guarded().unwrap(), "{what}");
            assert_eq!(registry.servers().unwrap(), kept, "{what}");

            let more = keys(["10.96.0.1:80", "10.96.0.2:80", "10.96.0.3:80"]);
            let added: Vec<_> = more.iter().map(|key| (*key, String::new())).collect();
            registry.add(&added).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(registry.servers().unwrap(), &kept | &more, "{what}");
            registry.remove().unwrap();
        }
    });
}

#[test]
fn rules_that_look_into_a_set_declared_otherwise_guard_nothing() {
    let name = "registry::tests::declarations::\
                rules_that_look_into_a_set_declared_otherwise_guard_nothing";
    namespaced(name, || {
        // The kernel lets no rule look into a map so.
        for case in CASES.iter().filter(|case| case.what != "a map") {
            let mut registry = filled();
            nft(&case.text());
            registry.mend().unwrap_or_else(|error| panic!("{}: {error}", case.what));
            assert!(!registry.is_guarded().unwrap(), "{}", case.what);
            registry.create().unwrap();
            assert!(registry.is_guarded().unwrap(), "{}", case.what);
            registry.remove().unwrap();
        }
    });
}

#[test]
fn a_set_that_others_made_larger_is_left_as_it_is() {
    let name = "registry::tests::declarations::a_set_that_others_made_larger_is_left_as_it_is";
    namespaced(name, || {
        let mut registry = filled();
        let declaration = "set IT { type KEY; size 524288; elements = { SERVER }; }";
        nft(&Case { what: "larger", declaration, kept: &[] }.text());
        registry.create().unwrap();
        assert!(registry.is_guarded().unwrap());
        let sets = registry.connection.sets(Family::Ip, "ours").unwrap();
        assert_eq!(sets.iter().map(|set| set.size).collect::<Vec<_>>(), [Some(524_288)]);
        assert_eq!(registry.servers().unwrap(), keys([SERVER, "[fd00::1]:80"]));
    });
}
