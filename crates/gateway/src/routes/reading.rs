//! From a configuration to its routes, as far as they can be kept.
//!
//! A route that could protect nothing is refused: one below another that takes all of its requests, one that wants a key of
//! methods that never have one, one that names a parameter which its path does not have.

use std::sync::Arc;

use http::Method;
use onlyonce_core::LedgerKey;
use onlyonce_http::{
    Pattern, Rules,
    rules::{Requirement, Resource, Unkept},
};

use super::{Route, Routes};
use crate::{
    config::{self, Config, Settings},
    start_error::{StartError, StartErrorKind},
};

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

/// A route that cannot be kept.
#[derive(Clone, Debug)]
pub(crate) struct Unrouted {
    /// The route, counted from zero; `None`: the defaults.
    pub(crate) route: Option<usize>,
    name: String,
    pub(crate) unkept: Unkept,
    /// The route that it is compared with, where that is not itself.
    pub(crate) rival: Option<usize>,
}

impl Routes {
    /// The routes of a configuration. What none of them matches has the defaults.
    pub(crate) fn new(config: &Config, key: &LedgerKey) -> Result<Self, Unrouted> {
        let problem_base: Arc<str> = config.problem_base.as_str().into();
        let mut routes = Vec::with_capacity(config.route.len());
        for (number, config::Route { pattern, settings }) in config.route.iter().enumerate() {
            let refused =
                |unkept, rival| Unrouted { route: Some(number), name: pattern.clone(), unkept, rival };
            let route =
                Route::new(pattern, settings, &problem_base, key).map_err(|unkept| refused(unkept, None))?;
            if let Some((rival, unkept)) = route.never_reached(&routes) {
                return Err(refused(unkept, Some(rival)));
            }
            routes.push(route);
        }
        let refused = |unkept| Unrouted { route: None, name: "*".to_owned(), unkept, rival: None };
        let mut rest = config.defaults.rules("*", key).map_err(refused)?;
        rest.problem_base = problem_base;
        refuse_unheard(&rest, None).map_err(refused)?;
        Ok(Self { routes, rest: Arc::new(rest) })
    }
}

impl Route {
    fn new(
        name: &str,
        settings: &Settings,
        problem_base: &Arc<str>,
        key: &LedgerKey,
    ) -> Result<Self, Unkept> {
        let (method, pattern) = parse(name).map_err(|why| Unkept::new("match", why))?;
        let mut rules = settings.rules(name, key)?;
        if rules.requirement == Requirement::Required && !can_be_keyed(method.as_ref(), &rules) {
            let why = "is \"required\", and no method here could have a key; GET, HEAD and OPTIONS never do, others as \
                       far as `methods` lists them";
            return Err(Unkept::new("key", why).against("methods"));
        }
        refuse_unheard(&rules, Some(&pattern))?;
        rules.problem_base = Arc::clone(problem_base);
        rules.pattern = Some(pattern.clone());
        Ok(Self { method, pattern, rules: Arc::new(rules) })
    }

    /// Whether it takes every request of the other one.
    fn covers(&self, other: &Self) -> bool {
        (self.method.is_none() || self.method == other.method) && self.pattern.covers(&other.pattern)
    }

    /// The first match counts, so a route below one that takes all of its requests would protect nothing.
    fn never_reached(&self, earlier: &[Self]) -> Option<(usize, Unkept)> {
        let rival = earlier.iter().position(|earlier| earlier.covers(self))?;
        let earlier = earlier.get(rival)?;
        let why = if earlier.method == self.method && earlier.pattern == self.pattern {
            "is there twice; only the first would ever count".to_owned()
        } else {
            let (name, earlier) = (&self.rules.name, &earlier.rules.name);
            format!(
                "would never count: the earlier route `{earlier}` takes all of its requests; write `{name}` above it"
            )
        };
        Some((rival, Unkept::new("match", why).against("match")))
    }
}

/// A parameter of the path that the rules name must be one that the path has.
fn refuse_unheard(rules: &Rules, pattern: Option<&Pattern>) -> Result<(), Unkept> {
    let resource = match &rules.resource {
        Some(Resource::Path(name)) => Some(("resource", &**name)),
        Some(Resource::Body(_) | Resource::Header(_)) | None => None,
    };
    let carrier = rules.carriers.path().map(|name| ("carriers", name));
    let heard = |name: &str| pattern.is_some_and(|pattern| pattern.has(name));
    match carrier.into_iter().chain(resource).find(|(_, name)| !heard(name)) {
        None => Ok(()),
        Some((setting, name)) => {
            let why =
                format!("names `path:{name}`, which needs `{{{name}}}` in the path of the route's `match`");
            Err(Unkept::new(setting, why).against("match"))
        }
    }
}

fn can_be_keyed(method: Option<&Method>, rules: &Rules) -> bool {
    match method {
        Some(method) => rules.covers(method),
        None => rules.methods.iter().any(|method| rules.covers(method)),
    }
}

fn parse(text: &str) -> Result<(Option<Method>, Pattern), String> {
    let wrong = |why: &str| format!("{why}; write for example `POST /transfers` or `PUT /orders/{{id}}`");
    let (method, path) = match text.split_once(' ') {
        Some((method, path)) => {
            let known = METHODS.iter().find(|known| known.as_str() == method);
            let capitals = METHODS.iter().find(|known| known.as_str().eq_ignore_ascii_case(method));
            let unknown = || {
                capitals.map_or_else(
                    || wrong("names a method that is not known here"),
                    |capitals| wrong(&format!("must have {capitals} in capitals")),
                )
            };
            (Some(known.ok_or_else(unknown)?.clone()), path)
        }
        None => (None, text),
    };
    Ok((method, Pattern::parse(path).map_err(wrong)?))
}

impl From<Unrouted> for StartError {
    /// Without a place: a configuration that is read from a file has been refused there.
    fn from(refused: Unrouted) -> Self {
        let Unrouted { name, unkept, .. } = refused;
        Self::new(StartErrorKind::Config, format!("route `{name}`: {unkept}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_mean_nothing_are_refused() {
        for text in ["transfers", "post /x", "PSOT /x", "POST x", "/{*rest}/more"] {
            assert!(parse(text).is_err(), "{text}");
        }
        let told = parse("post /x").unwrap_err();
        assert!(told.starts_with("must have POST in capitals; write for example"), "{told}");
    }
}
