//! The command line of `cargo xtask vm`.

use std::fmt;

use anyhow::{Result, bail};

use super::Kernel;

/// The program that measures, what tells it the number of Services, and that number.
const BENCH: &str = "ipvs_table";
const BENCH_SIZE: &str = "PORTOLAN_TABLE_SERVICES";
const BENCH_SERVICES: &str = "5000";

/// What to run, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The kernels, at least one.
    pub places: Vec<Place>,
    /// The package whose tests are meant, with or without `portolan-`.
    pub package: Option<String>,
    /// Names of test programs, which need not be in the list of the lane. Without any, the
    /// list of the lane.
    pub tests: Vec<String>,
    /// Parts of names of tests. Without any, all tests of a program.
    pub filters: Vec<String>,
    /// More arguments for the test harness.
    pub harness: Vec<String>,
    /// The programs are optimised, as those that operators run.
    pub release: bool,
    /// Environment variables of the programs besides those that are passed on.
    pub variables: Vec<(String, String)>,
}

/// Where the programs run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In an emulated machine with this kernel.
    Kernel(Kernel),
    /// On the kernel of this machine.
    Host,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Place::Kernel(kernel) => kernel.name,
            Place::Host => "host",
        })
    }
}

impl Options {
    /// The list of the lane on one kernel.
    pub fn lane(kernel: Kernel) -> Options {
        Options {
            places: vec![Place::Kernel(kernel)],
            package: None,
            tests: Vec::new(),
            filters: Vec::new(),
            harness: Vec::new(),
            release: false,
            variables: Vec::new(),
        }
    }

    /// Adds what prints the table of both backends' costs at the size that is promised.
    fn measure(&mut self) {
        self.tests.push(BENCH.to_owned());
        self.release = true;
        self.harness.push("--nocapture".to_owned());
        self.variables.push((BENCH_SIZE.to_owned(), BENCH_SERVICES.to_owned()));
    }

    /// Reads `[--kernel NAME]... [--release] [--bench] [-p PACKAGE] [--test NAME]...
    /// [FILTER]... [-- ARGUMENT...]`.
    ///
    /// # Errors
    /// When a flag or a kernel is unknown, or a value is missing.
    pub fn parse(arguments: &[&str]) -> Result<Options> {
        let mut options = Options { places: Vec::new(), ..Options::lane(Kernel::USUAL) };
        let mut rest = arguments;
        while let [word, tail @ ..] = rest {
            rest = match (*word, tail) {
                ("--", _) => {
                    options.harness.extend(tail.iter().map(|it| (*it).to_owned()));
                    &[]
                }
                ("--release", _) => {
                    options.release = true;
                    tail
                }
                ("--bench", _) => {
                    options.measure();
                    tail
                }
                ("--kernel", [name, tail @ ..]) => {
                    options.places.extend(places(name)?);
                    tail
                }
                ("-p" | "--package", [name, tail @ ..]) => {
                    options.package = Some((*name).to_owned());
                    tail
                }
                ("--test", [name, tail @ ..]) => {
                    options.tests.push((*name).to_owned());
                    tail
                }
                (flag, _) if flag.starts_with('-') => {
                    bail!("{flag} is unknown or lacks its value; see `cargo xtask help`")
                }
                (filter, _) => {
                    options.filters.push(filter.to_owned());
                    tail
                }
            };
        }
        if options.places.is_empty() {
            options.places.push(Place::Kernel(Kernel::USUAL));
        }
        Ok(options)
    }
}

fn places(name: &str) -> Result<Vec<Place>> {
    match name {
        "all" => Ok(Kernel::ALL.into_iter().map(Place::Kernel).collect()),
        "host" => Ok(vec![Place::Host]),
        _ => match Kernel::ALL.into_iter().find(|kernel| kernel.name == name) {
            Some(kernel) => Ok(vec![Place::Kernel(kernel)]),
            None => {
                let known = Kernel::ALL.map(|kernel| kernel.name).join(", ");
                bail!("no kernel is called {name:?}; there are {known}, all and host")
            }
        },
    }
}

/// The variables of this process that test programs know, and those by which one sees more
/// of a failure.
pub(super) fn passed_on(
    variables: impl Iterator<Item = (String, String)>,
) -> Vec<(String, String)> {
    let known = [
        "PORTOLAN_MODEL_",
        "PORTOLAN_SEQUENCE",
        "PROPTEST_",
        "RUST_BACKTRACE",
        "RUST_LOG",
        "RUST_TEST_",
    ];
    variables.filter(|(name, _)| known.iter().any(|known| name.starts_with(known))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options> {
        Options::parse(&line.split_whitespace().collect::<Vec<_>>())
    }

    #[test]
    fn without_arguments_the_lane_runs_on_the_usual_kernel() {
        assert_eq!(parse("").unwrap(), Options::lane(Kernel::USUAL));
    }

    #[test]
    fn kernels_packages_tests_filters_and_harness_arguments_are_told_apart() {
        let line = "--kernel 5.10 -p nft --test kernel one --kernel host two -- --nocapture x";
        let options = parse(line).unwrap();
        let places: Vec<String> = options.places.iter().map(Place::to_string).collect();
        assert_eq!(places, ["5.10", "host"]);
        assert_eq!(options.package.as_deref(), Some("nft"));
        assert_eq!(options.tests, ["kernel"]);
        assert_eq!(options.filters, ["one", "two"]);
        assert_eq!(options.harness, ["--nocapture", "x"]);
    }

    #[test]
    fn a_measurement_is_of_one_optimised_program_and_shows_what_it_prints() {
        let options = parse("--bench --kernel 6.12").unwrap();
        assert_eq!(options.tests, ["ipvs_table"]);
        assert!(options.release);
        assert_eq!(options.harness, ["--nocapture"]);
        let variable = ("PORTOLAN_TABLE_SERVICES".to_owned(), "5000".to_owned());
        assert_eq!(options.variables, [variable]);
        assert!(parse("--release").unwrap().release && !parse("").unwrap().release);
    }

    #[test]
    fn all_kernels_are_those_of_the_matrix() {
        assert_eq!(parse("--kernel all").unwrap().places.len(), Kernel::ALL.len());
    }

    #[test]
    fn what_is_unknown_is_named() {
        let refusal = |line: &str| parse(line).unwrap_err().to_string();
        assert!(refusal("--kernel 2.6").contains("\"2.6\"; there are 5.10, 6.1"));
        assert!(refusal("--kernel").contains("--kernel is unknown or lacks"));
        assert!(refusal("--speed 3").contains("--speed is unknown"));
    }

    #[test]
    fn nothing_else_of_the_environment_reaches_the_machine() {
        let variables = [("PATH", "/bin"), ("PROPTEST_CASES", "9"), ("RUST_BACKTRACE", "1")];
        let given = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let names: Vec<String> =
            passed_on(given.into_iter()).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["PROPTEST_CASES", "RUST_BACKTRACE"]);
    }
}
