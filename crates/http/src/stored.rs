//! An answer as the ledger keeps it: status, kept headers, body, trailers; byte for byte.
//!
//! Layout, integers big-endian: version 1, status (2), count of headers (2), each name (length 2) and value (length
//! 4), whether there are trailers (1: 0 or 1), and if so their count (2), each likewise, then the body to the end. Repeated headers stay repeated, in order.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use onlyonce_core::event::Verdict;

use crate::{buffers::Reserved, headers, problem::Refused};

const VERSION: u8 = 1;
/// Bytes of the shortest line: two lengths.
const LINE_MIN: usize = 6;
/// How many headers a replay has that its first answer had not.
const ADDED: usize = 4;

/// An answer that can be given again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The status.
    pub status: StatusCode,
    /// The kept headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The kept trailers.
    pub trailers: Option<HeaderMap>,
}

impl Stored {
    /// What is kept of an answer, where its body is.
    pub fn keep(
        answer: (StatusCode, &HeaderMap),
        body: Bytes,
        trailers: Option<&HeaderMap>,
        drop: &[HeaderName],
    ) -> Self {
        let (status, all) = answer;
        let dropped = not_kept(all, drop);
        let kept = |map| headers::kept(map, &dropped);
        let trailers = trailers.map(kept).filter(|trailers| !trailers.is_empty());
        Self { status, headers: kept(all), body, trailers }
    }

    /// What is kept of an answer, where its body is not: no header may speak of a body that is not there.
    pub fn keep_bare(status: StatusCode, all: &HeaderMap, drop: &[HeaderName]) -> Self {
        let mut kept = headers::kept(all, &not_kept(all, drop));
        let location = kept.remove(header::LOCATION);
        let headers = location.map(|value| (header::LOCATION, value)).into_iter().collect();
        Self { headers, ..Self::bare(status) }
    }

    /// A status, and nothing else.
    pub fn bare(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Bytes::new(), trailers: None }
    }

    /// What repeats get of an operation that a person has settled: of what was applied the status, for nobody has the
    /// rest.
    pub fn of_verdict(verdict: Verdict) -> Bytes {
        match verdict {
            Verdict::NotApplied { .. } => Bytes::new(),
            Verdict::Applied { status } => {
                Self::bare(StatusCode::from_u16(status).expect("the statuses that are kept are all valid"))
                    .encode()
            }
        }
    }

    /// A refusal that others are to get as well.
    pub fn of_refusal(refused: Refused, base: &str) -> Self {
        let (status, headers, body) = refused.document(base);
        Self { status, headers, body, trailers: None }
    }

    /// The same, with its body in this room.
    #[must_use]
    pub(crate) fn within(self, room: Reserved) -> Self {
        Self { body: room.hold(self.body), ..self }
    }

    /// As bytes.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(256 + self.body.len());
        out.put_u8(VERSION);
        out.put_u16(self.status.as_u16());
        put_headers(&mut out, &self.headers);
        out.put_u8(u8::from(self.trailers.is_some()));
        if let Some(trailers) = &self.trailers {
            put_headers(&mut out, trailers);
        }
        out.put_slice(&self.body);
        out.freeze()
    }

    /// Reads what [`encode`](Self::encode) wrote; `None` for anything else.
    pub fn decode(mut bytes: Bytes) -> Option<Self> {
        if bytes.try_get_u8().ok()? != VERSION {
            return None;
        }
        let status = StatusCode::from_u16(bytes.try_get_u16().ok()?).ok()?;
        let headers = get_headers(&mut bytes)?;
        let trailers = match bytes.try_get_u8().ok()? {
            0 => None,
            1 => Some(get_headers(&mut bytes)?),
            _ => return None,
        };
        Some(Self { status, headers, body: bytes, trailers })
    }
}

fn not_kept(all: &HeaderMap, drop: &[HeaderName]) -> Vec<HeaderName> {
    let mut dropped = headers::named_by_connection(all);
    dropped.extend_from_slice(drop);
    dropped
}

