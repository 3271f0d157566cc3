//! Patterns of paths, and which paths read two ways.
//!
//! `{x}` stands for one segment that is not empty, `{*x}` for the rest. A path is matched as it is forwarded. Invariant:
//! what a parameter is, is read from the same segments that decided whether the pattern matches.

/// The paths of a route. Equal patterns match the same paths, whatever their parameters are called.
#[derive(Clone, Debug)]
pub struct Pattern {
    segments: Vec<Segment>,
}

#[derive(Clone, Debug)]
enum Segment {
    Literal(String),
    One(Box<str>),
    Rest,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(path: &str) -> Result<Self, &'static str> {
        let path = path.strip_prefix('/').ok_or("the path does not begin with a slash")?;
        let mut segments: Vec<_> = path.split('/').map(Segment::parse).collect();
        if segments.last() == Some(&Segment::Literal(String::new())) {
            // A trailing slash is the same route.
            segments.pop();
        }
        let rest = segments.iter().position(|segment| *segment == Segment::Rest);
        if rest.is_some_and(|at| at + 1 < segments.len()) {
            return Err("`{*…}` can only stand at the end");
        }
        let names: Vec<_> = segments.iter().filter_map(Segment::name).collect();
        if names.iter().enumerate().any(|(at, name)| names.iter().skip(at + 1).any(|other| other == name)) {
            return Err("two parameters have one name");
        }
        Ok(Self { segments })
    }

    /// Whether a path is one of the route's.
    pub fn matches(&self, path: &str) -> bool {
        let mut parts = parts(path);
        for segment in &self.segments {
            match (segment, parts.next()) {
                (Segment::Rest, _) => return true,
                (Segment::One(_), Some(_)) => {}
                (Segment::Literal(text), Some(part)) if is(part, text) => {}
                _ => return false,
            }
        }
        parts.next().is_none()
    }

    /// Whether every path of another pattern is one of this one's.
    pub fn covers(&self, other: &Self) -> bool {
        let mut others = other.segments.iter();
        for segment in &self.segments {
            match (segment, others.next()) {
                (Segment::Rest, _) => return true,
                (Segment::One(_), Some(Segment::One(_) | Segment::Literal(_))) => {}
                (Segment::Literal(one), Some(Segment::Literal(other))) if one == other => {}
                _ => return false,
            }
        }
        others.next().is_none()
    }

    /// Whether a `{name}` stands in the pattern.
    pub fn has(&self, name: &str) -> bool {
        self.place(name).is_some()
    }

    /// What stands in a path for `{name}`, with its percent-encoding but for unreserved characters.
    pub fn parameter(&self, name: &str, path: &str) -> Option<String> {
        parts(path).nth(self.place(name)?).map(decoded)
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.segments.iter().position(|segment| segment.name() == Some(name))
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.segments == other.segments
    }
}

impl Eq for Pattern {}

impl Segment {
    fn parse(text: &str) -> Self {
        match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            Some(name) if name.starts_with('*') => Self::Rest,
            Some(name) => Self::One(name.into()),
            None => Self::Literal(decoded(text)),
        }
    }

    fn name(&self) -> Option<&str> {
        match self {
            Self::One(name) if !name.is_empty() => Some(name),
            Self::One(_) | Self::Literal(_) | Self::Rest => None,
        }
    }
}

impl PartialEq for Segment {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Literal(one), Self::Literal(other)) => one == other,
            (Self::One(_), Self::One(_)) | (Self::Rest, Self::Rest) => true,
            (Self::Literal(_) | Self::One(_) | Self::Rest, _) => false,
        }
    }
}

/// The segments of a path; a trailing slash makes none.
fn parts(path: &str) -> impl Iterator<Item = &str> {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.strip_suffix('/').unwrap_or(path).split('/').filter(|part| !part.is_empty())
}

fn is(part: &str, text: &str) -> bool {
    if part.contains('%') { decoded(part) == text } else { part == text }
}

/// Percent-decodes unreserved characters only (RFC 3986, section 6.2.2.2).
fn decoded(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len());
    let mut rest = segment;
    while let Some((plain, after)) = rest.split_once('%') {
        out.push_str(plain);
        match unreserved(after) {
            Some(character) => {
                out.push(character);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                out.push('%');
                rest = after;
            }
        }
    }
    out + rest
}

fn unreserved(digits: &str) -> Option<char> {
    let byte = u8::from_str_radix(digits.get(..2)?, 16).ok()?;
    (byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)).then_some(char::from(byte))
}

