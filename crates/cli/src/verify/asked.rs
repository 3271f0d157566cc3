//! The plan that the command line means: a request or a file, and the flags over it.

use std::{fmt::Display, net::SocketAddr, path::Path};

use clap::{Args, ValueEnum};
use http::{HeaderMap, HeaderName};
use onlyonce_verify::{
    Plan,
    call::{Origin, OriginError, Who},
    counter::Counter,
    plan::{Carrier, Credentials, Form, OneLine, PlanError, credential},
};

use super::Failure;
use crate::{
    environment,
    exit::{Exit, tell},
};

#[derive(Args)]
pub(super) struct Asked {
    /// A request, 'POST http://127.0.0.1:8080/transfers', or the file of a plan; with --upstream-listen, the URL of a
    /// gateway is enough
    #[arg(value_name = "REQUEST|PLAN", num_args = 1..=2, required_unless_present = "list")]
    what: Vec<String>,
    /// The request's body, as JSON; {{fresh}}, {{uuid}} and {{number}} stand for values that are new each time
    #[arg(long, value_name = "JSON")]
    json: Option<String>,
    /// A header of the request; may be given more than once
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// What counts effects: 'GET /transfers length', 'GET /transfers /items length', or a number and what one effect
    /// adds to it: 'GET /account /balance -100'; or calls that the API makes for each: 'calls 127.0.0.1:4000 POST /done'
    #[arg(long, value_name = "REQUEST READING")]
    count: Option<String>,
    /// The caller's credential: 'Authorization: Bearer …'
    #[arg(long, value_name = "NAME: VALUE")]
    credential: Option<String>,
    /// Another caller's
    #[arg(long, value_name = "NAME: VALUE")]
    second_credential: Option<String>,
    /// Where a key stands: header:NAME, query:NAME, body:/member, form:NAME, or path:NAME for a path with {NAME} in it; the
    /// first if given more than once, and the others are where the API looks for the same key as well [default:
    /// header:idempotency-key]
    #[arg(long = "key-carrier", value_name = "CARRIER")]
    key_carriers: Vec<String>,
    /// How a key is written in a header [default: as the profile says]
    #[arg(long, value_name = "FORM")]
    key_form: Option<Written>,
    /// The API demands a key
    #[arg(long)]
    key_required: bool,
    /// Whose expectations count where systems differ: ietf, stripe, lenient [default: ietf]
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Be the application behind what is verified: let that forward to this address
    #[arg(long, value_name = "ADDRESS")]
    upstream_listen: Option<SocketAddr>,
    /// Most requests at once [default: 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    at_once: Option<u32>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Written {
    Quoted,
    Bare,
}

impl Asked {
    /// The plan.
    pub(super) fn plan(&self) -> Result<Plan, Failure> {
        // Without quotes, a request is two words.
        let what = self.what.join(" ");
        let what = what.as_str();
        let usage = |error: PlanError| Failure::usage(error.to_string());
        let mut plan = match (is_request(what), self.upstream_listen) {
            (true, Some(listen)) if !what.contains(' ') => Plan::upstream(&target(what)?, listen),
            (true, _) => self.one_line(what).plan().map_err(usage)?,
            (false, _) => self.read(Path::new(what))?,
        };
        self.put_over(&mut plan).map_err(usage)?;
        for placeholder in &plan.placeholders {
            tell(&match is_request(what) {
                true => placeholder.to_string(),
                false => format!("{what}: {placeholder}"),
            });
        }
        Ok(plan)
    }

    fn one_line(&self, request: &str) -> OneLine {
        OneLine {
            request: request.to_owned(),
            json: self.json.clone(),
            headers: self.headers.clone(),
            ..OneLine::default()
        }
    }

    fn read(&self, path: &Path) -> Result<Plan, Failure> {
        let config = |text| Failure::Told(Exit::Config, text);
        if self.json.is_some() || !self.headers.is_empty() {
            return Err(Failure::usage("--json and --header belong to a request; write them into the plan"));
        }
        let text = std::fs::read_to_string(path).map_err(|error| {
            config(format!(
                "failed to read the plan {}: {error}\n\nhint: a request is one argument, such as \
                 'POST http://127.0.0.1:8080/transfers'; `onlyonce verify init` writes a plan",
                path.display()
            ))
        })?;
        let told = |error: &dyn Display| config(format!("{}: {error}", path.display()));
        let mut plan = Plan::parse(&text).map_err(|error| told(&error))?;
        let Credentials { first, second, variables } = &mut plan.credentials;
        for (who, headers) in [(Who::First, Some(first)), (Who::Second, second.as_mut())] {
            let Some(headers) = headers else { continue };
            let taken = from_environment(headers).map_err(|error| told(&error))?;
            variables.extend(taken.into_iter().map(|(header, variable)| (who, header, variable)));
        }
        Ok(plan)
    }

    /// Flags win.
    fn put_over(&self, plan: &mut Plan) -> Result<(), PlanError> {
        if let Some(count) = &self.count {
            plan.counter = Some(Counter::parse(count)?);
        }
        if let Some(line) = &self.credential {
            plan.credentials.first = credential(line)?;
            plan.credentials.variables.retain(|(who, ..)| *who != Who::First);
        }
        if let Some(line) = &self.second_credential {
            plan.credentials.second = Some(credential(line)?);
            plan.credentials.variables.retain(|(who, ..)| *who != Who::Second);
        }
        if let Some((first, others)) = self.key_carriers.split_first() {
            plan.key.carrier = Carrier::parse(first)?;
            plan.key.also = others.iter().map(|other| Carrier::parse(other)).collect::<Result<_, _>>()?;
            plan.key.checked()?;
        }
        if let Some(form) = self.key_form {
            plan.key.form = Some(match form {
                Written::Quoted => Form::Quoted,
                Written::Bare => Form::Bare,
            });
        }
        if self.key_required {
            plan.key.required = Some(true);
        }
        if let Some(profile) = &self.profile {
            plan.profile.clone_from(profile);
        }
        if let Some(at_once) = self.at_once {
            plan.bounds.at_once = at_once;
        }
        if let Some(listen) = self.upstream_listen {
            plan.stand_behind(listen)?;
        }
        Ok(())
    }
}

/// Whether it was meant for one, and not for a file.
fn is_request(what: &str) -> bool {
    let method = what.split_once(' ').map(|(method, _)| method);
    what.contains("://")
        || method.is_some_and(|method| method.chars().all(|c| c.is_ascii_alphabetic()))
            && !Path::new(what).exists()
}

fn target(url: &str) -> Result<Origin, Failure> {
    url.parse().map_err(|error: OriginError| Failure::usage(error.to_string()))
}

/// Puts what the environment says in the place of `env:NAME`: a plan may be read by more people than a credential.
/// Gives which headers were taken from which variables.
fn from_environment(credentials: &mut HeaderMap) -> Result<Vec<(HeaderName, String)>, String> {
    let mut taken = Vec::new();
    for (header, value) in credentials.iter_mut() {
        let Some(name) = value.to_str().ok().and_then(|text| text.strip_prefix("env:")) else { continue };
        taken.push((header.clone(), name.to_owned()));
        let text = environment(name)?
            .ok_or_else(|| format!("{header}: the environment variable {name} is not set, or empty"))?;
        *value = text.parse().map_err(|_| format!("{header}: what {name} says is no value of a header"))?;
    }
    Ok(taken)
}
