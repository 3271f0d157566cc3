//! Where a request has its key, by the carriers of its route.
//!
//! In two steps, since some keys stand in the body: what the head tells, and then what the whole body does. Order of
//! judgement, the first that applies: early data, principal, key missing or invalid.
//!
//! Invariant: an explicit key goes before one of the path, and that before a derived one. Explicit keys that differ are
//! refused, and so is a body in which one may stand that nobody can read.

use std::sync::Arc;

use http::{HeaderName, HeaderValue, request::Parts};
use onlyonce_core::{
    Fingerprint, Key, Owner, RecordId, Timestamp,
    carrier::{Carrier, Unfit},
    fingerprint::{self, Recipe},
    problem,
    scope::{self, Principal, PrincipalMode},
};

use crate::{
    headers,
    layer::Layer,
    path_key::PathKey,
    problem::Refused,
    rules::{Requirement, Rules},
    shared::Shared,
};

/// In the place of an owner for those of whom nobody knows who they are. A hash has no such value.
const STRANGERS: Owner = Owner([0; 16]);

/// What a request's head says of its key.
pub(crate) enum Head {
    /// Nobody says what keys mean here.
    Ruleless,
    /// There is none, or it means nothing.
    Unkeyed(Arc<Rules>),
    /// The body is to be read.
    Read(Box<Candidate>),
    Refused(Box<Refusal>),
}

/// A refusal before the ledger was asked.
pub(crate) struct Refusal {
    pub(crate) refused: Box<Refused>,
    pub(crate) rules: Arc<Rules>,
    pub(crate) echo: Option<Echo>,
}

/// A request that has a key, or may have one in its body.
pub(crate) struct Candidate {
    pub(crate) rules: Arc<Rules>,
    given: Option<Given>,
    /// `None`: without a key it passes, whoever sends it.
    asker: Option<Asker>,
}

/// A principal, and whose records his are.
pub(crate) struct Asker {
    pub(crate) principal: Principal,
    pub(crate) owner: Owner,
}

/// A key, and how it came.
struct Given {
    key: Key,
    class: Class,
    echo: Option<Echo>,
}

/// A request with a valid key and a known principal.
pub(crate) struct Keyed {
    pub(crate) key: Key,
    pub(crate) class: Class,
    pub(crate) echo: Option<Echo>,
    pub(crate) asker: Asker,
    pub(crate) rules: Arc<Rules>,
}

/// The key as the client wrote it, in the header by which it came.
#[derive(Clone)]
pub(crate) struct Echo {
    pub(crate) name: HeaderName,
    pub(crate) value: HeaderValue,
}

/// What a key came by; each class has keys of its own.
pub(crate) enum Class {
    Explicit,
    /// With what else of the path names the same thing.
    Path(Box<[String]>),
    /// What makes the key is all that counts of the request.
    Derived(Fingerprint),
}

impl Layer {
    /// Judges the head of a request that falls under the rules.
    pub(crate) fn search(&self, rules: Arc<Rules>, parts: &Parts) -> Head {
        if !rules.covers(&parts.method) {
            return Head::Unkeyed(rules);
        }
        let carriers = &rules.carriers;
        let sent = carriers.headers().iter().find_map(|name| Some((name, parts.headers.get(name)?)));
        let in_path = sent.is_none() && carriers.path().is_some();
        let required = rules.requirement == Requirement::Required;
        if sent.is_none() && !required && !carriers.beyond_headers() {
            return Head::Unkeyed(rules);
        }
        let echo = || sent.map(|(name, value)| Echo { name: name.clone(), value: value.clone() });
        let refused = |refused| {
            let rules = Arc::clone(&rules);
            Head::Refused(Box::new(Refusal { refused, rules, echo: echo() }))
        };
        let keyed = sent.is_some() || in_path;
        if keyed && is_early(parts) {
            return refused(too_early());
        }
        let asker = match (keyed || required).then(|| self.asker(parts)).transpose() {
            Ok(asker) => asker,
            Err(detail) => return refused(unidentified(detail)),
        };
        let given = match sent {
            Some((name, value)) => by_header(&rules, parts, name, value).map(Some),
            None => by_path(&rules, self.sent_to(parts).path()),
        };
        match given {
            Err(problem) => refused(problem),
            Ok(None) if !carriers.needs_body() => refused(missing(&rules)),
            Ok(given) => Head::Read(Box::new(Candidate { rules, given, asker })),
        }
    }

