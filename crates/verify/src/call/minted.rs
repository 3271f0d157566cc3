//! Values that were made for one request: whoever sends it again by hand needs others in their place.

use http::HeaderValue;

use super::Request;

/// A value that no other operation has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Minted {
    /// A UUID that is its key, or part of it; as it is spelled there.
    Key(String),
    /// Another UUID.
    Uuid(String),
    /// A word.
    Token(String),
    /// A number.
    Number(String),
}

/// How long a UUID is in text.
const UUID: usize = 36;

impl Minted {
    /// What was made for a key that may be spelled in an unusual way on purpose: all else in it is its spelling.
    pub(crate) fn in_key(key: &[u8]) -> Vec<Self> {
        let mut found = Vec::new();
        let mut rest = key;
        while let Some(start) = rest.get(..UUID) {
            let uuid = std::str::from_utf8(start).ok().filter(|text| is_uuid(text));
            if let Some(uuid) = uuid {
                found.push(Self::Key(uuid.to_owned()));
            }
            rest = rest.get(if uuid.is_some() { UUID } else { 1 }..).unwrap_or_default();
        }
        found
    }

    /// As it stands in the request.
    #[must_use]
    pub fn value(&self) -> &str {
        match self {
            Self::Key(value) | Self::Uuid(value) | Self::Token(value) | Self::Number(value) => value,
        }
    }

    /// Whether it stands in this request.
    pub(crate) fn is_in(&self, request: &Request) -> bool {
        let value = self.value().as_bytes();
        let headers = request.headers.values().map(HeaderValue::as_bytes);
        let mut texts = [request.path.as_bytes(), &request.body].into_iter().chain(headers);
        !value.is_empty() && texts.any(|text| text.windows(value.len()).any(|window| window == value))
    }
}

fn is_uuid(text: &str) -> bool {
    text.bytes().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_in_whatever_is_around_it() {
        let uuid = "3cab0dad-1111-4222-8333-0123456789ab";
        let key = Minted::Key(uuid.to_owned());
        assert_eq!(Minted::in_key(uuid.as_bytes()), std::slice::from_ref(&key));
        assert_eq!(Minted::in_key(format!("\"{uuid}").as_bytes()), std::slice::from_ref(&key));
        assert_eq!(Minted::in_key(format!("{uuid}{uuid}3ca-one").as_bytes()), [key.clone(), key]);
        assert_eq!(Minted::in_key(b"\xe9"), []);
    }
}
