//! As much HTTP/1.1 as a benchmark needs: heads with a `Content-Length`, bodies of that length.

use crate::failure::Failure;

/// No head and body that is sent here is longer.
const ROOM: usize = 16 * 1024;
const HEAD_END: &[u8] = b"\r\n\r\n";

/// Bytes that were read and not used yet.
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    filled: usize,
}

impl Buffer {
    pub(crate) fn new() -> Self {
        Self { bytes: vec![0; ROOM], filled: 0 }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.filled).unwrap_or_default()
    }

    /// Where the next bytes go; empty once the peer has sent more than it should.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.filled..).unwrap_or_default()
    }

    pub(crate) fn filled(&mut self, count: usize) {
        self.filled += count;
    }

    pub(crate) fn consume(&mut self, count: usize) {
        self.bytes.copy_within(count..self.filled, 0);
        self.filled -= count;
    }
}

/// A whole answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body_len: usize,
    pub(crate) key_status: Word,
    /// Head and body.
    pub(crate) len: usize,
}

/// The answer at the front of `bytes`, once it is whole.
pub(crate) fn answer(bytes: &[u8]) -> Result<Option<Answer>, Failure> {
    let Some(head) = Head::of(bytes) else { return Ok(None) };
    let status = head.first.get(9..12).and_then(number);
    let (Some(status), Some(length)) = (status, head.length) else {
        return Err(Failure::new(format!(
            "an answer has no status or length: {}",
            String::from_utf8_lossy(head.first)
        )));
    };
    let len = head.len + length;
    let status = u16::try_from(status)?;
    let answer = Answer { status, body_len: length, key_status: head.key_status, len };
    Ok((bytes.len() >= len).then_some(answer))
}

/// A short word, kept without an allocation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Word {
    bytes: [u8; 12],
    len: usize,
}

impl Word {
    fn of(value: &[u8]) -> Self {
        let mut word = Self { len: value.len().min(12), ..Self::default() };
        word.bytes.iter_mut().zip(value).for_each(|(to, from)| *to = *from);
        word
    }

    pub(crate) fn as_str(&self) -> &str {
        self.bytes.get(..self.len).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

struct Head<'a> {
    first: &'a [u8],
    length: Option<usize>,
    key_status: Word,
    len: usize,
}

impl<'a> Head<'a> {
    fn of(bytes: &'a [u8]) -> Option<Self> {
        let end = bytes.windows(HEAD_END.len()).position(|window| window == HEAD_END)?;
        let mut lines = bytes.get(..end)?.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
        let first = lines.next()?;
        let mut head = Self { first, length: None, key_status: Word::default(), len: end + HEAD_END.len() };
        for line in lines {
            if let Some(value) = value(line, b"content-length:") {
                head.length = number(value);
            } else if let Some(value) = value(line, b"idempotency-status:") {
                head.key_status = Word::of(value);
            }
        }
        Some(head)
    }
}

fn value<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (found, value) = line.split_at_checked(name.len())?;
    found.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] =
        b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nIdempotency-Status: replayed\r\n\r\n{}HTTP/1.1";

    #[test]
    fn an_answer_is_known_once_it_is_whole() {
        let whole = ANSWER.len() - "HTTP/1.1".len();
        for len in 0..whole {
            assert_eq!(answer(ANSWER.get(..len).unwrap()).unwrap(), None, "{len} bytes");
        }
        let answer = answer(ANSWER).unwrap().unwrap();
        assert_eq!((answer.status, answer.body_len, answer.len), (201, 2, whole));
        assert_eq!(answer.key_status.as_str(), "replayed");
    }

    #[test]
    fn an_answer_without_a_length_is_refused() {
        assert!(answer(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
    }

    #[test]
    fn what_is_consumed_makes_room() {
        let mut buffer = Buffer::new();
        buffer.space()[..5].copy_from_slice(b"hello");
        buffer.filled(5);
        buffer.consume(4);
        assert_eq!(buffer.bytes(), b"o");
        assert_eq!(buffer.space().len(), ROOM - 1);
    }
}
