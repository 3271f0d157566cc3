//! Who asks: a bearer token, looked up. A real service verifies a session or a signature here.

use axum::{
    extract::Request,
    http::{StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

/// Who asks, once it is verified.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) id: u64,
}

/// Lets nobody in whom it does not know.
pub(crate) async fn authenticate(mut request: Request, next: Next) -> Response {
    let token = request.headers().get(header::AUTHORIZATION).map(|token| token.as_bytes());
    let id = match token {
        Some(b"Bearer ana") => 1,
        Some(b"Bearer luis") => 2,
        _ => return nobody(),
    };
    request.extensions_mut().insert(User { id });
    next.run(request).await
}

/// A problem document (RFC 9457), as all other refusals of this service are.
fn nobody() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/problem+json"),
        (header::CACHE_CONTROL, "no-store"),
        (header::WWW_AUTHENTICATE, "Bearer"),
    ];
    let body = r#"{"title":"Unauthorized","status":401,"detail":"Nobody is known by this token."}"#;
    (StatusCode::UNAUTHORIZED, headers, body).into_response()
}
