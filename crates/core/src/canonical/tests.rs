//! Which bodies count by value, which bytes do not count in them, and which do.

use proptest::prelude::*;

use super::*;

const FORM: &str = "application/x-www-form-urlencoded";

/// What is compared: equal exactly if two bodies count as the same.
fn counted(content: &Content<'_>) -> [u8; 32] {
    let mut fields = Fields::new(&[0; 32]);
    content.write(&mut fields);
    fields.finish()
}

fn read(content_type: &str, body: &[u8]) -> (u8, [u8; 32]) {
    let content = Content::read(Some(content_type), false, body);
    (content.code(), counted(&content))
}

#[test]
fn json_types_count_by_value_unless_coded_or_doubtful() {
    let spaced = b"{ \"a\" : 1.0 }".as_slice();
    for (content_type, coded, body, by_value) in [
        (Some("application/json"), false, spaced, true),
        (Some("Application/JSON ; charset=utf-8"), false, spaced, true),
        (Some("application/problem+json"), false, spaced, true),
        (Some("application/vnd.x+v1+JSON;v=2"), false, spaced, true),
        (Some("application/json"), true, spaced, false),
        (Some("text/json"), false, spaced, false),
        (Some("application/jsonl"), false, spaced, false),
        (Some("json"), false, spaced, false),
        (Some("text/plain; x=application/json"), false, spaced, false),
        (Some(""), false, spaced, false),
        (None, false, spaced, false),
        (Some("application/json"), false, b"{\"a\":1,\"a\":1}", false),
        (Some("application/json"), false, b"", false),
    ] {
        match Content::read(content_type, coded, body) {
            Content::Json(value) => {
                assert!(by_value && value.to_canonical() == b"{\"a\":1}", "{content_type:?}")
            }
            Content::Raw(bytes) => assert!(!by_value && bytes == body, "{content_type:?}"),
            Content::Form(_) | Content::Multipart(_) => panic!("{content_type:?}"),
        }
    }
}

#[test]
fn a_form_is_its_pairs_in_order_however_they_are_escaped() {
    // Equal spellings. No two rows are equal.
    let table: &[&[&str]] = &[
        &["a=1&b=A+B", "%61=%31&%62=%41%20%42", "a=1&b=A%20B"],
        &["b=A+B&a=1"],
        &["a=1&b=A%2BB", "a=1&b=A%2bB"],
        &["a=1"],
        &["a=1&a=1"],
        &["a=1&b="],
        &["a=1&b"],
        &["a=1=2", "a=1%3D2"],
        &["a%3D1=2"],
        &["a=1%262", "a=1%262"],
        &["=1"],
        &["="],
        &["a[]=1", "a%5B%5D=1"],
        &["a=%C3%A9", "a=%c3%a9"],
        &["a=%E9"],
        &["a=%00"],
    ];
    for (row, spellings) in table.iter().enumerate() {
        for spelling in *spellings {
            assert_eq!(read(FORM, spelling.as_bytes()).0, 3, "{spelling}");
            for (other, others) in table.iter().enumerate() {
                let equal = read(FORM, spelling.as_bytes()) == read(FORM, others[0].as_bytes());
                assert_eq!(equal, row == other, "{spelling} · {}", others[0]);
            }
        }
    }
}

#[test]
fn a_form_that_two_parsers_may_read_differently_is_raw() {
    for body in [
        "%", "a=%", "a=%4", "a=%4g", "a=%+1", "a=1&", "&a=1", "a=1&&b=2", "&", "a=1;b=2", "a=1\n", "a=b c",
        "a=é", "a=\u{0}", "",
    ] {
        assert_eq!(read(FORM, body.as_bytes()).0, 2, "{body:?}");
    }
    for content_type in [
        "application/x-www-form-urlencoded; charset=iso-8859-1",
        "application/x-www-form-urlencoded;",
        "application/x-www-form",
    ] {
        assert_eq!(read(content_type, b"a=1").0, 2, "{content_type}");
    }
    assert_eq!(read("Application/X-WWW-Form-Urlencoded; charset=\"UTF-8\"", b"a=1").0, 3);
    assert!(matches!(Content::read(Some(FORM), true, b"a=1"), Content::Raw(b"a=1")), "coded");
}

