//! The fields of the page's form, as a browser without scripts sends them.

use bytes::Bytes;
use http::header::InvalidHeaderValue;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::{Deserialize, Serialize};

use super::network::Network;
use super::side::Lane;

/// Who acts, towards the gateway. Only this server writes it.
pub(crate) const PRINCIPAL: HeaderName = HeaderName::from_static("x-principal");

/// How the operation's key travels.
pub(crate) const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The form. A checkbox is sent, with any value, exactly if it is ticked.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Form {
    /// The hidden field: minted when the form was rendered.
    pub(crate) key: String,
    slow: Option<String>,
    lost: Option<String>,
    other: Option<String>,
    luis: Option<String>,
}

/// The switches of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Switches {
    pub(crate) network: Network,
    /// Pay another amount, with whatever key there is.
    pub(crate) other_amount: bool,
    /// Luis pays Ana, with whatever key there is.
    pub(crate) by_luis: bool,
}

/// What the bank is asked for; the same JSON that the page's script sends.
#[derive(Serialize)]
struct Order {
    from: User,
    to: User,
    amount: u32,
}

/// Whom the page acts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum User {
    Ana,
    Luis,
}

impl Form {
    pub(crate) fn switches(&self) -> Switches {
        Switches {
            network: Network { slow: self.slow.is_some(), loses_answer: self.lost.is_some() },
            other_amount: self.other.is_some(),
            by_luis: self.luis.is_some(),
        }
    }

    /// The request's headers: the hidden key becomes the header, on the guarded side only.
    pub(crate) fn headers(&self, lane: Lane) -> Result<HeaderMap, InvalidHeaderValue> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(PRINCIPAL, self.switches().user().principal());
        if lane == Lane::Guarded {
            headers.insert(KEY, HeaderValue::try_from(format!("\"{}\"", self.key))?);
        }
        Ok(headers)
    }
}

impl Switches {
    fn user(self) -> User {
        if self.by_luis { User::Luis } else { User::Ana }
    }

    /// The request's body.
    pub(crate) fn body(self) -> Bytes {
        let (from, to) = if self.by_luis { (User::Luis, User::Ana) } else { (User::Ana, User::Luis) };
        let order = Order { from, to, amount: if self.other_amount { 250 } else { 100 } };
        serde_json::to_vec(&order).expect("an order has no map and no failing part").into()
    }
}

impl User {
    pub(crate) fn principal(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Ana => "ana",
            Self::Luis => "luis",
        })
    }
}
