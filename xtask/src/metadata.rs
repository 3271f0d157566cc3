//! What `cargo metadata` says about the workspace and all that it depends on.
//!
//! It covers every feature and every platform, so that a dependency cannot hide behind one.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::failure::Failure;
use crate::{process, workspace};

/// A package of the workspace or a dependency.
#[derive(Debug, Clone, Default)]
pub(crate) struct Package {
    /// Its name on the registry.
    pub(crate) name: String,
    /// Its exact version.
    pub(crate) version: String,
    /// Its licence, as an SPDX expression, where it states one.
    pub(crate) license: Option<String>,
}

/// All packages that the lock file names.
pub(crate) fn packages() -> Result<Vec<Package>, Failure> {
    let metadata = load(&mut workspace::cargo(["metadata", "--format-version", "1", "--all-features"]))?;
    let packages = metadata.get("packages").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    packages.iter().map(package).collect()
}

/// The directory into which cargo builds.
pub(crate) fn target_directory() -> Result<PathBuf, Failure> {
    let metadata = load(&mut workspace::cargo(["metadata", "--format-version", "1", "--no-deps"]))?;
    text(&metadata, "target_directory").map(PathBuf::from)
}

fn load(command: &mut Command) -> Result<Value, Failure> {
    let line = process::line(command);
    let output =
        command.output().map_err(|error| Failure::new(format!("failed to start `{line}`: {error}")))?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Failure::new(format!("`{line}` ended with {}:\n{reason}", output.status)));
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|error| Failure::new(format!("failed to read the output of `{line}`: {error}")))
}

fn package(value: &Value) -> Result<Package, Failure> {
    Ok(Package {
        name: text(value, "name")?,
        version: text(value, "version")?,
        license: value.get("license").and_then(Value::as_str).map(str::to_owned),
    })
}

fn text(value: &Value, member: &str) -> Result<String, Failure> {
    let found = value.get(member).and_then(Value::as_str).map(str::to_owned);
    found.ok_or_else(|| Failure::new(format!("cargo metadata has no {member}")))
}
