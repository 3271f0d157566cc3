//! The bank's HTTP surface: transfers and accounts as JSON, orders also as a classic form.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{FromRequest, Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::book::{Account, Book, Refusal, Transfer};

/// A handle to one bank; clones share its book.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bank(Arc<Mutex<Book>>);

/// What a caller wants moved.
#[derive(Debug, Deserialize)]
struct Order {
    from: String,
    to: String,
    amount: u64,
}

/// The answer to an order that was carried out.
#[derive(Serialize)]
struct Receipt<'a> {
    #[serde(flatten)]
    transfer: &'a Transfer,
    balances: serde_json::Value,
}

impl Bank {
    pub(crate) fn router(&self) -> Router {
        Router::new()
            .route("/transfers", get(transfers).post(transfer))
            .route("/transfers/{id}", get(one_transfer))
            .route("/accounts", get(accounts))
            .route("/reset", post(reset))
            .with_state(self.clone())
    }

    /// Closes the book and opens a new one.
    pub(crate) fn reset(&self) {
        self.with(|book| *book = Book::default());
    }

    pub(crate) fn with<T>(&self, visit: impl FnOnce(&mut Book) -> T) -> T {
        // A panic while the book is open leaves it as it was: every refusal comes before the first change.
        visit(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn transfer(State(bank): State<Bank>, order: Order) -> Response {
    bank.with(|book| match book.transfer(&order.from, &order.to, order.amount) {
        Ok(transfer) => {
            let transfer = transfer.clone();
            paid(&transfer, book.accounts())
        }
        Err(refusal) => refused(&refusal),
    })
}

async fn transfers(State(bank): State<Bank>) -> Response {
    bank.with(|book| Json(book.transfers()).into_response())
}

async fn one_transfer(State(bank): State<Bank>, Path(id): Path<String>) -> Response {
    bank.with(|book| match book.transfers().iter().find(|transfer| transfer.id == id) {
        Some(transfer) => Json(transfer).into_response(),
        None => failed(StatusCode::NOT_FOUND, "there is no such transfer"),
    })
}

async fn accounts(State(bank): State<Bank>) -> Response {
    bank.with(|book| Json(book.accounts()).into_response())
}

async fn reset(State(bank): State<Bank>) -> StatusCode {
    bank.reset();
    StatusCode::NO_CONTENT
}

fn paid(transfer: &Transfer, accounts: &[Account; 2]) -> Response {
    let [ana, luis] = accounts;
    let location = format!("/transfers/{}", transfer.id);
    let receipt = Receipt { transfer, balances: json!({ ana.id: ana.balance, luis.id: luis.balance }) };
    (StatusCode::CREATED, [(header::LOCATION, location)], Json(receipt)).into_response()
}

fn refused(refusal: &Refusal) -> Response {
    let status = match refusal {
        Refusal::NoSuchAccount(_) | Refusal::SameAccount | Refusal::NothingToMove => StatusCode::BAD_REQUEST,
        Refusal::TooLittle { .. } => StatusCode::CONFLICT,
        Refusal::BookFull => StatusCode::INSUFFICIENT_STORAGE,
    };
    failed(status, &refusal.to_string())
}

fn failed(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}

impl<S: Send + Sync> FromRequest<S> for Order {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        if is_form(&request) {
            let form = Form::from_request(request, state).await;
            form.map(|Form(order)| order).map_err(IntoResponse::into_response)
        } else {
            let json = Json::from_request(request, state).await;
            json.map(|Json(order)| order).map_err(IntoResponse::into_response)
        }
    }
}

fn is_form(request: &Request) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    let essence = content_type.and_then(|value| value.to_str().ok()?.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"))
}
