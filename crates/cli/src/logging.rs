//! Where log lines go: stderr, at the level that `ONLYONCE_LOG` says, as text or as JSON.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::{environment, exit::tell};

/// The variable that sets the level, such as `debug` or `onlyonce_gateway=debug,info`.
const LEVEL: &str = "ONLYONCE_LOG";
const DEFAULT: &str = "warn,onlyonce=info";
/// The variable that sets the form: `text`, or `json` with one object on each line.
const FORMAT: &str = "ONLYONCE_LOG_FORMAT";

/// Starts them; whether they are JSON.
pub(crate) fn start() -> bool {
    let filter = filter().unwrap_or_else(|why| {
        tell(&format!("{LEVEL} is not used: {why}; write for example debug, or {DEFAULT}"));
        EnvFilter::new(DEFAULT)
    });
    let json = is_json().unwrap_or_else(|why| {
        tell(&format!("{FORMAT} is not used: {why}; write text or json"));
        false
    });
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if json {
        // Fields stand beside the message, so that a query needs no path; the span has its own.
        lines.json().flatten_event(true).with_current_span(true).with_span_list(false).init();
    } else {
        lines.with_ansi(std::io::stderr().is_terminal()).with_target(false).init();
    }
    json
}

fn is_json() -> Result<bool, String> {
    match environment(FORMAT)?.as_deref() {
        None | Some("text") => Ok(false),
        Some("json") => Ok(true),
        Some(_) => Err("it has another value".to_owned()),
    }
}

fn filter() -> Result<EnvFilter, String> {
    let text = environment(LEVEL)?;
    EnvFilter::try_new(text.as_deref().unwrap_or(DEFAULT)).map_err(|error| error.to_string())
}
