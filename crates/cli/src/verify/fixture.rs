//! `verify fixture`: one of the verifier's own broken APIs, or the correct one, as a process that may be killed.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;
use onlyonce_verify::fixture::{self, Defect};

use super::Failure;
use crate::exit::Exit;

#[derive(Args)]
pub(super) struct Arguments {
    /// Where it listens
    #[arg(long, value_name = "ADDRESS")]
    listen: SocketAddr,
    /// The file in which it writes down what it has done
    #[arg(long, value_name = "FILE")]
    journal: PathBuf,
    /// What is wrong with it, such as no-deduplication [default: nothing]
    #[arg(long, value_name = "NAME", value_parser = defect)]
    defect: Option<Defect>,
}

/// The name of a defect: the variant's, in small letters.
fn name(defect: Defect) -> String {
    let mut name = String::new();
    for c in format!("{defect:?}").chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

fn defect(text: &str) -> Result<Defect, String> {
    let found = Defect::ALL.iter().copied().find(|defect| name(*defect) == text);
    found.ok_or_else(|| {
        let all: Vec<_> = Defect::ALL.iter().copied().map(name).collect();
        format!("there is no such defect; there are {}", all.join(", "))
    })
}

pub(super) async fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let Arguments { listen, journal, defect } = arguments;
    let served = fixture::serve(*defect, None, *listen, journal).await;
    served.map(|()| Exit::Done).map_err(|error| {
        Failure::Told(
            Exit::Listen,
            format!("failed to serve a fixture on {listen}, with {}: {error}", journal.display()),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_defect_has_a_name_of_its_own() {
        for known in Defect::ALL {
            assert_eq!(defect(&name(*known)), Ok(*known));
        }
        assert_eq!(name(Defect::NoDeduplication), "no-deduplication");
        assert!(defect("none").unwrap_err().contains("check-then-act"));
    }
}
