//! JSON by value: what is equal, what is not, and what is left to raw bytes.

mod oracle;
mod rewrite;

use proptest::prelude::*;

use super::*;
use oracle::exact;
use rewrite::{pair, tree, write};

fn canonical_text(body: &str) -> Option<String> {
    canonical(body.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap())
}

#[test]
fn numbers_are_exact_decimals() {
    // Equal spellings · their normal form. No two rows are equal.
    let table: &[(&[&str], &str)] = &[
        (&["0", "-0", "0.0", "-0.000", "0e5", "0E-5", "-0.0e+99999999999999999999"], "0"),
        (&["1", "1.0", "1e0", "10e-1", "1E+0", "0.1e1", "0.001e3", "1e-0", "1e00"], "1"),
        (&["-1", "-1.0", "-0.1e1"], "-1"),
        (&["100", "1e2", "1.00e2", "1000.0e-1"], "1e2"),
        (&["101", "1.01e2", "10100e-2"], "101"),
        (&["12.5", "1.25e1", "0.0125e3", "12.50"], "125e-1"),
        (&["0.001", "1e-3", "0.1e-2"], "1e-3"),
        (&["9007199254740993", "9007199254740.993e3"], "9007199254740993"),
        (&["9007199254740992"], "9007199254740992"),
        (&["0.1"], "1e-1"),
        (&["0.1000000000000000055511151231257827"], "1000000000000000055511151231257827e-34"),
        (&["1e400", "10e399"], "1e400"),
        (&["1e401"], "1e401"),
        (&["1e1000000", "10e999999", "0.1e1000001", "1e+0001000000"], "1e1000000"),
        (&["1e-1000000", "0.1e-999999"], "1e-1000000"),
    ];
    for (spellings, normal) in table {
        for spelling in *spellings {
            assert_eq!(canonical_text(spelling).as_deref(), Some(*normal), "{spelling}");
            for (others, other) in table {
                let equal = parse(spelling.as_bytes()) == parse(others[0].as_bytes());
                assert_eq!(equal, normal == other, "{spelling} · {}", others[0]);
            }
        }
    }
}

#[test]
fn a_number_that_two_parsers_may_read_differently_is_raw() {
    let huge = "9".repeat(5000);
    for text in ["1e1000001", "1e-1000001", "10e1000000", "1e9223372036854775807", "1e-9223372036854775808"] {
        assert!(canonical_text(text).is_none(), "{text}");
    }
    for text in [format!("1e{huge}"), format!("1e-{huge}"), format!("0.0{huge}e-{huge}")] {
        assert!(canonical_text(&text).is_none());
    }
    assert_eq!(canonical_text(&format!("0e{huge}")).as_deref(), Some("0"));
    assert_eq!(canonical_text(&huge).as_deref(), Some(huge.as_str()));
}

