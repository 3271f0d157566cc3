//! A keyed hash over a list of fields, each with its length: no two lists are hashed as the same bytes.

/// The list so far. Whoever reads it back in mind knows at each step which kind of field comes next.
pub(crate) struct Fields {
    hasher: blake3::Hasher,
}

impl Fields {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self { hasher: blake3::Hasher::new_keyed(key) }
    }

    /// A number that says what follows: a version or a kind.
    pub(crate) fn code(&mut self, code: u8) {
        self.hasher.update(&[code]);
    }

    /// How many fields follow.
    pub(crate) fn count(&mut self, count: usize) {
        let count = u64::try_from(count).expect("a count in memory fits 64 bits");
        self.hasher.update(&count.to_be_bytes());
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.hasher.update(bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Absent differs from empty.
    pub(crate) fn optional(&mut self, text: Option<&str>) {
        self.code(u8::from(text.is_some()));
        self.text(text.unwrap_or_default());
    }

    pub(crate) fn finish(self) -> [u8; 32] {
        *self.hasher.finalize().as_bytes()
    }
}
