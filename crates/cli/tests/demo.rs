//! The demo itself, on this machine's kernel: it is the first thing that a newcomer runs.

#![cfg(feature = "demo")]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

const SECTIONS: [&str; 11] = [
    " 1  The agent starts on a directory of YAML",
    " 2  A pod calls a service",
    " 3  The node and an outside client call a ClusterIP",
    " 4  A pod calls the service that it serves itself (hairpin)",
    " 5  A NodePort from outside",
    " 6  externalTrafficPolicy: Local",
    " 7  internalTrafficPolicy: Local",
    " 8  What nobody serves",
    " 9  A broken file is dropped in",
    "10  A deployment is scaled and rolled while clients connect",
    "11  The agent ends and starts again",
];

/// Starts the demo with a directory of its own for temporary files.
fn start(arguments: &[&str]) -> (TempDir, Child) {
    let temporary = tempfile::tempdir().unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_portolan"))
        .arg("demo")
        .args(arguments)
        .env("TMPDIR", temporary.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    (temporary, child)
}

/// Process ids of everything that was started on files in this directory.
fn processes_of(directory: &Path) -> Vec<String> {
    let mentions = |pid: &String| {
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&arguments).contains(directory.to_str().unwrap())
    };
    let entries = fs::read_dir("/proc").unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(mentions).collect()
}

fn nothing_is_left(temporary: &Path) {
    assert_eq!(processes_of(temporary), [""; 0]);
    let files: Vec<_> = fs::read_dir(temporary).unwrap().map(|entry| entry.unwrap()).collect();
    assert!(files.is_empty(), "{files:?}");
}

/// Reads what the demo prints until a line contains `text`.
fn read_until(child: &mut Child, text: &str) -> (BufReader<impl std::io::Read + use<>>, String) {
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut read = String::new();
    while !read.contains(text) {
        assert!(output.read_line(&mut read).unwrap() > 0, "{text} never came: {read}");
    }
    (output, read)
}

fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
}

#[test]
fn everything_happens_as_expected_and_nothing_is_left_behind() {
    let (temporary, child) = start(&[]);
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}\n{errors}");
    assert_eq!(errors, "");
    let mut rest = text.as_str();
    for section in SECTIONS {
        let (_, after) = rest.split_once(&format!("\n{section}\n")).unwrap();
        rest = after;
    }
    assert!(rest.contains(" as expected, in "), "{text}");
    assert!(!text.contains("FAILED") && !text.contains('\u{1b}'), "{text}");
    for line in text.lines().filter(|line| !line.contains("portolan render")) {
        assert!(line.chars().count() <= 100, "{line}");
    }
    nothing_is_left(temporary.path());
}

#[test]
fn a_signal_ends_it_in_the_middle_and_nothing_is_left_behind() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let (temporary, mut child) = start(&[]);
        let (_output, _) = read_until(&mut child, "pod 10.244.1.99 → web");
        assert!(!processes_of(temporary.path()).is_empty(), "the agent should be running");
        send(&child, signal);
        assert_eq!(child.wait().unwrap().code(), Some(130));
        nothing_is_left(temporary.path());
    }
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let (temporary, mut child) = start(&[]);
    let (output, _) = read_until(&mut child, "Portolan demo");
    drop(output);
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert_eq!((child.wait().unwrap().code(), errors.as_str()), (Some(0), ""));
    nothing_is_left(temporary.path());
}

/// The signal that the kernel sends to the agent is the last resort.
#[test]
fn the_agent_does_not_outlive_a_demo_that_is_killed() {
    let (temporary, mut child) = start(&[]);
    let (_output, _) = read_until(&mut child, "pod 10.244.1.99 → web");
    assert!(!processes_of(temporary.path()).is_empty(), "the agent should be running");
    send(&child, Signal::SIGKILL);
    child.wait().unwrap();
    while !processes_of(temporary.path()).is_empty() {
        std::thread::yield_now();
    }
}

#[test]
fn it_stays_if_asked_to_and_the_ways_in_that_it_prints_lead_there() {
    let (temporary, mut child) = start(&["--keep"]);
    let (mut output, text) = read_until(&mut child, "It logs into");
    let ways: Vec<&str> =
        text.lines().filter_map(|line| line.split_once("nsenter ")).map(|it| it.1).collect();
    assert_eq!(ways.len(), 3, "{text}");
    let addresses = ["192.168.50.10", "10.244.1.99", "203.0.113.2"];
    for (way, address) in ways.iter().zip(addresses) {
        let script = "cat /proc/net/fib_trie";
        let inside = Command::new("nsenter")
            .args(way.split(' '))
            .args(["/bin/sh", "-c", script])
            .output()
            .unwrap();
        let table = String::from_utf8_lossy(&inside.stdout);
        assert!(table.contains(address), "{way}: {inside:?}");
    }
    send(&child, Signal::SIGINT);
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{rest}");
    nothing_is_left(temporary.path());
}
