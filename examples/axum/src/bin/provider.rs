//! A stand-in for a provider of payments: it charges once per key, and lists what it charged.
//!
//! `cargo run -p onlyonce-example-axum --bin provider -- [LISTEN]`. An amount of 13 is charged and never answered for.

use std::{
    collections::BTreeMap,
    error::Error,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Most charges that it remembers.
const CHARGES: usize = 10_000;
/// An amount that is charged without an answer.
const UNANSWERED: u64 = 13;

type Charges = Arc<Mutex<BTreeMap<String, Value>>>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    let listen = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:4000".to_owned());
    let listener = TcpListener::bind(listen).await?;
    let app = Router::new().route("/charges", post(charge).get(all)).with_state(Charges::default());
    tracing::info!("provider on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

async fn charge(
    State(charges): State<Charges>,
    headers: HeaderMap,
    Json(transfer): Json<Value>,
) -> Result<(StatusCode, Json<Value>), StatusCode> {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    let key = key.ok_or(StatusCode::BAD_REQUEST)?.to_owned();
    let unanswered = transfer.get("amount") == Some(&UNANSWERED.into());
    let charge = book(&charges, key, transfer)?;
    if unanswered {
        std::future::pending::<()>().await;
    }
    Ok((StatusCode::CREATED, Json(charge)))
}

fn book(charges: &Charges, key: String, transfer: Value) -> Result<Value, StatusCode> {
    let mut charges = charges.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = charges.get(&key) {
        return Ok(known.clone());
    }
    if charges.len() == CHARGES {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    let charge = json!({ "id": format!("ch_{}", charges.len() + 1), "transfer": transfer });
    charges.insert(key, charge.clone());
    Ok(charge)
}

async fn all(State(charges): State<Charges>) -> Json<Vec<Value>> {
    let charges = charges.lock().unwrap_or_else(PoisonError::into_inner);
    Json(charges.values().cloned().collect())
}
