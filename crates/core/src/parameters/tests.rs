//! What is stored with a claim, and what is said about a mismatch.

use proptest::prelude::*;

use super::*;
use crate::LedgerKey;

fn redaction() -> Redaction {
    Redaction::new(&LedgerKey::new([1; 32]), &["Iban-Code".to_owned()])
}

/// The parameters of a request whose body has not been read yet.
fn parameters(
    redaction: &Redaction,
    method: &str,
    path: &str,
    query: Option<&str>,
    content_type: Option<&str>,
    coded: bool,
    body: &[u8],
) -> Vec<u8> {
    let content = &Content::read(content_type, coded, body);
    let (authority, content_coding, headers) = (None, None, [].as_slice());
    let request = Request { authority, method, path, query, content_type, content_coding, headers, content };
    super::parameters(redaction, &request, body.len())
}

fn shown(query: Option<&str>, body: &str) -> String {
    let bytes = parameters(
        &redaction(),
        "POST",
        "/transfers",
        query,
        Some("application/json"),
        false,
        body.as_bytes(),
    );
    String::from_utf8(bytes).unwrap()
}

fn raw(content_type: Option<&str>, coded: bool, body: &[u8]) -> String {
    String::from_utf8(parameters(&redaction(), "POST", "/", None, content_type, coded, body)).unwrap()
}

#[test]
fn a_json_body_is_shown_as_it_was_written() {
    let body = r#" { "to" : "ES09\u00e9\/\n" , "amount" : 100.00, "big": 9007199254740993, "list": [ true, null, 1E400 ] } "#;
    assert_eq!(
        shown(Some("dry=1"), body),
        r#"{"method":"POST","path":"/transfers","query":"dry=1","body":{"to":"ES09é/\n","amount":100.00,"big":9007199254740993,"list":[true,null,1E400]}}"#
    );
}

