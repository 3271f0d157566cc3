//! What must not change between an answer and its replay.

use onlyonce_testbed::client::Response;

/// The header lines that may differ: when it was made, what marks a replay, and the credential that is never kept.
const MAY_DIFFER: [&str; 4] = ["date", "idempotency-status", "idempotent-replayed", "set-cookie"];

/// Status, body and kept header lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Essence {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// Lower case; lines of one name keep their order.
    headers: Vec<(String, Vec<u8>)>,
}

impl Essence {
    pub(crate) fn of(answer: &Response) -> Self {
        let lines = answer.headers.iter();
        let lines = lines.map(|(name, value)| (String::from_utf8_lossy(name).to_lowercase(), value.to_vec()));
        let mut headers: Vec<_> = lines.filter(|(name, _)| !MAY_DIFFER.contains(&name.as_str())).collect();
        headers.sort_by(|(one, _), (other, _)| one.cmp(other));
        Self { status: answer.status, body: answer.body.clone(), headers }
    }
}

/// The problem's name, `urn:problem-type:onlyonce:NAME`, of a refusal of the gateway's own.
pub(crate) fn problem(answer: &Response) -> Option<String> {
    let document = answer.header("content-type") == Some("application/problem+json");
    let document = document.then(|| answer.json())?;
    document.get("type")?.as_str()?.strip_prefix("urn:problem-type:onlyonce:").map(ToOwned::to_owned)
}
