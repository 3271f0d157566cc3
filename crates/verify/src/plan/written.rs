//! A plan as it is written in a file.

use std::{collections::BTreeMap, net::SocketAddr};

use http::HeaderMap;
use serde::Deserialize;

use super::{
    Bounds, Carrier, Commands, Credentials, Form, KeyRule, Operation, Operations, Part, Plan, PlanError,
    Resource, Template, Upstream, duration, mistake,
};
use crate::{
    call::Origin,
    counter::{Counter, Reading},
};

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
    form: Option<Form_>,
    required: Option<bool>,
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
    lease: Option<String>,
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
    request: String,
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
        let mut credentials = Credentials::default();
        for (caller, written) in &self.credentials {
            match caller {
                Caller::First => credentials.first = headers("credentials.first", written)?,
                Caller::Second => credentials.second = Some(headers("credentials.second", written)?),
            }
        }
        Ok(Plan {
            target,
            profile: self.profile.unwrap_or_else(|| "ietf".into()),
            key: self.key.rule()?,
            credentials,
            operations: self.operations.operations()?,
            resource: self.resource.map(Resource_::resource),
            counter: self.counter.map(Counter_::counter).transpose()?,
            retention: self.retention.map(|text| duration::parse("retention", &text)).transpose()?,
            commands: self.commands.commands()?,
            upstream: self.upstream.map(Upstream_::upstream).transpose()?,
            bounds: self.bounds.bounds()?,
        })
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
        Ok(KeyRule { carrier, form, required: self.required })
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
    fn resource(self) -> Resource {
        Resource {
            path: Template::new(self.path),
            json: Template::new(self.json),
            changed: Template::new(self.changed),
            part: self.part.map(Template::new),
            removable: self.removable,
        }
    }
}

impl Commands_ {
    fn commands(self) -> Result<Commands, PlanError> {
        let Self { kill, restart, pause, resume, pause_for } = self;
        let pause_for = pause_for.map(|text| duration::parse("commands.pause_for", &text)).transpose()?;
        Ok(Commands { kill, restart, pause, resume, pause_for })
    }
}

impl Upstream_ {
    fn upstream(self) -> Result<Upstream, PlanError> {
        let lease = self.lease.map(|text| duration::parse("upstream.lease", &text)).transpose()?;
        Ok(Upstream { listen: self.listen, lease, credentials: self.credentials.unwrap_or(true) })
    }
}

impl Operation_ {
    fn operation(self, name: &str) -> Result<Operation, PlanError> {
        let request = Operation::parse(&self.request);
        let mut operation = request.map_err(|error| error.within(&format!("{name}.request")))?;
        match (self.json, self.body) {
            (Some(_), Some(_)) => {
                return Err(PlanError::new(format!("{name}: write json or body, not both")));
            }
            (Some(json), None) => operation = operation.with_json(json),
            (None, body) => operation.body = Template::new(body.unwrap_or_default()),
        }
        operation.headers.extend(headers(&format!("{name}.headers"), &self.headers)?);
        operation.changed = self.changed.map(Template::new);
        Ok(operation)
    }
}

impl Counter_ {
    fn counter(self) -> Result<Counter, PlanError> {
        let operation = Operation::parse(&self.request).map_err(|error| error.within("counter.request"))?;
        let reading = match (self.length, self.number) {
            (length, None) => Reading::Length(length.unwrap_or_default()),
            (None, Some(pointer)) => Reading::Number { pointer, step: self.step.unwrap_or(1) },
            (Some(_), Some(_)) => return Err(PlanError::new("counter: write length or number, not both")),
        };
        Counter::new(operation, reading)
    }
}

impl Bounds_ {
    fn bounds(self) -> Result<Bounds, PlanError> {
        let usual = Bounds::default();
        let length = |name, text: Option<String>| text.map(|text| duration::parse(name, &text)).transpose();
        Ok(Bounds {
            requests: self.requests.unwrap_or(usual.requests),
            at_once: self.at_once.unwrap_or(usual.at_once),
            patience: length("bounds.patience", self.patience)?.unwrap_or(usual.patience),
            settle: length("bounds.settle", self.settle)?.unwrap_or(usual.settle),
        })
    }
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
