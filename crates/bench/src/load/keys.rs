//! What requests carry, and what their answers must say.

use std::{cell::Cell, io::Write, rc::Rc};

use super::wire::Answer;
use crate::{failure::Failure, upstream};

/// The request's body, 100 bytes of JSON.
pub(crate) const BODY: &str = concat!(
    r#"{"from_account":"ES9121000418450200051332","to_account":"ES1000492352082414205416","#,
    r#""amount":1250000}"#
);
/// A key: 32 hexadecimal digits, of which the first half is the run's own.
const KEY_LEN: usize = 32;

/// Where a request's key comes from. Clones share what has been drawn.
#[derive(Clone)]
pub(crate) struct Keys {
    source: Source,
    path: &'static str,
    run: u64,
    drawn: Rc<Cell<u64>>,
    expected: &'static str,
}

#[derive(Clone, Copy)]
enum Source {
    None,
    Fresh,
    /// One of as many that were sent before.
    Known(u64),
    /// Always the same.
    Same,
}

impl Keys {
    /// No keys.
    pub(crate) fn none() -> Self {
        Self::new(Source::None, "/transfers", "")
    }

    /// A key that nobody has sent before, each time.
    pub(crate) fn fresh() -> Self {
        Self::new(Source::Fresh, "/transfers", "executed")
    }

    /// One of the keys that these have drawn so far, in an order that has nothing to do with that in which they were.
    pub(crate) fn repeated(&self) -> Self {
        let known = Source::Known(self.drawn.get());
        Self { source: known, drawn: Rc::default(), expected: "replayed", ..self.clone() }
    }

    /// One key for all, on a path whose answer waits.
    pub(crate) fn same(path: &'static str) -> Self {
        Self::new(Source::Same, path, "replayed")
    }

    /// The same keys for which another answer is expected.
    pub(crate) fn expecting(&self, expected: &'static str) -> Self {
        Self { expected, ..self.clone() }
    }

    fn new(source: Source, path: &'static str, expected: &'static str) -> Self {
        let mut run = [0; 8];
        getrandom::fill(&mut run).expect("the operating system has random bytes");
        Self { source, path, run: u64::from_ne_bytes(run), drawn: Rc::default(), expected }
    }

    /// The bytes of a request, with room for a key.
    pub(crate) fn request(&self) -> Request {
        let key = match self.source {
            Source::None => String::new(),
            _ => format!("idempotency-key: {}\r\n", "0".repeat(KEY_LEN)),
        };
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: api.example\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{key}",
            self.path,
            BODY.len()
        );
        // The key is the last thing before the line's end.
        let at = head.len().saturating_sub(KEY_LEN + 2);
        Request { bytes: format!("{head}\r\n{BODY}").into_bytes(), at }
    }

    /// Puts the next key into the request.
    pub(crate) fn next(&self, request: &mut Request) {
        let number = match self.source {
            Source::None => return,
            Source::Fresh => self.draw(),
            // A step that has no factor in common with their number visits each of them before any a second time.
            Source::Known(keys) => self.draw().wrapping_mul(LARGE_PRIME) % keys.max(1),
            Source::Same => 0,
        };
        let mut key = request.bytes.get_mut(request.at..).expect("the key lies within the request");
        write!(key, "{:016x}{number:016x}", self.run).expect("a key has its room");
    }

    fn draw(&self) -> u64 {
        self.drawn.replace(self.drawn.get() + 1)
    }

    /// Whether an answer is the one expected.
    pub(crate) fn check(&self, answer: &Answer) -> Result<(), Failure> {
        let (status, length) = (answer.status, answer.body_len);
        if status != 201 || length != upstream::BODY.len() {
            return Err(Failure::new(format!("an answer has status {status} and {length} bytes of body")));
        }
        match answer.key_status.as_str() {
            said if said == self.expected => Ok(()),
            "" => Err(Failure::new("an answer has no Idempotency-Status")),
            said => {
                Err(Failure::new(format!("an answer is `{said}` where `{}` was expected", self.expected)))
            }
        }
    }
}

const LARGE_PRIME: u64 = 2_654_435_761;

/// A request's bytes, and where in them its key is.
pub(crate) struct Request {
    bytes: Vec<u8>,
    at: usize,
}

impl Request {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn texts(keys: &Keys, count: u64) -> HashSet<String> {
        let mut request = keys.request();
        (0..count)
            .map(|_| {
                keys.next(&mut request);
                String::from_utf8(request.bytes().to_vec()).unwrap()
            })
            .collect()
    }

    #[test]
    fn fresh_keys_differ_and_repeated_ones_are_all_of_them_again() {
        let fresh = Keys::fresh();
        let sent = texts(&fresh, 1_000);
        assert_eq!(sent.len(), 1_000);
        assert_eq!(texts(&fresh.repeated(), 1_000), sent);
        assert_eq!(texts(&Keys::same("/held"), 3).len(), 1);
    }

    #[test]
    fn a_request_is_whole() {
        assert_eq!(BODY.len(), 100);
        for request in texts(&Keys::fresh(), 1) {
            let (head, body) = request.split_once("\r\n\r\n").unwrap();
            assert_eq!(body, BODY);
            let key = head.split_once("\r\nidempotency-key: ").unwrap().1;
            assert!(key.len() == KEY_LEN && key.bytes().all(|byte| byte.is_ascii_hexdigit()), "{key}");
        }
        for request in texts(&Keys::none(), 1) {
            assert!(!request.contains("idempotency-key"));
            assert!(request.ends_with(&format!("content-length: 100\r\n\r\n{BODY}")));
        }
    }
}
