//! Where the repository lies.

use std::path::Path;
use std::process::Command;

/// The root of the workspace. Cargo rebuilds this package when the repository moves, so it is never stale.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the root of the workspace")
}

/// Cargo, to be run in the root.
pub(crate) fn cargo<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root()).args(arguments);
    command
}
