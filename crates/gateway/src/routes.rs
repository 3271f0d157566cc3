//! Which rules a request falls under: method and path, first match in the order of the file.
//!
//! A path is matched as it is forwarded. `{x}` stands for one segment that is not empty, `{*x}` for the rest. A path
//! that an upstream might read as another (dot segments, doubled slashes, encoded letters or slashes) is ambiguous:
//! while any route asks for keys, it is refused instead of slipping past.

use std::sync::Arc;

use http::{Method, request::Parts};
use onlyonce_core::{LedgerKey, carrier::Carrier};
use onlyonce_http::{
    Rules,
    rules::{Requirement, Resource},
};

use crate::{
    config::Config,
    start_error::{StartError, StartErrorKind},
};

pub(crate) struct Routes {
    routes: Vec<Route>,
    /// For requests that no route matches.
    rest: Arc<Rules>,
}

struct Route {
    method: Option<Method>,
    segments: Vec<Segment>,
    rules: Arc<Rules>,
}

/// What a pattern can begin with. A method that nobody knows is a slip of the pen, and its route would protect nothing.
const METHODS: [Method; 8] = [
    Method::GET,
    Method::HEAD,
    Method::OPTIONS,
    Method::TRACE,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
];

#[derive(Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    One,
    Rest,
}

impl Routes {
    /// The routes of a configuration. What none of them matches has the defaults.
    pub(crate) fn new(config: &Config, key: &LedgerKey) -> Result<Self, StartError> {
        let mut routes = Vec::with_capacity(config.route.len());
        for route in &config.route {
            let (method, segments) = pattern(&route.pattern)?;
            let rules = route.settings.rules(&route.pattern, key)?;
            if rules.requirement == Requirement::Required && !can_be_keyed(method.as_ref(), &rules) {
                return Err(StartError::new(
                    StartErrorKind::Config,
                    format!(
                        "route `{}`: `key = \"required\"` has no method that could have a key; GET, HEAD and OPTIONS \
                         never do, others as far as `methods` lists them",
                        route.pattern
                    ),
                ));
            }
            if let Some(name) = unheard(&rules, &route.pattern) {
                return Err(StartError::new(
                    StartErrorKind::Config,
                    format!("route `{}`: `path:{name}` needs `{{{name}}}` in its path", route.pattern),
                ));
            }
            let again = |earlier: &Route| earlier.method == method && earlier.segments == segments;
            if routes.iter().any(again) {
                return Err(StartError::new(
                    StartErrorKind::Config,
                    format!("route `{}` is there twice; only the first would ever count", route.pattern),
                ));
            }
            routes.push(Route { method, segments, rules: Arc::new(rules) });
        }
        Ok(Self { routes, rest: Arc::new(config.defaults.rules("*", key)?) })
    }

    /// The rules of a request.
    pub(crate) fn of(&self, parts: &Parts) -> Arc<Rules> {
        let path = parts.uri.path();
        let found = self.routes.iter().find(|route| route.matches(&parts.method, path));
        Arc::clone(found.map_or(&self.rest, |route| &route.rules))
    }

    /// Whether some route asks for keys, so that no path may read two ways.
    pub(crate) fn guard(&self) -> bool {
        let required = |rules: &Arc<Rules>| rules.requirement == Requirement::Required;
        self.routes.iter().any(|route| required(&route.rules)) || required(&self.rest)
    }
}

impl Route {
    fn matches(&self, method: &Method, path: &str) -> bool {
        self.method.as_ref().is_none_or(|wanted| wanted == method) && matches(&self.segments, path)
    }
}

/// A parameter of the path that the rules name and the path does not have.
fn unheard<'a>(rules: &'a Rules, pattern: &str) -> Option<&'a str> {
    let carried = rules.carriers.iter().filter_map(|carrier| match carrier {
        Carrier::Path(name) => Some(&**name),
        Carrier::Header(_) | Carrier::Body(_) | Carrier::Form(_) | Carrier::Derive(_) => None,
    });
    let named = match &rules.resource {
        Some(Resource::Path(name)) => Some(&**name),
        Some(Resource::Body(_) | Resource::Header(_)) | None => None,
    };
    carried.chain(named).find(|name| !pattern.contains(&format!("{{{name}}}")))
}

fn can_be_keyed(method: Option<&Method>, rules: &Rules) -> bool {
    match method {
        Some(method) => rules.covers(method),
        None => rules.methods.iter().any(|method| rules.covers(method)),
    }
}

