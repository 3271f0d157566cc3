//! A plan as it is written in a file.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use http::HeaderMap;
use serde::Deserialize;

use super::{
    Bounds, Carrier, Commands, Credentials, Form, KeyRule, Operation, Operations, Part, Placeholder, Plan,
    PlanError, Resource, Template, Upstream, checked, duration, mistake,
};
use crate::{
    call::Origin,
    counter::{Counter, Reading},
    profile::Profile,
    sink::{self, Sink},
};

/// Longest times that a plan may name; the verifier waits for them.
const PATIENCE_MAX: Duration = Duration::from_secs(600);
const SETTLE_MAX: Duration = Duration::from_secs(300);
const PAUSE_MAX: Duration = Duration::from_secs(300);
const LEASE_MAX: Duration = Duration::from_secs(120);

impl Plan {
    /// Reads a plan.
    ///
    /// # Errors
    /// Names the key, the value, and what would be valid.
    pub fn parse(text: &str) -> Result<Self, PlanError> {
        let written: Written = toml::from_str(text).map_err(|error| mistake::told(text, &error))?;
        let plan = written.plan()?;
        match plan.upstream {
            Some(_) => plan.operations.are_known_again().map(|()| plan),
            None => Ok(plan),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    target: String,
    profile: Option<String>,
    #[serde(default)]
    key: Key,
    #[serde(default)]
    credentials: BTreeMap<Caller, BTreeMap<String, String>>,
    operations: Operations_,
    resource: Option<Resource_>,
    counter: Option<Counter_>,
    retention: Option<String>,
    #[serde(default)]
    commands: Commands_,
    upstream: Option<Upstream_>,
    #[serde(default)]
    bounds: Bounds_,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    carrier: Option<String>,
    #[serde(default)]
    also: Vec<String>,
    form: Option<Form_>,
    required: Option<bool>,
    lease: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Form_ {
    Quoted,
    Bare,
}

#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
enum Caller {
    First,
    Second,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Operations_ {
    create: Operation_,
    slow: Option<Operation_>,
    fails: Option<Operation_>,
    refused: Option<Operation_>,
    large: Option<Operation_>,
    #[serde(default)]
    reads: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Resource_ {
    path: String,
    json: String,
    changed: String,
    part: Option<String>,
    #[serde(default)]
    removable: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Commands_ {
    kill: Option<String>,
    restart: Option<String>,
    pause: Option<String>,
    resume: Option<String>,
    pause_for: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Upstream_ {
    listen: SocketAddr,
    credentials: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Operation_ {
    request: String,
    json: Option<String>,
    body: Option<String>,
    changed: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Counter_ {
    request: Option<String>,
    listen: Option<SocketAddr>,
    at: Option<String>,
    is: Option<String>,
    length: Option<String>,
    number: Option<String>,
    step: Option<i64>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bounds_ {
    requests: Option<u32>,
    at_once: Option<u32>,
    patience: Option<String>,
    settle: Option<String>,
}

impl Written {
    fn plan(self) -> Result<Plan, PlanError> {
        let target: Origin =
            self.target.parse().map_err(|error| PlanError::new(format!("target: {error}")))?;
        let profile = self.profile.clone().unwrap_or_else(|| "ietf".into());
        if Profile::named(&profile).is_none() {
            let known: Vec<&str> = Profile::ALL.iter().map(|profile| profile.name).collect();
            return Err(PlanError::new(format!("profile: {}", mistake::unknown(&profile, &known))));
        }
        let mut credentials = Credentials::default();
        for (caller, written) in &self.credentials {
            match caller {
                Caller::First => credentials.first = headers("credentials.first", written)?,
                Caller::Second => credentials.second = Some(headers("credentials.second", written)?),
            }
        }
        let placeholders = self.placeholders();
        Ok(Plan {
            target,
            profile,
            key: self.key.rule()?,
            credentials,
            operations: self.operations.operations()?,
            resource: self.resource.map(Resource_::resource).transpose()?,
            counter: self.counter.map(Counter_::counter).transpose()?,
            retention: self.retention.map(|text| duration::parse("retention", &text)).transpose()?,
            commands: self.commands.commands()?,
            upstream: self.upstream.map(Upstream_::upstream).transpose()?,
            bounds: self.bounds.bounds()?,
            placeholders,
        })
    }

    fn placeholders(&self) -> Vec<Placeholder> {
        let Operations_ { create, slow, fails, refused, large, reads } = &self.operations;
        let all = [
            ("create", Some(create)),
            ("slow", slow.as_ref()),
            ("fails", fails.as_ref()),
            ("refused", refused.as_ref()),
            ("large", large.as_ref()),
        ];
        let mut found = Vec::new();
        let mut look = |key: &str, text: &str| found.extend(Placeholder::all(key, text));
        for (name, operation) in all {
            for (key, text) in operation.into_iter().flat_map(Operation_::texts) {
                look(&format!("operations.{name}.{key}"), text);
            }
        }
        reads.iter().for_each(|read| look("operations.reads", read));
        for (key, text) in self.resource.iter().flat_map(Resource_::texts) {
            look(&format!("resource.{key}"), text);
        }
        found
    }
}

impl Key {
    fn rule(self) -> Result<KeyRule, PlanError> {
        let usual = KeyRule::default();
        let form = self.form.map(|form| match form {
            Form_::Quoted => Form::Quoted,
            Form_::Bare => Form::Bare,
        });
        let carrier = self.carrier.as_deref().map(Carrier::parse).transpose();
        let carrier = carrier.map_err(|error| error.within("key.carrier"))?.unwrap_or(usual.carrier);
        let also = self.also.iter().map(|text| Carrier::parse(text)).collect::<Result<_, _>>();
        let also = also.map_err(|error| error.within("key.also"))?;
        let lease = self.lease.map(|text| duration::at_most("key.lease", &text, LEASE_MAX)).transpose()?;
        let rule = KeyRule { carrier, also, form, required: self.required, lease };
        rule.checked().map_err(|error| error.within("key.also")).map(|()| rule)
    }
}

impl Operations_ {
    fn operations(self) -> Result<Operations, PlanError> {
        let optional = |name: &str, written: Option<Operation_>, part| {
            written.map(|written| Ok(written.operation(name)?.in_part(part))).transpose()
        };
        let read = |line: &String| {
            let read = Operation::parse(line).map_err(|error| error.within("operations.reads"))?;
            Ok(read.in_part(Part::Read))
        };
        Ok(Operations {
            create: self.create.operation("operations.create")?,
            slow: optional("operations.slow", self.slow, Part::Slow)?,
            fails: optional("operations.fails", self.fails, Part::Fails)?,
            refused: optional("operations.refused", self.refused, Part::Refused)?,
            large: optional("operations.large", self.large, Part::Large)?,
            reads: self.reads.iter().map(read).collect::<Result<_, _>>()?,
        })
    }
}

impl Resource_ {
    /// All that may have fresh values.
    fn texts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let part = self.part.as_deref().map(|text| ("part", text));
        [("path", &*self.path), ("json", &*self.json), ("changed", &*self.changed)].into_iter().chain(part)
    }

    fn resource(self) -> Result<Resource, PlanError> {
        for (key, text) in self.texts().filter(|(key, _)| *key != "path") {
            is_json(&format!("resource.{key}"), text)?;
        }
        Ok(Resource {
            path: Template::new(self.path),
            json: Template::new(self.json),
            changed: Template::new(self.changed),
            part: self.part.map(Template::new),
            removable: self.removable,
        })
    }
}

impl Commands_ {
    fn commands(self) -> Result<Commands, PlanError> {
        let Self { kill, restart, pause, resume, pause_for } = self;
        let pause_for =
            pause_for.map(|text| duration::at_most("commands.pause_for", &text, PAUSE_MAX)).transpose()?;
        Ok(Commands { kill, restart, pause, resume, pause_for })
    }
}

impl Upstream_ {
    fn upstream(self) -> Result<Upstream, PlanError> {
        Ok(Upstream { listen: self.listen, credentials: self.credentials.unwrap_or(true) })
    }
}

impl Operation_ {
    /// All that may have fresh values.
    fn texts(&self) -> impl Iterator<Item = (String, &str)> {
        let texts = [
            ("request", Some(&self.request)),
            ("json", self.json.as_ref()),
            ("body", self.body.as_ref()),
            ("changed", self.changed.as_ref()),
        ];
        let headers = self.headers.iter().map(|(name, text)| (format!("headers.{name}"), text.as_str()));
        let texts = texts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text?.as_str())));
        texts.chain(headers)
    }

    fn operation(self, name: &str) -> Result<Operation, PlanError> {
        let request = Operation::parse(&self.request);
        let mut operation = request.map_err(|error| error.within(&format!("{name}.request")))?;
        match (self.json, self.body) {
            (Some(_), Some(_)) => {
                return Err(PlanError::new(format!("{name}: write json or body, not both")));
            }
            (Some(json), None) => {
                is_json(&format!("{name}.json"), &json)?;
                if let Some(changed) = &self.changed {
                    is_json(&format!("{name}.changed"), changed)?;
                }
                operation = operation.with_json(json);
            }
            (None, body) => operation.body = Template::new(body.unwrap_or_default()),
        }
        operation.headers.extend(headers(&format!("{name}.headers"), &self.headers)?);
        operation.changed = self.changed.map(Template::new);
        Ok(operation)
    }
}

impl Counter_ {
    fn counter(self) -> Result<Counter, PlanError> {
        if self.listen.is_some() || self.at.is_some() || self.is.is_some() {
            return self.sink().map(Counter::Called);
        }
        let request = self.request.ok_or_else(|| {
            PlanError::new(
                "counter: write request for what is asked, or listen for where calls come that count",
            )
        })?;
        let operation = Operation::parse(&request).map_err(|error| error.within("counter.request"))?;
        let reading = match (self.length, self.number) {
            (length, None) => Reading::Length(length.unwrap_or_default()),
            (None, Some(pointer)) => Reading::Number { pointer, step: self.step.unwrap_or(1) },
            (Some(_), Some(_)) => return Err(PlanError::new("counter: write length or number, not both")),
        };
        Counter::new(operation, reading)
    }
}

impl Counter_ {
    fn sink(self) -> Result<Sink, PlanError> {
        let (Some(listen), None, None, None) = (self.listen, self.length, self.number, self.step) else {
            return Err(PlanError::new(
                "counter: where calls count, write listen and no length, number or step; at and is say which calls",
            ));
        };
        let request = self.request.as_deref().map(sink::called).transpose();
        let request = request.map_err(|error| error.within("counter.request"))?;
        let only = match (self.at, self.is) {
            (None, None) => None,
            (Some(at), Some(is)) => Some((at, is)),
            _ => {
                return Err(PlanError::new(
                    "counter: write both at, a pointer, and is, what has to stand there",
                ));
            }
        };
        Sink { listen, request, only }.checked()
    }
}

impl Bounds_ {
    fn bounds(self) -> Result<Bounds, PlanError> {
        let usual = Bounds::default();
        let length = |name, text: Option<String>, most| {
            text.map(|text| duration::at_most(name, &text, most)).transpose()
        };
        let count = |name, written: Option<u32>, usual| match written {
            Some(0) => {
                Err(PlanError::new(format!("{name}: with 0 nothing could be asked; write at least 1")))
            }
            written => Ok(written.unwrap_or(usual)),
        };
        Ok(Bounds {
            requests: count("bounds.requests", self.requests, usual.requests)?,
            at_once: count("bounds.at_once", self.at_once, usual.at_once)?,
            patience: length("bounds.patience", self.patience, PATIENCE_MAX)?.unwrap_or(usual.patience),
            settle: length("bounds.settle", self.settle, SETTLE_MAX)?.unwrap_or(usual.settle),
        })
    }
}

fn is_json(key: &str, text: &str) -> Result<(), PlanError> {
    checked::json(key, text, |file| format!("write what is in {file} between ''' and '''"))
}

fn headers(at: &str, written: &BTreeMap<String, String>) -> Result<HeaderMap, PlanError> {
    let header = |(name, value): (&String, &String)| {
        let header =
            name.parse().map_err(|_| PlanError::new(format!("{at}: {name:?} is no name of a header")))?;
        // What it says may be a credential.
        let value =
            value.parse().map_err(|_| PlanError::new(format!("{at}.{name}: it is no value of a header")))?;
        Ok((header, value))
    };
    written.iter().map(header).collect()
}
