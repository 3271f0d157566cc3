//! What is asked of the API.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use super::{PlanError, Template, template::Fresh};
use crate::call::{Fault, Manner, Request, Who};

/// Everything that may be asked, by the part that it plays in the checks.
#[derive(Clone, Debug)]
pub struct Operations {
    /// What has an effect each time it is carried out, and is to have one for each key.
    pub create: Operation,
    /// The same, but it takes long: a second or more.
    pub slow: Option<Operation>,
    /// Has its effect, and is then answered with 500.
    pub fails: Option<Operation>,
    /// Is refused for what it asks, and has no effect.
    pub refused: Option<Operation>,
    /// Has its effect, and a large answer.
    pub large: Option<Operation>,
    /// Requests that only read.
    pub reads: Vec<Operation>,
}

impl Operations {
    /// Those of an API of which nothing else is known.
    #[must_use]
    pub const fn only(create: Operation) -> Self {
        Self { create, slow: None, fails: None, refused: None, large: None, reads: Vec::new() }
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Operation> {
        let others = [&self.slow, &self.fails, &self.refused, &self.large];
        others.into_iter().flatten().chain([&self.create]).chain(&self.reads)
    }

    /// A request that changes nothing.
    pub(crate) fn look(&self) -> Operation {
        self.reads.first().cloned().unwrap_or_else(|| Operation {
            part: Part::Read,
            method: Method::GET,
            path: Template::new("/"),
            headers: HeaderMap::new(),
            body: Template::new(""),
            changed: None,
        })
    }

    /// Whether the application behind the system can tell each of them from all others.
    ///
    /// # Errors
    /// Names the one that it cannot.
    pub(crate) fn are_known_again(&self) -> Result<(), PlanError> {
        let others = [&self.slow, &self.fails, &self.refused, &self.large];
        let mut all = others.into_iter().flatten().chain([&self.create]);
        match all.find(|operation| !operation.is_known_again()) {
            None => Ok(()),
            Some(operation) => Err(PlanError::new(format!(
                "{} {}: with [upstream], write {{{{fresh}}}} into its path, body or a header: by that value the verifier knows \
                 it again",
                operation.method,
                operation.path.as_str()
            ))),
        }
    }
}

/// The part that an operation plays, by which the verifier behind the system knows what to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// [`Operations::create`].
    #[default]
    Create,
    /// [`Operations::slow`].
    Slow,
    /// [`Operations::fails`].
    Fails,
    /// [`Operations::refused`].
    Refused,
    /// [`Operations::large`].
    Large,
    /// One of [`Operations::reads`].
    Read,
    /// Of the plan's [resource](crate::plan::Resource).
    Resource,
}

/// One thing to ask.
#[derive(Clone, Debug)]
pub struct Operation {
    /// What it is for.
    pub part: Part,
    /// Its method.
    pub method: Method,
    /// Path and query.
    pub path: Template,
    /// Headers beside the key's and the credential's.
    pub headers: HeaderMap,
    /// Its body; empty: none.
    pub body: Template,
    /// Another body that stands for another request, where none can be derived.
    pub changed: Option<Template>,
}

/// Methods that are not meant in other letters (RFC 9110, section 9.1: their case matters).
const KNOWN: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

impl Operation {
    /// Reads `POST /transfers`.
    ///
    /// # Errors
    /// If it is no method and path.
    pub fn parse(line: &str) -> Result<Self, PlanError> {
        let wrong = || PlanError::new(format!("{line:?} is no request: write one such as 'POST /transfers'"));
        let (method, path) = line.trim().split_once(' ').ok_or_else(wrong)?;
        let capitals = method.to_ascii_uppercase();
        if method != capitals && KNOWN.contains(&capitals.as_str()) {
            return Err(PlanError::new(format!(
                "{line:?} is no request: methods are in capitals, {capitals}"
            )));
        }
        let (method, path) = (method.parse().map_err(|_| wrong())?, path.trim());
        if !path.starts_with('/') {
            return Err(wrong());
        }
        let (path, body) = (Template::new(path), Template::new(""));
        Ok(Self { part: Part::Create, method, path, headers: HeaderMap::new(), body, changed: None })
    }

    /// In another part.
    #[must_use]
    pub const fn in_part(mut self, part: Part) -> Self {
        self.part = part;
        self
    }

    /// With a JSON body.
    #[must_use]
    pub fn with_json(mut self, body: impl Into<String>) -> Self {
        self.body = Template::new(body);
        self.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self
    }

    /// With a header.
    ///
    /// # Errors
    /// If it is not written as `Name: value`.
    pub fn with_header(mut self, line: &str) -> Result<Self, PlanError> {
        let (name, value) = parse_header(line)?;
        self.headers.append(name, value);
        Ok(self)
    }

    /// Whether each of its requests has a value by which it is known again.
    pub(crate) fn is_known_again(&self) -> bool {
        let headers = self.headers.values().filter_map(|value| value.to_str().ok());
        headers.chain([self.path.as_str(), self.body.as_str()]).any(|text| text.contains("{{fresh}}"))
    }

    /// Whether any of its values is new each time.
    pub(crate) fn has_fresh_values(&self) -> bool {
        let headers = self.headers.values().filter_map(|value| value.to_str().ok());
        headers.chain([self.path.as_str(), self.body.as_str()]).any(|text| text.contains("{{"))
    }

    /// A request of its own, with fresh values, without key and credential.
    pub(crate) fn request(&self) -> Request {
        let fresh = Fresh::new();
        Request {
            method: self.method.clone(),
            path: self.path.with(&fresh),
            headers: filled(&self.headers, &fresh),
            body: self.body.with(&fresh).into(),
            who: Who::Nobody,
            manner: Manner::Whole,
            fault: Fault::None,
            in_path: None,
            changed: self.changed.as_ref().map(|changed| changed.with(&fresh).into()),
            minted: fresh.minted(),
            token: fresh.token,
        }
    }
}

impl fmt::Display for Operation {
    /// `POST /transfers`, its templates unfilled.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path.as_str())
    }
}

/// Headers with the values of one operation.
fn filled(headers: &HeaderMap, fresh: &Fresh) -> HeaderMap {
    let value = |value: &HeaderValue| {
        let text = value.to_str().ok().filter(|text| text.contains("{{"));
        let filled = text.and_then(|text| HeaderValue::try_from(Template::new(text).with(fresh)).ok());
        filled.unwrap_or_else(|| value.clone())
    };
    headers.iter().map(|(name, text)| (name.clone(), value(text))).collect()
}

/// Reads `Name: value`.
pub(crate) fn parse_header(line: &str) -> Result<(HeaderName, HeaderValue), PlanError> {
    let wrong = || PlanError::new(format!("{line:?} is no header: write one such as 'X-Tenant: acme'"));
    let (name, value) = line.split_once(':').ok_or_else(wrong)?;
    let name = name.trim().parse().map_err(|_| wrong())?;
    let value = value.trim().parse().map_err(|_| wrong())?;
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fresh value in a header was sent as it stands in the plan.
    #[test]
    fn a_fresh_value_stands_in_a_header_as_in_a_body() {
        let operation = Operation::parse("POST /x/{{fresh}}").unwrap().with_header("X-Order: no {{fresh}}");
        let request = operation.unwrap().request();
        let header = request.headers.get("x-order").unwrap();
        assert_eq!(header, &format!("no {}", request.token));
        assert_eq!(request.path, format!("/x/{}", request.token));
    }
}
