//! Reads Rust just far enough to tell code from what is only written about code.
//!
//! Invariant: the blanked text has the lines of the original, so a finding's line is true in both.
//! It is no parser: it knows comments, literals and where the tests at the end of a file begin.

/// The text with the insides of comments and literals blanked.
pub(super) fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let blanked = blanked_length(rest);
        let (token, after) = rest.split_at(blanked.unwrap_or(first.len_utf8()));
        match blanked {
            Some(_) => out.extend(token.chars().map(|c| if c == '\n' { '\n' } else { ' ' })),
            None => out.push_str(token),
        }
        rest = after;
    }
    out
}

/// The number of the line where the tests at the end of the file begin, counted from one.
pub(super) fn first_test_line(text: &str) -> Option<usize> {
    let code = code(text);
    let mut lines = (1..).zip(code.lines()).peekable();
    while let Some((number, line)) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            continue;
        }
        while lines
            .next_if(|(_, line)| line.trim().is_empty() || line.trim_start().starts_with('#'))
            .is_some()
        {}
        if lines.peek().is_some_and(|(_, line)| line.starts_with("mod ") && line.contains('{')) {
            return Some(number);
        }
    }
    None
}

/// Whether a line of code contains the word, not as a part of a longer one.
pub(super) fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let (before, from) = line.split_at(at);
        let after = from.strip_prefix(word).unwrap_or_default();
        !before.ends_with(is_part) && !after.starts_with(is_part)
    })
}

/// The length of the comment or literal at the start of the text, if one starts there.
fn blanked_length(rest: &str) -> Option<usize> {
    match rest.as_bytes() {
        [b'/', b'/', ..] => Some(rest.find('\n').unwrap_or(rest.len())),
        [b'/', b'*', ..] => Some(block_comment(rest)),
        [b'"', ..] => Some(until_quote(rest, '"')),
        [b'\'', ..] => character(rest),
        [b'r', b'"' | b'#', ..] => raw_string(rest),
        _ => None,
    }
}

/// Block comments nest.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(left) = rest.get(at..).filter(|left| !left.is_empty()) {
        let step = match left.as_bytes() {
            [b'/', b'*', ..] => {
                depth += 1;
                2
            }
            [b'*', b'/', ..] => {
                depth -= 1;
                2
            }
            _ => left.chars().next().map_or(1, char::len_utf8),
        };
        at += step;
        if depth == 0 {
            break;
        }
    }
    at
}

/// Up to and with the closing quote; a backslash hides the character behind it.
fn until_quote(rest: &str, quote: char) -> usize {
    let mut characters = rest.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        if c == quote {
            return at + c.len_utf8();
        }
        if c == '\\' {
            characters.next();
        }
    }
    rest.len()
}

/// A character literal; a lifetime begins alike and is none.
fn character(rest: &str) -> Option<usize> {
    let mut characters = rest.chars().skip(1);
    let first = characters.next()?;
    (first == '\\' || characters.next() == Some('\'')).then(|| until_quote(rest, '\''))
}

/// `r"…"`, `r#"…"#` and so on; `r#name` is an identifier.
fn raw_string(rest: &str) -> Option<usize> {
    let hashes = rest.chars().skip(1).take_while(|c| *c == '#').count();
    let inside = rest.get(1 + hashes..)?.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let opening = 2 + hashes;
    Some(inside.find(&end).map_or(rest.len(), |at| opening + at + end.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(text: &str) -> String {
        let code = code(text);
        assert_eq!(code.lines().count(), text.lines().count(), "lines stay lines");
        code.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_and_literals_are_blanked_and_code_stays() {
        for (text, expected) in [
            ("a // b\nc", "a c"),
            ("a /* b /* c */ d */ e", "a e"),
            (r#"a("b \" // c", d)"#, "a( , d)"),
            ("a(r#\"b \" c\"#, d)", "a( , d)"),
            ("let r#type = b\"x\";", "let r#type = b ;"),
            ("('\"', '\\'', x)", "( , , x)"),
            ("fn f<'a>(x: &'a str) -> char { 'x' }", "fn f<'a>(x: &'a str) -> char { }"),
            ("a(\"two\nlines\") b", "a( ) b"),
            ("\"ends too early", ""),
        ] {
            assert_eq!(kept(text), expected, "{text}");
        }
    }

    #[test]
    fn tests_begin_at_their_module_and_not_at_a_single_item() {
        let text = "#[cfg(test)]\nfn only_for_tests() {}\nfn real() {}\n#[cfg(test)]\nmod tests {\n}\n";
        assert_eq!(first_test_line(text), Some(4));
        assert_eq!(first_test_line("#[cfg(test)]\nmod tests;\nfn real() {}\n"), None);
        assert_eq!(first_test_line("// #[cfg(test)]\nmod tests {}\n"), None);
    }

    #[test]
    fn a_part_of_a_longer_word_is_not_the_word() {
        assert!(has_word("a(b)", "a") && has_word("(F01)", "F01") && has_word("xa a", "a"));
        assert!(!has_word("ab", "a") && !has_word("F011", "F01") && !has_word("x_a", "a"));
    }
}