#[test]
fn named_members_are_masked_at_any_depth_and_in_any_spelling() {
    for name in [
        "password",
        "passwd",
        "secret",
        "token",
        "authorization",
        "api_key",
        "pan",
        "card_number",
        "cvv",
        "cvc",
        "pin",
        "PASSWORD",
        "apiKey",
        "API-Key",
        "cardNumber",
        "_pin",
        "card[pin]",
        "card.pin",
        "iban_code",
        "p\\u0069n",
    ] {
        for value in ["\"s3cret\"", "1234", "null", r#"{"a":["s3cret"]}"#, "[1234]"] {
            let body = format!(r#"{{"a":[{{"{name}":{value}}}]}}"#);
            let shown = shown(None, &body);
            assert!(shown.ends_with(r#":"•••"}]}}"#), "{shown}");
            assert!(!shown.contains("s3cret") && !shown.contains("1234"), "{shown}");
        }
    }
    assert!(
        shown(None, r#"{"shipping":1,"span":2,"tokens":3}"#)
            .ends_with(r#""body":{"shipping":1,"span":2,"tokens":3}}"#)
    );
}

#[test]
fn named_query_values_are_masked() {
    for (query, masked) in [
        ("a=1&token=t&b=2", "a=1&token=•••&b=2"),
        ("a=1;Token=t=t;b", "a=1;Token=•••;b"),
        ("p%61ss%77ord=t", "p%61ss%77ord=•••"),
        ("card%5Bpin%5D=1&card[cvc]=2", "card%5Bpin%5D=•••&card[cvc]=•••"),
        ("api-key=", "api-key=•••"),
        ("token&%zz=1&%=2&x%2", "token&%zz=1&%=2&x%2"),
        ("", ""),
    ] {
        assert!(
            shown(Some(query), "").contains(&format!(r#""query":"{masked}""#)),
            "{}",
            shown(Some(query), "")
        );
    }
}

#[test]
fn what_is_not_json_by_value_is_length_and_digest() {
    let json = Some("application/json");
    for (content_type, coded, body) in [
        (None, false, b"pin=1234".as_slice()),
        (Some("application/x-www-form-urlencoded"), false, b"pin=1234"),
        (
            Some("multipart/form-data; boundary=b"),
            false,
            b"--b\r\ncontent-disposition: form-data; name=pin\r\n\r\n1234\r\n--b--",
        ),
        (json, true, b"{\"pin\":12}"),
        (json, false, b"{\"pin\":12,\"pin\":3}"),
        (json, false, b"\xff12"),
    ] {
        let shown = raw(content_type, coded, body);
        assert!(
            shown.contains(&format!(r#","body_digest":{{"length":{},"digest":""#, body.len())),
            "{shown}"
        );
        assert!(!shown.contains("12\"") && !shown.contains("pin"), "{shown}");
    }
    assert_eq!(raw(json, false, b""), r#"{"method":"POST","path":"/"}"#);
}

#[test]
fn a_form_that_is_spelled_otherwise_has_the_same_digest() {
    let form = Some("application/x-www-form-urlencoded");
    let [a, b, c] = [b"a=%41+b".as_slice(), b"a=A%20%62", b"a=A-b"].map(|body| raw(form, false, body));
    assert!(differs(a.as_bytes(), b.as_bytes()).is_empty());
    assert_eq!(differs(a.as_bytes(), c.as_bytes()), ["body"]);
}

#[test]
fn a_digest_cannot_be_guessed_without_the_ledger_key() {
    let other = Redaction::new(&LedgerKey::new([2; 32]), &[]);
    let theirs = parameters(&other, "POST", "/", None, None, false, b"pin=1234");
    assert_ne!(raw(None, false, b"pin=1234").into_bytes(), theirs);
    assert_ne!(raw(None, false, b"pin=1234"), raw(None, false, b"pin=1235"));
}

#[test]
fn what_is_too_long_or_too_deep_is_length_and_digest() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(shown(None, &nested(32)).contains(r#""body":"#));
    assert!(shown(None, &nested(33)).contains(r#""body_digest":{"length":66,"#));
    let longest = format!("\"{}\"", "a".repeat(MAX_BODY - 2));
    assert!(shown(None, &longest).contains(&longest));
    assert!(shown(None, &longest.replacen('a', "aa", 1)).contains(r#""body_digest""#));
    let quotes = "\"".repeat(MAX_PATH - 2);
    let document = parameters(&redaction(), "POST", &quotes, None, None, false, b"");
    assert!(String::from_utf8(document).unwrap().contains(r#""path_digest":{"length":446,"#));
    let long = "a".repeat(70_000);
    let document = parameters(&redaction(), &long, &long, Some(&long), None, false, long.as_bytes());
    assert_eq!(String::from_utf8(document).unwrap().matches("_digest\":{\"length\":70000,").count(), 4);
}

#[test]
fn a_mismatch_names_pointers_and_never_values() {
    let body = r#"{"amount":100,"to":"ES09","tags":["a","b"],"deep":{"a/b":{"~":1}},"pin":1}"#;
    let changed = |from: &str, to: &str| {
        assert!(body.contains(from));
        differs(shown(None, body).as_bytes(), shown(None, &body.replacen(from, to, 1)).as_bytes())
    };
    // The change · what differs.
    let table: &[(&str, &str, &[&str])] = &[
        ("100", "999", &["/amount"]),
        ("100", "1.00e2", &[]),
        ("100", "\"100\"", &["/amount"]),
        ("100", "null", &["/amount"]),
        (r#""amount":100,"#, "", &["/amount"]),
        (r#""amount":100,"#, r#""amount":100,"new":1,"#, &["/new"]),
        (r#""amount":100,"to":"ES09""#, r#""to":"ES09","amount":100"#, &[]),
        (r#""a","b""#, r#""b","a""#, &["/tags/0", "/tags/1"]),
        (r#""a","b""#, r#""a","b","c""#, &["/tags/2"]),
        (r#""a","b""#, "", &["/tags/0", "/tags/1"]),
        (r#"["a","b"]"#, r#"{"0":"a","1":"b"}"#, &["/tags"]),
        (r#""~":1"#, r#""~":2"#, &["/deep/a~1b/~0"]),
        (r#""pin":1"#, r#""pin":2"#, &[]),
        (r#","pin":1"#, "", &["/pin"]),
        (body, "[]", &["body"]),
        (body, "", &["body"]),
        (body, "no json", &["body"]),
    ];
    for (from, to, names) in table {
        assert_eq!(changed(from, to), *names, "{from} → {to}");
    }
}

#[test]
fn big_numbers_differ_that_floats_cannot_tell_apart() {
    let [a, b] = ["[9007199254740993]", "[9007199254740992]"].map(|body| shown(None, body));
    assert_eq!(differs(a.as_bytes(), b.as_bytes()), ["/0"]);
}

#[test]
fn method_path_and_query_are_named_as_such() {
    let of =
        |method, path, query: Option<&str>| parameters(&redaction(), method, path, query, None, false, b"");
    let first = of("POST", "/a", Some("x=1"));
    assert_eq!(differs(&first, &of("PUT", "/b", None)), ["method", "path", "query"]);
    assert_eq!(differs(&first, &of("POST", "/a", Some("x=2"))), ["query"]);
    assert_eq!(differs(&of("POST", "/", None), &of("POST", "/", Some(""))), ["query"]);
    let (long, other) = ("/a".repeat(1000), "/b".repeat(1000));
    assert_eq!(differs(&of("POST", &long, None), &of("POST", &other, None)), ["path"]);
    assert_eq!(differs(&of("POST", &long, None), &of("POST", "/a", None)), ["path"]);
    assert!(differs(&of("POST", &long, None), &of("POST", &long, None)).is_empty());
}

#[test]
fn bodies_that_are_not_shown_are_compared_by_value_too() {
    let long = format!(r#"{{"a":"{}","b":1.0}}"#, "x".repeat(5000));
    let [a, b, c] = [long.clone(), long.replace(",", " , ").replace("1.0", "1"), long.replace("1.0", "2.0")];
    assert!(differs(shown(None, &a).as_bytes(), shown(None, &b).as_bytes()).is_empty());
    assert_eq!(differs(shown(None, &a).as_bytes(), shown(None, &c).as_bytes()), ["body"]);
}

#[test]
fn a_member_that_was_hidden_later_does_not_differ() {
    let accepted = br#"{"body":{"iban":"ES09"}}"#;
    let now = r#"{"body":{"iban":"•••"}}"#.as_bytes();
    assert!(differs(accepted, now).is_empty() && differs(now, accepted).is_empty());
}

#[test]
fn differences_are_bounded_and_nothing_is_claimed_of_what_cannot_be_read() {
    let ones = shown(None, &format!("[{}1]", "1,".repeat(1000)));
    let twos = shown(None, &format!("[{}2]", "2,".repeat(1000)));
    assert_eq!(differs(ones.as_bytes(), twos.as_bytes()).len(), MAX_DIFFERENCES);
    for unreadable in [b"".as_slice(), b"{", b"[]", b"\xff"] {
        assert!(differs(unreadable, ones.as_bytes()).is_empty());
        assert!(differs(ones.as_bytes(), unreadable).is_empty());
    }
}

proptest! {
    #[test]
    fn a_document_is_json_and_never_too_long(
        method in "\\PC{0,100}", path in ".{0,600}", query in proptest::option::of(".{0,600}"),
        json: bool, body in proptest::collection::vec(any::<u8>(), 0..6000), text in ".{0,3000}",
    ) {
        let quoted = serde_json::to_vec(&text).unwrap();
        let body = if json { quoted } else { body };
        let document =
            parameters(&redaction(), &method, &path, query.as_deref(), Some("application/json"), false, &body);
        prop_assert!(document.len() <= MAX_LEN, "{} bytes", document.len());
        prop_assert!(serde_json::from_slice::<serde_json::Value>(&document).is_ok());
        prop_assert!(differs(&document, &document).is_empty());
    }
}
