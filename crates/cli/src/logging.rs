//! Where log lines go: stderr, at the level that `ONLYONCE_LOG` says.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// The variable that sets the level, such as `debug` or `onlyonce_gateway=debug,info`.
const VARIABLE: &str = "ONLYONCE_LOG";
const DEFAULT: &str = "warn,onlyonce=info";

pub(crate) fn start() {
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
}