/// The body of a form with these parts, each a head and a content.
fn form(boundary: &str, parts: &[(&str, &str)]) -> (String, Vec<u8>) {
    let parts: String =
        parts.iter().map(|(head, content)| format!("--{boundary}\r\n{head}\r\n\r\n{content}\r\n")).collect();
    (
        format!("multipart/form-data; boundary=\"{boundary}\""),
        format!("{parts}--{boundary}--\r\n").into_bytes(),
    )
}

fn of_parts(boundary: &str, parts: &[(&str, &str)]) -> (u8, [u8; 32]) {
    let (content_type, body) = form(boundary, parts);
    read(&content_type, &body)
}

#[test]
fn a_multipart_form_is_its_parts_and_the_boundary_does_not_count() {
    // Equal spellings. No two rows are equal.
    let table: &[&[&[(&str, &str)]]] = &[
        &[
            &[("Content-Disposition: form-data; name=\"a\"", "1")],
            &[("content-disposition:Form-Data;name=a\r\nContent-Transfer-Encoding: 8bit", "1")],
            &[("Content-Length: 1\r\nContent-Disposition: form-data ; NAME=\"a\" ", "1")],
        ],
        &[&[("Content-Disposition: form-data; name=\"A\"", "1")]],
        &[&[("Content-Disposition: form-data; name=\"a\"", "1\r\n")]],
        &[&[("Content-Disposition: form-data; name=\"a\"", "")]],
        &[&[("Content-Disposition: form-data; name=\"a\"; filename=\"\"", "1")]],
        &[&[("Content-Disposition: form-data; name=\"a\"; filename=\"é;\"", "1")]],
        &[&[("Content-Disposition: form-data; name=\"a\"\r\nContent-Type: text/plain", "1")]],
        &[&[("Content-Disposition: form-data; name=\"a\"\r\nContent-Type: text/csv", "1")]],
        &[&[
            ("Content-Disposition: form-data; name=\"a\"", "1"),
            ("Content-Disposition: form-data; name=\"b\"", "2"),
        ]],
        &[&[
            ("Content-Disposition: form-data; name=\"b\"", "2"),
            ("Content-Disposition: form-data; name=\"a\"", "1"),
        ]],
    ];
    for (row, spellings) in table.iter().enumerate() {
        for spelling in *spellings {
            assert_eq!(of_parts("x-1", spelling).0, 4, "{spelling:?}");
            for (other, others) in table.iter().enumerate() {
                let equal = of_parts("x-1", spelling) == of_parts("another boundary", others[0]);
                assert_eq!(equal, row == other, "{spelling:?} · {:?}", others[0]);
            }
        }
    }
}

