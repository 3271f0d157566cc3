//! A route's list of carriers, sorted once by where a key is looked for.
//!
//! Header, body and form carriers are explicit and mean the same key; one of them goes before the path, and the path
//! before what is derived, wherever the list has them.

use std::fmt;

use http::HeaderName;
use onlyonce_core::{carrier::Carrier, json::Pointer};

use crate::headers;

/// What a route's keys may come by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carriers {
    headers: Vec<HeaderName>,
    /// Members and fields.
    body: Vec<Carrier>,
    path: Option<Box<str>>,
    derived: Option<Box<[Pointer]>>,
}

impl Carriers {
    /// Of a list.
    ///
    /// # Errors
    /// What is wrong with it: nothing in it, one of them twice, or two of a kind of which there can be one.
    pub fn new(list: impl IntoIterator<Item = Carrier>) -> Result<Self, String> {
        let mut carriers = Self { headers: Vec::new(), body: Vec::new(), path: None, derived: None };
        for carrier in list {
            carriers.add(carrier)?;
        }
        if carriers.is_empty() {
            return Err(
                "lists nothing that a key could come by; write for example header:idempotency-key".to_owned()
            );
        }
        Ok(carriers)
    }

    fn add(&mut self, carrier: Carrier) -> Result<(), String> {
        let twice = || Err("lists the same carrier twice".to_owned());
        match carrier {
            Carrier::Header(name) => {
                let name = HeaderName::try_from(&*name)
                    .map_err(|_| format!("lists `{name}`, which is no header"))?;
                if self.headers.contains(&name) {
                    return twice();
                }
                self.headers.push(name);
            }
            Carrier::Body(_) | Carrier::Form(_) if self.body.contains(&carrier) => return twice(),
            Carrier::Body(_) | Carrier::Form(_) => self.body.push(carrier),
            Carrier::Path(name) => {
                if self.path.replace(name).is_some() {
                    return Err("lists two parameters of the path; only one can be the key".to_owned());
                }
            }
            Carrier::Derive(members) => {
                if self.derived.replace(members).is_some() {
                    return Err(
                        "lists `derive:` twice; name all members in one, separated by commas".to_owned()
                    );
                }
            }
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.headers.is_empty() && self.body.is_empty() && self.path.is_none() && self.derived.is_none()
    }

    /// The headers that a key may come by, in order.
    pub fn headers(&self) -> &[HeaderName] {
        &self.headers
    }

    /// The members and fields that a key may come by, in order.
    pub fn body(&self) -> &[Carrier] {
        &self.body
    }

    /// The parameter of the path that is the key where no explicit one is given.
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// The members that make a key where there is no other.
    pub fn derived(&self) -> Option<&[Pointer]> {
        self.derived.as_deref()
    }

    /// Whether a request without a key in its headers may have one all the same.
    pub fn beyond_headers(&self) -> bool {
        self.path.is_some() || self.needs_body()
    }

    /// Whether the body has to be read before it is known if there is a key.
    pub fn needs_body(&self) -> bool {
        !self.body.is_empty() || self.derived.is_some()
    }
}

impl Default for Carriers {
    fn default() -> Self {
        Self { headers: vec![headers::KEY], body: Vec::new(), path: None, derived: None }
    }
}

impl fmt::Display for Carriers {
    /// What a request needs, for people: `a header Idempotency-Key, or a member /key of its JSON body`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = |name: &HeaderName| match name == headers::KEY {
            true => "a header Idempotency-Key".to_owned(),
            false => format!("a header {name}"),
        };
        let body = |carrier: &Carrier| match carrier {
            Carrier::Body(pointer) => format!("a member {pointer} of its JSON body"),
            Carrier::Form(name) => format!("a field {name} of its form"),
            Carrier::Header(_) | Carrier::Path(_) | Carrier::Derive(_) => String::new(),
        };
        let members = |members: &[Pointer]| {
            let names: Vec<_> = members.iter().map(Pointer::to_string).collect();
            format!("the members {} in its JSON body", names.join(", "))
        };
        let explicit = self.headers.iter().map(header).chain(self.body.iter().map(body));
        let path = self.path.iter().map(|name| format!("{name} in its path"));
        let all: Vec<_> = explicit.chain(path).chain(self.derived.as_deref().map(members)).collect();
        f.write_str(&all.join(", or "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carriers(list: &[&str]) -> Result<Carriers, String> {
        Carriers::new(list.iter().map(|text| Carrier::parse(text).unwrap()))
    }

    #[test]
    fn what_a_request_needs_is_said_in_words() {
        let all = ["derive:/a,/b", "path:id", "form:k", "header:X-Key", "body:/k", "header:Idempotency-Key"];
        assert_eq!(
            carriers(&all).unwrap().to_string(),
            "a header x-key, or a header Idempotency-Key, or a field k of its form, or a member /k of its JSON body, or \
             id in its path, or the members /a, /b in its JSON body"
        );
        assert_eq!(Carriers::default().to_string(), "a header Idempotency-Key");
    }

    #[test]
    fn a_list_in_which_something_could_never_count_is_refused() {
        for (list, told) in [
            ([].as_slice(), "nothing"),
            (&["header:a", "header:A"], "twice"),
            (&["body:/a", "body:/a"], "twice"),
            (&["path:a", "path:b"], "two parameters"),
            (&["derive:/a", "derive:/b"], "in one"),
        ] {
            assert!(carriers(list).unwrap_err().contains(told), "{list:?}");
        }
    }
}
