//! Which rules a request falls under: method and path, first match in the order of the file.
//!
//! A path is matched by what its segments stand for (see [`onlyonce_http::pattern`]). One that an upstream might read as
//! another (dot segments, doubled slashes, encoded letters or slashes) is ambiguous: while any route protects requests that
//! bring no key in a header, it is refused instead of slipping past.

use std::sync::Arc;

use http::{Method, Request, request::Parts};
use onlyonce_core::{LedgerKey, problem};
use onlyonce_http::{
    Pattern, Rules,
    problem::Refused,
    rules::{Mode, Requirement, Resource},
};

use crate::{
    admission::Guards,
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
    pattern: Pattern,
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

impl Routes {
    /// The routes of a configuration. What none of them matches has the defaults.
    pub(crate) fn new(config: &Config, key: &LedgerKey) -> Result<Self, StartError> {
        let mut routes = Vec::with_capacity(config.route.len());
        let problem_base: Arc<str> = config.problem_base.as_str().into();
        for route in &config.route {
            let (method, pattern) = parse(&route.pattern)?;
            let mut rules = route.settings.rules(&route.pattern, key)?;
            rules.problem_base = Arc::clone(&problem_base);
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
            refuse_unheard(&rules, Some(&pattern))?;
            if let Some(earlier) =
                routes.iter().find(|earlier: &&Route| earlier.covers(method.as_ref(), &pattern))
            {
                return Err(never_reached(earlier, &route.pattern, method.as_ref(), &pattern));
            }
            rules.pattern = Some(pattern.clone());
            routes.push(Route { method, pattern, rules: Arc::new(rules) });
        }
        let mut rest = config.defaults.rules("*", key)?;
        rest.problem_base = problem_base;
        refuse_unheard(&rest, None)?;
        Ok(Self { routes, rest: Arc::new(rest) })
    }

    /// The rules of a request.
    pub(crate) fn of(&self, parts: &Parts) -> Arc<Rules> {
        Arc::clone(self.rules(self.find(&parts.method, parts.uri.path())))
    }

    /// Which route a request falls under, counted from zero.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Option<usize> {
        self.routes.iter().position(|route| route.matches(method, path))
    }

    /// Refuses a path whose spelling takes it to a route that protects less than the one where an upstream finds it that
    /// looks for its literals before it decodes.
    pub(crate) fn refuse_evasive<B>(&self, request: &Request<B>) -> Result<(), Box<Refused>> {
        let (method, path) = (request.method(), request.uri().path());
        if !path.contains('%') {
            return Ok(());
        }
        let protection = |number| Protection::of(self.rules(number), method);
        let undecoded = self.routes.iter().position(|route| route.matches_undecoded(method, path));
        if protection(undecoded) <= protection(self.find(method, path)) {
            return Ok(());
        }
        let why = "The path encodes characters that need not be, and whether it is one route or another depends on who \
                   reads it. Nothing was done. Send the plain path.";
        Err(Box::new(Refused::new(problem::REQUEST_AMBIGUOUS, why)))
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

    /// Whether it takes every request of a route like this.
    fn covers(&self, method: Option<&Method>, pattern: &Pattern) -> bool {
        (self.method.is_none() || self.method.as_ref() == method) && self.pattern.covers(pattern)
    }
}

/// The first match counts, so a route below one that takes all of its requests would protect nothing.
fn never_reached(earlier: &Route, name: &str, method: Option<&Method>, pattern: &Pattern) -> StartError {
    let what = if earlier.method.as_ref() == method && earlier.pattern == *pattern {
        format!("route `{name}` is there twice; only the first would ever count")
    } else {
        let earlier = &earlier.rules.name;
        format!(
            "route `{name}` would never count: the earlier route `{earlier}` takes all of its requests; write \
             `{name}` above it"
        )
    };
    StartError::new(StartErrorKind::Config, what)
}

/// A parameter of the path that the rules name must be one that the path has.
fn refuse_unheard(rules: &Rules, pattern: Option<&Pattern>) -> Result<(), StartError> {
    let named = match &rules.resource {
        Some(Resource::Path(name)) => Some(&**name),
        Some(Resource::Body(_) | Resource::Header(_)) | None => None,
    };
    let heard = |name: &&str| pattern.is_some_and(|pattern| pattern.has(name));
    match rules.carriers.path().into_iter().chain(named).find(|name| !heard(name)) {
        None => Ok(()),
        Some(name) => Err(StartError::new(
            StartErrorKind::Config,
            format!("route `{}`: `path:{name}` needs `{{{name}}}` in its path", rules.name),
        )),
    }
}

fn can_be_keyed(method: Option<&Method>, rules: &Rules) -> bool {
    match method {
        Some(method) => rules.covers(method),
        None => rules.methods.iter().any(|method| rules.covers(method)),
    }
}

fn parse(text: &str) -> Result<(Option<Method>, Pattern), StartError> {
    let wrong = |why: &str| {
        StartError::new(
            StartErrorKind::Config,
            format!("route `{text}`: {why}; write for example `POST /transfers` or `PUT /orders/{{id}}`"),
        )
    };
    let (method, path) = match text.split_once(' ') {
        Some((method, path)) => {
            let known = METHODS.iter().find(|known| known.as_str() == method);
            let capitals = METHODS.iter().find(|known| known.as_str().eq_ignore_ascii_case(method));
            let unknown = || {
                capitals.map_or_else(
                    || wrong("no such method is known here"),
                    |capitals| wrong(&format!("write {capitals} in capitals")),
                )
            };
            (Some(known.ok_or_else(unknown)?.clone()), path)
        }
        None => (None, text),
    };
    Ok((method, Pattern::parse(path).map_err(wrong)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_that_could_never_count_is_refused() {
        let text = "[[route]]\nmatch = \"POST /a\"\n[[route]]\nmatch = \"POST /a/\"\nkey = \"required\"";
        let config = Config::parse(text, std::path::Path::new("onlyonce.toml")).unwrap();
        let refused = Routes::new(&config, &LedgerKey::new([1; 32])).map(drop).unwrap_err();
        assert!(refused.to_string().contains("`POST /a/` is there twice"), "{refused}");
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
            let config = Config::parse(&text, std::path::Path::new("onlyonce.toml")).unwrap();
            let refused = Routes::new(&config, &LedgerKey::new([0; 32])).err().map(|error| error.to_string());
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
            let config = Config::parse(&text, std::path::Path::new("onlyonce.toml")).unwrap();
            assert_eq!(Routes::new(&config, &LedgerKey::new([0; 32])).is_ok(), starts, "{text}");
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
    fn patterns_that_mean_nothing_are_refused() {
        for text in ["transfers", "post /x", "PSOT /x", "POST x", "/{*rest}/more"] {
            assert!(parse(text).is_err(), "{text}");
        }
        let told = parse("post /x").unwrap_err().to_string();
        assert!(told.contains("route `post /x`: write POST in capitals"), "{told}");
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
}
