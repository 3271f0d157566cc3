//! `verify init`: a plan to fill in.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    path::PathBuf,
};

use clap::Args;
use onlyonce_verify::Plan;

use super::Failure;
use crate::exit::{Exit, tell};

#[derive(Args)]
pub(super) struct Arguments {
    /// The file to make; without one, it is printed
    file: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let Some(path) = &arguments.file else {
        io::stdout().lock().write_all(Plan::COMMENTED.as_bytes())?;
        return Ok(Exit::Done);
    };
    // A plan that somebody has filled in is not written over.
    let made = OpenOptions::new().write(true).create_new(true).open(path);
    made.and_then(|mut file| file.write_all(Plan::COMMENTED.as_bytes())).map_err(|error| {
        let path = path.display();
        Failure::Told(
            Exit::Failure,
            match error.kind() {
                io::ErrorKind::AlreadyExists => format!(
                    "{path} is there already, and is left as it is\n\nhint: name another file, or try that plan: \
                     onlyonce verify --dry-run {path}"
                ),
                _ => format!("failed to make the plan {path}: {error}"),
            },
        )
    })?;
    let path = path.display();
    tell(&format!(
        "{path} is there: change what is not commented out, then try\n\n    onlyonce verify --dry-run {path}"
    ));
    Ok(Exit::Done)
}