/// D26: where a gateway and an upstream find different parts in one body, one of them is wrong about what was asked.
#[test]
fn d26_a_multipart_form_that_two_parsers_may_read_differently_is_raw() {
    let name = "Content-Disposition: form-data; name=a";
    for head in [
        "Content-Type: text/plain",
        "Content-Disposition: form-data",
        "Content-Disposition: attachment; name=a",
        "Content-Disposition: form-data; filename=a",
        "Content-Disposition: form-data; name=a; name=b",
        "Content-Disposition: form-data; name=a; filename*=UTF-8''b",
        "Content-Disposition: form-data; name=\"a\\\"b\"",
        "Content-Disposition: form-data; name=\"a",
        "Content-Disposition: form-data; name=a;",
        "Content-Disposition: form-data; name=é",
        "Content-Disposition: form-data;\r\n name=a",
        "Content-Disposition : form-data; name=a",
        " Content-Disposition: form-data; name=a",
        "Content-Disposition: form-data; name=a\nX: 1",
        "Content-Disposition: form-data; name=\"a\rb\"",
        &format!("{name}\r\n{name}"),
        &format!("{name}\r\nContent-Type: a/b\r\nContent-Type: a/b"),
        &format!("{name}\r\nContent-Transfer-Encoding: base64"),
        &format!("{name}\r\nContent-Transfer-Encoding: quoted-printable"),
        &format!("{name}\r\nContent-Length: 2"),
        &format!("{name}\r\nX-Other: 1"),
        &format!("{name}\r\nno colon"),
    ] {
        assert_eq!(of_parts("b", &[(head, "1")]).0, 2, "{head}");
    }
    let whole = format!("--b\r\n{name}\r\n\r\n1\r\n--b--");
    let typed = "multipart/form-data; boundary=b";
    assert_eq!(read(typed, whole.as_bytes()).0, 4);
    for body in [
        format!("preamble\r\n{whole}"),
        format!("\r\n{whole}"),
        format!("{whole}\r\nepilogue"),
        format!("{whole}\r\n\r\n"),
        whole.replace("--b--", "--b"),
        whole.replace("--b--", "--b-"),
        whole.replace("--b--", "--bc\r\n--b--"),
        whole.replace("\r\n1", "\r\n1--b"),
        whole.replace("\r\n1", "\r\n1\n--b\n"),
        whole.replace("--b\r\n", "--b \r\n"),
        whole.replace("\r\n", "\n"),
        "--b--".to_owned() + "x",
        "--b\r\n--b--".to_owned(),
    ] {
        assert_eq!(read(typed, body.as_bytes()).0, 2, "{body:?}");
    }
    for content_type in [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"b",
        "multipart/form-data; boundary=b; boundary=c",
        "multipart/form-data; boundary=b; charset=latin1",
        "multipart/form-data; boundary=b; x=y",
        "multipart/mixed; boundary=b",
    ] {
        assert_eq!(read(content_type, whole.as_bytes()).0, 2, "{content_type}");
    }
    assert_eq!(read(&format!("multipart/form-data; boundary={}", "b".repeat(71)), whole.as_bytes()).0, 2);
    assert_eq!(read(typed, b"--b--").0, 4, "no parts at all");
}

/// With a search that begins anew for each part, or a copy per field, this would take minutes or gigabytes.
#[test]
fn d26_a_megabyte_of_pairs_or_parts_is_read_in_one_go_and_over_the_bound_is_raw() {
    let pairs = |count: usize| vec!["a"; count].join("&");
    assert_eq!(read(FORM, pairs(MAX_PAIRS).as_bytes()).0, 3);
    assert_eq!(read(FORM, pairs(MAX_PAIRS + 1).as_bytes()).0, 2);
    assert_eq!(read(FORM, pairs(500_000).as_bytes()).0, 2);
    let part = ("Content-Disposition: form-data; name=a", "1");
    assert_eq!(of_parts("b", &vec![part; MAX_PARTS]).0, 4);
    assert_eq!(of_parts("b", &vec![part; MAX_PARTS + 1]).0, 2);
    let dashes = "-".repeat(1_000_000);
    assert_eq!(of_parts(&"-".repeat(70), &[(part.0, &dashes)]).0, 2);
    assert_eq!(of_parts(&("-".repeat(69) + "x"), &[(part.0, &dashes)]).0, 4);
}

#[test]
fn a_field_that_does_not_count_is_taken_out_wherever_it_stands() {
    let without = |content_type: &str, body: &[u8]| {
        let mut content = Content::read(Some(content_type), false, body);
        content.ignore_field("k");
        counted(&content)
    };
    assert_eq!(without(FORM, b"a=1&k=2&%6B=3&b=4"), read(FORM, b"a=1&b=4").1);
    let [a, k] = ["a", "k"].map(|name| format!("Content-Disposition: form-data; name={name}"));
    let (content_type, body) = form("b", &[(&k, "2"), (&a, "1")]);
    assert_eq!(without(&content_type, &body), of_parts("b", &[(&a, "1")]).1);
}