fn pattern(text: &str) -> Result<(Option<Method>, Vec<Segment>), StartError> {
    let wrong = |why: &str| {
        StartError::new(
            StartErrorKind::Config,
            format!("route `{text}`: {why}; write for example `POST /transfers` or `PUT /orders/{{id}}`"),
        )
    };
    let (method, path) = match text.split_once(' ') {
        Some((method, path)) => {
            let known = METHODS.iter().find(|known| known.as_str() == method);
            (Some(known.ok_or_else(|| wrong("no such method is known here"))?.clone()), path)
        }
        None => (None, text),
    };
    let path = path.strip_prefix('/').ok_or_else(|| wrong("the path does not begin with a slash"))?;
    let mut segments: Vec<_> = path.split('/').map(segment).collect();
    if segments.last() == Some(&Segment::Literal(String::new())) {
        // A trailing slash is the same route.
        segments.pop();
    }
    let rest = segments.iter().position(|segment| *segment == Segment::Rest);
    if rest.is_some_and(|at| at + 1 < segments.len()) {
        return Err(wrong("`{*…}` can only stand at the end"));
    }
    Ok((method, segments))
}

fn segment(text: &str) -> Segment {
    match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
        Some(name) if name.starts_with('*') => Segment::Rest,
        Some(_) => Segment::One,
        None => Segment::Literal(decoded(text)),
    }
}

fn matches(segments: &[Segment], path: &str) -> bool {
    let path = path.strip_prefix('/').unwrap_or(path);
    let mut parts = path.strip_suffix('/').unwrap_or(path).split('/').filter(|part| !part.is_empty());
    for segment in segments {
        match (segment, parts.next()) {
            (Segment::Rest, _) => return true,
            (Segment::One, Some(_)) => {}
            (Segment::Literal(text), Some(part)) if decoded(part) == *text => {}
            _ => return false,
        }
    }
    parts.next().is_none()
}

/// Percent-decodes unreserved characters only (RFC 3986, section 6.2.2.2).
fn decoded(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len());
    let mut rest = segment;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
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
pub(crate) fn is_ambiguous(path: &str) -> bool {
    let doubled = path.contains("//") || path.contains('\\') || path.contains(';');
    let dotted = path.split('/').any(|segment| matches!(decoded(segment).as_str(), "." | ".."));
    let escapes = path.split('%').skip(1);
    let hidden = escapes.into_iter().any(|digits| {
        let slash = digits.get(..2).is_some_and(|code| ["2f", "2F", "5c", "5C"].contains(&code));
        slash
            || unreserved(digits).is_some()
            || digits.get(..2).is_none_or(|code| u8::from_str_radix(code, 16).is_err())
    });
    doubled || dotted || hidden
}

#[cfg(test)]
mod tests {
    use super::*;

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
        ] {
            let (_, segments) = pattern(route).unwrap();
            assert_eq!(matches(&segments, path), expected, "{route} on {path}");
        }
    }

    #[test]
    fn a_route_that_could_never_count_is_refused() {
        let text = "[[route]]\nmatch = \"POST /a\"\n[[route]]\nmatch = \"POST /a/\"\nkey = \"required\"";
        let config = Config::parse(text, std::path::Path::new("onlyonce.toml")).unwrap();
        let refused = Routes::new(&config, &LedgerKey::new([1; 32])).map(drop).unwrap_err();
        assert!(refused.to_string().contains("`POST /a/` is there twice"), "{refused}");
    }

    #[test]
    fn a_parameter_that_the_path_does_not_have_is_refused() {
        for (pattern, said, starts) in [
            ("PUT /orders/{id}", "carriers = [\"path:id\"]\ncreate = true", true),
            ("PUT /orders/{no}", "carriers = [\"path:id\"]\ncreate = true", false),
            ("PUT /orders/{id}", "resource = \"path:id\"", true),
            ("PUT /orders", "resource = \"path:id\"", false),
        ] {
            let text = format!("[[route]]\nmatch = \"{pattern}\"\n{said}");
            let config = Config::parse(&text, std::path::Path::new("onlyonce.toml")).unwrap();
            assert_eq!(Routes::new(&config, &LedgerKey::new([0; 32])).is_ok(), starts, "{text}");
        }
    }

    #[test]
    fn patterns_that_mean_nothing_are_refused() {
        for text in ["transfers", "post /x", "PSOT /x", "POST x", "/{*rest}/more"] {
            assert!(pattern(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_cannot_be_required_where_none_can_be() {
        for (pattern, methods, starts) in [
            ("GET /x", "", false),
            ("POST /x", "", true),
            ("PUT /x", "", true),
            ("/x", "", true),
            ("/x", "methods = [\"GET\"]", false),
            ("POST /x", "methods = [\"PUT\"]", false),
        ] {
            let text = format!("[[route]]\nmatch = \"{pattern}\"\nkey = \"required\"\n{methods}");
            let config = Config::parse(&text, std::path::Path::new("onlyonce.toml")).unwrap();
            assert_eq!(Routes::new(&config, &LedgerKey::new([0; 32])).is_ok(), starts, "{text}");
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
        ] {
            assert!(is_ambiguous(path), "{path}");
        }
        for path in ["/transfers", "/transfers/", "/a%20b", "/caf%C3%A9", "/.well-known/x", "/a..b"] {
            assert!(!is_ambiguous(path), "{path}");
        }
    }
}