fn put_headers(out: &mut BytesMut, headers: &HeaderMap) {
    out.put_u16(u16::try_from(headers.len()).expect("a header map holds fewer than 2^15 lines"));
    for (name, value) in headers {
        out.put_u16(u16::try_from(name.as_str().len()).expect("header names are shorter than 64 KiB"));
        out.put_slice(name.as_ref());
        out.put_u32(u32::try_from(value.len()).expect("header values are shorter than 4 GiB"));
        out.put_slice(value.as_bytes());
    }
}

fn get_headers(bytes: &mut Bytes) -> Option<HeaderMap> {
    let count = bytes.try_get_u16().ok()?;
    // No more than there is room for in what is there, and some for what a replay says besides.
    let lines = usize::from(count).min(bytes.len() / LINE_MIN);
    let mut headers = HeaderMap::try_with_capacity(lines + ADDED).ok()?;
    for _ in 0..count {
        let len = bytes.try_get_u16().ok()?.into();
        let name = HeaderName::from_bytes(&take(bytes, len)?).ok()?;
        let len = usize::try_from(bytes.try_get_u32().ok()?).ok()?;
        let value = HeaderValue::from_maybe_shared(take(bytes, len)?).ok()?;
        headers.try_append(name, value).ok()?;
    }
    Some(headers)
}

fn take(bytes: &mut Bytes, len: usize) -> Option<Bytes> {
    (bytes.len() >= len).then(|| bytes.split_to(len))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Stored {
        let mut all = HeaderMap::new();
        for (name, value) in [
            ("content-type", "application/octet-stream"),
            ("link", "</a>; rel=next"),
            ("link", "</b>; rel=prev"),
            ("set-cookie", "session=1"),
            ("date", "Mon, 23 Nov 2026 10:12:07 GMT"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("x-internal", "1"),
        ] {
            all.append(name, value.parse().unwrap());
        }
        let mut trailers = HeaderMap::new();
        trailers.append("x-checksum", "abc".parse().unwrap());
        trailers.append("x-late", "abc".parse().unwrap());
        let drop = [HeaderName::from_static("x-internal"), HeaderName::from_static("x-late")];
        let body = Bytes::from_static(b"\x00\xff\r\n");
        Stored::keep((StatusCode::CREATED, &all), body, Some(&trailers), &drop)
    }

    /// F20, F21: a stored answer is replayed with its own status, repeated headers stay repeated, binary bodies stay
    /// whole, and `Set-Cookie` is not replayed.
    #[test]
    fn f20_f21_an_answer_reads_back_byte_for_byte_without_credentials() {
        let stored = Stored::decode(answer().encode()).unwrap();
        assert_eq!(stored, answer());
        assert_eq!(stored.status, StatusCode::CREATED);
        assert_eq!(stored.headers.get_all("link").iter().count(), 2);
        assert_eq!(stored.headers.len(), 3, "nor what `Connection` or the route names");
        assert_eq!(&stored.body[..], b"\x00\xff\r\n");
        let trailers = stored.trailers.unwrap();
        assert_eq!((trailers.len(), &trailers["x-checksum"]), (1, &HeaderValue::from_static("abc")));
    }

    #[test]
    fn without_a_body_nothing_is_kept_that_speaks_of_one() {
        let mut all = HeaderMap::new();
        for name in ["content-type", "content-encoding", "etag", "content-digest", "link", "location"] {
            all.append(name, HeaderValue::from_static("x"));
        }
        let bare = Stored::keep_bare(StatusCode::CREATED, &all, &[]);
        assert_eq!(bare.headers.keys().collect::<Vec<_>>(), [&header::LOCATION]);
        assert_eq!((bare.status, bare.body.len(), &bare.trailers), (StatusCode::CREATED, 0, &None));
        assert_eq!(Stored::decode(bare.encode()).unwrap(), bare);
        assert!(Stored::keep_bare(StatusCode::CREATED, &all, &[header::LOCATION]).headers.is_empty());
    }

    #[test]
    fn damaged_bytes_are_refused_or_whole() {
        let bytes = answer().encode();
        let fixed = bytes.len() - answer().body.len();
        for len in 0..fixed {
            assert_eq!(Stored::decode(bytes.slice(..len)), None, "{len} bytes");
        }
    }
}
