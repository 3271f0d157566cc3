//! Sealing of stored parameters and results.
//!
//! [XChaCha20-Poly1305](crate::aead) under a key derived from the ledger's, bound to ledger, record,
//! attempt and purpose: bytes that were moved to another record do not open. Compressed before sealing, where that
//! makes them smaller. Layout: one byte for the coding, the nonce or its end, the sealed bytes.
//!
//! | coding | what is sealed            | nonce                                                      |
//! |--------|---------------------------|------------------------------------------------------------|
//! | 0      | plain                     | 24 bytes; was written before 2 was, is still read          |
//! | 1      | LZ4 block with its length | likewise                                                   |
//! | 2      | plain                     | its last 8 bytes; the 16 before them are made, see `nonce` |
//! | 3      | LZ4 block with its length | likewise                                                   |

use bytes::Bytes;
use onlyonce_core::{AttemptId, LedgerKey, RecordId, ledger_key::Purpose};

use crate::{
    aead::{Cipher, NONCE_LEN, TAG_LEN},
    random,
};

/// Of it, what is random and stored.
const STORED_LEN: usize = 8;
const PLAIN_WHOLE_NONCE: u8 = 0;
const LZ4_WHOLE_NONCE: u8 = 1;
const PLAIN: u8 = 2;
const LZ4: u8 = 3;
/// Below this, compression does not pay.
const COMPRESS_FROM: usize = 256;
/// Nothing that was sealed is larger than this; guards the memory that opening may ask for.
const OPENED_MAX: usize = 256 * 1024 * 1024;

/// What sealed bytes are; part of what they are bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Parameters,
    Result,
}

/// Seals and opens for one ledger.
pub(crate) struct Sealer {
    cipher: Cipher,
    ledger: [u8; 16],
}

impl Sealer {
    pub(crate) fn new(key: &LedgerKey, ledger: [u8; 16]) -> Self {
        Self { cipher: Cipher::new(key.derive(Purpose::Seal)), ledger }
    }

    pub(crate) fn seal(&self, content: Content, id: RecordId, attempt: AttemptId, plain: &[u8]) -> Bytes {
        let packed = (plain.len() >= COMPRESS_FROM).then(|| lz4_flex::compress_prepend_size(plain));
        let (coding, bytes) = match &packed {
            Some(packed) if packed.len() < plain.len() => (LZ4, packed.as_slice()),
            _ => (PLAIN, plain),
        };
        let stored = random::bytes::<STORED_LEN>();
        let nonce = nonce(content, attempt, stored);
        let aad = self.bound_to(content, coding, id, attempt);
        let mut out = Vec::with_capacity(1 + STORED_LEN + bytes.len() + TAG_LEN);
        out.push(coding);
        out.extend_from_slice(&stored);
        self.cipher.seal(&nonce, &aad, bytes, &mut out);
        out.into()
    }

    /// `None` if the bytes are damaged, or belong elsewhere.
    pub(crate) fn open(
        &self,
        content: Content,
        id: RecordId,
        attempt: AttemptId,
        sealed: &[u8],
    ) -> Option<Bytes> {
        let (coding, rest) = sealed.split_first()?;
        let (nonce, rest) = match *coding {
            PLAIN_WHOLE_NONCE | LZ4_WHOLE_NONCE => {
                let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>()?;
                (*nonce, rest)
            }
            PLAIN | LZ4 => {
                let (stored, rest) = rest.split_first_chunk::<STORED_LEN>()?;
                (nonce(content, attempt, *stored), rest)
            }
            _ => return None,
        };
        let aad = self.bound_to(content, *coding, id, attempt);
        let bytes = self.cipher.open(&nonce, &aad, rest)?;
        if matches!(*coding, PLAIN_WHOLE_NONCE | PLAIN) {
            return Some(bytes.into());
        }
        let (len, _) = lz4_flex::block::uncompressed_size(&bytes).ok()?;
        (len <= OPENED_MAX).then_some(())?;
        lz4_flex::decompress_size_prepended(&bytes).ok().map(Bytes::from)
    }

    fn bound_to(&self, content: Content, coding: u8, id: RecordId, attempt: AttemptId) -> [u8; 50] {
        let mut aad = [0; 50];
        let parts = [&[content.code(), coding][..], &self.ledger, &id.0, &attempt.0];
        for (to, from) in aad.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        aad
    }
}

impl Content {
    const fn code(self) -> u8 {
        match self {
            Self::Parameters => 1,
            Self::Result => 2,
        }
    }
}

