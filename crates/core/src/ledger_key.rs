//! The ledger's own key, from which record ids, fingerprints and seals are derived.
//!
//! It is random and belongs to the ledger, not to the operator's secret, which only wraps it: rotating the secret
//! changes no record. How it is made, wrapped and unwrapped lives in `ledger`.

use std::fmt;

/// A ledger's 256-bit random key. Its text form shows nothing of it.
#[derive(Clone)]
pub struct LedgerKey([u8; 32]);

/// What a derived key is for; each purpose has a key of its own (blake3 key derivation). Digests of redacted values have
/// one derived from the fingerprints'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Record ids.
    RecordId,
    /// Fingerprints of requests.
    Fingerprint,
    /// Hashes of credentials, before they become part of a scope, and of who owns a record.
    Principal,
    /// Sealing of stored parameters and results.
    Seal,
    /// Short hashes of keys for logs.
    Log,
}

impl LedgerKey {
    /// Takes 32 random bytes as they are.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key's bytes, for wrapping them.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key for one purpose.
    pub fn derive(&self, purpose: Purpose) -> [u8; 32] {
        blake3::derive_key(purpose.context(), &self.0)
    }
}

impl Purpose {
    const fn context(self) -> &'static str {
        match self {
            Self::RecordId => "onlyonce 2026-11 ledger key: record id",
            Self::Fingerprint => "onlyonce 2026-11 ledger key: fingerprint",
            Self::Principal => "onlyonce 2026-11 ledger key: principal",
            Self::Seal => "onlyonce 2026-11 ledger key: seal",
            Self::Log => "onlyonce 2026-11 ledger key: log",
        }
    }
}

impl fmt::Debug for LedgerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LedgerKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_purpose_has_its_own_key_and_none_is_shown() {
        let key = LedgerKey::new([7; 32]);
        assert_ne!(key.derive(Purpose::Seal), key.derive(Purpose::RecordId));
        assert_eq!(format!("{key:?}"), "LedgerKey(…)");
    }
}
