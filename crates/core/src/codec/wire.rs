//! Writing and reading of the few primitive shapes that [`super`] is made of.
//!
//! Integers are big-endian, byte strings carry a `u32` length, options a leading 0 or 1.

use bytes::Bytes;

use super::Unreadable;

/// Bytes on their way out.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(super) fn u16(&mut self, value: u16) {
        self.raw(&value.to_be_bytes());
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.raw(&value.to_be_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.raw(&value.to_be_bytes());
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.u32(u32::try_from(bytes.len()).expect("routes and parameters are bounded far below 4 GiB"));
        self.raw(bytes);
    }

    pub(super) fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.u8(u8::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }

    /// A value of an enumeration as its place in `table`.
    pub(super) fn code<T: PartialEq>(&mut self, table: &[T], value: T) {
        let place = table.iter().position(|known| *known == value).expect("the table lists every value");
        self.u8(u8::try_from(place).expect("the tables are short"));
    }

    pub(super) fn finish(mut self, checksum_len: usize) -> Bytes {
        let hash = blake3::hash(&self.0);
        self.0.extend(hash.as_bytes().iter().take(checksum_len));
        self.0.into()
    }
}

/// `bytes` without their checksum, if it is right.
pub(super) fn checked(bytes: &[u8], checksum_len: usize) -> Result<&[u8], Unreadable> {
    let (body, checksum) = bytes
        .len()
        .checked_sub(checksum_len)
        .and_then(|at| bytes.split_at_checked(at))
        .ok_or(Unreadable::Damaged)?;
    let hash = blake3::hash(body);
    if hash.as_bytes().starts_with(checksum) { Ok(body) } else { Err(Unreadable::Damaged) }
}

/// Bytes on their way in; reading past the end is [`Unreadable::Damaged`].
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        let (head, tail) = self.0.split_first_chunk::<N>().ok_or(Unreadable::Damaged)?;
        self.0 = tail;
        Ok(*head)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Unreadable> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Unreadable> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Unreadable> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Unreadable> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Unreadable> {
        let len = usize::try_from(self.u32()?).map_err(|_| Unreadable::Damaged)?;
        let (head, tail) = self.0.split_at_checked(len).ok_or(Unreadable::Damaged)?;
        self.0 = tail;
        Ok(head)
    }

    pub(super) fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Unreadable>,
    ) -> Result<Option<T>, Unreadable> {
        match self.u8()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            _ => Err(Unreadable::Damaged),
        }
    }

    pub(super) fn code<T: Copy>(&mut self, table: &[T]) -> Result<T, Unreadable> {
        let place = self.u8()?;
        table.get(usize::from(place)).copied().ok_or(Unreadable::Damaged)
    }
}
