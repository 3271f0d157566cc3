//! A request of our own: without a body, safe to repeat, its answer read whole and within a bound.

use std::{future::poll_fn, io, pin::Pin, sync::Arc};

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body::Body;

use super::{
    RequestBody,
    answer::AnswerBody,
    pool::{NotOpened, Pool},
    proxy::is_framed_once,
};

impl Pool {
    /// Asks, and gives the whole answer. Redirects are not followed. Bounding the time is the caller's.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        request: Request<RequestBody>,
        limit: usize,
    ) -> io::Result<Response<Bytes>> {
        let mut connection = self.fresh().await.map_err(|why| match why {
            NotOpened::NoPlace => io::Error::other("no place for another connection"),
            NotOpened::Unreachable(error) => error,
        })?;
        let answer = connection.send(request, None).await.map_err(|_| io::Error::other("no answer"))?;
        if !is_framed_once(answer.headers()) {
            return Err(io::Error::other("the answer is framed in two ways or an unknown one"));
        }
        let (parts, body) = answer.into_parts();
        let mut body = AnswerBody::new(body, connection, Arc::clone(self));
        let mut whole = BytesMut::new();
        while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
            let Ok(data) = frame.map_err(io::Error::other)?.into_data() else { continue };
            if whole.len() + data.len() > limit {
                return Err(io::Error::other(format!("the answer is larger than {limit} bytes")));
            }
            whole.extend_from_slice(&data);
        }
        Ok(Response::from_parts(parts, whole.freeze()))
    }
}
