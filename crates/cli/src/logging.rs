//! Where log lines go: stderr, at the level that `ONLYONCE_LOG` says.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::{environment, exit::tell};

/// The variable that sets the level, such as `debug` or `onlyonce_gateway=debug,info`.
const VARIABLE: &str = "ONLYONCE_LOG";
const DEFAULT: &str = "warn,onlyonce=info";

pub(crate) fn start() {
    let filter = filter().unwrap_or_else(|why| {
        tell(&format!("{VARIABLE} is not used: {why}; write for example debug, or {DEFAULT}"));
        EnvFilter::new(DEFAULT)
    });
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
}

fn filter() -> Result<EnvFilter, String> {
    let text = environment(VARIABLE)?;
    EnvFilter::try_new(text.as_deref().unwrap_or(DEFAULT)).map_err(|error| error.to_string())
}
