//! The names by which records, attempts and operations are told apart.
//!
//! Invariant: an [`AttemptId`] is new for each attempt and names no host or process, so a repeated command of one
//! attempt can never match another. What makes the random bits lives in `ledger`.

use std::{
    fmt,
    hash::{BuildHasherDefault, Hasher},
};

use crate::Timestamp;

/// A record's id: a 128-bit keyed hash over scope and key (see [`crate::scope`]).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(pub [u8; 16]);

/// Whose a record is: a 128-bit keyed hash over namespace and principal (see [`crate::scope`]).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Owner(pub [u8; 16]);

/// One attempt's name: 128 random bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId(pub [u8; 16]);

/// Hashes the ids of this module by their own first bytes. They are keyed hashes or random, so nobody who does not hold the
/// ledger's key can make two that collide. For nothing else.
#[derive(Clone, Copy, Debug, Default)]
pub struct IdHasher(u64);

/// [`IdHasher`] for maps.
pub type HashIds = BuildHasherDefault<IdHasher>;

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_ne_bytes(*first);
        }
    }

    /// How long an id is says nothing of it.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

/// How many claims a record has had; 1 for the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fence(pub u32);

impl Fence {
    /// The fence of a record's first claim.
    pub const FIRST: Self = Self(1);

    /// The fence of the claim after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.checked_add(1).expect("a record is not claimed four billion times"))
    }
}

/// What a compare-and-set compares: whose record it is and how often it was written.
///
/// Stricter than state, attempt and fence: a renewal changes it too, so a lapse read before a renewal loses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    /// The attempt that made the last claim.
    pub attempt: AttemptId,
    /// How many times the record was written, claims included; 1 for the first write.
    pub revision: u32,
}

/// An operation's public name: `op_` and 36 characters of lower-case base32.
///
/// Made of record id and time of first claim: the same over all attempts, new when the key begins a new operation.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct OperationRef {
    /// The record that holds the operation.
    pub record: RecordId,
    /// When the operation was first claimed.
    pub first_claim_at: Timestamp,
}

const PREFIX: &str = "op_";
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const BYTES: usize = 22;
const CHARACTERS: usize = 36;

impl OperationRef {
    /// Reads `op_…`; `None` for anything that [`fmt::Display`] does not print.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(PREFIX)?;
        let bytes = base32_decode(digits)?;
        let (record, time) = bytes.split_first_chunk::<16>()?;
        let mut ms = [0; 8];
        ms.get_mut(2..)?.copy_from_slice(time);
        Some(Self { record: RecordId(*record), first_claim_at: Timestamp::from_ms(u64::from_be_bytes(ms)) })
    }
}

impl fmt::Display for OperationRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [_, _, time @ ..] = self.first_claim_at.as_ms().to_be_bytes();
        f.write_str(PREFIX)?;
        let digits: [u8; CHARACTERS] = base32_encode(self.record.0.into_iter().chain(time));
        f.write_str(str::from_utf8(&digits).expect("the digits are ASCII"))
    }
}

/// RFC 4648, section 6, in lower case and without padding.
fn base32_encode<const DIGITS: usize>(mut bytes: impl Iterator<Item = u8>) -> [u8; DIGITS] {
    let (mut bits, mut held) = (0u32, 0u32);
    std::array::from_fn(|_| {
        if held < 5 {
            // Behind the last byte there are zeros.
            bits = (bits << 8) | u32::from(bytes.next().unwrap_or_default());
            held += 8;
        }
        held -= 5;
        digit(bits >> held)
    })
}

fn digit(bits: u32) -> u8 {
    let index = usize::try_from(bits & 31).expect("five bits fit");
    *ALPHABET.get(index).expect("five bits index 32 digits")
}

fn base32_decode(text: &str) -> Option<Vec<u8>> {
    if text.len() != CHARACTERS {
        return None;
    }
    let mut out = Vec::with_capacity(BYTES);
    let (mut bits, mut held) = (0u32, 0u32);
    for character in text.bytes() {
        let value = ALPHABET.iter().position(|digit| *digit == character)?;
        bits = (bits << 5) | u32::try_from(value).ok()?;
        held += 5;
        if held >= 8 {
            held -= 8;
            out.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
        bits &= (1 << held) - 1;
    }
    (bits == 0).then_some(out)
}

macro_rules! hex_debug {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), ":"))?;
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    )*};
}

hex_debug!(RecordId, AttemptId, Owner);

impl fmt::Debug for OperationRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_operation_ref_reads_back_as_it_was_printed(id: [u8; 16], ms in 0..1u64 << 48) {
            let reference = OperationRef { record: RecordId(id), first_claim_at: Timestamp::from_ms(ms) };
            prop_assert_eq!(OperationRef::parse(&reference.to_string()), Some(reference));
        }

        #[test]
        fn any_text_is_refused_or_prints_back_as_it_was(text in "op_[a-z2-7]{34,38}") {
            if let Some(reference) = OperationRef::parse(&text) {
                prop_assert_eq!(reference.to_string(), text);
            }
        }
    }

    #[test]
    fn an_id_is_its_own_hash() {
        let hash = |id: [u8; 16]| HashIds::default().hash_one(RecordId(id));
        let id = *b"first 8, then 8.";
        assert_eq!(hash(id), u64::from_ne_bytes(*b"first 8,"));
        assert_ne!(hash(id), hash(*b"FIRST 8, then 8."));
    }

    #[test]
    fn base32_is_that_of_rfc_4648() {
        // RFC 4648, section 10.
        assert_eq!(&base32_encode(b"foobar".iter().copied()), b"mzxw6ytboi");
        assert_eq!(&base32_encode(b"fooba".iter().copied()), b"mzxw6ytb");
    }
}
