//! A keyed hash over a list of fields, each with its length: no two lists are hashed as the same bytes.

/// Most bytes that are gathered before they are hashed: the hash is made of blocks, and costs as much for a byte as for
/// one of these.
const GATHERED: usize = 512;

/// The list so far. Whoever reads it back in mind knows at each step which kind of field comes next.
pub(crate) struct Fields {
    hasher: blake3::Hasher,
    gathered: Vec<u8>,
}

impl Fields {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self { hasher: blake3::Hasher::new_keyed(key), gathered: Vec::with_capacity(GATHERED) }
    }

    /// A number that says what follows: a version or a kind.
    pub(crate) fn code(&mut self, code: u8) {
        self.add(&[code]);
    }

    /// How many fields follow.
    pub(crate) fn count(&mut self, count: usize) {
        let count = u64::try_from(count).expect("a count in memory fits 64 bits");
        self.add(&count.to_be_bytes());
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.add(bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Absent differs from empty.
    pub(crate) fn optional(&mut self, text: Option<&str>) {
        self.code(u8::from(text.is_some()));
        self.text(text.unwrap_or_default());
    }

    /// By reference: the hasher is two kilobytes, and would be copied.
    pub(crate) fn finish(&mut self) -> [u8; 32] {
        *self.hasher.update(&self.gathered).finalize().as_bytes()
    }

    fn add(&mut self, bytes: &[u8]) {
        if self.gathered.len() + bytes.len() > GATHERED {
            self.hasher.update(&self.gathered);
            self.gathered.clear();
        }
        if bytes.len() > GATHERED {
            self.hasher.update(bytes);
        } else {
            self.gathered.extend_from_slice(bytes);
        }
    }
}
