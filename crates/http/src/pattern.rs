//! Patterns of paths, and which paths read two ways.
//!
//! `{x}` stands for one segment that is not empty, `{*x}` for the rest. Segments are compared by what they stand for
//! ([`onlyonce_core::path`]): another spelling of a literal does not get round its route. Invariant: what a parameter is,
//! is read from the same segments that decided whether the pattern matches.

use onlyonce_core::path;

/// The paths of a route. Equal patterns match the same paths, whatever their parameters are called.
#[derive(Clone, Debug)]
pub struct Pattern {
    segments: Vec<Segment>,
}

#[derive(Clone, Debug)]
enum Segment {
    /// The bytes that it stands for.
    Literal(Box<[u8]>),
    One(Box<str>),
    Rest,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(path: &str) -> Result<Self, &'static str> {
        let path = path.strip_prefix('/').ok_or("has a path that does not begin with a slash")?;
        let mut segments: Vec<_> = path.split('/').map(Segment::parse).collect();
        if segments.last() == Some(&Segment::Literal(Box::default())) {
            // A trailing slash is the same route.
            segments.pop();
        }
        let rest = segments.iter().position(|segment| *segment == Segment::Rest);
        if rest.is_some_and(|at| at + 1 < segments.len()) {
            return Err("has `{*…}` before the end of its path");
        }
        let names: Vec<_> = segments.iter().filter_map(Segment::name).collect();
        if names.iter().enumerate().any(|(at, name)| names.iter().skip(at + 1).any(|other| other == name)) {
            return Err("has two parameters of one name");
        }
        Ok(Self { segments })
    }

    /// Whether a path is one of the route's.
    pub fn matches(&self, path: &str) -> bool {
        self.takes(path, is)
    }

    /// Whether a path is one of the route's to a service that looks for its literals before it decodes.
    pub fn matches_undecoded(&self, path: &str) -> bool {
        self.takes(path, |part, literal| is(part, literal) && !path::is_overwritten(part))
    }

    fn takes(&self, path: &str, is: impl Fn(&str, &[u8]) -> bool) -> bool {
        let mut parts = parts(path);
        for segment in &self.segments {
            match (segment, parts.next()) {
                (Segment::Rest, _) => return true,
                (Segment::One(_), Some(_)) => {}
                (Segment::Literal(literal), Some(part)) if is(part, literal) => {}
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

    /// What stands in a path for `{name}`, in its normal form.
    pub fn parameter(&self, name: &str, path: &str) -> Option<String> {
        parts(path).nth(self.place(name)?).map(path::normal_segment)
    }

    /// What else stands in a path than `{name}` and the pattern's own text: its other parameters and the rest, in order
    /// and in their normal form.
    pub fn others(&self, name: &str, path: &str) -> Vec<String> {
        let place = self.place(name);
        let literal = |at: &usize| matches!(self.segments.get(*at), Some(Segment::Literal(_)));
        let others = parts(path).enumerate().filter(|(at, _)| Some(*at) != place && !literal(at));
        others.map(|(_, part)| path::normal_segment(part)).collect()
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
            None => Self::Literal(path::bytes(text).collect()),
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

/// Whether a segment stands for these bytes.
fn is(part: &str, literal: &[u8]) -> bool {
    if part.contains('%') {
        path::bytes(part).eq(literal.iter().copied())
    } else {
        part.as_bytes() == literal
    }
}

/// Whether an upstream, or something on the way to it, might read a path as another one.
pub fn is_ambiguous(path: &str) -> bool {
    let doubled = path.contains("//") || path.contains('\\') || path.contains(';');
    let dotted = path.split('/').any(|segment| matches!(segment, "." | ".."));
    let plain = path.is_ascii() && !path.contains('%');
    doubled || dotted || !(plain || path::is_text(path)) || path.split('%').skip(1).any(hides)
}

/// Whether what follows a percent sign hides what some readers act upon: a character that nobody encodes, a border of a
/// segment, or another percent sign's work for whoever decodes twice.
fn hides(after: &str) -> bool {
    let Some(byte) = path::escape(after) else { return true };
    let twice = || after.get(2..).and_then(path::escape).is_some();
    byte.is_ascii_alphanumeric() || b"-._~/\\;".contains(&byte) || (byte == b'%' && twice())
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
            ("/café", "/caf%c3%a9", true),
            ("/transfers:run", "/transfers%3Arun", true),
            ("/transfers%3arun", "/transfers:run", true),
            ("/transfers:run", "/transfers%253Arun", false),
            ("/Transfers", "/transfers", false),
            ("/a/b", "/a%2Fb", false),
            ("/a%2Fb", "/a%2fb", true),
            ("/a%2Fb", "/a/b", false),
            ("/orders/{id}", "/orders%2F7", false),
            ("/orders/{id}", "/orders/%2e%2e/7", false),
            ("/transfers", "/a/../transfers", false),
            ("/transfers", "/transfers%00", false),
        ] {
            assert_eq!(Pattern::parse(route).unwrap().matches(path), expected, "{route} on {path}");
        }
    }

    #[test]
    fn who_looks_before_decoding_finds_only_what_has_to_be_encoded() {
        for (route, path, expected) in [
            ("/transfers:run", "/transfers:run", true),
            ("/transfers:run", "/transfers%3Arun", false),
            ("/caf%C3%A9", "/caf%c3%a9", true),
            ("/cafe", "/caf%65", false),
            ("/{id}", "/transfers%3Arun", true),
        ] {
            assert_eq!(Pattern::parse(route).unwrap().matches_undecoded(path), expected, "{route} on {path}");
        }
    }

    #[test]
    fn a_parameter_is_the_segment_that_matched() {
        let pattern = Pattern::parse("/shops/{shop}/orders/{id}/{*rest}").unwrap();
        let path = "/shops/a%20b/orders/%37%3ax/items";
        for (name, value) in
            [("shop", Some("a%20b")), ("id", Some("7:x")), ("rest", None), ("x", None), ("", None)]
        {
            assert_eq!(pattern.parameter(name, path).as_deref(), value, "{name}");
            assert_eq!(pattern.has(name), value.is_some(), "{name}");
        }
        assert_eq!(Pattern::parse("/{}").unwrap().parameter("", "/a"), None);
    }

    #[test]
    fn what_else_names_the_thing_is_all_but_the_patterns_own_text() {
        let of = |route, path| Pattern::parse(route).unwrap().others("id", path);
        for (route, path, others) in [
            ("/orders/{id}", "/orders/7", &[][..]),
            ("/shops/{shop}/orders/{id}", "/shops/a%3ab/orders/7/", &["a:b"]),
            ("/{}/{id}/{kind}", "/x/7/y", &["x", "y"]),
            ("/shops/{shop}/orders/{id}/{*rest}", "/shops/a/orders/7/b%2Fc/d", &["a", "b%2Fc", "d"]),
            ("/orders/{id}/{*rest}", "/orders/7", &[]),
        ] {
            assert_eq!(of(route, path), others, "{route} on {path}");
        }
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
            "/x%3bv=1",
            "/%2574ransfers",
            "/a%253Ab",
            "/caf%E9",
            "/%C1%B4ransfers",
            "/a/%C0%AE%C0%AE/x",
            "/%",
            "/%+f",
            "/a%C2%85b",
        ] {
            assert!(is_ambiguous(path), "{path}");
        }
        for path in [
            "/transfers",
            "/transfers/",
            "/a%20b",
            "/caf%C3%A9",
            "/café",
            "/.well-known/x",
            "/a..b",
            "/a%3Ab",
            "/a%40b.example",
            "/%23room:example.org",
            "/100%25",
            "/100%25off",
        ] {
            assert!(!is_ambiguous(path), "{path}");
        }
    }
}
