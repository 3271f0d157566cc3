//! Knowing an operation again by its fresh value.

use std::collections::HashMap;

use super::Arrival;
use crate::random::TOKEN;

/// The operations of one check, by the values that stand in their requests.
#[derive(Debug)]
pub(super) struct Tokens<T>(HashMap<String, T>);

/// Most of a body that is searched, from its beginning.
const SEARCHED: usize = 1024 * 1024;
/// Most operations that are known at once; checks come and go, and none has nearly as many.
const KNOWN_MAX: usize = 20_000;

impl<T> Default for Tokens<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T> Tokens<T> {
    /// What is known of one, made anew if it is not.
    pub(super) fn entry(&mut self, token: &str, new: impl FnOnce() -> T) -> &mut T {
        if self.0.len() >= KNOWN_MAX && !self.0.contains_key(token) {
            self.0.clear();
        }
        self.0.entry(token.to_owned()).or_insert_with(new)
    }

    pub(super) fn get(&self, token: &str) -> Option<&T> {
        self.0.get(token)
    }

    pub(super) fn get_mut(&mut self, token: &str) -> Option<&mut T> {
        self.0.get_mut(token)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.0.values()
    }

    /// All of them, after which none is known.
    pub(super) fn take(&mut self) -> HashMap<String, T> {
        std::mem::take(&mut self.0)
    }

    /// The first known value in a request: in its path, its body or a header.
    pub(super) fn find(&self, arrival: &Arrival) -> Option<String> {
        let body = arrival.body.get(..SEARCHED).unwrap_or(&arrival.body);
        let headers = arrival.headers.values().map(http::HeaderValue::as_bytes);
        [arrival.path.as_bytes(), body].into_iter().chain(headers).find_map(|text| self.within(text))
    }

    fn within(&self, text: &[u8]) -> Option<String> {
        let window = |window| {
            let window = std::str::from_utf8(window).ok()?;
            self.0.contains_key(window).then(|| window.to_owned())
        };
        text.windows(TOKEN).find_map(window)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, Method};

    use super::*;
    use crate::random;

    #[test]
    fn a_value_is_found_wherever_it_stands() {
        let token = random::token();
        let mut tokens = Tokens::default();
        tokens.entry(&token, || ());
        let arrival = |path: &str, header: &str, body: &str| Arrival {
            method: Method::POST,
            path: path.to_owned(),
            headers: HeaderMap::from_iter([(http::header::COOKIE, HeaderValue::from_str(header).unwrap())]),
            body: Bytes::from(body.to_owned()),
            token: None,
        };
        for found in [
            arrival(&format!("/x/{token}?y=1"), "", ""),
            arrival("/", &format!("a={token}"), ""),
            arrival("/", "", &format!(r#"{{"é":"{token}x"}}"#)),
        ] {
            assert_eq!(tokens.find(&found), Some(token.clone()), "{found:?}");
        }
        assert_eq!(tokens.find(&arrival("/", "short", &random::token())), None);
    }
}