    fn asker(&self, parts: &Parts) -> Result<Asker, String> {
        let principal = self.identify(parts)?;
        let owner = self.shared().scopes.owner(&principal);
        Ok(Asker { principal, owner })
    }
}

impl Asker {
    /// Who takes no more than his share of what all have together; `None` where everybody is the same.
    pub(crate) fn one_of_many(&self) -> Option<Owner> {
        (self.principal.mode() != PrincipalMode::Anonymous).then_some(self.owner)
    }
}

impl Candidate {
    /// How the key came, where the head tells it.
    pub(crate) fn echo(&self) -> Option<&Echo> {
        self.given.as_ref().and_then(|given| given.echo.as_ref())
    }

    /// The record of the key, where the head tells it.
    pub(crate) fn record_id(&self, shared: &Shared) -> Option<RecordId> {
        let (given, asker) = (self.given.as_ref()?, self.asker.as_ref()?);
        Some(record_id(shared, &self.rules, &asker.principal, &given.class, &given.key))
    }

    /// Whose share of the buffered bytes its body takes. Those who are not known yet have one together.
    pub(crate) fn one_of_many(&self) -> Option<Owner> {
        self.asker.as_ref().map_or(Some(STRANGERS), Asker::one_of_many)
    }

    /// Judges the whole request; `None`: it has no key and needs none.
    pub(crate) fn judge(
        self,
        layer: &Layer,
        parts: &Parts,
        request: &fingerprint::Request<'_>,
    ) -> Result<Option<Keyed>, Box<Refused>> {
        let Self { rules, given, asker } = self;
        let needs_body = rules.carriers.needs_body();
        let known = given.is_some();
        let found = if needs_body { in_body(layer.shared(), &rules, given, request)? } else { given };
        let Some(Given { key, class, echo }) = found else { return Ok(None) };
        if !known && is_early(parts) {
            return Err(too_early());
        }
        let asker = match asker {
            Some(asker) => asker,
            None => layer.asker(parts).map_err(unidentified)?,
        };
        Ok(Some(Keyed { key, class, echo, asker, rules }))
    }
}

impl Keyed {
    /// When the key was made, if it tells.
    pub(crate) fn birth(&self, now: Timestamp) -> Option<Timestamp> {
        self.key.birth(self.rules.ulid, now)
    }

    /// What goes to the service as the key, where that is the client's. A derived one is none: it would be the same again
    /// for what is meant anew.
    pub(crate) fn as_sent(&self) -> Option<HeaderValue> {
        match self.class {
            Class::Explicit | Class::Path(_) => Some(item(&self.key).value),
            Class::Derived(_) => None,
        }
    }

    pub(crate) fn record_id(&self, shared: &Shared) -> RecordId {
        record_id(shared, &self.rules, &self.asker.principal, &self.class, &self.key)
    }
}

fn record_id(shared: &Shared, rules: &Rules, principal: &Principal, class: &Class, key: &Key) -> RecordId {
    let route = &*rules.name;
    let carrier = match class {
        Class::Explicit => scope::CarrierKind::Explicit,
        Class::Path(others) => scope::CarrierKind::Path { route, others },
        Class::Derived(_) => scope::CarrierKind::Derived { route },
    };
    shared.scopes.record_id(principal, carrier, key)
}

/// The key of the headers, of which `name` is the first that is there.
fn by_header(
    rules: &Rules,
    parts: &Parts,
    name: &HeaderName,
    value: &HeaderValue,
) -> Result<Given, Box<Refused>> {
    let read = |value: &HeaderValue| Key::parse(value.as_bytes(), rules.syntax).map_err(invalid);
    let key = read(value)?;
    for other in rules.carriers.headers() {
        let mut lines = parts.headers.get_all(other).iter();
        let line = lines.next();
        if lines.next().is_some() {
            return Err(invalid(format_args!("{other} was sent more than once; send one line with one key")));
        }
        if other != name && line.map(read).transpose()?.is_some_and(|other| other != key) {
            return Err(disagreeing());
        }
    }
    Ok(Given { key, class: Class::Explicit, echo: Some(Echo { name: name.clone(), value: value.clone() }) })
}

fn by_path(rules: &Rules, path: &str) -> Result<Option<Given>, Box<Refused>> {
    let found = PathKey::of(rules, path).map_err(invalid)?;
    Ok(found.map(|PathKey { key, others }| Given { echo: Some(item(&key)), key, class: Class::Path(others) }))
}