/// Whether an upstream might read a path as another one.
pub fn is_ambiguous(path: &str) -> bool {
    let doubled = path.contains("//") || path.contains('\\') || path.contains(';');
    let dotted = path.split('/').any(|segment| matches!(decoded(segment).as_str(), "." | ".."));
    let escapes = path.split('%').skip(1);
    let hidden = escapes.into_iter().any(|digits| {
        let byte = digits.get(..2).and_then(|code| u8::from_str_radix(code, 16).ok());
        // Some upstreams end a path at an encoded NUL, and read an encoded slash as one.
        unreserved(digits).is_some()
            || byte.is_none_or(|byte| matches!(byte, b'/' | b'\\') || byte.is_ascii_control())
    });
    doubled || dotted || hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_those_whose_paths_are_all_its_own() {
        for (one, other, expected) in [
            ("/{*rest}", "/transfers", true),
            ("/{*rest}", "/", true),
            ("/{*rest}", "/{*any}", true),
            ("/orders/{id}", "/orders/special", true),
            ("/orders/{id}", "/orders/{no}", true),
            ("/orders/{*rest}", "/orders", true),
            ("/orders/{*rest}", "/orders/{id}/items", true),
            ("/orders/special", "/orders/{id}", false),
            ("/orders/{id}", "/orders/{*rest}", false),
            ("/orders/{id}", "/orders", false),
            ("/orders/{id}", "/orders/{id}/items", false),
            ("/orders/{id}", "/users/special", false),
        ] {
            let (one, other) = (Pattern::parse(one).unwrap(), Pattern::parse(other).unwrap());
            assert_eq!(one.covers(&other), expected, "{one:?} {other:?}");
        }
    }

    #[test]
    fn patterns_match_segment_by_segment() {
        for (route, path, expected) in [
            ("/transfers", "/transfers", true),
            ("/transfers", "/transfers/", true),
            ("/transfers/", "/transfers", true),
            ("/transfers", "/transfers/1", false),
            ("/transfers", "/", false),
            ("/orders/{id}", "/orders/7", true),
            ("/orders/{id}", "/orders", false),
            ("/orders/{id}", "/orders/7/items", false),
            ("/files/{*path}", "/files/a/b/c", true),
            ("/files/{*path}", "/other/a", false),
            ("/{*any}", "/", true),
            ("/caf%65", "/cafe", true),
            ("/cafe", "/caf%65", true),
        ] {
            assert_eq!(Pattern::parse(route).unwrap().matches(path), expected, "{route} on {path}");
        }
    }

    #[test]
    fn a_parameter_is_the_segment_that_matched() {
        let pattern = Pattern::parse("/shops/{shop}/orders/{id}/{*rest}").unwrap();
        let path = "/shops/a%20b/orders/%37-x/items";
        for (name, value) in
            [("shop", Some("a%20b")), ("id", Some("7-x")), ("rest", None), ("x", None), ("", None)]
        {
            assert_eq!(pattern.parameter(name, path).as_deref(), value, "{name}");
            assert_eq!(pattern.has(name), value.is_some(), "{name}");
        }
        assert_eq!(Pattern::parse("/{}").unwrap().parameter("", "/a"), None);
    }

    #[test]
    fn patterns_are_equal_if_they_match_the_same_paths() {
        let equal = |a, b| Pattern::parse(a).unwrap() == Pattern::parse(b).unwrap();
        assert!(equal("/a/{x}", "/a/{y}/") && equal("/{*a}", "/{*b}"));
        assert!(!equal("/a/{x}", "/a/x") && !equal("/a", "/a/{*x}"));
    }

    #[test]
    fn patterns_that_mean_nothing_are_refused() {
        for text in ["transfers", "", "/{*rest}/more", "/{a}/{a}"] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn paths_that_read_two_ways_are_ambiguous() {
        for path in [
            "//transfers",
            "/a/../transfers",
            "/%74ransfers",
            "/a%2Fb",
            "/a/./b",
            "/%2e%2e/x",
            "/x;v=1",
            "/%zz",
            "/transfers%00.html",
            "/transfers%0A",
            "/a%5Cb",
        ] {
            assert!(is_ambiguous(path), "{path}");
        }
        for path in ["/transfers", "/transfers/", "/a%20b", "/caf%C3%A9", "/.well-known/x", "/a..b"] {
            assert!(!is_ambiguous(path), "{path}");
        }
    }
}
