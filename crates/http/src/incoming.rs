//! Reading a keyed request's body, whole, within its limits.
//!
//! Nothing is looked up or claimed before the whole body has arrived and its length is right.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use onlyonce_core::problem;

use crate::{body::BoxError, problem::Refused, rules::Rules};

/// Reads the body, or says why not.
pub(crate) async fn read<B>(body: B, rules: &Rules) -> Result<Bytes, Refused>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    if body.size_hint().lower() > rules.request_limit as u64 {
        return Err(too_large(rules));
    }
    match tokio::time::timeout(rules.request_time, collect(body, rules)).await {
        Ok(read) => read,
        Err(_) => Err(Refused::new(
            problem::REQUEST_INCOMPLETE,
            format!(
                "The body did not arrive within {} s. Nothing was done. Send the request again with the same key.",
                rules.request_time.as_secs()
            ),
        )
        .status(http::StatusCode::REQUEST_TIMEOUT)),
    }
}

async fn collect<B>(body: B, rules: &Rules) -> Result<Bytes, Refused>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let mut body = std::pin::pin!(body);
    let mut first: Option<Bytes> = None;
    let mut more = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return Err(Refused::new(
                problem::REQUEST_INCOMPLETE,
                "The body broke off or its length is wrong. Nothing was done. Send the request again with the same key.",
            ));
        };
        let Ok(data) = frame.into_data() else { continue };
        let so_far = first.as_ref().map_or(0, Bytes::len) + more.len();
        if so_far + data.len() > rules.request_limit {
            return Err(too_large(rules));
        }
        match &first {
            // The usual request comes in one piece, and need not be copied.
            None => first = Some(data),
            Some(_) => more.extend_from_slice(&data),
        }
    }
    let first = first.unwrap_or_default();
    if more.is_empty() {
        return Ok(first);
    }
    let mut whole = BytesMut::with_capacity(first.len() + more.len());
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&more);
    Ok(whole.freeze())
}

fn too_large(rules: &Rules) -> Refused {
    Refused::new(
        problem::REQUEST_TOO_LARGE,
        format!(
            "A keyed request on this route may have a body of {} bytes at most. Nothing was done. \
             Send a smaller one, or raise `request_limit`.",
            rules.request_limit
        ),
    )
}
