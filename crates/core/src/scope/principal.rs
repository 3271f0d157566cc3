//! The party whose keys a record belongs to.

use std::fmt;

/// Whose key it is. Two principals are the same if mode and value are; its debug text hides the value.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Principal {
    mode: PrincipalMode,
    value: Box<[u8]>,
}

/// How a principal was established. Equal values of different modes are different principals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PrincipalMode {
    /// By a hash of what the upstream authenticates by.
    Credential,
    /// By a header from a trusted peer.
    Header,
    /// Everybody is the same.
    Anonymous,
    /// By the application, which has verified it.
    Verified,
}

impl Principal {
    /// Everybody: only where the configuration says so.
    pub fn anonymous() -> Self {
        Self { mode: PrincipalMode::Anonymous, value: Box::default() }
    }

    /// The value of a header that a trusted peer sent.
    pub fn header(value: &[u8]) -> Self {
        Self { mode: PrincipalMode::Header, value: value.into() }
    }

    /// A name that the application has verified, such as a user's id: a number, a UUID or a text. It has to stay the same
    /// for as long as keys are remembered.
    pub fn verified(id: impl fmt::Display) -> Self {
        Self { mode: PrincipalMode::Verified, value: id.to_string().into_bytes().into() }
    }

    /// Whether it names nobody though it was to name somebody: an empty id is a mistake, and would be one scope for all
    /// who come with it.
    pub fn is_empty(&self) -> bool {
        self.mode != PrincipalMode::Anonymous && self.value.is_empty()
    }

    /// The keyed hash of credentials; made by [`super::Scopes::credential`].
    pub(super) fn credential(hash: [u8; 32]) -> Self {
        Self { mode: PrincipalMode::Credential, value: hash.into() }
    }

    /// How it was established.
    pub const fn mode(&self) -> PrincipalMode {
        self.mode
    }

    pub(super) fn value(&self) -> &[u8] {
        &self.value
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Principal({:?}, …)", self.mode)
    }
}

impl From<PrincipalMode> for u8 {
    /// The number that goes into record ids; never reused.
    fn from(mode: PrincipalMode) -> Self {
        match mode {
            PrincipalMode::Credential => 1,
            PrincipalMode::Header => 2,
            PrincipalMode::Anonymous => 3,
            PrincipalMode::Verified => 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_text_hides_who_it_is() {
        assert_eq!(format!("{:?}", Principal::verified("ana")), "Principal(Verified, …)");
        assert_eq!(format!("{:?}", Principal::header(b"ana")), "Principal(Header, …)");
    }
}
