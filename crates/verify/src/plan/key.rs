//! How a request carries its key.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use serde_json::Value;

use super::PlanError;
use crate::call::{Minted, Request};

/// How keys are sent.
#[derive(Clone, Debug)]
pub struct KeyRule {
    /// Where they stand.
    pub carrier: Carrier,
    /// How they are written in a header; `None`: as the profile says.
    pub form: Option<Form>,
    /// Whether the API demands one; `None`: not known.
    pub required: Option<bool>,
    /// How long one stays locked for a request that runs, or ran when it was last heard of; `None`: not known.
    pub lease: Option<Duration>,
}

/// Where a key stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// In a header.
    Header(HeaderName),
    /// In a member of a JSON body, by pointer (RFC 6901).
    Body(String),
}

/// How a key is written in a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As a structured field's string (RFC 9651, section 3.3.3).
    Quoted,
    /// As it is.
    Bare,
}

impl Default for KeyRule {
    fn default() -> Self {
        let header = Carrier::Header(HeaderName::from_static("idempotency-key"));
        Self { carrier: header, form: None, required: None, lease: None }
    }
}

impl Carrier {
    /// Reads `header:NAME` or `body:/pointer`.
    ///
    /// # Errors
    /// If it is neither.
    pub fn parse(text: &str) -> Result<Self, PlanError> {
        let wrong = || PlanError::new(format!("{text:?} carries no key: write header:NAME or body:/member"));
        match text.split_once(':').ok_or_else(wrong)? {
            ("header", name) => name.parse().map(Self::Header).map_err(|_| wrong()),
            ("body", pointer) if pointer.starts_with('/') => Ok(Self::Body(pointer.to_owned())),
            _ => Err(wrong()),
        }
    }

    /// Puts a key into a request, as it is to be written; `None`: the body has no place for it.
    #[must_use]
    pub fn put(&self, mut request: Request, key: &str, form: Form) -> Option<Request> {
        match self {
            Self::Header(name) => {
                request.minted.extend(Minted::in_key(key.as_bytes()));
                let written = match form {
                    Form::Quoted => format!("\"{}\"", key.replace('\\', r"\\").replace('"', r#"\""#)),
                    Form::Bare => key.to_owned(),
                };
                request.headers.insert(name, HeaderValue::from_bytes(written.as_bytes()).ok()?);
            }
            Self::Body(_) => return self.put_value(request, key.into()),
        }
        Some(request)
    }

    /// Puts any value in the place of a key into a body; `None`: there is no place for it.
    #[must_use]
    pub fn put_value(&self, mut request: Request, key: Value) -> Option<Request> {
        let Self::Body(pointer) = self else { return None };
        request.minted.extend(match &key {
            Value::String(key) => Minted::in_key(key.as_bytes()),
            Value::Number(number) => vec![Minted::Number(number.to_string())],
            _ => Vec::new(),
        });
        request.body = within(&request.body, pointer, &key)?;
        if let Some(changed) = &request.changed {
            request.changed = Some(within(changed, pointer, &key)?);
        }
        Some(request)
    }

    /// Takes whatever carries a key out of a request.
    #[must_use]
    pub fn take(&self, mut request: Request) -> Request {
        match self {
            Self::Header(name) => drop(request.headers.remove(name)),
            Self::Body(pointer) => {
                request.body = without(&request.body, pointer).unwrap_or(request.body);
            }
        }
        request
    }
}

/// A JSON body without a member; `None`: there is none.
fn without(body: &[u8], pointer: &str) -> Option<Bytes> {
    let mut body: Value = serde_json::from_slice(body).ok()?;
    let (parent, member) = pointer.rsplit_once('/')?;
    body.pointer_mut(parent)?.as_object_mut()?.shift_remove(member)?;
    Some(body.to_string().into())
}

/// A JSON body with the key as a member; `None`: there is no place for it.
fn within(body: &[u8], pointer: &str, key: &Value) -> Option<Bytes> {
    let mut body: Value = serde_json::from_slice(body).ok()?;
    let (parent, member) = pointer.rsplit_once('/')?;
    body.pointer_mut(parent)?.as_object_mut()?.insert(member.to_owned(), key.clone());
    Some(body.to_string().into())
}
