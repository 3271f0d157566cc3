//! Which rules a request falls under: method and path, first match in the order of the file.
//!
//! A path is matched by what its segments stand for (see [`onlyonce_http::pattern`]). One that an upstream might read as
//! another (dot segments, doubled slashes, encoded letters or slashes) is ambiguous: while any route protects requests that
//! bring no key in a header, it is refused instead of slipping past.

mod reading;

use std::sync::Arc;

use http::{Method, Request, request::Parts};
use onlyonce_core::problem;
use onlyonce_http::{
    Pattern, Rules,
    problem::Refused,
    rules::{Mode, Requirement},
};

pub(crate) use self::reading::Unrouted;
use crate::admission::Guards;

pub(crate) struct Routes {
    routes: Vec<Route>,
    /// For requests that no route matches.
    rest: Arc<Rules>,
}

struct Route {
    method: Option<Method>,
    pattern: Pattern,
    rules: Arc<Rules>,
}

impl Routes {
    /// The rules of a request.
    pub(crate) fn of(&self, parts: &Parts) -> Arc<Rules> {
        Arc::clone(self.rules(self.find(&parts.method, parts.uri.path())))
    }

    /// Which route a request falls under, counted from zero.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Option<usize> {
        self.routes.iter().position(|route| route.matches(method, path))
    }

    /// Whether a request is refused for what something might read out of its path: all that is judged of it at the door.
    pub(crate) fn refuses_path(&self, method: &Method, path: &str) -> bool {
        let guards = self.guards();
        guards.refuses_path(method, path) || (guards.paths && self.is_evasive(method, path))
    }

    /// Refuses a path whose spelling takes it to a route that protects less than the one where an upstream finds it that
    /// looks for its literals before it decodes.
    pub(crate) fn refuse_evasive<B>(&self, request: &Request<B>) -> Result<(), Box<Refused>> {
        if !self.is_evasive(request.method(), request.uri().path()) {
            return Ok(());
        }
        let why = "The path encodes characters that need not be, and whether it is one route or another depends on who \
                   reads it. Nothing was done. Send the plain path.";
        Err(Box::new(Refused::new(problem::REQUEST_AMBIGUOUS, why)))
    }

    fn is_evasive(&self, method: &Method, path: &str) -> bool {
        let protection = |number| Protection::of(self.rules(number), method);
        let undecoded = || self.routes.iter().position(|route| route.matches_undecoded(method, path));
        path.contains('%') && protection(undecoded()) > protection(self.find(method, path))
    }

    /// The rules of the route with this number.
    pub(crate) fn rules(&self, number: Option<usize>) -> &Arc<Rules> {
        number.and_then(|number| self.routes.get(number)).map_or(&self.rest, |route| &route.rules)
    }

    /// What has to be guarded at the door.
    pub(crate) fn guards(&self) -> Guards {
        let all = || self.routes.iter().map(|route| &route.rules).chain([&self.rest]);
        let counts = |rules: &Arc<Rules>| [rules.carriers.headers(), &rules.sameness.headers].concat();
        let mut headers: Vec<_> = all().flat_map(counts).collect();
        headers.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        headers.dedup();
        let beyond =
            |rules: &Arc<Rules>| rules.requirement != Requirement::Off && rules.carriers.beyond_headers();
        Guards { paths: self.guards_paths(), beyond_headers: all().any(beyond), headers }
    }

    /// Whether some route protects requests that bring no key in a header, so that no path may read two ways.
    fn guards_paths(&self) -> bool {
        let protects = |rules: &Rules| Protection::of_any(rules) > Protection::Headers;
        self.routes.iter().any(|route| protects(&route.rules)) || protects(&self.rest)
    }
}

/// Which requests rules protect; each word includes those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Protection {
    None,
    /// Those with a key in a header.
    Headers,
    /// Those with a key anywhere.
    Keys,
    All,
}

impl Protection {
    fn of(rules: &Rules, method: &Method) -> Self {
        if rules.covers(method) { Self::of_any(rules) } else { Self::None }
    }

    /// Of requests whose method may have a key.
    fn of_any(rules: &Rules) -> Self {
        match rules.requirement {
            // What is only observed is refused nothing.
            _ if rules.mode == Mode::Observe => Self::None,
            Requirement::Required => Self::All,
            Requirement::Optional if rules.carriers.beyond_headers() => Self::Keys,
            Requirement::Optional => Self::Headers,
            Requirement::Off => Self::None,
        }
    }
}

impl Route {
    fn matches(&self, method: &Method, path: &str) -> bool {
        self.method.as_ref().is_none_or(|wanted| wanted == method) && self.pattern.matches(path)
    }

    fn matches_undecoded(&self, method: &Method, path: &str) -> bool {
        self.method.as_ref().is_none_or(|wanted| wanted == method) && self.pattern.matches_undecoded(path)
    }
}

#[cfg(test)]
mod tests {
    use onlyonce_core::LedgerKey;

    use super::*;
    use crate::config::Config;

    /// Why there are no routes.
    fn refused(text: &str) -> Option<String> {
        Config::parse(text, std::path::Path::new("onlyonce.toml")).err().map(|error| error.to_string())
    }

    #[test]
    fn a_route_that_could_never_count_is_refused() {
        let text = "[[route]]\nmatch = \"POST /a\"\n[[route]]\nmatch = \"POST /a/\"\nkey = \"required\"";
        let refused = refused(text).unwrap();
        assert!(refused.contains("line 4, route `POST /a/`, `match`: it is there twice"), "{refused}");
        assert!(refused.contains("`match` of the other route stands in onlyonce.toml, line 2"), "{refused}");
    }

