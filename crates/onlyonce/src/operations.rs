//! The endpoint that tells what became of an operation.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body_util::Empty;
use onlyonce_core::{problem::URN_BASE, scope::Principal};
use onlyonce_http::{Body, Layer, Shared, layer::Starts, operations};
use tower_service::Service;

use crate::identified::Identified;

/// Where an operation's owner asks what became of it: the path at which [`Operations`] has to be mounted, as axum
/// writes paths.
pub const OPERATIONS_ROUTE: &str = "/.well-known/idempotency/operations/{operation_ref}";

/// Tells the owner of an operation what became of it: `running`, `applied`, `refused`, `unknown` or `released`. Runs
/// nothing; anybody else gets 404. Made by [`Onlyonce::operations`](crate::Onlyonce::operations).
#[derive(Clone, Debug)]
pub struct Operations(Layer);

impl Operations {
    pub(crate) fn new(
        shared: Arc<Shared>,
        principal: impl Fn(&Parts) -> Option<Principal> + Send + Sync + 'static,
    ) -> Self {
        let identified = Identified::new(principal);
        let identify = move |parts: &Parts, _: &_| identified.identify(parts);
        Self(Layer::new(shared, Starts::BeforeCall, Box::new(|_| None), Box::new(identify)))
    }
}

impl<B> Service<Request<B>> for Operations {
    type Response = Response<Body<Empty<Bytes>>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let layer = self.0.clone();
        let (parts, _) = request.into_parts();
        Box::pin(async move {
            let reference = operations::asked_for(parts.uri.path()).unwrap_or_default();
            Ok(operations::answer(&layer, &parts, reference, URN_BASE).await)
        })
    }
}
