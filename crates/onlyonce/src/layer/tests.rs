//! What each setter of a layer is for: one row each, and none is left out.

use std::collections::BTreeSet;

use onlyonce_core::{canonical::Content, fingerprint::Request, parameters::parameters};

use super::*;

type Unnamed = Layer<PrincipalMissing>;
/// What a setter is called, a call of it, and what must be so after it and not before.
type Row = (&'static str, fn(Unnamed) -> Unnamed, fn(&Unnamed) -> bool);

const SECOND: Duration = Duration::from_secs(1);
const HEADER: HeaderName = HeaderName::from_static("x-tenant");

const SETTERS: &[Row] = &[
    ("require_key", |to| to.require_key(), |of| of.rules.requirement == Requirement::Required),
    // It is the default: see below.
    (
        "optional_key",
        |to| to.require_key(),
        |of| of.clone().optional_key().rules.requirement != of.rules.requirement,
    ),
    ("name", |to| to.name("pay"), |of| of.named && &*of.rules.name == "pay"),
    ("methods", |to| to.methods([Method::PUT]), |of| of.rules.methods == [Method::PUT]),
    (
        "carriers",
        |to| to.carriers([Carrier::Header("x-tenant".into())]),
        |of| of.rules.carriers.headers() == [HEADER],
    ),
    ("strict_syntax", |to| to.strict_syntax(), |of| of.rules.syntax == Syntax::Strict),
    ("wait", |to| to.wait(SECOND), |of| of.rules.wait == SECOND),
    ("lease", |to| to.lease(SECOND), |of| of.rules.policy.lease == SECOND),
    ("deadline", |to| to.deadline(SECOND), |of| of.rules.policy.deadline == SECOND),
    ("retain_result", |to| to.retain_result(SECOND), |of| of.rules.policy.retain_result == SECOND),
    ("retain_key", |to| to.retain_key(SECOND), |of| of.retained && of.rules.policy.retain_key == SECOND),
    ("refuse_late", |to| to.refuse_late(), |of| of.rules.late == Late::RefuseDated),
    (
        "after_restore",
        |to| to.after_restore(AfterRestore::Refuse),
        |of| of.rules.after_restore == Some(AfterRestore::Refuse),
    ),
    (
        "rerun",
        |to| to.rerun(SECOND),
        |of| {
            let policy = &of.rules.policy;
            policy.on_unknown == OnUnknown::Rerun && policy.settle_after == Some(SECOND)
        },
    ),
    ("settle_after", |to| to.settle_after(SECOND), |of| of.rules.policy.settle_after == Some(SECOND)),
    (
        "on_mismatch",
        |to| to.on_mismatch(StatusCode::CONFLICT),
        |of| of.rules.mismatch == StatusCode::CONFLICT,
    ),
    ("conflict", |to| to.conflict(Conflict::None), |of| of.rules.conflict == Conflict::None),
    (
        "redact",
        |to| to.redact(["nick"]).redact(["age"]),
        |of| shown(of, "nick=a&age=b").matches("•••").count() == 2,
    ),
    ("count_headers", |to| to.count_headers([HEADER]), |of| of.rules.sameness.headers == [HEADER]),
    ("ignore", |to| to.ignore([sent_at()]), |of| of.rules.sameness.ignore == [sent_at()]),
    ("request_limit", |to| to.request_limit(7), |of| of.rules.request_limit == 7),
    ("answer_limit", |to| to.answer_limit(7), |of| of.rules.answer_limit == 7),
    ("without_bodies", |to| to.without_bodies(), |of| !of.rules.store_body),
    ("drop_headers", |to| to.drop_headers([HEADER]), |of| of.rules.drop == [HEADER]),
    (
        "outcome",
        |to| to.outcome(StatusCode::NOT_FOUND, Outcome::Unknown),
        |of| of.rules.outcomes.by_status.get(&404) == Some(&Outcome::Unknown),
    ),
    ("free_strictly", |to| to.free_strictly(), |of| of.rules.outcomes.frees == Frees::Strict),
    ("observe", |to| to.observe(), |of| of.rules.mode == Mode::Observe),
    ("fail_open", |to| to.fail_open(), |of| of.rules.fail_open),
];

#[tokio::test]
async fn every_setter_writes_the_rule_that_it_names() {
    let once = Onlyonce::open("memory:").await.unwrap();
    for (name, set, holds) in SETTERS {
        assert!(!holds(&once.layer()), "{name}: so without it");
        assert!(holds(&set(once.layer())), "{name} does nothing");
    }
}

#[test]
fn no_setter_is_left_out() {
    let source = include_str!("../layer.rs");
    let heads = source
        .split("pub fn ")
        .filter_map(|rest| rest.split_once('('))
        .filter(|(_, rest)| rest.starts_with("mut self"));
    let written: BTreeSet<_> = heads.filter_map(|(name, _)| name.split('<').next()).collect();
    assert_eq!(written, SETTERS.iter().map(|(name, ..)| *name).collect());
}

/// Whom the layer was told goes with all that was set before.
#[tokio::test]
async fn a_principal_takes_the_settings_along() {
    let layer = Onlyonce::open("memory:").await.unwrap().layer();
    let told = layer.name("pay").retain_key(SECOND).redact(["nick"]).anonymous();
    assert!(told.named && told.retained);
    assert_eq!((&*told.rules.name, told.rules.policy.retain_key), ("pay", SECOND));
    assert_eq!(told.hidden, ["nick"]);
}

fn sent_at() -> Pointer {
    Pointer::parse("/sent_at").unwrap()
}

/// What the owner of a key would be shown of a query.
fn shown(layer: &Unnamed, query: &str) -> String {
    let request = Request {
        authority: None,
        method: "POST",
        path: "/",
        query: Some(query),
        content_type: None,
        content_coding: None,
        headers: &[],
        content: &Content::Raw(&[]),
    };
    String::from_utf8(parameters(&layer.rules.redaction, &request, 0)).unwrap()
}
