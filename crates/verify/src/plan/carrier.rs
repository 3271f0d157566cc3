//! Where a key stands in a request.

use std::fmt;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use serde_json::Value;

use super::{Form, PlanError};
use crate::call::{Minted, Request};

/// Where a key stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// In a header.
    Header(HeaderName),
    /// In a parameter of the query.
    Query(String),
    /// In a member of a JSON body, by pointer (RFC 6901).
    Body(String),
    /// In a field of a form (`application/x-www-form-urlencoded`).
    Form(String),
    /// In the path, where the operation has this name in braces.
    Path(String),
}

impl Carrier {
    /// Reads `header:NAME`, `query:NAME`, `body:/pointer`, `form:NAME` or `path:NAME`.
    ///
    /// # Errors
    /// If it is none of these.
    pub fn parse(text: &str) -> Result<Self, PlanError> {
        let wrong = || {
            PlanError::new(format!(
                "{text:?} carries no key: write header:NAME, query:NAME, body:/member, form:NAME or path:NAME"
            ))
        };
        match text.split_once(':').ok_or_else(wrong)? {
            ("header", name) => name.parse().map(Self::Header).map_err(|_| wrong()),
            ("body", pointer) if pointer.starts_with('/') => Ok(Self::Body(pointer.to_owned())),
            (_, name) if name.is_empty() || name.contains(['/', '{', '}']) => Err(wrong()),
            ("query", name) => Ok(Self::Query(name.to_owned())),
            ("form", name) => Ok(Self::Form(name.to_owned())),
            ("path", name) => Ok(Self::Path(name.to_owned())),
            _ => Err(wrong()),
        }
    }

    /// Puts a key into a request, as it is to be written, in place of one that stands there; `None`: the request has no
    /// place for it.
    #[must_use]
    pub fn put(&self, mut request: Request, key: &str, form: Form) -> Option<Request> {
        match self {
            Self::Header(name) => {
                let written = match form {
                    Form::Quoted => format!("\"{}\"", key.replace('\\', r"\\").replace('"', r#"\""#)),
                    Form::Bare => key.to_owned(),
                };
                request.headers.insert(name, HeaderValue::from_bytes(written.as_bytes()).ok()?);
            }
            Self::Body(_) => return self.put_value(request, key.into()),
            Self::Query(_) | Self::Form(_) => return self.take(request).and_also(self, key),
            Self::Path(name) => {
                // Nothing between two slashes is another path.
                let written = Some(encoded(key)).filter(|written| !written.is_empty())?;
                let place = request.in_path.take().unwrap_or_else(|| slot(name));
                request.path.contains(&place).then_some(())?;
                request.path = request.path.replacen(&place, &written, 1);
                request.in_path = Some(written);
            }
        }
        request.minted.extend(Minted::in_key(key.as_bytes()));
        Some(request)
    }

    /// Puts another key beside one that stands there; `None`: there is no place for two.
    #[must_use]
    pub fn put_beside(&self, request: Request, key: &str) -> Option<Request> {
        request.and_also(self, key)
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
            Self::Query(name) => {
                if let Some((path, query)) = request.path.split_once('?') {
                    let left = without_field(query, name);
                    request.path = if left.is_empty() { path.to_owned() } else { format!("{path}?{left}") };
                }
            }
            Self::Body(pointer) => {
                request.body = without(&request.body, pointer).unwrap_or(request.body);
            }
            Self::Form(name) if is_form(&request) => {
                request.body = without_form_field(&request.body, name);
                request.changed = request.changed.as_ref().map(|changed| without_form_field(changed, name));
            }
            Self::Form(_) => {}
            Self::Path(name) => {
                if let Some(key) = request.in_path.take() {
                    request.path = request.path.replacen(&key, &slot(name), 1);
                }
            }
        }
        request
    }

    /// Whether a request has no key where its path is nothing without one.
    pub(crate) fn is_gap_of(&self, request: &Request) -> bool {
        matches!(self, Self::Path(name) if request.path.contains(&slot(name)))
    }
}

impl Request {
    /// With one more parameter or field.
    fn and_also(mut self, carrier: &Carrier, key: &str) -> Option<Self> {
        self.minted.extend(Minted::in_key(key.as_bytes()));
        match carrier {
            Carrier::Query(name) => {
                let joint = if self.path.contains('?') { '&' } else { '?' };
                self.path = format!("{}{joint}{}={}", self.path, encoded(name), encoded(key));
            }
            Carrier::Form(name) if is_form(&self) => {
                let field = format!("{}={}", encoded(name), encoded(key));
                self.body = with_form_field(&self.body, &field);
                self.changed = self.changed.as_ref().map(|changed| with_form_field(changed, &field));
            }
            Carrier::Header(_) | Carrier::Body(_) | Carrier::Form(_) | Carrier::Path(_) => return None,
        }
        Some(self)
    }
}

impl fmt::Display for Carrier {
    /// As a plan has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Query(name) => write!(f, "query:{name}"),
            Self::Body(pointer) => write!(f, "body:{pointer}"),
            Self::Form(name) => write!(f, "form:{name}"),
            Self::Path(name) => write!(f, "path:{name}"),
        }
    }
}

