//! How a request carries its key.

use std::time::Duration;

use http::HeaderName;

use super::{Carrier, PlanError};

/// How keys are sent.
#[derive(Clone, Debug)]
pub struct KeyRule {
    /// Where they stand.
    pub carrier: Carrier,
    /// Where else the API looks for the same key.
    pub also: Vec<Carrier>,
    /// How they are written in a header; `None`: as the profile says.
    pub form: Option<Form>,
    /// Whether the API demands one; `None`: not known.
    pub required: Option<bool>,
    /// How long one stays locked for a request that runs, or ran when it was last heard of; `None`: not known.
    pub lease: Option<Duration>,
}

/// How a key is written in a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As a structured field's string (RFC 9651, section 3.3.3).
    Quoted,
    /// As it is.
    Bare,
}

impl Default for KeyRule {
    fn default() -> Self {
        let header = Carrier::Header(HeaderName::from_static("idempotency-key"));
        Self { carrier: header, also: Vec::new(), form: None, required: None, lease: None }
    }
}

impl KeyRule {
    /// Whether each place is another one, and may be left out.
    ///
    /// # Errors
    /// Names the one that is not.
    pub fn checked(&self) -> Result<(), PlanError> {
        for (at, other) in self.also.iter().enumerate() {
            if let Carrier::Path(_) = other {
                return Err(PlanError::new(format!(
                    "a path is never without its key: make {other} the first carrier, and name the others beside it"
                )));
            }
            let mut before = self.also.iter().take(at).chain([&self.carrier]);
            if before.any(|before| before == other) {
                return Err(PlanError::new(format!("{other} is there twice: write each carrier once")));
            }
        }
        Ok(())
    }
}