fn pairs() -> impl Strategy<Value = Vec<(String, Option<String>)>> {
    let text =
        || prop::collection::vec(prop::sample::select(vec!['a', 'b', ' ', '+', '%', '&', '=', 'é']), 0..3);
    let pair = (text(), prop::option::of(text()))
        .prop_map(|(name, value)| (String::from_iter(name), value.map(String::from_iter)))
        .prop_filter("an empty pair is raw", |(name, value)| !name.is_empty() || value.is_some());
    prop::collection::vec(pair, 1..4)
}

/// One text for the pairs; the bytes choose what is escaped though it need not be, and how.
fn written(pairs: &[(String, Option<String>)], style: &[u8]) -> String {
    let mut style = style.iter().copied().chain(std::iter::repeat(0));
    let mut escaped = |text: &str| -> String {
        let mut one = |byte: u8| match (byte, style.next().unwrap_or_default() % 3) {
            (b' ', 0) => "+".to_owned(),
            (b'a' | b'b', 0) => char::from(byte).to_string(),
            (_, 1) => format!("%{byte:02x}"),
            _ => format!("%{byte:02X}"),
        };
        text.bytes().map(&mut one).collect()
    };
    let pairs = pairs.iter().map(|(name, value)| match value {
        Some(value) => format!("{}={}", escaped(name), escaped(value)),
        None => escaped(name),
    });
    pairs.collect::<Vec<_>>().join("&")
}

proptest! {
    #[test]
    fn forms_are_equal_exactly_if_their_pairs_are(a in pairs(), b in pairs(), one: Vec<u8>, other: Vec<u8>) {
        let of = |pairs: &[_], style: &[u8]| read(FORM, written(pairs, style).as_bytes());
        prop_assert_eq!(of(&a, &one).0, 3);
        prop_assert_eq!(of(&a, &one), of(&a, &other));
        prop_assert_eq!(a == b, of(&a, &one) == of(&b, &other));
    }

    #[test]
    fn multipart_forms_are_equal_exactly_if_their_parts_are(
        a in prop::collection::vec(("[ab]{0,2}", "[ab\r\n-]{0,4}"), 0..3),
        b in prop::collection::vec(("[ab]{0,2}", "[ab\r\n-]{0,4}"), 0..3),
        one in "[x-z0-9]{8,9}", other in "[x-z0-9]{8,70}",
    ) {
        let of = |parts: &[(String, String)], boundary: &str| {
            let heads = parts.iter().map(|(name, content)| {
                (format!("Content-Disposition: form-data; name=\"{name}\""), content.as_str())
            });
            let parts: Vec<_> = heads.collect();
            of_parts(boundary, &parts.iter().map(|(head, content)| (head.as_str(), *content)).collect::<Vec<_>>())
        };
        prop_assert_eq!(of(&a, &one).0, 4);
        prop_assert_eq!(of(&a, &one), of(&a, &other));
        prop_assert_eq!(a == b, of(&a, &one) == of(&b, &other));
    }

    #[test]
    fn no_bytes_make_it_panic(content_type in "\\PC{0,60}", parameter in "[\\PC]{0,20}", body: Vec<u8>) {
        let marked = [b"--b\r\n".as_slice(), &body, b"\r\n--b--"].concat();
        for (content_type, body) in [
            (content_type, &body),
            (format!("multipart/form-data; boundary={parameter}"), &body),
            ("multipart/form-data; boundary=b".to_owned(), &marked),
            (FORM.to_owned(), &body),
        ] {
            counted(&Content::read(Some(&content_type), false, body));
        }
    }
}
