//! From a principal and a key to the operation, for whoever has a customer on the telephone. A key that is part of a path is
//! named by the request that had it.
//!
//! A call of its own and no query: keys and credentials belong into no URL, no access log and no history.

use std::{collections::BTreeMap, fmt::Display};

use axum::extract;
use http::Method;
use onlyonce_core::{
    Key, RecordId,
    key::Syntax,
    scope::{CarrierKind, Principal, Scopes},
};
use onlyonce_http::PathKey;
use serde::Deserialize;
use serde_json::json;

use super::{
    State,
    answer::{self, Answer, Refusal},
    input::{Body, Shape},
    view::Operation,
};
use crate::principal::{Credential, Identify};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LookUp {
    principal: Named,
    key: Option<String>,
    request: Option<String>,
}

/// Whose key it is, by the gateway's own mode.
#[derive(Deserialize)]
#[serde(untagged)]
enum Named {
    /// What the trusted header says, or `anonymous`.
    Text(String),
    /// The credentials, by the names of the configuration.
    Credential(BTreeMap<String, String>),
}

impl Shape for LookUp {
    const SHAPE: &'static str = r#"{"principal": "anonymous", "key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}; `principal` is what the trusted header says, or {"header:authorization": "Bearer …"} where callers are known by their credential. Where the path is the key, "request": "PUT /orders/7" stands instead of `key`."#;
}

pub(super) async fn look_up(
    extract::State(state): extract::State<State>,
    Body(body): Body<LookUp>,
) -> Answer {
    let principal = body.principal.known(&state.identify, state.shared.scopes())?;
    let id = match (&body.key, &body.request) {
        (Some(key), None) => by_key(&state, &principal, key)?,
        (None, Some(request)) => by_request(&state, &principal, request)?,
        (None, None) => {
            return Err(refused("The member `key` is missing, or `request` where the path is the key"));
        }
        (Some(_), Some(_)) => {
            return Err(refused("Of `key` and `request` one is enough: a path is a key of its own"));
        }
    };
    let Some(record) = state.ledger().record(id).await? else { return Err(Refusal::not_found()) };
    let operation = Operation::new(record.operation_ref(id), &record, state.ledger().now());
    Ok(answer::json(&json!({ "operation": operation })))
}

fn by_key(state: &State, principal: &Principal, key: &str) -> Result<RecordId, Refusal> {
    // Both forms mean the same key; a strict route has taken only one of them.
    let key = Key::parse(key.as_bytes(), Syntax::Lenient).map_err(refused)?;
    Ok(state.shared.scopes().record_id(principal, CarrierKind::Explicit, &key))
}

/// What a request like `PUT /orders/7` has as its key, by the routes of this gateway.
fn by_request(state: &State, principal: &Principal, request: &str) -> Result<RecordId, Refusal> {
    let (method, target) = request.trim().split_once(' ').ok_or_else(no_request)?;
    let path = target.split(['?', '#']).next().filter(|path| path.starts_with('/')).ok_or_else(no_request)?;
    let method: Method = method.parse().map_err(|_| no_request())?;
    let rules = state.routes.rules(state.routes.find(&method, path));
    if !rules.covers(&method) {
        return Err(refused(format!("Requests of that method have no key on `{}`", rules.name)));
    }
    match PathKey::of(rules, path).map_err(refused)? {
        Some(key) => Ok(key.record_id(state.shared.scopes(), rules, principal)),
        None => Err(refused(format!(
            "Such a request falls under `{}`, which takes no key from a path: send `key`, as the client sent it",
            rules.name
        ))),
    }
}

fn no_request() -> Refusal {
    refused("`request` must be a method and a path, such as PUT /orders/7")
}

fn refused(why: impl Display) -> Refusal {
    Refusal::invalid(format!("{why}. Nothing was looked up."))
}

impl Named {
    fn known(&self, identify: &Identify, scopes: &Scopes) -> Result<Principal, Refusal> {
        match (identify, self) {
            (Identify::Anonymous, Self::Text(text)) if text == "anonymous" => Ok(Principal::anonymous()),
            (Identify::Anonymous, _) => Err(Refusal::invalid(
                "This gateway does not tell its callers apart: send \"principal\": \"anonymous\".",
            )),
            // A header's value has no white space around it by the time it is read.
            (Identify::Header { .. }, Self::Text(text)) if !text.trim().is_empty() => {
                Ok(Principal::header(text.trim().as_bytes()))
            }
            (Identify::Header { name, .. }, _) => Err(Refusal::invalid(format!(
                "This gateway knows its callers by the header {name}: send \"principal\" with its value."
            ))),
            (Identify::Credential { credentials, .. }, Self::Credential(given)) => {
                credential(given, credentials, scopes)
            }
            (Identify::Credential { credentials, .. }, Self::Text(_)) => Err(by_credential(credentials)),
        }
    }
}

fn credential(
    given: &BTreeMap<String, String>,
    credentials: &[Credential],
    scopes: &Scopes,
) -> Result<Principal, Refusal> {
    let known = |name: &String| credentials.iter().any(|credential| credential.label() == name);
    let found: Vec<_> = given.iter().map(|(name, value)| (name.as_str(), value.trim().as_bytes())).collect();
    if !given.keys().all(known) || found.iter().all(|(_, value)| value.is_empty()) {
        return Err(by_credential(credentials));
    }
    Ok(scopes.credential(&found))
}

fn by_credential(credentials: &[Credential]) -> Refusal {
    let labels: Vec<_> =
        credentials.iter().map(|credential| format!("\"{}\": \"…\"", credential.label())).collect();
    Refusal::invalid(format!(
        "This gateway knows its callers by their credential: send \"principal\": {{{}}} with the values that the \
         request carried, and those only.",
        labels.join(", ")
    ))
}
