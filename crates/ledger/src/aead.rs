//! XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03): HChaCha20 makes a key of each nonce's first 16 bytes, and
//! ChaCha20-Poly1305 (RFC 8439) does the rest. So a nonce may be random for the life of a key.
//!
//! ring has no extended nonces, and is several times as fast for the few hundred bytes that a result usually has as what
//! has them: its code for the machine at hand is chosen once, not in every block.

use chacha20::{R20, hchacha};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

/// Bytes of a nonce.
pub(crate) const NONCE_LEN: usize = 24;
/// Bytes that sealing adds.
pub(crate) const TAG_LEN: usize = 16;

/// A key that seals and opens.
pub(crate) struct Cipher([u8; 32]);

impl Cipher {
    pub(crate) const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// Appends to `out` what `plain` becomes, with its tag; bound to `aad`.
    pub(crate) fn seal(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], plain: &[u8], out: &mut Vec<u8>) {
        let (key, nonce) = self.of(nonce);
        let at = out.len();
        out.extend_from_slice(plain);
        let sealed = out.get_mut(at..).unwrap_or_default();
        let tag = key
            .seal_in_place_separate_tag(nonce, Aad::from(aad), sealed)
            .expect("what is sealed is bounded far below what the cipher can take");
        out.extend_from_slice(tag.as_ref());
    }

    /// `None` if a bit of it, of `aad` or of the nonce is another one, or the key.
    pub(crate) fn open(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (key, nonce) = self.of(nonce);
        let mut bytes = sealed.to_vec();
        let len = key.open_in_place(nonce, Aad::from(aad), &mut bytes).ok()?.len();
        bytes.truncate(len);
        Some(bytes)
    }

    fn of(&self, nonce: &[u8; NONCE_LEN]) -> (LessSafeKey, Nonce) {
        let [first @ .., a, b, c, d, e, f, g, h] = *nonce;
        let key = hchacha::<R20>(&self.0.into(), &first.into());
        let key = UnboundKey::new(&CHACHA20_POLY1305, &key).expect("a key of 32 bytes");
        let nonce = Nonce::assume_unique_for_key([0, 0, 0, 0, a, b, c, d, e, f, g, h]);
        (LessSafeKey::new(key), nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// draft-irtf-cfrg-xchacha-03, appendix A.3.1.
    #[test]
    fn seals_as_the_draft_says() {
        let key: [u8; 32] = std::array::from_fn(|at| 0x80 + u8::try_from(at).unwrap());
        let nonce: [u8; 24] = std::array::from_fn(|at| 0x40 + u8::try_from(at).unwrap());
        let aad = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
        let plain =
            b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
                      sunscreen would be it.";
        let expected = "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39\
                        ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9\
                        21f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49";
        let cipher = Cipher::new(key);
        let mut sealed = Vec::new();
        cipher.seal(&nonce, &aad, plain, &mut sealed);
        let hex: String = sealed.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected);
        assert_eq!(cipher.open(&nonce, &aad, &sealed).unwrap(), plain);
    }

    #[test]
    fn what_is_shorter_than_a_tag_does_not_open() {
        for len in 0..TAG_LEN {
            assert_eq!(Cipher::new([1; 32]).open(&[2; 24], b"", &vec![0; len]), None);
        }
    }
}
