//! What of a request counts, and what of it the ledger sees.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use http::{HeaderName, Uri, header, request::Parts};
use onlyonce_core::{
    Policy,
    canonical::{self, Content},
    carrier::Carrier,
    fingerprint::{Recipe, Request},
    parameters::parameters,
    problem,
};
use onlyonce_ledger::begin;

use crate::{
    layer::Layer,
    problem::Refused,
    rules::{Conflict, Late, Rules},
    search::{Candidate, Class, Keyed},
    shared::Shared,
};

/// A request whose key was found, and how the ledger sees it.
pub(crate) type Found = (Keyed, begin::Request);

/// Judges a request whose body was read; `None`: it has no key and needs none.
pub(crate) fn judge(
    layer: &Layer,
    candidate: Candidate,
    parts: &Parts,
    body: &Bytes,
) -> Result<Option<Found>, Box<Refused>> {
    let rules = Arc::clone(&candidate.rules);
    let head = Counted::read(&rules, layer, parts)?;
    let mut content = head.content(&rules, body);
    let Some(keyed) = candidate.judge(layer, parts, &head.with(&content))? else { return Ok(None) };
    leave_out(&rules, &mut content, body);
    let seen = seen_by_ledger(layer.shared(), &keyed, &head.with(&content), body.len());
    Ok(Some((keyed, seen)))
}

/// What counts of a request beside its body.
struct Counted<'a> {
    parts: &'a Parts,
    /// Where it was sent; a router may have cut what `parts` has.
    sent_to: &'a Uri,
    /// Its path, and where it came from if that is another one.
    path: Cow<'a, str>,
    authority: Option<&'a str>,
    content_type: Option<&'a str>,
    content_coding: Option<Cow<'a, str>>,
    headers: Vec<(&'a str, &'a [u8])>,
}

impl<'a> Counted<'a> {
    fn read(rules: &'a Rules, layer: &Layer, parts: &'a Parts) -> Result<Self, Box<Refused>> {
        let sent_to = layer.sent_to(parts);
        let path = match layer.turned_from(parts) {
            None => Cow::Borrowed(sent_to.path()),
            // Neither stands for the other: two of one path may have been turned to two, and two paths to one.
            Some(original) => Cow::Owned(format!("{} {original}", sent_to.path())),
        };
        let host = || parts.headers.get(header::HOST).and_then(|value| value.to_str().ok());
        let authority = sent_to.authority().map(http::uri::Authority::as_str).or_else(host);
        let (content_type, more) = lines(parts, &header::CONTENT_TYPE)?;
        if !more.is_empty() {
            // The service may read the other line.
            return Err(ambiguous(&header::CONTENT_TYPE, "was sent more than once"));
        }
        let (coding, more) = lines(parts, &header::CONTENT_ENCODING)?;
        let content_coding = coding.map(|first| match more.as_slice() {
            [] => Cow::Borrowed(first),
            more => Cow::Owned([first, &more.join(",")].join(",")),
        });
        Ok(Self {
            parts,
            sent_to,
            path,
            authority: authority.filter(|_| rules.sameness.authority),
            content_type,
            content_coding,
            headers: named(rules, parts),
        })
    }

    fn content<'b>(&self, rules: &Rules, body: &'b Bytes) -> Content<'b> {
        if rules.sameness.raw && !rules.carriers.needs_body() {
            return Content::Raw(body);
        }
        let coded = canonical::codings(self.content_coding.as_deref()).next().is_some();
        Content::read(self.content_type, coded, body)
    }

    fn with<'b>(&'b self, content: &'b Content<'b>) -> Request<'b> {
        Request {
            authority: self.authority,
            method: self.parts.method.as_str(),
            path: &self.path,
            query: self.sent_to.query(),
            content_type: self.content_type,
            content_coding: self.content_coding.as_deref(),
            headers: &self.headers,
            content,
        }
    }
}

/// Leaves out what does not count. The key itself is in the record's id, and two carriers of it make one request.
fn leave_out<'a>(rules: &Rules, content: &mut Content<'a>, body: &'a Bytes) {
    if rules.sameness.raw {
        *content = Content::Raw(body);
        return;
    }
    for carrier in rules.carriers.body() {
        match carrier {
            Carrier::Body(pointer) => content.ignore(pointer),
            Carrier::Form(name) => content.ignore_field(name),
            Carrier::Header(_) | Carrier::Path(_) | Carrier::Derive(_) => {}
        }
    }
    rules.sameness.ignore.iter().for_each(|pointer| content.ignore(pointer));
}

fn seen_by_ledger(shared: &Shared, keyed: &Keyed, request: &Request<'_>, length: usize) -> begin::Request {
    let rules = &keyed.rules;
    let fingerprint = match keyed.class {
        Class::Derived(fingerprint) => fingerprint,
        Class::Explicit | Class::Path(_) => shared.fingerprinter.fingerprint(Recipe::V1, request),
    };
    begin::Request {
        id: keyed.record_id(shared),
        recipe: Recipe::V1,
        fingerprint,
        owner: keyed.asker.owner,
        one_of_many: keyed.asker.one_of_many().is_some(),
        route: rules.name.to_string(),
        policy: policy(shared, keyed),
        parameters: match rules.conflict {
            // What is never shown is not kept.
            Conflict::None => Bytes::new(),
            Conflict::Canonical | Conflict::Fields => parameters(&rules.redaction, request, length).into(),
        },
    }
}

/// What the route promises. A key that is born later than now, by a clock that is fast, is remembered for as long as its
/// own birth lets it pass (see [`crate::rules::Late`]).
fn policy(shared: &Shared, keyed: &Keyed) -> Policy {
    let policy = keyed.rules.policy.clone();
    let now = shared.ledger.now();
    match keyed.birth(now).filter(|_| keyed.rules.late == Late::RefuseDated) {
        Some(born) => Policy { retain_key: policy.retain_key.saturating_add(born.since(now)), ..policy },
        None => policy,
    }
}

/// The lines of the headers that count, in the order of the rules.
fn named<'a>(rules: &'a Rules, parts: &'a Parts) -> Vec<(&'a str, &'a [u8])> {
    let lines = |name: &'a HeaderName| {
        let lines = parts.headers.get_all(name).iter();
        lines.map(|value| (name.as_str(), value.as_bytes().trim_ascii()))
    };
    rules.sameness.headers.iter().flat_map(lines).collect()
}

/// The first line of a header, and the others.
fn lines<'a>(parts: &'a Parts, name: &HeaderName) -> Result<(Option<&'a str>, Vec<&'a str>), Box<Refused>> {
    let lines = parts.headers.get_all(name).iter();
    let mut texts = lines.map(|line| line.to_str().map_err(|_| ambiguous(name, "holds what is not ASCII")));
    Ok((texts.next().transpose()?, texts.collect::<Result<_, _>>()?))
}

fn ambiguous(name: &HeaderName, what: &str) -> Box<Refused> {
    let detail = format!("{name} {what}. Nothing was done. Send one line of it.");
    Box::new(Refused::new(problem::REQUEST_AMBIGUOUS, detail))
}
