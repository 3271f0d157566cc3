//! Files that are read, and files that are refused with a word on why.

mod built_in;
mod explained;
mod inherited;
mod ledger;
mod refused;

use std::time::Duration;

use onlyonce_core::LedgerKey;

use super::*;

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, Path::new("onlyonce.toml")).map_err(|error| error.to_string())
}

/// The only route of a file.
fn route(text: &str) -> Settings {
    let mut routes = parse(text).unwrap().route;
    assert_eq!(routes.len(), 1);
    routes.remove(0).settings
}
