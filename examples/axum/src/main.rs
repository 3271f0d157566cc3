//! A service that makes transfers through a provider, and makes each of them once.
//!
//! `cargo run -p onlyonce-example-axum -- [LISTEN] [PROVIDER]`; its ledger is `./ledger`. See the README for requests.

mod operators;
mod provider;
mod transfer;
mod user;

use std::{error::Error, time::Duration};

use axum::{Json, Router, http::StatusCode, middleware, response::IntoResponse, routing::post};
use onlyonce::{OPERATIONS_ROUTE, Onlyonce, Operation, Principal, Problem};
use tokio::net::TcpListener;

use crate::{
    operators::operators,
    provider::provider,
    transfer::{Receipt, Transfer},
    user::{User, authenticate},
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    let listen = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(listen).await?;
    let authenticate = middleware::from_fn(authenticate);

    let once = Onlyonce::open("embedded:./ledger").await?;
    let app = Router::new()
        .route("/transfers", post(transfer))
        .route_layer(
            once.layer()
                .require_key()
                .principal(|parts| parts.extensions.get::<User>().map(|u| Principal::verified(u.id))),
        )
        // So that whoever is told that an outcome is unknown can ask what became of it.
        .route_service(
            OPERATIONS_ROUTE,
            once.operations(|parts| parts.extensions.get::<User>().map(|u| Principal::verified(u.id))),
        )
        .layer(authenticate)
        // Who may end an unknown outcome is not who may make a transfer: a login of their own.
        .merge(operators(once.clone()));
    tracing::info!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).with_graceful_shutdown(ctrl_c()).await?;
    // axum has waited for its connections; the handlers whose clients have gone are waited for here.
    let drained = once.drain(Duration::from_secs(30)).await;
    tracing::info!(cut_off = drained.cut_off, "stopped");
    Ok(())
}

async fn transfer(op: Operation, Json(t): Json<Transfer>) -> Result<impl IntoResponse, Problem> {
    let charge = provider
        .charge(op.downstream_key("charge"), &t)
        .await
        .map_err(|e| if e.was_not_sent() { op.release(e) } else { op.unknown(e) })?;
    Ok((StatusCode::CREATED, Json(Receipt::of(op.reference(), charge))))
}

async fn ctrl_c() {
    // Without the signal's handler there is nothing to wait for but the end of the process.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
