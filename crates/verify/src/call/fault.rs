//! What befalls a request on its way.

use std::time::Duration;

/// A fault between client and API. None of them is the API's: it has done its part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// None.
    #[default]
    None,
    /// The API has given its whole answer, and the client sees a connection that ends without a byte.
    AnswerDropped,
    /// The API has given its whole answer, and the client sees the first half of its body.
    AnswerCut,
    /// The answer comes so much later.
    AnswerLate(Duration),
    /// The request reaches the API so much later.
    RequestLate(Duration),
    /// The request reaches the API twice at once; the client sees the answer that came first.
    Duplicated,
}
