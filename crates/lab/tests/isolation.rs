//! Namespaces for tests and programs, seen from inside and outside.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::process::{Command, Stdio};
use std::time::Duration;

use portolan_lab::{LabError, Namespace, RouteSocket, enter_or_explain, namespaced};

const ORDINARY_BODY: &str = "a_namespaced_body_is_uid_0_and_has_only_a_loopback_which_is_up";

fn identity() -> String {
    std::fs::read_link("/proc/thread-self/ns/net").unwrap().display().to_string()
}

fn links() -> String {
    std::fs::read_to_string("/proc/thread-self/net/dev").unwrap()
}

#[test]
fn a_namespaced_body_is_uid_0_and_has_only_a_loopback_which_is_up() {
    namespaced(ORDINARY_BODY, || {
        assert!(nix::unistd::getuid().is_root());
        assert_eq!(links().lines().filter(|line| line.contains(':')).count(), 1, "{}", links());
        let lo = RouteSocket::open().unwrap().link("lo").unwrap();
        assert!(lo.ready, "{lo:?}");
    });
}

#[test]
#[should_panic(expected = "failed in its namespaces")]
fn a_body_that_panics_fails_its_test() {
    namespaced("a_body_that_panics_fails_its_test", || panic!("on purpose"));
}

#[test]
#[should_panic(expected = "this binary has no test called of_another_name")]
fn a_body_that_never_ran_fails_its_test() {
    namespaced("of_another_name", || ());
}

/// The superuser of a user namespace can forbid namespaces below it, as a host does.
#[test]
fn a_host_that_forbids_namespaces_is_named_and_its_superuser_still_has_the_network() {
    let name = "a_host_that_forbids_namespaces_is_named_and_its_superuser_still_has_the_network";
    namespaced(name, || {
        let again = || {
            let mut command = Command::new("/proc/self/exe");
            command.args([ORDINARY_BODY, "--exact"]).output().unwrap()
        };
        std::fs::write("/proc/sys/user/max_user_namespaces", "0").unwrap();
        let output = again();
        assert!(output.status.success(), "{output:?}");

        std::fs::write("/proc/sys/user/max_net_namespaces", "0").unwrap();
        let output = again();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success(), "{text}");
        assert!(text.contains("user.max_user_namespaces is 0"), "{text}");
        assert!(text.contains("user.max_net_namespaces is 0"), "{text}");
    });
}

#[test]
fn work_runs_in_the_namespace_and_leaves_the_caller_where_it_was() {
    namespaced("work_runs_in_the_namespace_and_leaves_the_caller_where_it_was", || {
        let here = identity();
        let (first, second) = (Namespace::new("first").unwrap(), Namespace::new("second").unwrap());
        let identities = [here.clone(), first.run(identity), second.run(identity)];
        for (position, one) in identities.iter().enumerate() {
            assert!(!identities[..position].contains(one), "{identities:?}");
        }
        assert_eq!(identity(), here);
        assert_eq!(std::fs::read_link(first.path()).unwrap().display().to_string(), identities[1]);
        first.run(|| assert!(RouteSocket::open().unwrap().link("lo").unwrap().ready));
    });
}

#[test]
fn a_refused_change_carries_the_words_of_the_kernel() {
    namespaced("a_refused_change_carries_the_words_of_the_kernel", || {
        let route = RouteSocket::open().unwrap();
        let error = route.add_address("lo", "10.0.0.1/32".parse().unwrap()).and_then(|()| {
            let gateway = portolan_lab::Gateway {
                link: "lo",
                via: Some("10.0.0.1".parse().unwrap()),
                source: None,
            };
            route.add_route("10.9.0.0/16".parse().unwrap(), &gateway)
        });
        let Err(LabError::Route { message: Some(words), .. }) = error else {
            panic!("{error:?}");
        };
        assert!(words.contains("gateway"), "{words}");
    });
}

#[test]
fn a_process_runs_in_its_namespace_and_ends_with_its_handle() {
    namespaced("a_process_runs_in_its_namespace_and_ends_with_its_handle", || {
        let namespace = Namespace::new("pod").unwrap();
        let mut command = Command::new("/bin/sleep");
        command.arg("600").stdin(Stdio::null());
        let process = namespace.spawn(command).unwrap();
        let proc = format!("/proc/{}", process.id());
        let seen = std::fs::read_link(format!("{proc}/ns/net")).unwrap().display().to_string();
        assert_eq!(seen, namespace.run(identity));
        drop(process);
        assert!(!std::path::Path::new(&proc).exists());

        let mut command = Command::new("/bin/sleep");
        command.arg("600");
        let status = namespace.spawn(command).unwrap().terminate(Duration::from_secs(10)).unwrap();
        assert!(!status.success());
        assert!(namespace.spawn(Command::new("/no/such/program")).is_err());
    });
}

#[test]
fn a_program_that_already_runs_threads_is_told_that_it_is_too_late() {
    let Err(LabError::ThreadsRunning { threads }) = enter_or_explain() else {
        panic!("the test harness runs a thread for this test");
    };
    assert!(threads > 1);
}

#[test]
fn a_program_enters_by_itself_and_passes_on_its_arguments_and_status() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portolan-lab"));
    let script = "cat /proc/self/uid_map; cat /proc/net/dev; exit 7";
    let output = command.args(["/bin/sh", "-c", script]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    assert!(text.trim_start().starts_with("0 "), "{text}");
    for link in ["lo", "eth0", "cni0"] {
        assert!(text.lines().any(|line| line.trim_start().starts_with(&format!("{link}:"))));
    }
}
