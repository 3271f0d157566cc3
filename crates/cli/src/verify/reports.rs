//! Where reports go.

use std::{
    fs::File,
    io::{self, Write},
    path::PathBuf,
};

use onlyonce_verify::report::{Report, Style};

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
    file: Option<(File, PathBuf)>,
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

/// Makes the files; what stood in them is gone.
pub(super) fn open(destinations: &[Destination]) -> Result<Vec<Open>, Failure> {
    let open = |destination: &Destination| {
        let file = destination.file.as_ref().map(|path| match File::create(path) {
            Ok(file) => Ok((file, path.clone())),
            Err(error) => Err(not_written(path, &error)),
        });
        Ok(Open { format: destination.format, file: file.transpose()? })
    };
    destinations.iter().map(open).collect()
}

impl Open {
    pub(super) const fn is_stdout(&self) -> bool {
        self.file.is_none()
    }

    pub(super) fn write(self, report: &Report) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        match self.format {
            Format::Text => report.write(Style { color: false, width: WIDTH }, &mut bytes)?,
            Format::Json => bytes.extend(report.json().into_bytes()),
            Format::Html => bytes.extend(report.html().into_bytes()),
        }
        match self.file {
            None => Ok(io::stdout().lock().write_all(&bytes)?),
            Some((mut file, path)) => file.write_all(&bytes).map_err(|error| not_written(&path, &error)),
        }
    }
}

fn not_written(path: &std::path::Path, error: &io::Error) -> Failure {
    Failure::Told(Exit::Failure, format!("failed to write the report {}: {error}", path.display()))
}
