//! `cargo xtask`: the project's one entry point for tests and what they need.

use std::process::ExitCode;

use anyhow::{Result, bail};
use xtask::lanes::{self, LANES, Lane};
use xtask::vm::options::Options;
use xtask::{bench, tools, vm};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &[String]) -> Result<ExitCode> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        _ if help(&words) == Some(Help::Benchmark) => Ok(verdict(bench::help())),
        _ if help(&words) == Some(Help::Own) => {
            print_help();
            Ok(ExitCode::SUCCESS)
        }
        ["test", rest @ ..] => Ok(lanes::run(&chosen(rest)?)),
        ["vm", rest @ ..] => Ok(verdict(vm::run(&Options::parse(rest)?))),
        ["bench", rest @ ..] => Ok(verdict(bench::measure(rest))),
        ["tools"] => print_tools(false),
        ["tools", "--refresh"] => print_tools(true),
        other => bail!("unknown arguments {:?}; see `cargo xtask help`", other.join(" ")),
    }
}

/// Who answers a request for help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Help {
    Own,
    /// Which has far more to say than this program.
    Benchmark,
}

fn help(words: &[&str]) -> Option<Help> {
    match words {
        [] | ["help" | "--help" | "-h", ..] => Some(Help::Own),
        ["bench", rest @ ..] => asks_for_help(rest).then_some(Help::Benchmark),
        [_, rest @ ..] => asks_for_help(rest).then_some(Help::Own),
    }
}

/// What follows `--` is for the test harness, which has a help of its own.
fn asks_for_help(words: &[&str]) -> bool {
    let ours = words.iter().take_while(|word| **word != "--");
    ours.into_iter().any(|word| matches!(*word, "--help" | "-h"))
}

/// The lanes that `--lane NAME`, given any number of times, asks for; all without it.
fn chosen(arguments: &[&str]) -> Result<Vec<&'static Lane>> {
    let mut names = Vec::new();
    let mut rest = arguments;
    while let [flag, tail @ ..] = rest {
        rest = match (flag.strip_prefix("--lane="), *flag, tail) {
            (Some(name), _, _) => {
                names.push(name);
                tail
            }
            (None, "--lane", [name, tail @ ..]) => {
                names.push(*name);
                tail
            }
            _ => bail!("expected `--lane NAME`, found {flag:?}; see `cargo xtask help`"),
        };
    }
    lanes::named(&names)
}

/// Exits with 1 as the lanes do, so that 2 remains for what was typed wrongly.
fn verdict(outcome: Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn print_tools(refresh: bool) -> Result<ExitCode> {
    if refresh {
        tools::remove()?;
    }
    for tool in tools::ensure()? {
        eprintln!("{:<9} {}", tool.suite.codename(), tool.version);
        println!("export {}='{}'", tool.suite.variable(), tool.path.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn print_help() {
    println!("cargo xtask test [--lane NAME]...   run all lanes, or those named:");
    for lane in LANES {
        println!("    {:<8} {}", lane.name, lane.purpose);
    }
    println!("cargo xtask vm [--kernel 5.10|6.1|6.12|newest|all|host]... [-p PACKAGE]");
    println!("               [--release] [--test NAME]... [FILTER]... [-- ARGUMENT...]");
    println!("                                    run tests on other kernels, emulated: 6.1 and");
    println!(
        "                                    the programs of the lane unless others are named"
    );
    println!(
        "cargo xtask vm --bench               print what 5,000 Services x 4 endpoints cost on"
    );
    println!("                                    nftables and on IPVS, in the same machine");
    println!("cargo xtask bench [--quick] [--ci] [ARGUMENT...]");
    println!("                                    measure the agent; `--help` says what and how,");
    println!("                                    `--ci` builds it as the lane does");
    println!("cargo xtask tools [--refresh]       fetch what the tests need into target/tools");
    println!("                                    and print the variables that name it");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_help_that_is_not_an_error() {
        for words in ["test --help", "test -h", "vm --kernel 6.1 --help", "tools --help"] {
            let arguments: Vec<String> = words.split(' ').map(str::to_owned).collect();
            assert!(run(&arguments).is_ok(), "{words}");
        }
        for (words, expected) in [
            (&["bench", "--help"][..], Some(Help::Benchmark)),
            (&["bench", "--quick", "-h"], Some(Help::Benchmark)),
            (&["bench", "--quick"], None),
            (&["test", "--help"], Some(Help::Own)),
            (&["--help"], Some(Help::Own)),
            (&[], Some(Help::Own)),
        ] {
            assert_eq!(help(words), expected, "{words:?}");
        }
        assert!(!asks_for_help(&["one", "--", "--help"]), "it is for the harness");
    }
}
