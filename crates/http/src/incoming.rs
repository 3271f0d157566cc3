//! Reading a keyed request's body, whole, within its limits.
//!
//! Nothing is looked up or claimed before the whole body has arrived and its length is right.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use onlyonce_core::problem;

use crate::{body::BoxError, buffers::Reserved, problem::Refused, rules::Rules};

/// Why a body is not read to its end.
pub(crate) enum Unread {
    /// It is too large or too slow, or it broke off.
    Refused(Box<Refused>),
    /// All requests together have buffered as much as they may, or all of its caller's.
    NoRoom,
}

/// Reads the body into this room, or says why not.
pub(crate) async fn read<B>(body: B, rules: &Rules, room: Reserved) -> Result<Bytes, Unread>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    if body.size_hint().lower() > rules.request_limit as u64 {
        return Err(too_large(rules));
    }
    tokio::time::timeout(rules.request_time, collect(body, rules, room))
        .await
        .unwrap_or_else(|_| Err(too_slow(rules)))
}

async fn collect<B>(body: B, rules: &Rules, mut room: Reserved) -> Result<Bytes, Unread>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let mut body = std::pin::pin!(body);
    let mut first: Option<Bytes> = None;
    let mut more = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return Err(broken_off());
        };
        let Ok(data) = frame.into_data() else { continue };
        let so_far = first.as_ref().map_or(0, Bytes::len) + more.len();
        if so_far + data.len() > rules.request_limit {
            return Err(too_large(rules));
        }
        if !room.grow(data.len()) {
            return Err(Unread::NoRoom);
        }
        match &first {
            // The usual request comes in one piece, and need not be copied.
            None => first = Some(data),
            Some(_) => more.extend_from_slice(&data),
        }
    }
    let first = first.unwrap_or_default();
    if more.is_empty() {
        return Ok(room.hold(first));
    }
    let mut whole = BytesMut::with_capacity(first.len() + more.len());
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&more);
    Ok(room.hold(whole.freeze()))
}

fn refused(refused: Refused) -> Unread {
    Unread::Refused(Box::new(refused))
}

fn broken_off() -> Unread {
    refused(Refused::new(
        problem::REQUEST_INCOMPLETE,
        "The body broke off or its length is wrong. Nothing was done. Send the request again with the same key.",
    ))
}

fn too_slow(rules: &Rules) -> Unread {
    let detail = format!(
        "The body did not arrive within {} s. Nothing was done. Send the request again with the same key.",
        rules.request_time.as_secs()
    );
    refused(Refused::new(problem::REQUEST_INCOMPLETE, detail).status(http::StatusCode::REQUEST_TIMEOUT))
}

fn too_large(rules: &Rules) -> Unread {
    refused(Refused::new(
        problem::REQUEST_TOO_LARGE,
        format!(
            "A keyed request on this route may have a body of {} bytes at most. Nothing was done. \
             Send a smaller one, or raise `request_limit`.",
            rules.request_limit
        ),
    ))
}
