//! `config check`: whether a gateway would start with a file, and what it would be.

use std::{io::Write, path::PathBuf};

use clap::Args;
use onlyonce_gateway::{
    Config, Gateway, Place,
    config::{Admin, PrincipalFrom, Route, Word},
};

use super::Failure;
use crate::{
    exit::tell,
    gateway::{read, secrets},
    table,
};

#[derive(Args)]
pub(super) struct Arguments {
    /// The configuration file
    file: PathBuf,
}

const HEAD: [&str; 8] =
    ["ROUTE", "MODE", "KEY", "METHODS", "CARRIERS", "DEADLINE", "RESULT KEPT", "ON UNKNOWN"];

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let file = &arguments.file;
    let config = Config::parse(&read(file)?, file)?;
    let secrets = secrets(&config)?;
    Gateway::check(&config, &secrets)?;
    let place = config.ledger.place(&secrets.named)?;
    writeln!(out, "OK: {}\n", file.display())?;
    table::write(out, &summary(&config, &place))?;
    writeln!(out)?;
    table::write(out, &routes(&config))?;
    out.flush()?;
    let warnings = config.warnings();
    if !warnings.is_empty() {
        // Apart from the tables, where both go to one terminal.
        tell("");
    }
    warnings.iter().for_each(|warning| tell(&format!("warning: {warning}")));
    Ok(())
}

fn summary(config: &Config, place: &Place) -> Vec<[String; 2]> {
    let admin = match config.admin {
        Admin::At(address) => address.to_string(),
        Admin::Off => "off".to_owned(),
    };
    let mut rows = vec![
        ["listen", &config.listen.to_string()].map(str::to_owned),
        ["upstream", &config.upstream].map(str::to_owned),
        ["admin", &admin].map(str::to_owned),
        ["ledger", &place.to_string()].map(str::to_owned),
        ["principal", &principal(config)].map(str::to_owned),
    ];
    if !config.cors.origins.is_empty() {
        let origins: Vec<_> = config.cors.origins.iter().map(|origin| origin.as_str()).collect();
        rows.push(["cors".to_owned(), origins.join(", ")]);
    }
    rows
}

fn principal(config: &Config) -> String {
    let principal = &config.principal;
    match principal.from {
        PrincipalFrom::Anonymous => "anonymous".to_owned(),
        PrincipalFrom::Credential => format!("credential: {}", principal.credential.join(" and ")),
        PrincipalFrom::Header => {
            format!("header: {} from {}", principal.header, principal.trusted.join(", "))
        }
    }
}

fn routes(config: &Config) -> Vec<[String; 8]> {
    let rest = Route { pattern: "everything else".to_owned(), settings: config.defaults.clone() };
    let rows = config.route.iter().chain([&rest]).map(|route| {
        let settings = &route.settings;
        [
            route.pattern.clone(),
            settings.mode.word().to_owned(),
            settings.key.word().to_owned(),
            settings.methods.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(", "),
            settings.carriers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            settings.deadline.to_string(),
            settings.retain_result.to_string(),
            settings.on_unknown.word().to_owned(),
        ]
    });
    std::iter::once(HEAD.map(str::to_owned)).chain(rows).collect()
}
