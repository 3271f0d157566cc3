//! The layers as the crate's README sets them up: the key is the header's, and answers lie in the caller's session.

use std::sync::Arc;

use axum::Router;
use axum_idempotent::{IdempotentLayer, IdempotentOptions};
use ruts::{CookieOptions, SessionLayer, store::moka::MokaStore};
use tower_cookies::CookieManagerLayer;

/// `keyed` behind all three layers, `open` (what only reads, and the login) behind those for sessions alone.
pub fn once(keyed: Router, open: Router) -> Router {
    let store = Arc::new(MokaStore::builder().build());
    let options = IdempotentOptions::default()
        .use_idempotency_key_header(Some("Idempotency-Key"), true)
        .expire_after(60 * 5);
    // Not `secure`, as the README's are: this one is spoken to without TLS.
    let cookie = CookieOptions::build().name("session").path("/").secure(false);
    keyed
        .layer(IdempotentLayer::<MokaStore>::new(options))
        .merge(open)
        .layer(SessionLayer::new(store).with_cookie_options(cookie))
        .layer(CookieManagerLayer::new())
}
