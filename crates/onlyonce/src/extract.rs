//! What axum's handlers take and give.

use axum::{
    body::Body,
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};
use std::convert::Infallible;

use crate::{operation::Operation, problem::Problem, routes};

/// Needs a layer, and a key. Without either it is a mistake of the service: 500, and a log line that says which.
impl<S: Sync> FromRequestParts<S> for Operation {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::of(&parts.extensions).ok_or_else(|| missing(parts))
    }
}

/// `None` for a request without a key.
impl<S: Sync> OptionalFromRequestParts<S> for Operation {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(Self::of(&parts.extensions))
    }
}

fn missing(parts: &Parts) -> Problem {
    tracing::error!(
        method = %parts.method,
        route = routes::matched(parts),
        "a handler takes an `Operation`, and there is none: the layer of onlyonce is missing on this route (add \
         `.route_layer(once.layer()…)` after the route), it does not cover this method, or the key is optional and the \
         request has none (say `require_key()`, or take an `Option<Operation>`)"
    );
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "The service is set up wrongly. Nothing was done.")
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.into_answer().map(Body::from)
    }
}
