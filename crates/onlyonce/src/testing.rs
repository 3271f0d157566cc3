//! A ledger in memory, and a service put through what makes services act twice.
//!
//! [`assert_once`] sends one request again and again: in sequence, all at once, with its answer thrown away, with its
//! client gone after every number of polls, with its body cut off, and with another body under the same key. It panics
//! with what was violated. It knows nothing of how the service keeps its promise: any service can be put to it.

mod body;
mod seen;
mod trial;

use http::Request;
use tower_service::Service;

pub use body::TestBody;

use crate::{handle::Onlyonce, service::BoxError};
use trial::Trial;

impl Onlyonce {
    /// On a ledger in memory, which is gone with the handle: for tests.
    pub async fn testing() -> Self {
        let opened = Self::open("memory:").await;
        opened.expect("memory needs no permission and no disk")
    }
}

/// Asserts that a service acts once per key, and gives every repeat the answer of the first.
///
/// `request` is one that takes effect: method, path, headers (those that authenticate, and no key) and body. It is sent
/// some 250 times under up to 70 fresh keys, and must be able to take effect once under each. `effects` counts what
/// took effect, from anywhere. The service is a `Router`, or anything else that takes a [`TestBody`].
///
/// ```
/// # use std::sync::atomic::{AtomicUsize, Ordering};
/// # use axum::{Router, http::{Request, StatusCode}, routing::post};
/// # use bytes::Bytes;
/// # use onlyonce::{Onlyonce, testing::assert_once};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// static TRANSFERS: AtomicUsize = AtomicUsize::new(0);
///
/// async fn transfer() -> (StatusCode, String) {
///     let number = TRANSFERS.fetch_add(1, Ordering::SeqCst);
///     (StatusCode::CREATED, format!("transfer {number}"))
/// }
///
/// let once = Onlyonce::testing().await;
/// let app = Router::new()
///     .route("/transfers", post(transfer))
///     .route_layer(once.layer().require_key().anonymous());
/// let request = Request::post("/transfers").body(Bytes::from_static(b"{\"amount\":100}")).unwrap();
/// assert_once(app, request, || TRANSFERS.load(Ordering::SeqCst)).await;
/// # }
/// ```
///
/// # Panics
/// With what was violated, and how: an effect too many or too few, an answer that differs, a body that was not compared.
pub async fn assert_once<S, R>(service: S, request: Request<bytes::Bytes>, effects: impl Fn() -> usize)
where
    S: Service<Request<TestBody>, Response = http::Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    R: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    let trial = Trial::new(service, request, effects);
    trial.sequence().await;
    trial.race().await;
    trial.dropped_answer().await;
    trial.other_body().await;
    trial.half_a_body().await;
    trial.hung_up().await;
}