/// The key after the body was searched too.
fn in_body(
    shared: &Shared,
    rules: &Rules,
    given: Option<Given>,
    request: &fingerprint::Request<'_>,
) -> Result<Option<Given>, Box<Refused>> {
    let mut explicit =
        given.as_ref().filter(|given| matches!(given.class, Class::Explicit)).map(|given| given.key.clone());
    let in_header = explicit.is_some();
    let mut looked = Looked::default();
    for carrier in rules.carriers.body() {
        match looked.at(carrier, request)? {
            None => {}
            Some(key) if explicit.as_ref().is_some_and(|explicit| *explicit != key) => {
                return Err(disagreeing());
            }
            Some(key) => explicit = Some(key),
        }
    }
    match (explicit, given) {
        (Some(_), given) if in_header => Ok(given),
        // Another reader may find a key in it, so none of the others may stand in for it.
        _ if looked.unreadable => Err(invalid(Unfit::Unreadable)),
        (Some(key), _) => Ok(Some(Given { echo: Some(item(&key)), key, class: Class::Explicit })),
        (None, Some(given)) => Ok(Some(given)),
        (None, None) => derived(shared, rules, &looked, request),
    }
}

fn derived(
    shared: &Shared,
    rules: &Rules,
    looked: &Looked,
    request: &fingerprint::Request<'_>,
) -> Result<Option<Given>, Box<Refused>> {
    if let Some(members) = rules.carriers.derived() {
        match shared.fingerprinter.derive(Recipe::V1, members, request) {
            Ok((key, fingerprint)) => {
                return Ok(Some(Given { key, class: Class::Derived(fingerprint), echo: None }));
            }
            Err(Unfit::Missing) => return Err(missing(rules)),
            Err(Unfit::Foreign) => {}
            Err(unfit) => return Err(invalid(unfit)),
        }
    }
    match rules.requirement {
        Requirement::Required if !looked.through => Err(invalid(Unfit::Foreign)),
        Requirement::Required => Err(missing(rules)),
        Requirement::Optional | Requirement::Off => Ok(None),
    }
}

/// What became of the search of a body.
#[derive(Default)]
struct Looked {
    /// Some carrier could have its key in it.
    through: bool,
    /// Some carrier may have its key in it, and nobody can tell.
    unreadable: bool,
}

impl Looked {
    fn at(
        &mut self,
        carrier: &Carrier,
        request: &fingerprint::Request<'_>,
    ) -> Result<Option<Key>, Box<Refused>> {
        match carrier.find(request.content_type, request.content) {
            Ok(key) => {
                self.through = true;
                Ok(key)
            }
            Err(Unfit::Foreign) => Ok(None),
            Err(Unfit::Unreadable) => {
                self.unreadable = true;
                Ok(None)
            }
            Err(unfit) => Err(invalid(unfit)),
        }
    }
}

/// Set by whoever took the request from TLS early data. What is not exactly one line of `0` counts as `1` (RFC 8470,
/// section 5.1: more than one line, and any other value, may be one that was in early data).
fn is_early(parts: &Parts) -> bool {
    let mut lines = parts.headers.get_all(headers::EARLY_DATA).iter();
    lines.next().is_some_and(|line| line != "0" || lines.next().is_some())
}

fn item(key: &Key) -> Echo {
    let value = HeaderValue::try_from(key.to_item()).expect("an Item String is visible ASCII");
    Echo { name: headers::KEY, value }
}

fn unidentified(detail: String) -> Box<Refused> {
    Box::new(Refused::new(problem::PRINCIPAL_REQUIRED, detail))
}

fn too_early() -> Box<Refused> {
    Box::new(Refused::new(
        problem::TOO_EARLY,
        "A request with a key is not taken from early data, which may be replayed by anybody. Nothing was done. Send \
         it again with the same key.",
    ))
}

fn missing(rules: &Rules) -> Box<Refused> {
    Box::new(Refused::new(
        problem::KEY_MISSING,
        format!(
            "{} needs {}, so that it can be repeated safely. Nothing was done. Make one key per intent, for example a \
             UUID, and send the same one with every repeat.",
            rules.name, rules.carriers
        ),
    ))
}

fn invalid(why: impl std::fmt::Display) -> Box<Refused> {
    Box::new(Refused::new(problem::KEY_INVALID, format!("{why}. Nothing was done.")))
}

fn disagreeing() -> Box<Refused> {
    invalid("the request holds two keys that differ; send one, or the same in both places")
}
