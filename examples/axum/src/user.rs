//! Who asks: a bearer token, looked up. A real service verifies a session or a signature here.

use axum::{
    extract::Request,
    http::{StatusCode, header},
    middleware::Next,
    response::Response,
};

/// Who asks, once it is verified.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) id: u64,
}

/// Lets nobody in whom it does not know.
pub(crate) async fn authenticate(mut request: Request, next: Next) -> Result<Response, StatusCode> {
    let token = request.headers().get(header::AUTHORIZATION).map(|token| token.as_bytes());
    let id = match token {
        Some(b"Bearer ana") => 1,
        Some(b"Bearer luis") => 2,
        _ => return Err(StatusCode::UNAUTHORIZED),
    };
    request.extensions_mut().insert(User { id });
    Ok(next.run(request).await)
}
