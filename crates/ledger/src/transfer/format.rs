//! The file of an export.
//!
//! ```text
//! ONLYONCE LEDGER\n     16 bytes
//! version               1 byte: 1
//! frames
//! ```
//!
//! A frame is a kind (1 byte), a length (4 bytes), so many bytes, and a checksum (8 bytes): the first of blake3 over everything
//! in the file up to there. So a frame that is damaged, missing, doubled or in another place is noticed at once. All integers
//! are big-endian.
//!
//! | kind | frame  | bytes                                                                          |
//! |------|--------|--------------------------------------------------------------------------------|
//! | 1    | ledger | the source's time (8), then its identity row, never closed                     |
//! | 2    | record | id (16), length of the row (4), the row; then its result as it is sealed, if any |
//! | 3    | audit  | an entry, oldest first                                                         |
//! | 4    | end    | how many records (8), results (8) and entries (8) there were                   |
//!
//! The first frame is the ledger, the last one the end; a file without it is cut. Each record is there once, in no order that
//! means anything.

use std::io::{self, Read, Write};

use bytes::Bytes;
use onlyonce_core::{RecordId, Timestamp};

use super::{Error, ErrorKind};

const MAGIC: &[u8; 16] = b"ONLYONCE LEDGER\n";
const VERSION: u8 = 1;
const CHECKSUM_LEN: usize = 8;
/// Nothing in a frame is larger: what a result may be, and then some. Guards the memory that reading may ask for.
const FRAME_MAX: u32 = 512 * 1024 * 1024;

const LEDGER: u8 = 1;
const RECORD: u8 = 2;
const AUDIT: u8 = 3;
const END: u8 = 4;

/// One piece of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Which ledger it is.
    Ledger {
        /// The source's time when the copy began.
        at: Timestamp,
        /// Its identity row.
        identity: Bytes,
    },
    /// A record.
    Record {
        /// Its id.
        id: RecordId,
        /// Its row.
        row: Bytes,
        /// Its result, sealed; `None` where there is none.
        result: Option<Bytes>,
    },
    /// An entry of the audit.
    Audit(Bytes),
    /// There is no more.
    End(Counts),
}

/// How much there was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records.
    pub records: u64,
    /// Results.
    pub results: u64,
    /// Audit entries.
    pub audit: u64,
}

impl Counts {
    fn count(&mut self, frame: &Frame) {
        match frame {
            Frame::Record { result, .. } => {
                self.records += 1;
                self.results += u64::from(result.is_some());
            }
            Frame::Audit(_) => self.audit += 1,
            Frame::Ledger { .. } | Frame::End(_) => {}
        }
    }
}

/// Writes frames.
pub struct Writer<'a> {
    out: &'a mut (dyn Write + Send),
    sum: blake3::Hasher,
    counts: Counts,
    written: u64,
}

impl<'a> Writer<'a> {
    /// Begins a file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn begin(out: &'a mut (dyn Write + Send)) -> io::Result<Self> {
        let mut writer = Self { out, sum: blake3::Hasher::new(), counts: Counts::default(), written: 0 };
        writer.put(MAGIC)?;
        writer.put(&[VERSION])?;
        Ok(writer)
    }

    /// Writes one frame.
    ///
    /// # Errors
    /// If it cannot be written, or is larger than any may be.
    pub fn frame(&mut self, frame: &Frame) -> io::Result<()> {
        self.counts.count(frame);
        match frame {
            Frame::Ledger { at, identity } => self.parts(LEDGER, &[&at.as_ms().to_be_bytes(), identity]),
            Frame::Record { id, row, result } => {
                let len = u32::try_from(row.len()).map_err(io::Error::other)?.to_be_bytes();
                let result = result.as_deref().map(|sealed| [&[1], sealed].concat()).unwrap_or_default();
                self.parts(RECORD, &[&id.0, &len, row, &result])
            }
            Frame::Audit(entry) => self.parts(AUDIT, &[entry]),
            Frame::End(Counts { records, results, audit }) => {
                let counts = [records, results, audit].map(|count| count.to_be_bytes());
                self.parts(END, &[counts.as_flattened()])
            }
        }
    }

    /// Ends the file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn end(mut self) -> io::Result<Counts> {
        self.frame(&Frame::End(self.counts))?;
        self.out.flush()?;
        Ok(self.counts)
    }

    /// Bytes so far.
    pub const fn written(&self) -> u64 {
        self.written
    }

    fn parts(&mut self, kind: u8, parts: &[&[u8]]) -> io::Result<()> {
        let len = parts.iter().map(|part| part.len()).sum::<usize>();
        let len = u32::try_from(len).ok().filter(|len| *len <= FRAME_MAX);
        let len = len.ok_or_else(|| io::Error::other("a frame would be too large"))?;
        self.put(&[kind])?;
        self.put(&len.to_be_bytes())?;
        for part in parts {
            self.put(part)?;
        }
        let sum = self.sum.finalize();
        let (sum, _) = sum.as_bytes().split_at(CHECKSUM_LEN);
        self.put(sum)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.sum.update(bytes);
        self.written += bytes.len() as u64;
        Ok(())
    }
}

