//! Where something stands in a JSON text: a pointer of RFC 6901.

use std::fmt;

use super::Value;

/// A JSON pointer: `/a/0/b`, or nothing for the whole text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pointer {
    steps: Box<[Box<str>]>,
}

impl Pointer {
    /// Reads a pointer; `None` if it does not begin with a slash, or holds a `~` that escapes nothing.
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self { steps: Box::default() });
        }
        let steps = text.strip_prefix('/')?.split('/').map(unescaped);
        Some(Self { steps: steps.collect::<Option<_>>()? })
    }

    /// The steps, unescaped.
    pub fn steps(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().map(AsRef::as_ref)
    }

    /// What stands there. An array's items go by their number, without leading zeros.
    pub fn get<'v, 'a>(&self, value: &'v Value<'a>) -> Option<&'v Value<'a>> {
        self.steps().try_fold(value, |value, step| match value {
            Value::Object(object) => object.get(step),
            Value::Array(items) => items.get(index(step)?),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        })
    }
}

impl Pointer {
    /// Takes out what stands there: a member altogether, an item so that a `null` keeps its place.
    pub fn remove(&self, value: &mut Value<'_>) {
        let Some((last, above)) = self.steps.split_last() else { return };
        let parent = above.iter().try_fold(value, |value, step| child(value, step));
        match parent {
            Some(Value::Object(object)) => object.remove(last),
            Some(Value::Array(items)) => {
                if let Some(item) = index(last).and_then(|index| items.get_mut(index)) {
                    *item = Value::Null;
                }
            }
            _ => {}
        }
    }
}

fn child<'v, 'a>(value: &'v mut Value<'a>, step: &str) -> Option<&'v mut Value<'a>> {
    match value {
        Value::Object(object) => object.get_mut(step),
        Value::Array(items) => items.get_mut(index(step)?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.steps().try_for_each(|step| write!(f, "/{}", step.replace('~', "~0").replace('/', "~1")))
    }
}

fn unescaped(step: &str) -> Option<Box<str>> {
    let sound = step.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    // The order matters: `~01` is a tilde and a one (RFC 6901, section 4).
    sound.then(|| step.replace("~1", "/").replace("~0", "~").into())
}

fn index(step: &str) -> Option<usize> {
    let canonical = step == "0" || !step.starts_with(['0', '+']);
    step.parse().ok().filter(|_| canonical)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;

    #[test]
    fn pointers_find_what_rfc_6901_says() {
        // RFC 6901, section 5, but for the members that no carrier would have.
        let text = br#"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"m~n":8,"k":{"l":[[3]]}}"#;
        let value = parse(text).unwrap();
        for (pointer, expected) in [
            ("/foo/0", Some(r#""bar""#)),
            ("/", Some("0")),
            ("/a~1b", Some("1")),
            ("/c%d", Some("2")),
            ("/m~0n", Some("8")),
            ("/k/l/0/0", Some("3")),
            ("/foo/2", None),
            ("/foo/01", None),
            ("/foo/+1", None),
            ("/foo/-", None),
            ("/foo/0/x", None),
            ("/bar", None),
        ] {
            let pointer = Pointer::parse(pointer).unwrap();
            let expected = expected.map(|text| parse(text.as_bytes()).unwrap());
            assert!(pointer.get(&value) == expected.as_ref(), "{pointer}");
        }
        assert!(Pointer::parse("").unwrap().get(&value) == Some(&value));
    }

    #[test]
    fn what_is_taken_out_is_gone_and_nothing_else_is() {
        let text = r#"{"a":{"b":1,"c":[{"t":2,"u":3},4]},"d":5}"#;
        for (pointer, left) in [
            ("/d", r#"{"a":{"b":1,"c":[{"t":2,"u":3},4]}}"#),
            ("/a", r#"{"d":5}"#),
            ("/a/b", r#"{"a":{"c":[{"t":2,"u":3},4]},"d":5}"#),
            ("/a/c/0/t", r#"{"a":{"b":1,"c":[{"u":3},4]},"d":5}"#),
            ("/a/c/0", r#"{"a":{"b":1,"c":[null,4]},"d":5}"#),
            ("/a/c/2", text),
            ("/a/c/t", text),
            ("/a/b/c", text),
            ("/x", text),
            ("/x/y", text),
            ("", text),
        ] {
            let mut value = parse(text.as_bytes()).unwrap();
            Pointer::parse(pointer).unwrap().remove(&mut value);
            assert_eq!(String::from_utf8(value.to_canonical()).unwrap(), left, "{pointer}");
        }
    }

    #[test]
    fn what_is_no_pointer_is_refused_and_what_is_reads_back() {
        for text in ["a", "a/b", "/~", "/~2", "/a~"] {
            assert_eq!(Pointer::parse(text), None, "{text}");
        }
        for text in ["", "/", "/a/b", "/a~1b/~0", "/~01"] {
            assert_eq!(Pointer::parse(text).unwrap().to_string(), text);
        }
    }
}
