//! What a path stands for, however it is spelled.
//!
//! RFC 3986 lets most characters be written in two ways, and nearly every service decodes a segment before it looks at it:
//! `a:b`, `a%3Ab` and `a%3ab` are one resource to it. Whatever is told apart by paths is told apart by the bytes that their
//! segments stand for.
//!
//! Invariant: two spellings of the same bytes have one normal form, and other bytes have another one. No spelling moves the
//! border of a segment: an encoded slash is a byte of its segment. Which paths are too doubtful to be judged at all is not
//! known here.

use std::fmt::Write as _;

use crate::percent;

/// The bytes that a segment stands for.
pub fn bytes(segment: &str) -> impl Iterator<Item = u8> {
    percent::decoded(segment).map(|(byte, _)| byte)
}

/// A segment as it is compared: what may stand in one as it is (`pchar` of RFC 3986, section 3.3) is written so, and
/// everything else with a percent sign and capital digits.
pub fn normal_segment(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len());
    for byte in bytes(segment) {
        if is_plain(byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("strings can be written to");
        }
    }
    out
}

/// A path as it is compared: its segments in their normal form. A slash at its end makes no other path.
pub fn normal(path: &str) -> String {
    let path = path.strip_suffix('/').unwrap_or(path);
    let segments: Vec<_> = path.split('/').map(normal_segment).collect();
    segments.join("/")
}

/// The byte that the digits after a percent sign name; `None` if no two follow.
pub fn escape(after: &str) -> Option<u8> {
    percent::byte(*after.as_bytes().first_chunk()?)
}

/// Whether a segment is plain text: UTF-8 without control characters. Of anything else, one service keeps the bytes, another
/// puts the same replacement character for all of them, and a third stops reading.
pub fn is_text(segment: &str) -> bool {
    let bytes: Vec<_> = bytes(segment).collect();
    std::str::from_utf8(&bytes).is_ok_and(|text| !text.chars().any(char::is_control))
}

