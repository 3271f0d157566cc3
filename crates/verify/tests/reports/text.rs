//! As text.

use onlyonce_verify::report::Style;

use crate::{expected, fixed};

fn written(color: bool) -> String {
    let mut out = Vec::new();
    fixed::report().write(Style { color, width: 100 }, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_text_is_as_before() {
    expected::is_as_before("fixed.txt", &written(false));
}

#[test]
fn without_colours_no_escape_sequence_is_written_whatever_the_api_answers() {
    assert!(!written(false).contains('\u{1b}'));
}

#[test]
fn colours_add_nothing_but_colours() {
    let colored = written(true);
    let mut plain = String::new();
    for part in colored.split('\u{1b}') {
        let after = part.strip_prefix('[').and_then(|rest| rest.split_once('m'));
        plain.push_str(after.map_or(part, |(_, rest)| rest));
    }
    assert_eq!(plain, written(false));
    assert!(colored.len() > plain.len());
}

#[test]
fn no_credential_is_written() {
    let text = written(true);
    assert!(!text.contains("token-of") && !text.contains("session=of-ana"), "{text}");
}

#[test]
fn what_the_api_answers_never_becomes_a_command() {
    for line in written(false).lines().filter(|line| line.contains("rm -rf")) {
        assert!(line.trim_start().starts_with('#'), "{line}");
    }
}

/// Commands are never broken; whoever reads the rest needs no wider terminal than he has.
#[test]
fn prose_is_no_wider_than_the_terminal() {
    let mut out = Vec::new();
    fixed::report().write(Style { color: false, width: 80 }, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let is_command = |line: &str| {
        ["    #", "    curl", "    for ", "    KEY_", "    FIRST_"]
            .iter()
            .any(|begin| line.starts_with(begin))
    };
    let wide: Vec<_> = text.lines().filter(|line| !is_command(line) && line.chars().count() > 80).collect();
    assert!(wide.is_empty(), "{wide:#?}");
}
