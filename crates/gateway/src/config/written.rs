//! How values are written in the file: one trait, and what the words mean.
//!
//! An error says what would be valid; which key it is about is added by [`super::mistake`].

use std::{fmt, marker::PhantomData, path::PathBuf};

use http::{HeaderName, Method, StatusCode};
use onlyonce_core::{
    carrier::Carrier,
    json::Pointer,
    key::Syntax,
    outcome::{Frees, Outcome},
};
use onlyonce_http::rules::{AfterRestore, Conflict, ForwardKey, Late, Mode, Requirement, Resource};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};

use super::{
    Cookies, PrincipalFrom,
    probe::Absent,
    settings::{Body, KeyTime, OnUnknown},
};

/// What is written as one of a few words.
pub trait Word {
    /// That word.
    fn word(self) -> &'static str;
}

/// What is written as a string.
pub(super) trait Written: Sized {
    /// What would be valid.
    const VALID: &'static str;
    /// Whether it may be a credential, so that it is not repeated.
    const SECRET: bool = false;

    /// Reads it.
    fn read(text: &str) -> Option<Self>;

    /// Reads it, or says what would be valid.
    fn checked(text: &str) -> Result<Self, String> {
        Self::read(text).ok_or_else(|| {
            if Self::SECRET {
                format!("it is not valid; write {}", Self::VALID)
            } else {
                format!("`{text}` is not valid; write {}", Self::VALID)
            }
        })
    }
}

/// For one value.
pub(super) fn one<'de, D: Deserializer<'de>, T: Written>(deserializer: D) -> Result<T, D::Error> {
    Seed::deserialize(deserializer).map(|Seed(value)| value)
}

/// For a list.
pub(super) fn list<'de, D: Deserializer<'de>, T: Written>(deserializer: D) -> Result<Vec<T>, D::Error> {
    deserializer.deserialize_seq(List(PhantomData))
}

/// For a table whose keys are values, too.
pub(super) fn pairs<'de, D, K, V>(deserializer: D) -> Result<Vec<(K, V)>, D::Error>
where
    D: Deserializer<'de>,
    K: Written,
    V: Written,
{
    deserializer.deserialize_map(Pairs(PhantomData))
}

/// For one value that need not be there; an empty string means the same.
pub(super) fn maybe<'de, D: Deserializer<'de>, T: Written>(deserializer: D) -> Result<Option<T>, D::Error> {
    one(deserializer).map(|Maybe(value)| value)
}

struct Maybe<T>(Option<T>);

impl<T: Written> Written for Maybe<T> {
    const VALID: &'static str = T::VALID;

    fn read(text: &str) -> Option<Self> {
        if text.is_empty() { Some(Self(None)) } else { T::read(text).map(|value| Self(Some(value))) }
    }
}

/// A value on its way out of a deserializer.
struct Seed<T>(T);

impl<'de, T: Written> Deserialize<'de> for Seed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text(PhantomData)).map(Self)
    }
}

struct Text<T>(PhantomData<T>);

impl<T: Written> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::VALID)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        T::checked(text).map_err(E::custom)
    }
}

struct List<T>(PhantomData<T>);

impl<'de, T: Written> Visitor<'de> for List<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of {}", T::VALID)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
        let mut values = Vec::new();
        while let Some(Seed(value)) = items.next_element()? {
            values.push(value);
        }
        Ok(values)
    }
}

struct Pairs<K, V>(PhantomData<(K, V)>);

impl<'de, K: Written, V: Written> Visitor<'de> for Pairs<K, V> {
    type Value = Vec<(K, V)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a table of {}", V::VALID)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some((Seed(key), Seed(value))) = entries.next_entry()? {
            values.push((key, value));
        }
        Ok(values)
    }
}

/// Implements [`Written`] and [`Word`] for a choice of words.
macro_rules! words {
    ($type:ty, $valid:literal: $($word:literal => $variant:ident),+ $(,)?) => {
        impl Written for $type {
            const VALID: &'static str = $valid;

            fn read(text: &str) -> Option<Self> {
                match text {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        impl Word for $type {
            fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }
    };
}

words!(Mode, "enforce or observe": "enforce" => Enforce, "observe" => Observe);
words!(Requirement, "required, optional or off":
    "required" => Required, "optional" => Optional, "off" => Off);
words!(Syntax, "lenient or strict": "lenient" => Lenient, "strict" => Strict);
words!(ForwardKey, "as-sent, derived or off":
    "as-sent" => AsSent, "derived" => Derived, "off" => Off);
words!(Conflict, "canonical, fields or none":
    "canonical" => Canonical, "fields" => Fields, "none" => None);
words!(Outcome, "keep, release or unknown":
    "keep" => Kept, "release" => Released, "unknown" => Unknown);
words!(Frees, "http or strict": "http" => Http, "strict" => Strict);

words!(Late, "new or refuse-dated": "new" => New, "refuse-dated" => RefuseDated);
words!(AfterRestore, "refuse or new": "refuse" => Refuse, "new" => New);
words!(KeyTime, "uuid or ulid": "uuid" => Uuid, "ulid" => Ulid);
words!(OnUnknown, "hold, probe or rerun":
    "hold" => Hold, "probe" => Probe, "rerun" => Rerun);
words!(Body, "auto or raw": "auto" => Auto, "raw" => Raw);
words!(Absent, "unknown or not-applied": "unknown" => Unknown, "not-applied" => NotApplied);
words!(PrincipalFrom, "credential, header or anonymous":
    "credential" => Credential, "header" => Header, "anonymous" => Anonymous);
words!(Cookies, "refuse or ignore": "refuse" => Refuse, "ignore" => Ignore);

impl Written for Carrier {
    const VALID: &'static str = "header:idempotency-key, body:/idempotency_key, form:idempotency_key, path:id, or \
                                 derive:/from,/to,/amount";

    fn read(text: &str) -> Option<Self> {
        Self::parse(text).ok()
    }
}

impl Written for Pointer {
    const VALID: &'static str = "a JSON pointer such as /client_timestamp";

    fn read(text: &str) -> Option<Self> {
        Self::parse(text).filter(|pointer| pointer.steps().next().is_some())
    }
}

impl Written for HeaderName {
    const VALID: &'static str = "the name of a header";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Written for Method {
    const VALID: &'static str = "a method such as POST, PATCH, PUT or DELETE";

    fn read(text: &str) -> Option<Self> {
        text.to_ascii_uppercase().parse().ok()
    }
}

impl Written for Resource {
    const VALID: &'static str = "body:/id, header:location or path:id";

    fn read(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("body", pointer) => Pointer::read(pointer).map(Self::Body),
            ("header", name) => HeaderName::read(name).map(Self::Header),
            ("path", name) if !name.is_empty() => Some(Self::Path(name.into())),
            _ => None,
        }
    }
}

/// A final status, as the name of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Final(pub(super) u16);

impl Written for Final {
    const VALID: &'static str = "a status from 200 to 599";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok().filter(|status| (200..600).contains(status)).map(Self)
    }
}

/// For a status, one of those that `allowed` holds.
pub(super) fn status<'de, D: Deserializer<'de>>(
    deserializer: D,
    allowed: impl Fn(u16) -> bool,
    valid: &str,
) -> Result<StatusCode, D::Error> {
    let number = u16::deserialize(deserializer)?;
    let status = StatusCode::from_u16(number).ok().filter(|_| allowed(number));
    status.ok_or_else(|| D::Error::custom(format!("{number} is not valid; write {valid}")))
}

impl Written for PathBuf {
    const VALID: &'static str = "a path";

    fn read(text: &str) -> Option<Self> {
        Some(text.into())
    }
}
