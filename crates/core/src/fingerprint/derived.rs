//! Keys made of what a request says, for clients that cannot send one.
//!
//! A guard against double clicks, not deduplication. Invariant: what makes the key is all that its fingerprint knows, so
//! two requests of one derived key never differ; and the key is a keyed hash that shows none of the values.

use super::{Fingerprint, Fingerprinter, Recipe, Request, fields::Fields, headers, normal_authority};
use crate::{
    Key,
    carrier::{Unfit, json},
    json::{Pointer, Value},
    path,
};

/// Tells a derived fingerprint from one of a whole request, whose second field is 0 or 1.
const DERIVED: u8 = 2;

impl Fingerprinter {
    /// The key that a request's host, method, path, query, named headers and `members` make, and its fingerprint.
    ///
    /// The host counts where the route does not leave it out: many services find their tenant by it, and another tenant's
    /// answer would be given without being asked for.
    ///
    /// The path counts by what it stands for ([`path::normal`]): it is part of the key, and another spelling of it would be
    /// another operation. The query counts as it is written: a dry run that it asks for is another operation than the real
    /// one.
    ///
    /// Types count: `1` is not `"1"`, and `1.0` is `1`.
    ///
    /// # Errors
    /// [`Unfit`]: the body cannot be read, or a member is missing, null or not a single value. Without it, all requests
    /// that lack it would share one key.
    pub fn derive(
        &self,
        recipe: Recipe,
        members: &[Pointer],
        request: &Request<'_>,
    ) -> Result<(Key, Fingerprint), Unfit> {
        let value = json(request.content_type, request.content)?;
        let mut fields = Fields::new(&self.key);
        fields.code(recipe.into());
        fields.code(DERIVED);
        fields.optional(request.authority.map(normal_authority).as_deref());
        fields.text(request.method);
        fields.text(&path::normal(request.path));
        fields.optional(request.query);
        headers(&mut fields, request.headers);
        fields.count(members.len());
        for pointer in members {
            let member = pointer.get(value).filter(|member| is_single(member)).ok_or(Unfit::Missing)?;
            fields.text(&pointer.to_string());
            fields.bytes(&member.to_canonical());
        }
        let hash = fields.finish();
        let key =
            Key::literal(&blake3::Hash::from_bytes(hash).to_hex()).expect("hexadecimal digits are a key");
        Ok((key, Fingerprint(hash)))
    }
}

const fn is_single(value: &Value<'_>) -> bool {
    match value {
        Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LedgerKey, canonical::Content};

    const JSON: Option<&str> = Some("application/json");

    /// Content type, method, path with its query, headers, body.
    type Sent<'a> = (Option<&'a str>, &'a str, &'a str, &'a [(&'a str, &'a [u8])], &'a str);

    fn derive(method: &str, path: &str, headers: &[(&str, &[u8])], body: &str) -> Result<String, Unfit> {
        typed(JSON, method, path, headers, body)
    }

    fn typed(
        content_type: Option<&str>,
        method: &str,
        path: &str,
        headers: &[(&str, &[u8])],
        body: &str,
    ) -> Result<String, Unfit> {
        to(None, (content_type, method, path, headers, body))
    }

    fn to(authority: Option<&str>, sent: Sent<'_>) -> Result<String, Unfit> {
        let (content_type, method, path, headers, body) = sent;
        let members = ["/to", "/amount"].map(|text| Pointer::parse(text).unwrap());
        let content = Content::read(content_type, false, body.as_bytes());
        let request = Request {
            authority,
            method,
            path: path.split('?').next().unwrap_or_default(),
            query: path.split_once('?').map(|(_, query)| query),
            content_type,
            content_coding: None,
            headers,
            content: &content,
        };
        let made = Fingerprinter::new(&LedgerKey::new([1; 32])).derive(Recipe::V1, &members, &request);
        made.map(|(key, _)| key.as_str().to_owned())
    }

    #[test]
    fn named_members_make_the_key_and_types_count() {
        let key = |body: &str| derive("POST", "/t", &[], body).unwrap();
        let first = key(r#"{"to":"luis","amount":1,"memo":"a"}"#);
        assert_eq!(first.len(), 64);
        assert_eq!(key(r#"{"memo":"b","amount":1.0,"to":"lu\u0069s"}"#), first);
        for other in [
            r#"{"to":"luis","amount":"1"}"#,
            r#"{"to":"luis","amount":2}"#,
            r#"{"to":"luis","amount":true}"#,
            r#"{"to":"ana","amount":1}"#,
            r#"{"to":1,"amount":"luis"}"#,
        ] {
            assert_ne!(key(other), first, "{other}");
        }
        let body = r#"{"to":"luis","amount":1}"#;
        let header: &[(&str, &[u8])] = &[("x-tenant", b"a")];
        for (method, path, headers) in [
            ("PUT", "/t", [].as_slice()),
            ("POST", "/u", &[]),
            ("POST", "/t?dry=1", &[]),
            ("POST", "/t", header),
        ] {
            assert_ne!(derive(method, path, headers, body).unwrap(), first);
        }
    }

    /// One shop's order is not another's, though both have the same customer.
    #[test]
    fn the_host_counts_unless_it_is_left_out() {
        let at = |authority| to(authority, (JSON, "POST", "/t", &[], r#"{"to":"luis","amount":1}"#)).unwrap();
        let first = at(Some("one.example"));
        assert_eq!(at(Some("One.Example:443")), first);
        assert_ne!(at(Some("two.example")), first);
        assert_ne!(at(None), first);
    }

    /// D34: a path that is spelled otherwise would make a second operation of the same request.
    #[test]
    fn d34_a_path_counts_by_what_it_stands_for() {
        let key = |path: &str| derive("POST", path, &[], r#"{"to":"luis","amount":1}"#).unwrap();
        let first = key("/a:b/t");
        for same in ["/a%3Ab/t", "/a%3ab/t", "/%61:b/t/", "/a:b/t/"] {
            assert_eq!(key(same), first, "{same}");
        }
        for other in ["/a%253Ab/t", "/a:b%2Ft", "/A:b/t", "/a:b//t", "/a:b/t?x=%3A"] {
            assert_ne!(key(other), first, "{other}");
        }
        assert_ne!(key("/t?x=%3A"), key("/t?x=:"), "a query is its own affair");
    }

    /// D20: all requests without `/amount` would share one key.
    #[test]
    fn d20_a_member_that_is_missing_null_or_not_single_makes_no_key() {
        for body in [
            r#"{"to":"luis"}"#,
            r#"{"to":"luis","amount":null}"#,
            r#"{"to":"luis","amount":[1]}"#,
            r#"{"to":"luis","amount":{}}"#,
            "[]",
            "1",
        ] {
            assert_eq!(derive("POST", "/t", &[], body), Err(Unfit::Missing), "{body}");
        }
        for (content_type, body, unfit) in [
            (JSON, r#"{"to":"a","amount":1,"amount":2}"#, Unfit::Unreadable),
            (None, r#"{"to":"a","amount":1}"#, Unfit::Unreadable),
            (JSON, "", Unfit::Missing),
            (None, "", Unfit::Missing),
            (Some("text/plain"), "to", Unfit::Foreign),
        ] {
            assert_eq!(typed(content_type, "POST", "/t", &[], body), Err(unfit), "{body}");
        }
    }
}
