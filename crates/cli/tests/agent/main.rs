//! The running agent on a real kernel, in namespaces of its own.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod metrics;
mod scene;

use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};

use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::Signal;
use portolan_lab::namespaced;
use portolan_nft::{NftOptions, cleanup};

use crate::scene::*;

#[test]
fn the_agent_serves_a_directory_until_it_is_told_to_stop() {
    namespaced("the_agent_serves_a_directory_until_it_is_told_to_stop", || {
        let scene = Scene::new();
        let mut agent = scene.start();
        until_healthy();

        let dump = text(&scene.dump(&[]).stdout);
        assert!(dump.contains("shop/web"), "{dump}");
        let kernel = text(&scene.dump_kernel().stdout);
        assert!(kernel.contains("10.96.0.10"), "{kernel}");

        scene.write("slice.yaml", &slice(&["10.244.0.1", "10.244.0.2"]));
        until("the second endpoint is in the kernel", || {
            let json = scene.command(&["dump", "--kernel", "--format", "json"]).output().unwrap();
            text(&json.stdout).contains("10.244.0.2").then_some(())
        });
        scene.write("broken.yaml", "kind: [Service\n");
        until("the broken file is reported", || {
            text(&scene.dump(&["web"]).stdout).contains("broken.yaml").then_some(())
        });
        let missing = scene.dump(&["shop/absent"]);
        assert_eq!(missing.status.code(), Some(1));
        assert!(text(&missing.stderr).contains("shop/absent"), "{missing:?}");

        agent.signal(Signal::SIGTERM);
        assert!(agent.child.wait().unwrap().success(), "{}", scene.log());
        assert!(!scene.path("control.sock").exists());
        let kernel = text(&scene.dump_kernel().stdout);
        assert!(kernel.contains("10.96.0.10"), "the rules stay: {kernel}");
    });
}

#[test]
fn the_agent_explains_what_becomes_of_packets() {
    namespaced("the_agent_explains_what_becomes_of_packets", || {
        let scene = Scene::new();
        let _agent = scene.start();
        until_healthy();
        let explained = scene.explain(&["--from", "outside", "tcp://10.96.0.10:80"]);
        let told = text(&explained.stdout);
        assert!(told.starts_with("node node-a, nftables, last sync 2"), "{told}");
        for line in ["the ClusterIP of shop/web", "goes to 10.244.0.1:8080"] {
            assert!(told.contains(line), "{told}");
        }
        // Addresses are read when somebody asks: nothing is on an interface here but loopback.
        let explained = scene.explain(&["--format", "json", "tcp://127.0.0.1:80"]);
        let json: serde_json::Value = serde_json::from_slice(&explained.stdout).unwrap();
        assert_eq!(json["status"]["nodeName"], "node-a");
        assert_eq!(json["answer"]["Packet"]["found"], "ThisNode");

        let missing = scene.explain(&["shop/absent"]);
        assert_eq!(missing.status.code(), Some(1));
        assert!(text(&missing.stderr).contains("shop/absent"), "{missing:?}");
    });
}

#[test]
fn a_restart_that_changes_nothing_sends_nothing() {
    namespaced("a_restart_that_changes_nothing_sends_nothing", || {
        let scene = Scene::new();
        for (start, expected) in [("the first", false), ("the second", true)] {
            let mut agent = scene.start();
            until_healthy();
            agent.signal(Signal::SIGINT);
            assert!(agent.child.wait().unwrap().success(), "{}", scene.log());
            let sync = scene.first_sync();
            let nothing = sync["added"] == 0 && sync["deleted"] == 0 && sync["bytes"] == 0;
            assert_eq!(nothing, expected, "{start}: {sync}");
        }
    });
}

#[test]
fn cleanup_removes_what_is_ours_and_says_so() {
    namespaced("cleanup_removes_what_is_ours_and_says_so", || {
        let scene = Scene::new();
        let mut agent = scene.start();
        until_healthy();
        agent.signal(Signal::SIGTERM);
        agent.child.wait().unwrap();

        let first = scene.command(&["cleanup"]).output().unwrap();
        assert_eq!(text(&first.stdout), "deleted table ip portolan\ndeleted table ip6 portolan\n");
        assert_eq!(text(&first.stderr), "");
        fs::write("/proc/sys/net/ipv4/conf/all/route_localnet", "1").unwrap();
        let second = scene.command(&["cleanup"]).output().unwrap();
        assert!(text(&second.stderr).contains("route_localnet=0"), "{second:?}");
        assert_eq!(text(&second.stdout), "nothing to delete\n");
        let dump = scene.dump_kernel();
        assert_eq!(dump.status.code(), Some(1));
        assert!(text(&dump.stderr).contains("no agent has run"), "{dump:?}");
    });
}

#[test]
fn a_table_that_others_delete_comes_back_without_any_event() {
    namespaced("a_table_that_others_delete_comes_back_without_any_event", || {
        let scene = Scene::new();
        let _agent = scene.start();
        until_healthy();
        let deleted = cleanup(&NftOptions::default().table).unwrap();
        assert_eq!(deleted.len(), 2, "one table for each family: {deleted:?}");
        until("the table is back", || {
            text(&scene.dump_kernel().stdout).contains("10.96.0.10").then_some(())
        });
        until("the log says who did it", || {
            scene.log().contains("disturbed by others").then_some(())
        });
    });
}

/// Starts `command` in a user namespace of its own, where it has no power over the
/// network namespace that it is in.
#[expect(unsafe_code, reason = "only pre_exec runs code in the process to be")]
fn without_permission(mut command: Command) -> Output {
    // SAFETY: one system call, no allocation, no lock.
    unsafe { command.pre_exec(|| unshare(CloneFlags::CLONE_NEWUSER).map_err(Into::into)) };
    command.output().unwrap()
}

#[test]
fn without_permission_every_command_names_the_capability() {
    namespaced("without_permission_every_command_names_the_capability", || {
        let scene = Scene::new();
        let source = format!("dir:{}", scene.path("manifests").display());
        let servers = ["--healthz-bind-address=", "--metrics-bind-address="];
        let run = [&["run", "--node-name", "a", "--source", &source], &servers[..]].concat();
        for arguments in [&["cleanup"][..], &["dump", "--kernel"], &run] {
            let mut command = scene.command(arguments);
            command.stdin(Stdio::null());
            let output = without_permission(command);
            assert_eq!(output.status.code(), Some(1), "{output:?}");
            let told = text(&output.stderr);
            assert!(told.contains("CAP_NET_ADMIN"), "{arguments:?}: {told}");
        }
    });
}

#[test]
fn sigterm_ends_an_agent_whose_api_server_never_answers() {
    namespaced("sigterm_ends_an_agent_whose_api_server_never_answers", || {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", server.local_addr().unwrap());
        let scene = Scene::new();
        let run = ["run", "--node-name", "a", "--control-socket=", "--master", &url];
        // As in an image that has nothing but the agent.
        let mut run = scene.command(&run);
        run.env("SSL_CERT_FILE", "/dev/null").stderr(Stdio::null());
        let mut agent = Agent { child: run.spawn().unwrap() };
        let _silence = server.accept().unwrap();
        let live = until("live", || get("/livez"));
        assert!(live.contains(" 200 "), "a restart would not mend it: {live}");
        let ready = get("/healthz").unwrap();
        assert!(ready.contains(" 503 "), "{ready}");
        agent.signal(Signal::SIGTERM);
        assert!(agent.child.wait().unwrap().success());
    });
}
