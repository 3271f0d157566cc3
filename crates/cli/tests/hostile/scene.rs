//! A gateway that is told raw bytes, and whether they left anything anywhere.

use onlyonce_testbed::{
    client::{Connection, Request, Response},
    effects::Upstream,
};
use serde_json::json;

use crate::{
    gateway::{Gateway, Setup},
    transfer::assert_problem,
};

/// A gateway in front of an upstream that counts.
pub(crate) struct Scene {
    pub(crate) upstream: Upstream,
    pub(crate) gateway: Gateway,
}

impl Scene {
    /// Everybody is anonymous, and `POST /transfers` needs a key.
    pub(crate) async fn new() -> Self {
        Self::with(Setup::anonymous().table("[[route]]\nmatch = \"POST /transfers\"\nkey = \"required\""))
            .await
    }

    pub(crate) async fn with(setup: Setup) -> Self {
        let upstream = Upstream::counting().await;
        let gateway = Gateway::start(&upstream.url(), setup).await;
        Self { upstream, gateway }
    }

    pub(crate) async fn connect(&self) -> Connection {
        Connection::open(self.gateway.address).await.unwrap()
    }

    /// Sends these bytes on a connection of their own, and gives it back with the answer.
    pub(crate) async fn tell(&self, bytes: impl AsRef<[u8]>) -> (Connection, Response) {
        let mut connection = self.connect().await;
        // The gateway may answer and close before it has taken all of it.
        let _ = connection.write(bytes.as_ref()).await;
        let shown = String::from_utf8_lossy(bytes.as_ref()).chars().take(200).collect::<String>();
        let answer = connection.answer("POST").await;
        (connection, answer.unwrap_or_else(|error| panic!("{error}: {shown:?}")))
    }

    /// The server itself refuses these bytes, without a document, and ends the connection.
    pub(crate) async fn assert_unreadable(&self, status: u16, bytes: impl AsRef<[u8]>) {
        let (connection, answer) = self.tell(&bytes).await;
        let shown = String::from_utf8_lossy(bytes.as_ref()).chars().take(200).collect::<String>();
        assert_eq!((answer.status, answer.text().as_str()), (status, ""), "{shown:?}");
        self.assert_over(connection, &answer).await;
    }

    /// The gateway refuses these bytes with a document, and ends the connection.
    pub(crate) async fn assert_refused(&self, status: u16, problem: &str, bytes: impl AsRef<[u8]>) {
        let (connection, answer) = self.tell(bytes).await;
        assert_problem(&answer, status, problem);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        self.assert_over(connection, &answer).await;
    }

    /// The connection ends, nothing more is answered on it, and nothing is left anywhere.
    pub(crate) async fn assert_over(&self, mut connection: Connection, answer: &Response) {
        assert_eq!(answer.header("connection"), Some("close"), "{}", answer.text());
        let _ = connection.finish_writing().await;
        // A reset ends it too: what was not read of the request is gone.
        let rest = connection.read_to_end().await.unwrap_or_default();
        assert_eq!(String::from_utf8_lossy(&rest), "");
        self.assert_left_nothing().await;
    }

    /// No request went upstream, no record is open, and the key `k` is free.
    pub(crate) async fn assert_left_nothing(&self) {
        assert_eq!(self.upstream.arrivals(), 0);
        let open = self.gateway.ask(&Request::get("/api/v1/records")).await.json();
        assert_eq!(open["operations"], json!([]));
        let ask = json!({ "principal": "anonymous", "key": "k" });
        let found = self.gateway.ask(&Request::post("/api/v1/lookup").json(&ask)).await;
        assert_ne!(found.status, 200, "{}", found.text());
    }
}

/// A keyed `POST /transfers` with these further lines (each with its CRLF), and this after its head.
pub(crate) fn keyed(lines: &str, body: &str) -> String {
    format!("POST /transfers HTTP/1.1\r\nHost: bank.example\r\nIdempotency-Key: k\r\n{lines}\r\n{body}")
}