    #[test]
    fn a_route_below_one_that_takes_all_of_its_requests_is_refused() {
        for (earlier, later, starts) in [
            ("/{*rest}", "POST /transfers", false),
            ("POST /{*rest}", "POST /transfers", false),
            ("/orders/{id}", "/orders/special", false),
            ("GET /{*rest}", "POST /transfers", true),
            ("POST /transfers", "/transfers", true),
            ("POST /transfers", "/{*rest}", true),
            ("/orders/special", "/orders/{id}", true),
        ] {
            let text = format!("[[route]]\nmatch = \"{earlier}\"\n[[route]]\nmatch = \"{later}\"");
            let refused = refused(&text);
            assert_eq!(refused.is_none(), starts, "{text}");
            let names = |refused: &String| {
                refused.contains(&format!("`{earlier}`")) && refused.contains(&format!("`{later}`"))
            };
            assert!(refused.as_ref().is_none_or(names), "{refused:?}");
        }
    }

    #[test]
    fn a_parameter_that_the_path_does_not_have_is_refused() {
        for (pattern, said, starts) in [
            ("PUT /orders/{id}", "carriers = [\"path:id\"]\ncreate = true", true),
            ("PUT /orders/{no}", "carriers = [\"path:id\"]\ncreate = true", false),
            ("PUT /orders/{id}", "resource = \"path:id\"", true),
            ("PUT /orders", "resource = \"path:id\"", false),
            ("PUT /orders/{*id}", "resource = \"path:id\"", false),
            ("PUT /orders/{id}", "[defaults]\nresource = \"path:id\"", false),
        ] {
            let text = format!("[[route]]\nmatch = \"{pattern}\"\n{said}");
            assert_eq!(refused(&text).is_none(), starts, "{text}");
        }
    }

    #[test]
    fn the_first_route_in_the_order_of_the_file_counts() {
        let text = "[[route]]\nmatch = \"POST /a/b\"\n[[route]]\nmatch = \"POST /a/{id}\"\n[[route]]\nmatch = \"/{*rest}\"";
        let config = Config::parse(text, std::path::Path::new("onlyonce.toml")).unwrap();
        let routes = Routes::new(&config, &LedgerKey::new([0; 32])).unwrap();
        for (method, path, found) in [
            (Method::POST, "/a/b", 0),
            (Method::POST, "/a/c", 1),
            (Method::PUT, "/a/b", 2),
            (Method::POST, "/b", 2),
        ] {
            assert_eq!(routes.find(&method, path), Some(found), "{method} {path}");
        }
    }

    /// D34: a literal route that asks for nothing stands above one that asks for keys. An upstream that looks before it
    /// decodes sends `reports%3Arun` to the latter.
    #[test]
    fn d34_a_spelling_does_not_lead_to_a_route_that_protects_less() {
        let text = "[[route]]\nmatch = \"POST /reports:run\"\nkey = \"off\"\n[[route]]\nmatch = \"POST /pay:now\"\n\
            key = \"required\"\n[[route]]\nmatch = \"POST /caf%C3%A9\"\nkey = \"off\"\n[[route]]\nmatch = \"PUT /a:b\"\n\
            key = \"off\"\n[[route]]\nmatch = \"PUT /{id}\"\ncreate = true\ncarriers = [\"path:id\"]\n[[route]]\nmatch = \"POST /{id}\"\n\
            key = \"required\"";
        let config = Config::parse(text, std::path::Path::new("onlyonce.toml")).unwrap();
        let routes = Routes::new(&config, &LedgerKey::new([0; 32])).unwrap();
        for (method, path, refused) in [
            ("POST", "/reports:run", false),
            ("POST", "/reports%3Arun", true),
            ("PUT", "/a%3Ab", true),
            ("PUT", "/c%3Ad", false),
            ("GET", "/reports%3Arun", false),
            // Whoever reads it, this one needs a key.
            ("POST", "/pay%3Anow", false),
            ("POST", "/caf%c3%a9", false),
            ("POST", "/b%3Ac", false),
        ] {
            let request = Request::builder().method(method).uri(path).body(()).unwrap();
            assert_eq!(routes.refuse_evasive(&request).is_err(), refused, "{method} {path}");
        }
    }

    #[test]
    fn what_is_guarded_at_the_door_is_what_some_route_counts_on() {
        let key = "idempotency-key";
        for (said, paths, beyond_headers, headers) in [
            ("key = \"required\"", true, false, &[key][..]),
            ("key = \"optional\"", false, false, &[key]),
            ("carriers = [\"header:Idempotency-Key\", \"body:/id\"]", true, true, &[key]),
            ("carriers = [\"body:/id\"]\nkey = \"off\"", false, false, &[key]),
            ("key = \"required\"\nmode = \"observe\"", false, false, &[key]),
            ("carriers = [\"header:X-Request\"]", false, false, &[key, "x-request"]),
            ("fingerprint.headers = [\"X-Tenant\"]", false, false, &[key, "x-tenant"]),
        ] {
            let text = format!("[[route]]\nmatch = \"POST /a\"\n{said}");
            let config = Config::parse(&text, std::path::Path::new("onlyonce.toml")).unwrap();
            let guards = Routes::new(&config, &LedgerKey::new([0; 32])).unwrap().guards();
            assert_eq!((guards.paths, guards.beyond_headers), (paths, beyond_headers), "{text}");
            assert_eq!(
                guards.headers.iter().map(http::HeaderName::as_str).collect::<Vec<_>>(),
                headers,
                "{text}"
            );
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
            assert_eq!(refused(&text).is_none(), starts, "{text}");
        }
    }
}
