//! What makes two requests the same: a keyed hash over everything that an upstream acts upon.
//!
//! Authority, method, path, query, content type essence, content coding, named headers and canonical body, each with
//! its length, absent told from empty. Invariant: equal fingerprints mean equal requests, and a fingerprint is judged
//! under the [`Recipe`] that the record names. Which headers count is the route's choice; scope and key are not in it.

mod derived;
pub(crate) mod fields;

use std::fmt;

use crate::{
    LedgerKey,
    canonical::{Content, codings},
    ledger_key::Purpose,
};
use fields::Fields;

/// A request's keyed 256-bit hash. Says nothing to who does not hold the ledger key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

/// How fingerprints are made. A record names its recipe; a new one is written only when all processes know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Recipe {
    /// The first: the fields that [`Request`] lists, in that order.
    V1,
}

/// A recipe that this version does not know; a newer one wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownRecipe(pub u8);

/// What of a request counts. Text is as it is forwarded; an absent field differs from an empty one.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Host and port, unless the route leaves them out. Case and a default port (`:80`, `:443`) do not count.
    pub authority: Option<&'a str>,
    /// The method.
    pub method: &'a str,
    /// The path, with its percent-encoding.
    pub path: &'a str,
    /// The query without its question mark, with its percent-encoding.
    pub query: Option<&'a str>,
    /// The content type; only its essence counts, but for a form that could not be read.
    pub content_type: Option<&'a str>,
    /// The content coding; `identity` counts as absent.
    pub content_coding: Option<&'a str>,
    /// The field lines that the route names: the case of names does not count, nor the order of different names.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// What counts of the whole body.
    pub content: &'a Content<'a>,
}

/// Makes fingerprints under one ledger's key.
#[derive(Clone)]
pub struct Fingerprinter {
    key: [u8; 32],
}

impl Fingerprinter {
    /// Derives the key; made once per ledger, not per request.
    pub fn new(key: &LedgerKey) -> Self {
        Self { key: key.derive(Purpose::Fingerprint) }
    }

    /// The request's fingerprint under a recipe.
    pub fn fingerprint(&self, recipe: Recipe, request: &Request<'_>) -> Fingerprint {
        match recipe {
            Recipe::V1 => self.v1(request),
        }
    }

    fn v1(&self, request: &Request<'_>) -> Fingerprint {
        let codings: Vec<String> = codings(request.content_coding).collect();
        let mut fields = Fields::new(&self.key);
        fields.code(Recipe::V1.into());
        fields.optional(request.authority.map(normal_authority).as_deref());
        fields.text(request.method);
        fields.text(request.path);
        fields.optional(request.query);
        fields.optional(request.content_type.map(|text| request.content.media_type(text)).as_deref());
        fields.count(codings.len());
        codings.iter().for_each(|coding| fields.text(coding));
        headers(&mut fields, request.headers);
        request.content.write(&mut fields);
        Fingerprint(fields.finish())
    }
}

/// Lower case, without a default port. Either default is cut under either scheme: the gateway may end TLS or not.
fn normal_authority(authority: &str) -> String {
    let bare = [":80", ":443", ":"].iter().find_map(|port| authority.strip_suffix(port));
    bare.unwrap_or(authority).to_ascii_lowercase()
}

/// Sorted by name, so that the order of names in a configuration does not count; lines of one name keep their order.
fn headers(fields: &mut Fields, headers: &[(&str, &[u8])]) {
    let mut lines: Vec<_> = headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    lines.sort_by(|(a, _), (b, _)| a.cmp(b));
    fields.count(lines.len());
    for (name, value) in lines {
        fields.text(&name);
        fields.bytes(value);
    }
}

impl From<Recipe> for u8 {
    fn from(recipe: Recipe) -> Self {
        match recipe {
            Recipe::V1 => 1,
        }
    }
}

impl TryFrom<u8> for Recipe {
    type Error = UnknownRecipe;

