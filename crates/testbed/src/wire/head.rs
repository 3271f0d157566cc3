//! The head of a message: its first line, its header lines and what they say about the body.

use super::{Error, Kind};
use crate::Headers;

/// A request or response head.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// The request line or status line, without its CRLF.
    pub(crate) line: String,
    pub(crate) headers: Headers,
}

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Empty,
    Length(usize),
    Chunked,
    ToEnd,
}

impl Head {
    /// Parses a head that ends with its empty line.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let text = bytes.strip_suffix(b"\r\n\r\n").ok_or(malformed("a head without its empty line"))?;
        let mut lines =
            text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let crlf = text.iter().filter(|byte| **byte == b'\n').count();
        if text.windows(2).filter(|pair| pair == b"\r\n").count() != crlf {
            return Err(malformed("a bare line feed in a head"));
        }
        let line = lines.next().unwrap_or_default();
        let line =
            String::from_utf8(line.to_vec()).map_err(|_| malformed("a first line that is not text"))?;
        let headers = lines.map(header_line).collect::<Result<Headers, Error>>()?;
        Ok(Self { line, headers })
    }

    /// The status code of a status line.
    pub(crate) fn status(&self) -> Result<u16, Error> {
        let rest = self.line.strip_prefix("HTTP/1.1 ").ok_or(malformed("an answer that is not HTTP/1.1"))?;
        let code = rest.get(..3).filter(|_| rest.get(3..4).is_none_or(|after| after == " "));
        let code = code.filter(|code| code.bytes().all(|digit| digit.is_ascii_digit()));
        code.and_then(|code| code.parse().ok()).ok_or(malformed("a status that is not three digits"))
    }

    pub(crate) fn method(&self) -> &str {
        self.line.split(' ').next().unwrap_or_default()
    }

    pub(crate) fn path(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }

    /// How the body of a request with this head ends.
    pub(crate) fn request_framing(&self) -> Result<Framing, Error> {
        Ok(self.declared()?.unwrap_or(Framing::Empty))
    }

    /// How the body of an answer with this head ends, given the method it answers.
    pub(crate) fn answer_framing(&self, method: &str) -> Result<Framing, Error> {
        let declared = self.declared()?;
        match self.status()? {
            100..=199 | 204 | 304 => Ok(Framing::Empty),
            _ if method == "HEAD" => Ok(Framing::Empty),
            _ => Ok(declared.unwrap_or(Framing::ToEnd)),
        }
    }

    fn declared(&self) -> Result<Option<Framing>, Error> {
        let lengths = self.headers.all("content-length");
        let codings = self.headers.all("transfer-encoding");
        match (lengths.as_slice(), codings.as_slice()) {
            ([], []) => Ok(None),
            ([length], []) => Ok(Some(Framing::Length(decimal(length)?))),
            ([], [coding]) if coding.eq_ignore_ascii_case("chunked") => Ok(Some(Framing::Chunked)),
            ([], _) => Err(malformed("a transfer coding other than chunked")),
            (_, []) => Err(malformed("more than one Content-Length")),
            (_, _) => Err(malformed("Content-Length beside Transfer-Encoding")),
        }
    }
}

/// Splits `Name: value`.
pub(crate) fn header_line(line: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    let colon =
        line.iter().position(|byte| *byte == b':').ok_or(malformed("a header line without a colon"))?;
    let (name, value) = line.split_at(colon);
    if name.is_empty() || name.iter().any(|byte| byte.is_ascii_whitespace()) {
        return Err(malformed("a header name that is empty, folded or has white space"));
    }
    Ok((name, value.strip_prefix(b":").unwrap_or(value).trim_ascii()))
}

/// The size that a chunk line announces; extensions do not count.
pub(crate) fn chunk_size(line: &[u8]) -> Result<usize, Error> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii_end();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(malformed("a chunk size that is not hexadecimal"));
    }
    let digits = std::str::from_utf8(digits).map_err(|_| malformed("a chunk size that is not text"))?;
    usize::from_str_radix(digits, 16).map_err(|_| malformed("a chunk size beyond the machine's"))
}

fn decimal(length: &str) -> Result<usize, Error> {
    let digits = !length.is_empty() && length.bytes().all(|digit| digit.is_ascii_digit());
    digits.then(|| length.parse().ok()).flatten().ok_or(malformed("a Content-Length that is not a number"))
}

fn malformed(detail: &'static str) -> Error {
    Error::new(Kind::Malformed, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_framing_follows_the_headers_the_method_and_the_status() {
        let framing = |head: &str, method: &str| Head::parse(head.as_bytes()).unwrap().answer_framing(method);
        let with_length = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n";
        assert_eq!(framing(with_length, "POST").unwrap(), Framing::Length(7));
        assert_eq!(framing(with_length, "HEAD").unwrap(), Framing::Empty);
        assert_eq!(framing("HTTP/1.1 204\r\n\r\n", "POST").unwrap(), Framing::Empty);
        assert_eq!(framing("HTTP/1.1 200 OK\r\n\r\n", "POST").unwrap(), Framing::ToEnd);
    }

    #[test]
    fn ambiguous_and_sloppy_heads_are_malformed() {
        for head in [
            "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nContent-Length: 7\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: +7\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX: 1\r\n folded\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX : 1\r\n\r\n",
            "HTTP/1.1 200 OK\nX: 1\r\n\r\n",
            "HTTP/1.1 2000\r\n\r\n",
            "HTTP/1.1 +20\r\n\r\n",
            "HTTP/1.0 200 OK\r\n\r\n",
        ] {
            let judged = Head::parse(head.as_bytes()).and_then(|head| head.answer_framing("POST"));
            assert_eq!(judged.unwrap_err().kind(), Kind::Malformed, "{head:?}");
        }
    }
}