/// The cipher makes a key of its own from the first 16 bytes of a nonce, and an attempt's name is 128 random bits that no
/// other has. So it stands there, told apart by purpose, and is not stored a second time. What is sealed under one such
/// key is one attempt's parameters, or as many results as it came to have (a late one, a settled one): a handful, which
/// the other 8 bytes keep apart.
fn nonce(content: Content, attempt: AttemptId, stored: [u8; STORED_LEN]) -> [u8; NONCE_LEN] {
    let mut nonce = [0; NONCE_LEN];
    let (made, end) = nonce.split_at_mut(NONCE_LEN - STORED_LEN);
    made.copy_from_slice(&attempt.0);
    made.iter_mut().take(1).for_each(|byte| *byte ^= content.code());
    end.copy_from_slice(&stored);
    nonce
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: RecordId = RecordId([1; 16]);
    const ATTEMPT: AttemptId = AttemptId([2; 16]);

    fn sealer() -> Sealer {
        Sealer::new(&LedgerKey::new([3; 32]), [4; 16])
    }

    #[test]
    fn what_is_sealed_opens_again_and_shows_nothing() {
        for plain in [&b""[..], b"short", &[b'x'; 10_000]] {
            let sealed = sealer().seal(Content::Result, ID, ATTEMPT, plain);
            assert_eq!(sealer().open(Content::Result, ID, ATTEMPT, &sealed).unwrap(), plain);
            assert!(plain.len() < 5 || !sealed.windows(plain.len()).any(|window| window == plain));
        }
    }

    #[test]
    fn opens_only_where_it_was_sealed() {
        let sealed = sealer().seal(Content::Result, ID, ATTEMPT, b"hello");
        let open =
            |sealer: Sealer, content, id, attempt, bytes: &[u8]| sealer.open(content, id, attempt, bytes);
        assert!(open(sealer(), Content::Result, ID, ATTEMPT, &sealed).is_some());
        assert!(open(sealer(), Content::Parameters, ID, ATTEMPT, &sealed).is_none());
        assert!(open(sealer(), Content::Result, RecordId([9; 16]), ATTEMPT, &sealed).is_none());
        assert!(open(sealer(), Content::Result, ID, AttemptId([9; 16]), &sealed).is_none());
        let other = Sealer::new(&LedgerKey::new([3; 32]), [5; 16]);
        assert!(open(other, Content::Result, ID, ATTEMPT, &sealed).is_none());
    }

    #[test]
    fn a_flipped_bit_does_not_open() {
        let sealed = sealer().seal(Content::Result, ID, ATTEMPT, &[7; 600]);
        for at in 0..sealed.len() {
            let mut damaged = sealed.to_vec();
            damaged[at] ^= 1;
            assert!(sealer().open(Content::Result, ID, ATTEMPT, &damaged).is_none(), "bit of byte {at}");
        }
    }

    /// What a nonce is made of must be another one for whatever may be sealed under one ledger's key.
    #[test]
    fn no_two_nonces_are_the_same() {
        let stored = [5; STORED_LEN];
        let of_result = nonce(Content::Result, ATTEMPT, stored);
        assert_ne!(of_result, nonce(Content::Parameters, ATTEMPT, stored));
        assert_ne!(of_result, nonce(Content::Result, AttemptId([9; 16]), stored));
        let seal = || sealer().seal(Content::Result, ID, ATTEMPT, b"hello");
        assert_ne!(seal(), seal(), "a second result of one attempt");
    }

    /// A failure here means that results in somebody's ledger can no longer be read.
    #[test]
    fn what_was_sealed_in_any_coding_opens() {
        let written = [
            "0006060606060606060606060606060606060606060606060617c1ebd5bac890c6571c9d10cfe583baf4c07f40dc",
            concat!(
                "0106060606060606060606060606060606060606060606060648a884a7d1e21bfe52b4d6deb73a6ff8f2be8eb313b000",
                "2eff4e847e560fdb7656"
            ),
            "0206060606060606061ccd97dd9ae032d47135c12c863c1dce8e3d2e15aa",
            "03060606060606060643a4f8aff1642c3a9b89a299a51b29379321e7f67f81168def29e28253b35f8c35",
        ];
        for (coding, hex) in written.into_iter().enumerate() {
            let digits = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
            let sealed: Vec<u8> = (0..hex.len()).step_by(2).map(digits).collect();
            let plain = if coding % 2 == 0 { b"short".to_vec() } else { vec![b'x'; 300] };
            assert_eq!(usize::from(sealed[0]), coding);
            assert_eq!(sealer().open(Content::Result, ID, ATTEMPT, &sealed).unwrap(), plain);
        }
    }
}
