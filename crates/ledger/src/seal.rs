//! Sealing of stored parameters and results.
//!
//! XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) under a key derived from the ledger's, bound to ledger, record,
//! attempt and purpose: bytes that were moved to another record do not open. Compressed before sealing, where that
//! makes them smaller. Layout: one byte for the coding (0 plain, 1 LZ4 block with its length), 24 bytes of nonce, the
//! sealed bytes.

use bytes::Bytes;
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use onlyonce_core::{AttemptId, LedgerKey, RecordId, ledger_key::Purpose};

use crate::random;

const NONCE_LEN: usize = 24;
const PLAIN: u8 = 0;
const LZ4: u8 = 1;
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
    cipher: XChaCha20Poly1305,
    ledger: [u8; 16],
}

impl Sealer {
    pub(crate) fn new(key: &LedgerKey, ledger: [u8; 16]) -> Self {
        Self { cipher: XChaCha20Poly1305::new(&key.derive(Purpose::Seal).into()), ledger }
    }

    pub(crate) fn seal(&self, content: Content, id: RecordId, attempt: AttemptId, plain: &[u8]) -> Bytes {
        let packed = (plain.len() >= COMPRESS_FROM).then(|| lz4_flex::compress_prepend_size(plain));
        let (coding, bytes) = match &packed {
            Some(packed) if packed.len() < plain.len() => (LZ4, packed.as_slice()),
            _ => (PLAIN, plain),
        };
        let nonce = random::bytes::<NONCE_LEN>();
        let aad = self.bound_to(content, coding, id, attempt);
        let sealed = self
            .cipher
            .encrypt(&XNonce::from(nonce), Payload { msg: bytes, aad: &aad })
            .expect("results are bounded far below what the cipher can take");
        let mut out = Vec::with_capacity(1 + NONCE_LEN + sealed.len());
        out.push(coding);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
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
        let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>()?;
        let aad = self.bound_to(content, *coding, id, attempt);
        let bytes = self.cipher.decrypt(&XNonce::from(*nonce), Payload { msg: rest, aad: &aad }).ok()?;
        match *coding {
            PLAIN => Some(bytes.into()),
            LZ4 => {
                let (len, _) = lz4_flex::block::uncompressed_size(&bytes).ok()?;
                (len <= OPENED_MAX).then_some(())?;
                lz4_flex::decompress_size_prepended(&bytes).ok().map(Bytes::from)
            }
            _ => None,
        }
    }

    fn bound_to(&self, content: Content, coding: u8, id: RecordId, attempt: AttemptId) -> [u8; 50] {
        let mut aad = [0; 50];
        let content = match content {
            Content::Parameters => 1,
            Content::Result => 2,
        };
        let parts = [&[content, coding][..], &self.ledger, &id.0, &attempt.0];
        for (to, from) in aad.iter_mut().zip(parts.concat()) {
            *to = from;
        }
        aad
    }
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
}