/// Reads frames, and checks each of them.
pub struct Reader<'a> {
    input: &'a mut (dyn Read + Send),
    sum: blake3::Hasher,
    counts: Counts,
    read: u64,
}

impl<'a> Reader<'a> {
    /// Begins to read.
    ///
    /// # Errors
    /// If it is no export, or one of a newer format.
    pub fn begin(input: &'a mut (dyn Read + Send)) -> Result<Self, Error> {
        let mut reader = Self { input, sum: blake3::Hasher::new(), counts: Counts::default(), read: 0 };
        if reader.take(MAGIC.len())? != MAGIC {
            return Err(Error::new(ErrorKind::File, "this is no export of a ledger"));
        }
        match *reader.take(1)? {
            [VERSION] => Ok(reader),
            _ => Err(newer()),
        }
    }

    /// The next frame; after [`Frame::End`] there is none.
    ///
    /// # Errors
    /// If the file is cut or damaged, or does not hold as much as it says at its end.
    pub fn frame(&mut self) -> Result<Frame, Error> {
        let kind = self.take(1)?.first().copied().unwrap_or_default();
        let len = self.take(4)?.try_into().map(u32::from_be_bytes).map_err(|_| damaged())?;
        if len > FRAME_MAX {
            return Err(damaged());
        }
        let bytes = Bytes::from(self.take(usize::try_from(len).map_err(|_| damaged())?)?);
        let expected = self.sum.finalize();
        if !expected.as_bytes().starts_with(&self.take(CHECKSUM_LEN)?) {
            return Err(damaged());
        }
        let frame = read(kind, bytes)?;
        match frame {
            Frame::End(counts) if counts != self.counts => Err(damaged()),
            _ => {
                self.counts.count(&frame);
                Ok(frame)
            }
        }
    }

    /// The first frame: when the file was written, and the ledger's identity.
    ///
    /// # Errors
    /// If it is none, or the file is cut or damaged.
    pub fn ledger(&mut self) -> Result<(Timestamp, Bytes), Error> {
        match self.frame()? {
            Frame::Ledger { at, identity } => Ok((at, identity)),
            _ => Err(Error::new(ErrorKind::File, "the file does not begin with a ledger")),
        }
    }

    /// The next record or entry; `None` once all of them were read.
    ///
    /// # Errors
    /// As of [`frame`](Self::frame).
    pub fn content(&mut self) -> Result<Option<Frame>, Error> {
        match self.frame()? {
            Frame::End(_) => Ok(None),
            Frame::Ledger { .. } => Err(Error::new(ErrorKind::File, "the file holds more than one ledger")),
            frame @ (Frame::Record { .. } | Frame::Audit(_)) => Ok(Some(frame)),
        }
    }

    /// How much has been read.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Bytes so far.
    pub const fn bytes(&self) -> u64 {
        self.read
    }

    /// Grows as bytes come, so that a length that is damaged asks for no memory.
    fn take(&mut self, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        Read::take(&mut self.input, len as u64).read_to_end(&mut bytes)?;
        if bytes.len() < len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.sum.update(&bytes);
        self.read += len as u64;
        Ok(bytes)
    }
}

fn read(kind: u8, mut bytes: Bytes) -> Result<Frame, Error> {
    let frame = match kind {
        LEDGER => {
            Frame::Ledger { at: Timestamp::from_ms(u64::from_be_bytes(cut(&mut bytes)?)), identity: bytes }
        }
        RECORD => {
            let id = RecordId(cut(&mut bytes)?);
            let len = usize::try_from(u32::from_be_bytes(cut(&mut bytes)?)).map_err(|_| damaged())?;
            let result = if len <= bytes.len() { bytes.split_off(len) } else { return Err(damaged()) };
            let result = (!result.is_empty()).then(|| result.slice(1..));
            Frame::Record { id, row: bytes, result }
        }
        AUDIT => Frame::Audit(bytes),
        END => {
            let mut count = || cut(&mut bytes).map(u64::from_be_bytes);
            Frame::End(Counts { records: count()?, results: count()?, audit: count()? })
        }
        _ => return Err(newer()),
    };
    Ok(frame)
}

fn cut<const N: usize>(bytes: &mut Bytes) -> Result<[u8; N], Error> {
    if bytes.len() < N {
        return Err(damaged());
    }
    bytes.split_to(N).as_ref().try_into().map_err(|_| damaged())
}

fn damaged() -> Error {
    Error::new(ErrorKind::File, "the file is damaged; export again")
}

fn newer() -> Error {
    Error::new(ErrorKind::File, "the file is of a newer format; use the version that wrote it")
}

#[cfg(test)]
mod tests;