/// Whether something is written with a percent sign that may stand as it is. A service that looks for its literals before
/// it decodes does not find such a segment among them.
pub fn is_overwritten(segment: &str) -> bool {
    percent::decoded(segment).any(|(byte, escaped)| escaped && is_plain(byte))
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_spelling_of_a_segment_has_one_normal_form() {
        /// The normal form · its spellings.
        type Row<'a> = (&'a str, &'a [&'a str]);
        let table: &[Row<'_>] = &[
            ("7", &["7", "%37"]),
            ("a:b", &["a:b", "a%3Ab", "a%3ab", "%61%3a%62"]),
            ("a@b.example", &["a@b.example", "a%40b.example", "a%40b%2Eexample"]),
            ("!$&'()*+,;=", &["!$&'()*+,;=", "%21%24%26%27%28%29%2A%2b%2C%3b%3D"]),
            // What has to be encoded stays so, in capitals.
            ("a%20b", &["a%20b", "a b", "%61%20b"]),
            ("a%2Fb", &["a%2Fb", "a%2fb"]),
            ("%3F%23%5B%5D", &["%3f%23%5b%5d", "?#[]"]),
            ("%22%3C%7B%7C%7D", &["\"<{|}", "%22%3c%7b%7c%7d"]),
            ("caf%C3%A9", &["caf%C3%A9", "caf%c3%a9", "café"]),
            ("a%00", &["a%00"]),
            // A plus is a plus, and a capital another letter.
            ("a+b", &["a+b", "a%2Bb"]),
            ("A", &["A", "%41"]),
            ("a", &["a", "%61"]),
            // Decoded once and no more.
            ("%253A", &["%253A", "%25%33%41"]),
            // A percent sign that no digits follow.
            ("100%25", &["100%25", "100%"]),
            ("%25zz", &["%zz", "%25zz", "%25%7A%7a"]),
            ("%25+f", &["%+f", "%25%2Bf"]),
            // Overlong forms of `/` and `.` are other bytes.
            ("%C0%AF", &["%C0%AF", "%c0%af"]),
            ("%C0%AE", &["%C0%AE"]),
            ("..", &["..", "%2e%2E", ".%2e"]),
            ("", &[""]),
        ];
        let mut seen = std::collections::HashSet::new();
        for (normal, spellings) in table {
            assert!(seen.insert(normal), "{normal} stands for two things");
            for spelling in *spellings {
                assert_eq!(normal_segment(spelling), *normal, "{spelling}");
            }
        }
    }

    #[test]
    fn no_spelling_moves_the_border_of_a_segment() {
        for (path, expected) in [
            ("/a/b", "/a/b"),
            ("/a/b/", "/a/b"),
            ("/a%2Fb", "/a%2Fb"),
            ("/a%2fb/", "/a%2Fb"),
            ("/a%2F", "/a%2F"),
            ("/a//b", "/a//b"),
            ("/a//", "/a/"),
            ("/%61%3A/%3f", "/a:/%3F"),
            ("/", ""),
            ("*", "*"),
        ] {
            assert_eq!(normal(path), expected, "{path}");
        }
    }

    #[test]
    fn text_is_what_every_service_reads_alike() {
        for segment in ["", "7", "caf%C3%A9", "café", "a%20b", "%2F", "%F0%9F%92%B8", "100%"] {
            assert!(is_text(segment), "{segment}");
        }
        for segment in
            ["%00", "a%0A", "%7f", "%C2%85", "caf%E9", "%FF", "%C0%AF", "%C0%AE", "%ED%A0%80", "%F0%9F"]
        {
            assert!(!is_text(segment), "{segment}");
        }
    }

    #[test]
    fn a_percent_sign_is_needless_where_a_character_may_stand_as_it_is() {
        for (segment, expected) in [
            ("a:b", false),
            ("a%3Ab", true),
            ("%61", true),
            ("a%20b", false),
            ("a%2Fb", false),
            ("100%", false),
        ] {
            assert_eq!(is_overwritten(segment), expected, "{segment}");
        }
    }

    /// A segment as somebody may write these bytes: `how` chooses for each of them.
    fn spelled(bytes: &[u8], how: &[u8]) -> String {
        let mut out = String::new();
        for (byte, how) in bytes.iter().zip(how.iter().cycle()) {
            match how % 3 {
                0 if byte.is_ascii_graphic() && *byte != b'%' => out.push(char::from(*byte)),
                1 => write!(out, "%{byte:02x}").unwrap(),
                _ => write!(out, "%{byte:02X}").unwrap(),
            }
        }
        out
    }

    proptest! {
        #[test]
        fn a_normal_form_is_its_own(segment in "([ -~é]|%[0-9a-fA-F]{0,2}){0,12}") {
            let normal = normal_segment(&segment);
            prop_assert_eq!(&normal_segment(&normal), &normal);
            prop_assert!(normal.bytes().all(|byte| is_plain(byte) || byte == b'%'), "{}", normal);
            prop_assert!(bytes(&normal).eq(bytes(&segment)));
        }

        #[test]
        fn two_spellings_of_the_same_bytes_are_equal(
            written in proptest::collection::vec(any::<u8>(), 0..12),
            one in proptest::collection::vec(0..3u8, 1..12),
            other in proptest::collection::vec(0..3u8, 1..12),
        ) {
            prop_assert_eq!(normal_segment(&spelled(&written, &one)), normal_segment(&spelled(&written, &other)));
        }

        #[test]
        fn other_bytes_have_another_normal_form(
            one in proptest::collection::vec(prop_oneof![Just(b'%'), Just(b'2'), Just(b'5'), Just(b'/'), any::<u8>()], 0..5),
            other in proptest::collection::vec(prop_oneof![Just(b'%'), Just(b'2'), Just(b'5'), Just(b'/'), any::<u8>()], 0..5),
            how in proptest::collection::vec(0..3u8, 1..5),
        ) {
            prop_assert_eq!(one == other, normal_segment(&spelled(&one, &how)) == normal_segment(&spelled(&other, &how)));
        }
    }
}
