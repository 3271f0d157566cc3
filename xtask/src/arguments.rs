//! The command line of `cargo xtask`.
//!
//! Invariant: every word is understood or refused; nothing on the command line is silently ignored.
//! It starts nothing.

use std::num::{NonZeroU32, ParseIntError};

use crate::bench::{self, Part, Stores, Subject};
use crate::failure::Failure;
use crate::storm;

/// What `cargo xtask` and `cargo xtask help` print.
pub(crate) const HELP: &str = "\
cargo xtask COMMAND

  test                            everything CI runs, in order; stops at the first failure
  tidy                            the rules of this repository that a machine can keep
  storm [--kills N] [--seed S]    the whole kill -9 storm (default 40 kills in each window)
  bench gateway [--seconds N] [--quick]
                                  builds the release, measures the gateway beside nginx and a bare upstream
  bench stores [--expiry | --bloat] [--only BACKEND] [--seconds N] [--quick]
                                  the same of the ledger on each backend beside the naive way, on servers of
                                  its own; or what expiry costs; or what becomes of PostgreSQL's table
  tools                           finds or installs what the tests need (apt-get, as root)
  servers                         PostgreSQL, Redis and a Redis Cluster for tests, until Ctrl-C; prints the
                                  environment that hands them to `cargo test`
  screenshot                      builds the release, plays the demo in headless Chromium, writes docs/demo.png
  help                            this text";

/// One command with its options.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Print the commands.
    Help,
    /// All steps of CI.
    Test,
    /// The repository's own checks.
    Tidy,
    /// The full crash storm.
    Storm(storm::Options),
    /// Measure the gateway or the stores.
    Bench(bench::Options),
    /// Find or install what the tests need.
    Tools,
    /// Run the servers that tests share.
    Servers,
    /// Write `docs/demo.png`.
    Screenshot,
}

impl Command {
    /// Understands the words after `cargo xtask`, or says which of them is wrong.
    pub(crate) fn parse(words: &[String]) -> Result<Self, Failure> {
        let Some((name, rest)) = words.split_first() else { return Ok(Self::Help) };
        let command = match name.as_str() {
            "help" | "--help" | "-h" => return Ok(Self::Help),
            "storm" => return storm_options(rest).map(Self::Storm),
            "bench" => return bench_options(rest).map(Self::Bench),
            "test" => Self::Test,
            "tidy" => Self::Tidy,
            "tools" => Self::Tools,
            "servers" => Self::Servers,
            "screenshot" => Self::Screenshot,
            other => return Err(Failure::usage(format!("there is no command {other:?}"))),
        };
        match rest.first() {
            None => Ok(command),
            Some(extra) => Err(Failure::usage(format!("{name} takes no {extra:?}"))),
        }
    }
}

fn storm_options(words: &[String]) -> Result<storm::Options, Failure> {
    let mut options = storm::Options::default();
    let mut words = words.iter();
    while let Some(name) = words.next() {
        let mut value = || words.next().ok_or_else(|| Failure::usage(format!("{name} needs a number")));
        match name.as_str() {
            "--kills" => options.kills = number::<NonZeroU32>(name, value()?)?,
            "--seed" => options.seed = Some(number::<u64>(name, value()?)?),
            other => return Err(Failure::usage(format!("storm takes no {other:?}"))),
        }
    }
    Ok(options)
}

fn bench_options(words: &[String]) -> Result<bench::Options, Failure> {
    let mut options = bench::Options::default();
    let mut words = words.iter();
    match words.next().map(String::as_str) {
        Some("gateway") => {}
        Some("stores") => options.subject = Subject::Stores(Stores::default()),
        Some(other) => return Err(Failure::usage(format!("bench measures no {other:?}"))),
        None => return Err(Failure::usage("bench needs the word gateway or the word stores")),
    }
    while let Some(name) = words.next() {
        let mut value = || words.next().ok_or_else(|| Failure::usage(format!("{name} needs a value")));
        match (name.as_str(), &mut options.subject) {
            ("--seconds", _) => options.seconds = Some(number::<NonZeroU32>(name, value()?)?),
            ("--quick", _) => options.quick = true,
            ("--expiry", Subject::Stores(stores)) if stores.part == Part::Speed => stores.part = Part::Expiry,
            ("--bloat", Subject::Stores(stores)) if stores.part == Part::Speed => stores.part = Part::Bloat,
            ("--only", Subject::Stores(stores)) => stores.only = Some(value()?.clone()),
            (other, _) => return Err(Failure::usage(format!("bench takes no {other:?}"))),
        }
    }
    Ok(options)
}

fn number<N: std::str::FromStr<Err = ParseIntError>>(name: &str, value: &str) -> Result<N, Failure> {
    value.parse().map_err(|error| Failure::usage(format!("{name} {value}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, Failure> {
        Command::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn no_words_ask_for_help() {
        assert_eq!(parse("").unwrap(), Command::Help);
    }

    #[test]
    fn help_names_every_command() {
        for line in
            ["test", "tidy", "storm", "bench gateway", "bench stores", "tools", "servers", "screenshot"]
        {
            assert!(parse(line).is_ok(), "{line} is a command");
            assert!(HELP.contains(&format!("\n  {line} ")), "{line} is in the help text");
        }
    }

    #[test]
    fn storm_reads_kills_and_seed_in_any_order() {
        let expected = storm::Options { kills: NonZeroU32::new(7).unwrap(), seed: Some(9) };
        assert_eq!(parse("storm --kills 7 --seed 9").unwrap(), Command::Storm(expected.clone()));
        assert_eq!(parse("storm --seed 9 --kills 7").unwrap(), Command::Storm(expected));
    }

    #[test]
    fn bench_reads_seconds_and_quick() {
        let expected =
            bench::Options { seconds: NonZeroU32::new(3), quick: true, ..bench::Options::default() };
        assert_eq!(parse("bench gateway --quick --seconds 3").unwrap(), Command::Bench(expected));
        assert_eq!(parse("bench gateway").unwrap(), Command::Bench(bench::Options::default()));
    }

    #[test]
    fn bench_of_the_stores_takes_a_part_and_a_backend() {
        let of = |part, only: Option<&str>| {
            let only = only.map(str::to_owned);
            let subject = Subject::Stores(Stores { part, only });
            Command::Bench(bench::Options { subject, ..bench::Options::default() })
        };
        assert_eq!(parse("bench stores").unwrap(), of(Part::Speed, None));
        assert_eq!(parse("bench stores --bloat").unwrap(), of(Part::Bloat, None));
        assert_eq!(parse("bench stores --expiry --only redis").unwrap(), of(Part::Expiry, Some("redis")));
        for line in ["bench stores --expiry --bloat", "bench gateway --bloat", "bench stores --only"] {
            assert!(parse(line).is_err(), "{line} is refused");
        }
    }

    #[test]
    fn a_word_that_is_not_understood_is_refused() {
        for line in [
            "tset",
            "test --fast",
            "storm --kills",
            "storm --kills 0",
            "storm --seed x",
            "storm 3",
            "bench",
            "bench wall",
        ] {
            assert!(parse(line).is_err(), "{line} is refused");
        }
    }
}
