//! What counts of a request's body: JSON and forms by value, everything else byte by byte.
//!
//! Invariant: bodies with equal content are ones that no upstream has reason to treat differently. So whatever two
//! parsers may read differently is raw, and a coded body is never inflated.

mod form;
mod media;
mod multipart;
#[cfg(test)]
mod tests;

pub use form::{MAX_PAIRS, Pairs};
pub use media::{codings, essence};
pub(crate) use media::{is_token, may_be_form, may_be_json};
pub use multipart::{MAX_PARTS, Parts};

use crate::{
    fingerprint::fields::Fields,
    json::{self, Pointer, Value},
};
use media::Kind;

/// A body in the form in which it is compared. Two bodies of different form are never the same.
///
/// It holds what a client sent, so it has no debug text.
#[derive(Clone)]
pub enum Content<'a> {
    /// By value, see [`crate::json`].
    Json(Value<'a>),
    /// Byte by byte.
    Raw(&'a [u8]),
    /// A form's pairs in order.
    Form(Pairs<'a>),
    /// A form's parts in order.
    Multipart(Parts<'a>),
}

impl<'a> Content<'a> {
    /// What counts of a body. `coded`: its content coding is not identity (see [`codings`]).
    pub fn read(content_type: Option<&str>, coded: bool, body: &'a [u8]) -> Self {
        let known = content_type.filter(|_| !coded && !body.is_empty());
        known.and_then(|content_type| Self::by_value(content_type, body)).unwrap_or(Self::Raw(body))
    }

    fn by_value(content_type: &str, body: &'a [u8]) -> Option<Self> {
        match Kind::of(content_type)? {
            Kind::Json => json::parse(body).map(Self::Json),
            Kind::Form => form::parse(body).map(Self::Form),
            Kind::Multipart => multipart::parse(content_type, body).map(Self::Multipart),
        }
    }

    /// Takes out a member that does not count. An item of an array leaves a `null` in its place.
    pub fn ignore(&mut self, pointer: &Pointer) {
        if let Self::Json(value) = self {
            pointer.remove(value);
        }
    }

    /// Takes out every field of a form that has this name.
    pub fn ignore_field(&mut self, name: &str) {
        match self {
            Self::Form(pairs) => pairs.remove(name),
            Self::Multipart(parts) => parts.remove(name),
            Self::Json(_) | Self::Raw(_) => {}
        }
    }

    /// Into a hash: equal fields for equal content, and only for it.
    pub(crate) fn write(&self, fields: &mut Fields) {
        fields.code(self.code());
        match self {
            Self::Json(value) => fields.bytes(&value.to_canonical()),
            Self::Raw(bytes) => fields.bytes(bytes),
            Self::Form(pairs) => pairs.write(fields),
            Self::Multipart(parts) => parts.write(fields),
        }
    }

    /// What of the content type counts: its essence, and all of it where the boundary of a form decides how its bytes are
    /// read.
    pub(crate) fn media_type(&self, content_type: &str) -> String {
        match self {
            Self::Raw(_) if Kind::of(content_type) == Some(Kind::Multipart) => content_type.to_owned(),
            _ => essence(content_type),
        }
    }

    /// The number that goes into fingerprints; never reused.
    const fn code(&self) -> u8 {
        match self {
            Self::Json(_) => 1,
            Self::Raw(_) => 2,
            Self::Form(_) => 3,
            Self::Multipart(_) => 4,
        }
    }
}
