//! Transfers that are written to a file, behind `axum-idempotent`.

mod once;

use std::{
    env, fs,
    io::{self, Write},
    time::Duration,
};

use axum::{
    Json, Router,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use ruts::{
    Session,
    store::{Ttl, moka::MokaStore},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, time::sleep};
use uuid::Uuid;

#[tokio::main]
async fn main() -> io::Result<()> {
    let keyed = Router::new()
        .route("/transfers", post(|Json(asked)| transfer(asked, (30, 0), StatusCode::CREATED, "")))
        .route("/slow", post(|Json(asked)| transfer(asked, (750, 750), StatusCode::CREATED, "")))
        .route("/fails", post(|Json(asked)| transfer(asked, (0, 0), StatusCode::INTERNAL_SERVER_ERROR, "")))
        .route(
            "/refused",
            post(|| async { (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({"error": "no such account"}))) }),
        )
        .route(
            "/large",
            post(|Json(asked)| async {
                let receipt = "x".repeat(2 * 1024 * 1024);
                transfer(asked, (0, 0), StatusCode::CREATED, &receipt).await
            }),
        );
    let open = Router::new().route("/transfers", get(transfers)).route("/login", post(login));
    let listener = TcpListener::bind(format!("127.0.0.1:{}", env::var("PORT").expect("PORT is set"))).await?;
    axum::serve(listener, once::once(keyed, open)).await
}

/// Works so many milliseconds before its effect and after it, and answers.
async fn transfer(asked: Value, (before, after): (u64, u64), status: StatusCode, receipt: &str) -> Response {
    sleep(Duration::from_millis(before)).await;
    let effect = json!({"id": Uuid::new_v4().to_string(), "to": asked["to"], "amount": asked["amount"]});
    let mut file = fs::OpenOptions::new().append(true).create(true).open(effects()).expect("the file opens");
    file.write_all(format!("{effect}\n").as_bytes()).expect("the effect is written");
    sleep(Duration::from_millis(after)).await;
    let location = format!("/transfers/{}", effect["id"].as_str().unwrap_or_default());
    let mut answer = effect;
    answer["receipt"] = receipt.into();
    (status, [(header::LOCATION, location)], Json(answer)).into_response()
}

async fn transfers() -> Json<Vec<Value>> {
    let lines = fs::read_to_string(effects()).unwrap_or_default();
    Json(lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

/// The layer keeps answers for sessions that are there already.
async fn login(session: Session<MokaStore>) -> StatusCode {
    let hour = Ttl::new(3600).expect("an hour is a time to live");
    session.set("since", &"now", hour, None).await.expect("memory takes it");
    StatusCode::NO_CONTENT
}

fn effects() -> String {
    env::var("EFFECTS").expect("EFFECTS is set")
}