    fn try_from(code: u8) -> Result<Self, UnknownRecipe> {
        match code {
            1 => Ok(Self::V1),
            _ => Err(UnknownRecipe(code)),
        }
    }
}

impl fmt::Display for UnknownRecipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fingerprint recipe {} is not known to this version", self.0)
    }
}

impl std::error::Error for UnknownRecipe {}

impl fmt::Debug for Fingerprinter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprinter(…)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A request whose body has not been read yet.
    #[derive(Clone, Copy)]
    struct Sent<'a> {
        authority: Option<&'a str>,
        method: &'a str,
        path: &'a str,
        query: Option<&'a str>,
        content_type: Option<&'a str>,
        content_coding: Option<&'a str>,
        headers: &'a [(&'a str, &'a [u8])],
        body: &'a [u8],
    }

    const TRANSFER: Sent<'static> = Sent {
        authority: Some("api.example.com"),
        method: "POST",
        path: "/transfers",
        query: Some("a=1"),
        content_type: Some("application/json"),
        content_coding: None,
        headers: &[("x-tenant", b"one"), ("x-version", b"2")],
        body: br#"{"amount":100,"to":"ES09"}"#,
    };

    fn fingerprint(sent: &Sent<'_>) -> Fingerprint {
        under(&LedgerKey::new([1; 32]), sent)
    }

    fn under(key: &LedgerKey, sent: &Sent<'_>) -> Fingerprint {
        let Sent { authority, method, path, query, content_type, content_coding, headers, body } = *sent;
        let content = &Content::read(content_type, codings(content_coding).next().is_some(), body);
        let request =
            Request { authority, method, path, query, content_type, content_coding, headers, content };
        Fingerprinter::new(key).fingerprint(Recipe::V1, &request)
    }

    #[test]
    fn what_an_upstream_cannot_tell_apart_does_not_count() {
        for same in [
            Sent { authority: Some("API.Example.com:443"), ..TRANSFER },
            Sent { authority: Some("api.example.com:80"), ..TRANSFER },
            Sent { content_type: Some("Application/JSON; charset=utf-8"), ..TRANSFER },
            Sent { content_coding: Some("identity"), ..TRANSFER },
            Sent { headers: &[("X-Version", b"2"), ("X-Tenant", b"one")], ..TRANSFER },
            Sent { body: br#" { "to" : "\u0045S09", "amount" : 1.0e2 } "#, ..TRANSFER },
        ] {
            assert_eq!(fingerprint(&same), fingerprint(&TRANSFER));
        }
    }

    #[test]
    fn everything_else_counts() {
        let others = [
            TRANSFER,
            Sent { authority: None, ..TRANSFER },
            Sent { authority: Some(""), ..TRANSFER },
            Sent { authority: Some("api.example.com:8080"), ..TRANSFER },
            Sent { authority: Some("[::443]"), ..TRANSFER },
            Sent { method: "post", ..TRANSFER },
            Sent { path: "/transfers/", ..TRANSFER },
            Sent { path: "/Transfers", ..TRANSFER },
            Sent { path: "/transfers?a=1", query: None, ..TRANSFER },
            Sent { query: None, ..TRANSFER },
            Sent { query: Some(""), ..TRANSFER },
            Sent { query: Some("a=%31"), ..TRANSFER },
            Sent { content_type: None, ..TRANSFER },
            Sent { content_type: Some(""), ..TRANSFER },
            Sent { content_type: Some("application/vnd.x+json"), ..TRANSFER },
            Sent { content_coding: Some("gzip"), ..TRANSFER },
            Sent { content_coding: Some("gzip, br"), ..TRANSFER },
            Sent { content_coding: Some("br, gzip"), ..TRANSFER },
            Sent { headers: &[], ..TRANSFER },
            Sent { headers: &[("x-tenant", b"one")], ..TRANSFER },
            Sent { headers: &[("x-tenant", b"One"), ("x-version", b"2")], ..TRANSFER },
            Sent { headers: &[("x-tenant", b"one"), ("x-version", b"2"), ("x-version", b"3")], ..TRANSFER },
            Sent { headers: &[("x-tenant", b"one"), ("x-version", b"3"), ("x-version", b"2")], ..TRANSFER },
            Sent { body: br#"{"amount":101,"to":"ES09"}"#, ..TRANSFER },
            Sent { body: br#"{"amount":"100","to":"ES09"}"#, ..TRANSFER },
            Sent { body: br#"{"amount":100,"to":"ES09","amount":100}"#, ..TRANSFER },
            Sent { body: b"", ..TRANSFER },
        ];
        for (index, one) in others.iter().enumerate() {
            for other in others.iter().skip(index + 1) {
                assert_ne!(fingerprint(one), fingerprint(other));
            }
        }
    }

    /// D17: the host as clients spell it does not count, and what an upstream may tell apart does.
    #[test]
    fn d17_a_host_is_compared_without_case_and_default_port_and_a_path_byte_by_byte() {
        let host = |authority| fingerprint(&Sent { authority: Some(authority), ..TRANSFER });
        assert_eq!(host("API.example.com:443"), host("api.example.com"));
        assert_ne!(host("api-2.example.com"), host("api.example.com"));
        let path = |path| fingerprint(&Sent { path, ..TRANSFER });
        assert_ne!(path("/~a"), path("/%7Ea"));
    }

    /// A form that cannot be read counts by its bytes, and the boundary says which parts they are.
    #[test]
    fn the_boundary_counts_where_a_form_is_raw() {
        let with = |boundary: &str, body: &[u8]| {
            let content_type = format!("multipart/form-data; boundary={boundary}");
            fingerprint(&Sent { content_type: Some(&content_type), body, ..TRANSFER })
        };
        let unreadable = b"--a\r\n--b\r\n";
        assert_ne!(with("a", unreadable), with("b", unreadable));
        let part = "\r\nContent-Disposition: form-data; name=x\r\n\r\n1\r\n";
        let [a, b] = ["a", "b"].map(|mark| with(mark, format!("--{mark}{part}--{mark}--").as_bytes()));
        assert_eq!(a, b);
    }

    #[test]
    fn each_ledger_has_its_own_fingerprints() {
        let other = under(&LedgerKey::new([2; 32]), &TRANSFER);
        assert_ne!(other, fingerprint(&TRANSFER));
    }

    #[test]
    fn recipe_1_stays_as_it_is() {
        // Fingerprints are stored: if this one moves, every record of a ledger in use becomes a mismatch.
        let Fingerprint(bytes) = fingerprint(&TRANSFER);
        assert_eq!(
            blake3::Hash::from_bytes(bytes).to_hex().as_str(),
            "15a213a7bdceeb22c2916caa24d3fe0fe48fbb819e8623c3a298987febab0dfc"
        );
    }

    #[test]
    fn an_unknown_recipe_is_refused() {
        assert_eq!(Recipe::try_from(u8::from(Recipe::V1)), Ok(Recipe::V1));
        assert_eq!(Recipe::try_from(0), Err(UnknownRecipe(0)));
        assert_eq!(Recipe::try_from(2), Err(UnknownRecipe(2)));
    }

    proptest! {
        /// What ends one field and what begins the next are never taken for each other.
        #[test]
        fn characters_never_move_between_fields(mut parts in prop::collection::vec("[ab]{1,3}", 6), from in 0..5usize) {
            let of = |parts: &[String]| {
                let [method, path, coding, name, value, body] = parts else { panic!("six parts") };
                let headers = [(name.as_str(), value.as_bytes())];
                fingerprint(&Sent {
                    method,
                    path,
                    query: None,
                    content_type: None,
                    content_coding: Some(coding),
                    headers: &headers,
                    body: body.as_bytes(),
                    ..TRANSFER
                })
            };
            let before = of(&parts);
            let moved = parts[from].pop().expect("no part is empty");
            parts[from + 1].insert(0, moved);
            prop_assert_ne!(before, of(&parts));
        }
    }
}