/// Where a path has its key.
fn slot(name: &str) -> String {
    format!("{{{name}}}")
}

fn is_form(request: &Request) -> bool {
    const FORM: &str = "application/x-www-form-urlencoded";
    let line = request.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    line.and_then(|line| line.split(';').next())
        .is_some_and(|essence| essence.trim().eq_ignore_ascii_case(FORM))
}

fn with_form_field(form: &Bytes, field: &str) -> Bytes {
    let joint: &[u8] = if form.is_empty() { b"" } else { b"&" };
    [form.as_ref(), joint, field.as_bytes()].concat().into()
}

fn without_form_field(form: &Bytes, name: &str) -> Bytes {
    without_field(&String::from_utf8_lossy(form), name).into()
}

/// All fields of a form or a query but those of that name.
fn without_field(fields: &str, name: &str) -> String {
    let name = encoded(name);
    let stays = |field: &&str| field.split('=').next() != Some(&name);
    fields.split('&').filter(stays).collect::<Vec<_>>().join("&")
}

/// All but unreserved characters (RFC 3986, section 2.3) as their bytes.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Operation;

    fn request(line: &str, form: bool) -> Request {
        let operation = Operation::parse(line).unwrap();
        match form {
            true => {
                let mut request = operation
                    .with_header("Content-Type: application/x-www-form-urlencoded")
                    .unwrap()
                    .request();
                request.body = "to=a".into();
                request
            }
            false => operation.with_json(r#"{"to":"a"}"#).request(),
        }
    }

    /// What stands in the request, and what is left of it without its key.
    fn put(carrier: &str, request: Request) -> [String; 2] {
        let carrier = Carrier::parse(carrier).unwrap();
        let told = |request: &Request| {
            let key = request.headers.get("k").map_or("", |key| key.to_str().unwrap());
            format!("{} {} {key}", request.path, String::from_utf8_lossy(&request.body)).trim().to_owned()
        };
        let once = carrier.put(request, "a b", Form::Quoted).unwrap();
        let anew = carrier.put(once, "x/y", Form::Quoted).unwrap();
        [told(&anew), told(&carrier.take(anew))]
    }

    #[test]
    fn a_key_is_put_in_place_of_the_last_one_and_taken_out_again() {
        let json = || request("POST /t", false);
        assert_eq!(put("header:k", json()), [r#"/t {"to":"a"} "x/y""#, r#"/t {"to":"a"}"#]);
        assert_eq!(put("body:/k", json()), [r#"/t {"to":"a","k":"x/y"}"#, r#"/t {"to":"a"}"#]);
        assert_eq!(put("query:k", json()), [r#"/t?k=x%2Fy {"to":"a"}"#, r#"/t {"to":"a"}"#]);
        let more = request("POST /t?a=1", false);
        assert_eq!(put("query:k", more), [r#"/t?a=1&k=x%2Fy {"to":"a"}"#, r#"/t?a=1 {"to":"a"}"#]);
        assert_eq!(put("form:k", request("POST /t", true)), ["/t to=a&k=x%2Fy", "/t to=a"]);
        let path = request("POST /t/{k}/parts", false);
        assert_eq!(put("path:k", path), [r#"/t/x%2Fy/parts {"to":"a"}"#, r#"/t/{k}/parts {"to":"a"}"#]);
    }

    #[test]
    fn what_has_no_place_for_a_key_gets_none() {
        let json = || request("POST /t", false);
        for carrier in ["form:k", "path:k"] {
            assert!(Carrier::parse(carrier).unwrap().put(json(), "a", Form::Bare).is_none(), "{carrier}");
        }
        let path = Carrier::parse("path:k").unwrap();
        let of_a_key = request("POST /t/{k}", false);
        assert!(path.is_gap_of(&of_a_key) && path.put(of_a_key, "", Form::Bare).is_none());
    }

    #[test]
    fn a_carrier_is_written_as_it_is_read() {
        for text in ["header:x-request-key", "query:key", "body:/a/key", "form:key", "path:id"] {
            assert_eq!(Carrier::parse(text).unwrap().to_string(), text);
        }
        for wrong in ["key", "cookie:key", "header:", "query:", "form:", "path:", "path:{id}", "body:key"] {
            let error = Carrier::parse(wrong).unwrap_err().to_string();
            assert!(error.ends_with("form:NAME or path:NAME"), "{error}");
        }
    }
}
