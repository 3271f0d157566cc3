//! A request that passes unprotected, because its route says so and the ledger cannot be asked (`fail_open`).
//!
//! Only where nothing at all is known of its key: a record that was seen, an attempt that runs here, a claim in doubt or a
//! bound that is reached are refused as everywhere. It goes as a request without a key would: with its client, without
//! `Idempotency-Operation`, and its answer says nothing of keys.

use bytes::Bytes;
use http::{Response, StatusCode, header, request::Parts};
use onlyonce_ledger::Error;

use crate::{
    body::Body,
    headers,
    rules::{ForwardKey, Rules},
    service::Call,
    shared::Shared,
};

pub(crate) async fn pass<R>(
    call: Call<R>,
    shared: &Shared,
    rules: &Rules,
    parts: Parts,
    body: Bytes,
    why: &Error,
) -> Response<Body<R>> {
    rules.counted.fail_open(shared.ledger.meter(), &rules.name);
    tracing::error!(route = %rules.name, error = %why, "a keyed request passed unprotected");
    forward(call, rules, parts, body).await
}

/// A request whose body was read goes as one without a key.
pub(crate) async fn forward<R>(
    call: Call<R>,
    rules: &Rules,
    mut parts: Parts,
    body: Bytes,
) -> Response<Body<R>> {
    unkeyed(rules, &mut parts, body.len());
    match call(parts, body).await {
        Ok(answer) => {
            let mut answer = answer.map(Body::through);
            answer.headers_mut().remove(headers::OUTCOME);
            answer
        }
        Err(error) => {
            tracing::error!(route = %rules.name, %error, "the handler failed");
            let mut answer = Response::new(Body::whole(Bytes::new()));
            *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            answer
        }
    }
}

/// The head of a request whose body was read, and whose key means nothing.
fn unkeyed(rules: &Rules, parts: &mut Parts, length: usize) {
    let headers = &mut parts.headers;
    for name in [header::EXPECT, header::TRANSFER_ENCODING, header::TRAILER] {
        headers.remove(name);
    }
    for name in [headers::OPERATION, headers::ATTEMPT, headers::OUTCOME] {
        headers.remove(name);
    }
    if rules.forward_key != ForwardKey::AsSent {
        headers.remove(headers::KEY);
    }
    headers.insert(header::CONTENT_LENGTH, length.into());
}