#[test]
fn strings_are_unescaped_and_nothing_is_normalised() {
    for (text, normal) in [
        (r#""\u0041\/""#, r#""A/""#),
        (r#""\"\\\b\f\n\r\t""#, r#""\"\\\u0008\u000c\n\r\t""#),
        (r#""\u0000\u001f""#, r#""\u0000\u001f""#),
        (r#""\ud83d\ude00""#, r#""😀""#),
        (r#""\uD83D\uDE00\u00E9""#, r#""😀é""#),
        (r#""\u0065\u0301""#, "\"e\u{301}\""),
        ("\"\u{7f}\u{2028}\u{ffff}\"", "\"\u{7f}\u{2028}\u{ffff}\""),
    ] {
        assert_eq!(canonical_text(text).as_deref(), Some(normal), "{text}");
    }
}

#[test]
fn members_are_sorted_by_the_bytes_of_their_unescaped_names() {
    let text = r#"{ "b": 1, "\u0061": 2, "": 3, "é": 4, "Z": 5, "aa": 6, "😀": 7, "\uffff": 8 }"#;
    let sorted = "{\"\":3,\"Z\":5,\"a\":2,\"aa\":6,\"b\":1,\"é\":4,\"\u{ffff}\":8,\"😀\":7}";
    assert_eq!(canonical_text(text).as_deref(), Some(sorted));
}

#[test]
fn what_two_parsers_may_read_differently_is_raw() {
    for text in [
        // Duplicate member names, also by way of escapes and far apart.
        r#"{"a":1,"a":1}"#,
        r#"{"a":1,"\u0061":2}"#,
        r#"{"a":1,"b":{"c":1,"d":2,"c":3},"e":2}"#,
        r#"{"":1,"b":2,"":1}"#,
        // Lone and reversed surrogates.
        r#""\ud83d""#,
        r#""\ude00""#,
        r#""\ude00\ud83d""#,
        r#""\ud83d\u0041""#,
        r#""\ud83dx""#,
        r#""\ud83d\ud83d""#,
        // A byte order mark.
        "\u{feff}{}",
        // What is not JSON, though some parsers take it.
        "",
        " ",
        "{",
        "[",
        "]",
        "[1",
        "[1,",
        "[1,]",
        "[,]",
        "[1 2]",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        "{,}",
        r#"{"a" 1}"#,
        "{a:1}",
        "{1:1}",
        "{'a':1}",
        "01",
        "-",
        "-01",
        "+1",
        "1.",
        ".5",
        "1.e1",
        "1e",
        "1e+",
        "1e1.5",
        "0x10",
        "1_000",
        "NaN",
        "Infinity",
        "-Infinity",
        "True",
        "nul",
        "nulll",
        "truefalse",
        "1 1",
        "{}{}",
        "[]x",
        r#"""#,
        r#""a"#,
        r#""\"#,
        r#""\x""#,
        r#""\u12""#,
        r#""\u+123""#,
        r#""\u12g4""#,
        "\"\n\"",
        "\"\u{0}\"",
        "'a'",
        "// x\n1",
        "/* */1",
        "\u{a0}1",
        "\u{b}1",
        "1\u{0}",
    ] {
        assert!(canonical_text(text).is_none(), "{text}");
    }
    for bytes in [b"\"\xff\"".as_slice(), b"\"\xed\xa0\x80\"", b"\"\xc0\xaf\"", b"\xff\xfe1\0", b"\0{\0}"] {
        assert!(canonical(bytes).is_none(), "{bytes:?}");
    }
}

#[test]
fn nesting_is_read_up_to_its_bound_and_costs_nothing_beyond() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(canonical_text(&nested(128)), Some(nested(128)));
    assert!(canonical_text(&nested(129)).is_none());
    let objects = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    assert_eq!(canonical_text(&objects(128)), Some(objects(128)));
    assert!(canonical_text(&objects(129)).is_none());
    for bracket in ["[", "{\"a\":", "[{\"a\":"] {
        assert!(canonical_text(&bracket.repeat(500_000)).is_none());
    }
}

/// With a quadratic search for duplicates, or quadratic work on digits or escapes, this would take minutes.
#[test]
fn a_megabyte_of_anything_is_read_in_one_go() {
    let names = |last: usize| {
        let members: Vec<String> = (0..100_000).map(|n| format!("\"{}\":{n}", n % last)).collect();
        format!("{{{}}}", members.join(","))
    };
    assert!(canonical_text(&names(100_000)).is_some());
    assert!(canonical_text(&names(99_999)).is_none());
    assert!(canonical_text(&format!("\"{}\"", "\\n".repeat(500_000))).is_some());
    assert!(canonical_text(&format!("{}e-999999", "1".repeat(1_000_000))).is_some());
    assert_eq!(canonical_text(&format!("0.{}1e999999", "0".repeat(999_998))).as_deref(), Some("1"));
    assert!(canonical_text(&format!("[{}0]", "0,".repeat(500_000))).is_some());
}

#[test]
fn an_object_gives_its_members_by_name_and_as_written() {
    let Some(Value::Object(object)) = parse(br#"{"b":1,"a":2,"c":3}"#) else { panic!("an object") };
    assert!(object.get("a") == parse(b"2").as_ref() && object.get("d").is_none());
    let names: Vec<_> = object.as_written().iter().map(|member| &*member.name).collect();
    assert_eq!(names, ["b", "a", "c"]);
}

/// How many members a document has; fewer than colons if a name came twice and `serde_json` kept the last.
fn members(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::Object(map) => map.len() + map.values().map(members).sum::<usize>(),
        serde_json::Value::Array(items) => items.iter().map(members).sum(),
        _ => 0,
    }
}

/// What we should do with a text, by another parser's word; `None` where that parser has other bounds on exponents.
fn is_accepted_elsewhere(text: &str) -> Option<bool> {
    let exponents = text.split(['e', 'E']).skip(1).map(|after| after.trim_start_matches(['+', '-']));
    let long = |digits: &str| digits.bytes().take_while(u8::is_ascii_digit).count() > 2;
    let read = || serde_json::from_str(text).is_ok_and(|value| members(&value) == colons(text));
    (!exponents.into_iter().any(long)).then(read)
}

/// How many colons stand outside of strings.
fn colons(text: &str) -> usize {
    let (mut count, mut inside, mut escaped) = (0, false, false);
    for character in text.chars() {
        inside ^= character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
        count += usize::from(character == ':' && !inside);
    }
    count
}

/// Parts of which texts are made that are often nearly JSON.
fn token() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        " ",
        "\n",
        "\"",
        "\"a\"",
        "\"b\"",
        "\"a\":",
        "\"b\":",
        "\"\\u0061\"",
        "\\",
        "\\n",
        "\\u00e9",
        "0",
        "1",
        "-",
        "+",
        ".",
        "e",
        "E",
        "12",
        "true",
        "false",
        "null",
        "é",
        "\t",
        "\u{1}",
    ])
}

/// Two numbers of many digits that mostly mean the same, or nearly.
fn long_numbers() -> impl Strategy<Value = (String, String)> {
    let digits = prop_oneof![
        "[1-9][0-9]{0,40}",
        "0",
        prop::sample::select(vec!["9007199254740993", "9007199254740992", "1000", "100000000000000000001"])
            .prop_map(str::to_owned),
    ];
    let spelling = || (0..4usize, 0..45usize, 0..4u8, -50..50i64);
    (digits, any::<bool>(), spelling(), spelling(), 0..6u8).prop_map(
        |(digits, negative, one, other, change)| {
            let mut changed = digits.clone();
            let zero = digits == "0";
            match change {
                0 if zero => changed = "1".to_owned(),
                0 => changed.push('1'),
                1 => changed = changed.replacen('9', "8", 1),
                2 if !zero => changed.push('0'),
                _ => {}
            }
            let exponent = one.3;
            (spelled(&digits, negative, exponent, one), spelled(&changed, negative, exponent, other))
        },
    )
}

/// The digits times ten to the exponent, with zeros added, the point moved, and the exponent written in some way.
fn spelled(
    digits: &str,
    negative: bool,
    exponent: i64,
    (zeros, point, style, _): (usize, usize, u8, i64),
) -> String {
    let digits = if digits == "0" { "0".to_owned() } else { digits.to_owned() + &"0".repeat(zeros) };
    let added = if digits == "0" { 0 } else { i64::try_from(zeros).unwrap() };
    let places = point.min(digits.len() + 3);
    let padded = format!("{}{digits}", "0".repeat((places + 1).saturating_sub(digits.len())));
    let (whole, fraction) = padded.split_at(padded.len() - places);
    let point = if fraction.is_empty() { "" } else { "." };
    let exponent = exponent - added + i64::try_from(places).unwrap();
    let mark = match style {
        0 if exponent == 0 => String::new(),
        1 => format!("E{exponent:+}"),
        2 => format!("e{exponent:+04}"),
        _ => format!("e{exponent}"),
    };
    format!("{}{whole}{point}{fraction}{mark}", if negative { "-" } else { "" })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

    #[test]
    fn rewriting_a_value_keeps_its_canonical_form(tree in tree(), one: Vec<u8>, other: Vec<u8>) {
        let (one, other) = (write(&tree, &one), write(&tree, &other));
        let form = canonical_text(&one);
        prop_assert!(form.is_some(), "{one}");
        prop_assert_eq!(&form, &canonical_text(&other), "{} · {}", one, other);
        prop_assert!(parse(one.as_bytes()) == parse(other.as_bytes()));
    }

    #[test]
    fn different_values_have_different_canonical_forms((a, b) in pair(), style: Vec<u8>) {
        let (one, other) = (write(&a, &style), write(&b, &[]));
        prop_assert_eq!(a == b, canonical_text(&one) == canonical_text(&other), "{} · {}", one, other);
        prop_assert_eq!(a == b, parse(one.as_bytes()) == parse(other.as_bytes()));
    }

    #[test]
    fn numbers_are_equal_exactly_if_their_expanded_digits_are(
        a in "-?(0|[1-9][0-9]{0,2})(\\.[0-9]{1,3})?([eE][+-]?[0-3])?",
        b in "-?(0|[1-9][0-9]{0,2})(\\.[0-9]{1,3})?([eE][+-]?[0-3])?",
    ) {
        prop_assert_eq!(rewrite::expanded(&a) == rewrite::expanded(&b), canonical_text(&a) == canonical_text(&b));
        prop_assert_eq!(rewrite::expanded(&a), rewrite::expanded(&canonical_text(&a).unwrap()));
    }

    #[test]
    fn numbers_of_any_length_are_equal_exactly_if_another_arithmetic_says_so((a, b) in long_numbers()) {
        let (one, other) = (canonical_text(&a), canonical_text(&b));
        prop_assert!(one.is_some() && other.is_some(), "{} · {}", a, b);
        prop_assert_eq!(exact(&a) == exact(&b), one == other, "{} · {}", a, b);
        prop_assert_eq!(exact(&a) == exact(&b), parse(a.as_bytes()) == parse(b.as_bytes()));
        prop_assert_eq!(exact(&one.unwrap()), exact(&a), "nothing is rounded");
    }

    #[test]
    fn documents_are_equal_exactly_if_another_parser_and_arithmetic_say_so(
        (a, b) in pair(), one: Vec<u8>, other: Vec<u8>, (x, y) in long_numbers(),
    ) {
        let document = |tree, style: &[u8], number: &str| format!(r#"[{},{{"n":{number}}}]"#, write(tree, style));
        let (one, other) = (document(&a, &one, &x), document(&b, &other, &y));
        prop_assert_eq!(exact(&one) == exact(&other), canonical_text(&one) == canonical_text(&other));
        prop_assert_eq!(exact(&canonical_text(&one).unwrap()), exact(&one));
    }

    #[test]
    fn the_canonical_form_is_json_and_its_own(tree in tree(), style: Vec<u8>) {
        let form = canonical_text(&write(&tree, &style)).unwrap();
        prop_assert_eq!(canonical_text(&form), Some(form.clone()));
        prop_assert!(serde_json::from_str::<serde_json::Value>(&form).is_ok(), "{}", form);
    }

    #[test]
    fn a_soup_of_tokens_is_accepted_exactly_if_another_parser_takes_it(tokens in prop::collection::vec(token(), 0..12)) {
        let text = tokens.concat();
        if let Some(accepted) = is_accepted_elsewhere(&text) {
            prop_assert_eq!(canonical_text(&text).is_some(), accepted, "{}", text);
        }
    }

    #[test]
    fn a_damaged_text_is_accepted_exactly_if_another_parser_takes_it(
        tree in tree(), style: Vec<u8>, at: prop::sample::Index, cut in 0..2usize, put in token(),
    ) {
        let mut text: Vec<char> = write(&tree, &style).chars().collect();
        let at = at.index(text.len());
        text.splice(at..at + cut, put.chars());
        let text: String = text.into_iter().collect();
        if let Some(accepted) = is_accepted_elsewhere(&text) {
            prop_assert_eq!(canonical_text(&text).is_some(), accepted, "{}", text);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(body: Vec<u8>) {
        let _ = canonical(&body);
    }
}
