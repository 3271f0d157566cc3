//! Where reports go.

use std::{
    fs::{File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use onlyonce_verify::report::{Report, Style};
use tempfile::NamedTempFile;

use super::{Failure, WIDTH};
use crate::exit::Exit;

/// `json=FILE`
#[derive(Clone)]
pub(super) struct Destination {
    format: Format,
    /// `None`: stdout.
    file: Option<PathBuf>,
}

#[derive(Clone, Copy)]
enum Format {
    Text,
    Json,
    Html,
}

/// A destination that takes a report.
pub(super) struct Open {
    format: Format,
    place: Place,
}

enum Place {
    Stdout,
    Stream(File, PathBuf),
    File(PathBuf),
}

/// Reads `json=FILE`.
pub(super) fn destination(text: &str) -> Result<Destination, String> {
    let wrong = || {
        "write a format and a file: html=report.html, json=report.json, text=report.txt, or json=- for stdout"
            .to_owned()
    };
    let (format, file) = text.split_once('=').filter(|(_, file)| !file.is_empty()).ok_or_else(wrong)?;
    let format = match format {
        "text" => Format::Text,
        "json" => Format::Json,
        "html" => Format::Html,
        _ => return Err(wrong()),
    };
    Ok(Destination { format, file: Some(PathBuf::from(file)).filter(|_| file != "-") })
}

/// Makes sure that each can be written. What stands in a file stays until there is a report to take its place.
pub(super) fn open(destinations: &[Destination]) -> Result<Vec<Open>, Failure> {
    for (number, destination) in destinations.iter().enumerate() {
        if destinations.iter().take(number).any(|other| other.file == destination.file) {
            let place = destination.file.as_ref().map_or("stdout".into(), |path| path.to_string_lossy());
            return Err(Failure::usage(format!("--report: only one report can go to {place}")));
        }
    }
    let open = |destination: &Destination| {
        let place = match &destination.file {
            None => Place::Stdout,
            Some(path) => place(path).map_err(|error| not_written(path, &error))?,
        };
        Ok(Open { format: destination.format, place })
    };
    destinations.iter().map(open).collect()
}

fn place(path: &Path) -> io::Result<Place> {
    let path = match OpenOptions::new().write(true).open(path) {
        // A terminal, a pipe or /dev/null has no place beside it.
        Ok(file) if !file.metadata()?.is_file() => return Ok(Place::Stream(file, path.to_owned())),
        // What a link leads to is replaced, not the link.
        Ok(_) => path.canonicalize()?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        Err(error) => return Err(error),
    };
    // It goes away at once: a run that is interrupted leaves nothing behind.
    beside(&path)?;
    Ok(Place::File(path))
}

/// A file beside it that may be read by the same people.
fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    // The process's mask takes from it what it takes from every file.
    builder.prefix(".onlyonce-report-").permissions(Permissions::from_mode(0o666));
    let file = builder.tempfile_in(directory.unwrap_or(Path::new(".")))?;
    if let Ok(before) = path.metadata() {
        file.as_file().set_permissions(before.permissions())?;
    }
    Ok(file)
}

impl Open {
    pub(super) const fn is_stdout(&self) -> bool {
        matches!(self.place, Place::Stdout)
    }

    pub(super) fn write(self, report: &Report) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        match self.format {
            Format::Text => report.write(Style { color: false, width: WIDTH }, &mut bytes)?,
            Format::Json => bytes.extend(report.json().into_bytes()),
            Format::Html => bytes.extend(report.html().into_bytes()),
        }
        match self.place {
            Place::Stdout => {
                let mut stdout = io::stdout().lock();
                Ok(stdout.write_all(&bytes).and_then(|()| stdout.flush())?)
            }
            Place::Stream(mut file, path) => {
                file.write_all(&bytes).map_err(|error| not_written(&path, &error))
            }
            Place::File(path) => replace(&path, &bytes).map_err(|error| not_written(&path, &error)),
        }
    }
}

/// Nobody sees half a report in its place.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = beside(path)?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}

fn not_written(path: &Path, error: &io::Error) -> Failure {
    Failure::Told(Exit::Failure, format!("failed to write the report {}: {error}", path.display()))
}
