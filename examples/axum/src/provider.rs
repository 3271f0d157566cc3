//! The provider's client. It knows what most clients do not tell: whether anything was sent.

use std::{error::Error, fmt, sync::LazyLock, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::transfer::Transfer;

/// How long the provider may take; shorter than the layer's deadline, so that the handler says itself what happened.
const PATIENCE: Duration = Duration::from_secs(10);

/// The provider that this process calls.
#[expect(non_upper_case_globals, reason = "handlers read as they would with a provider from their state")]
pub(crate) static provider: LazyLock<Provider> = LazyLock::new(|| Provider {
    address: std::env::args().nth(2).unwrap_or_else(|| "127.0.0.1:4000".to_owned()),
});

/// A provider of payments, over HTTP.
#[derive(Debug)]
pub(crate) struct Provider {
    address: String,
}

/// Failed to charge.
#[derive(Debug)]
pub(crate) enum ChargeError {
    /// Nothing was sent.
    NotSent(Box<dyn Error + Send + Sync>),
    /// The request went out, whole or in part, and what came back is no answer.
    Lost(Box<dyn Error + Send + Sync>),
}

impl ChargeError {
    /// Whether it is certain that the provider has done nothing and will do nothing.
    pub(crate) fn was_not_sent(&self) -> bool {
        matches!(self, Self::NotSent(_))
    }
}

impl Provider {
    /// Charges. A key that the provider knows gets the charge that it stands for.
    pub(crate) async fn charge(&self, key: String, transfer: &Transfer) -> Result<Value, ChargeError> {
        let body = serde_json::to_vec(transfer).map_err(|error| ChargeError::NotSent(error.into()))?;
        let request = Request::post("/charges")
            .header("host", &self.address)
            .header("content-type", "application/json")
            .header("idempotency-key", key)
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| ChargeError::NotSent(error.into()))?;
        let stream = TcpStream::connect(&self.address).await;
        let stream = stream.map_err(|error| ChargeError::NotSent(error.into()))?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| ChargeError::NotSent(error.into()))?;
        // It ends with its one request.
        tokio::spawn(connection);
        tokio::time::timeout(PATIENCE, answer(sender, request))
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs()).into()))
            .map_err(ChargeError::Lost)
    }
}

async fn answer(
    mut sender: http1::SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<Value, Box<dyn Error + Send + Sync>> {
    let (head, body) = sender.send_request(request).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    if !head.status.is_success() {
        // Some of these mean that nothing was done; a client of a real provider knows which.
        return Err(format!("the provider answered {}", head.status).into());
    }
    Ok(serde_json::from_slice(&body)?)
}

impl fmt::Display for ChargeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent(why) => write!(f, "the provider was not reached: {why}"),
            Self::Lost(why) => write!(f, "the provider was called, and its answer was lost: {why}"),
        }
    }
}
