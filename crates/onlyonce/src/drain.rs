//! How a drain ended.

/// How a [`drain`](crate::Onlyonce::drain) ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Attempts that were still running at the limit. What they did is unknown; those that had not started are released.
    pub cut_off: usize,
}

impl From<onlyonce_http::Drained> for Drained {
    fn from(drained: onlyonce_http::Drained) -> Self {
        Self { cut_off: drained.given_up }
    }
}
