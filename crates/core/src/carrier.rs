//! What a key may come by: the carriers that a route lists.
//!
//! Here is how they are named, and how a key is found in a body. What a carrier's kind means for the record's id is
//! [`crate::scope::CarrierKind`].

mod search;

pub use search::Unfit;
pub(crate) use search::json;

use std::fmt;

use crate::{canonical::is_token, json::Pointer};

/// One entry of a route's list of carriers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// A header of that name, in lower case: `header:idempotency-key`.
    Header(Box<str>),
    /// A member of a JSON body: `body:/idempotency_key`.
    Body(Pointer),
    /// A field of a form: `form:idempotency_key`.
    Form(Box<str>),
    /// A parameter of a create-once route's path: `path:id`.
    Path(Box<str>),
    /// Made of named members of a JSON body, for clients that cannot send a key: `derive:/from,/to,/amount`.
    Derive(Box<[Pointer]>),
}

impl Carrier {
    /// Reads an entry.
    ///
    /// # Errors
    /// What would be valid.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is not a carrier; write header:idempotency-key, body:/idempotency_key, \
                 form:idempotency_key, path:id, or derive:/from,/to,/amount"
            )
        };
        let (kind, name) = text.split_once(':').filter(|(_, name)| !name.is_empty()).ok_or_else(wrong)?;
        let pointer = |text: &str| Pointer::parse(text).filter(|pointer| pointer.steps().next().is_some());
        let found = match kind {
            "header" if name.bytes().all(is_token) => Some(Self::Header(name.to_ascii_lowercase().into())),
            "body" => pointer(name).map(Self::Body),
            "form" => Some(Self::Form(name.into())),
            "path" => Some(Self::Path(name.into())),
            "derive" => {
                name.split(',').map(|text| pointer(text.trim())).collect::<Option<_>>().map(Self::Derive)
            }
            _ => None,
        };
        found.ok_or_else(wrong)
    }
}

impl fmt::Display for Carrier {
    /// As it is written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Body(pointer) => write!(f, "body:{pointer}"),
            Self::Form(name) => write!(f, "form:{name}"),
            Self::Path(name) => write!(f, "path:{name}"),
            Self::Derive(pointers) => {
                let pointers: Vec<_> = pointers.iter().map(ToString::to_string).collect();
                write!(f, "derive:{}", pointers.join(","))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carriers_read_as_they_are_written_and_nonsense_is_refused() {
        let pointer = |text| Pointer::parse(text).unwrap();
        for (text, carrier) in [
            ("header:Idempotency-Key", Carrier::Header("idempotency-key".into())),
            ("body:/a/b", Carrier::Body(pointer("/a/b"))),
            ("form:key[0]", Carrier::Form("key[0]".into())),
            ("path:id", Carrier::Path("id".into())),
            ("derive:/a, /b", Carrier::Derive([pointer("/a"), pointer("/b")].into())),
        ] {
            assert_eq!(Carrier::parse(&carrier.to_string()).as_ref(), Ok(&carrier), "{text}");
            assert_eq!(Carrier::parse(&carrier.to_string()).as_ref(), Ok(&carrier), "{text}");
            assert_eq!(Carrier::parse(text), Ok(carrier), "{text}");
        }
        for text in
            ["", "header", "header:", "header:a b", "body:a", "body:", "derive:/a,", "query:key", "cookie:k"]
        {
            assert!(Carrier::parse(text).unwrap_err().contains("write header:"), "{text}");
        }
    }
}
