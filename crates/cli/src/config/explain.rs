//! `config explain`: which route, and every setting with where it comes from.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use clap::Args;
use http::Method;
use onlyonce_gateway::{Config, config::explain::Explained};

use super::Failure;
use crate::{gateway::read, table};

#[derive(Args)]
pub(super) struct Arguments {
    /// A request: 'POST /transfers'
    #[arg(value_name = "METHOD PATH", value_parser = request)]
    request: Request,
    /// The configuration file; without one, what is built in
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Clone)]
struct Request {
    method: Method,
    path: String,
}

/// Reads `POST /transfers`; what follows a `?` does not choose a route.
fn request(text: &str) -> Result<Request, String> {
    let usage = || "write a method and a path in one argument: 'POST /transfers'".to_owned();
    let (method, path) = text.trim().split_once(' ').ok_or_else(usage)?;
    let path = path.split('?').next().unwrap_or_default().trim();
    if !path.starts_with('/') {
        return Err(usage());
    }
    let method = method.to_ascii_uppercase().parse().map_err(|_| usage())?;
    Ok(Request { method, path: path.to_owned() })
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let Request { method, path } = &arguments.request;
    let built_in = Path::new("the built-in configuration");
    let (text, name) = match &arguments.config {
        None => (String::new(), built_in),
        Some(path) => (read(path)?, path.as_path()),
    };
    let explained = Config::explain(&text, name, method, path)?;
    writeln!(out, "{method} {path} {}\n", falls_under(&explained, name, arguments.config.is_none()))?;
    if explained.ambiguous {
        writeln!(out, "It is refused (request-ambiguous): its path can be read in more than one way.\n")?;
    } else if !explained.keyed {
        writeln!(out, "It may not have a key here, and passes as it is.\n")?;
    }
    table::write(out, &rows(explained))?;
    out.flush()?;
    Ok(())
}

fn falls_under(explained: &Explained, name: &Path, built_in: bool) -> String {
    match &explained.route {
        Some((route, line)) => format!("falls under the route `{route}` ({}, line {line}).", name.display()),
        None if built_in => {
            "falls under what is built in: no file was named; --config FILE explains yours.".to_owned()
        }
        None => format!("falls under no route of {}: the defaults hold.", name.display()),
    }
}

fn rows(explained: Explained) -> Vec<[String; 3]> {
    let settings = explained.settings.into_iter().chain(explained.ledger);
    let rows = settings.map(|setting| match setting.value {
        Some(value) => [setting.key, value, setting.from.to_string()],
        None => [setting.key, "-".to_owned(), "-".to_owned()],
    });
    std::iter::once(["SETTING", "VALUE", "FROM"].map(str::to_owned)).chain(rows).collect()
}
