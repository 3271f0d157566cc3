//! A raw HTTP/1.1 client: sends exactly what it is told, returns exactly what came.
//!
//! ```no_run
//! # async fn example() -> Result<(), onlyonce_testbed::client::Error> {
//! use onlyonce_testbed::client::{Request, send};
//!
//! let request = Request::post("/transfers").key("k-1").json(&serde_json::json!({ "amount": 1 }));
//! let answer = send(([127, 0, 0, 1], 8080), &request).await?;
//! assert_eq!(answer.status, 201);
//! # Ok(())
//! # }
//! ```
//!
//! It never re-sends, never follows, and refuses answers that are not strict HTTP/1.1. Every wait has a
//! limit; a limit that runs out is an [`Error`] of kind [`Kind::TimedOut`], so that a test can claim it too.

mod abandon;
mod connection;
mod request;
mod response;

pub use self::{
    abandon::{Point, abandon},
    connection::{CONNECT_LIMIT, Connection, send},
    request::{ANSWER_LIMIT, Body, Request},
    response::{Interim, Response},
};
pub use crate::wire::{Error, Kind};
