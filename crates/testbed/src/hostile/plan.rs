//! What a hostile upstream does with a request, as data.

use std::{ops::RangeInclusive, time::Duration};

use crate::Close;

/// What is done with each request of a connection: read, write, end.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How much of the request is read before anything is written.
    pub reads: Reads,
    /// What is written, in order.
    pub writes: Vec<Piece>,
    /// What happens then.
    pub end: End,
}

/// How much of a request is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// Nothing: no request is recorded.
    Nothing,
    /// The head. What of the body came with it is not looked at.
    Head,
    /// Head and body.
    Whole,
}

/// Something to write.
#[derive(Clone, Debug)]
pub enum Piece {
    /// These bytes, in one write.
    Bytes(Vec<u8>),
    /// These bytes, one write each, with a pause after each.
    Slowly(Vec<u8>, Duration),
    /// So many bytes of body, made as they are sent: raw, or as chunks with the last one.
    Body(u64, Coding),
}

/// How a generated body is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// As it is, for an answer with `Content-Length`.
    Length,
    /// As chunks.
    Chunked,
}

/// What happens after the answer.
#[derive(Clone, Debug)]
pub enum End {
    /// The connection ends.
    Close(Close),
    /// The connection stays, silent, until the peer ends it.
    Hold,
    /// The connection waits for its next request; only after one that was read whole.
    Idle(Idle),
}

/// What an idle connection does.
#[derive(Clone, Debug)]
pub enum Idle {
    /// Waits.
    Quiet,
    /// Waits for a random time out of this range, then closes as a server with a keep-alive timeout does,
    /// whether or not a request is on its way.
    CloseAfter(RangeInclusive<Duration>),
    /// Waits, and acts when the test says so ([`Hostile::cue`](super::Hostile::cue)).
    OnCue(Act),
}

/// What an idle connection does when cued.
#[derive(Clone, Debug)]
pub enum Act {
    /// Closes as a server with a keep-alive timeout does.
    Close(Close),
    /// Writes these bytes, and stays.
    Speak(Vec<u8>),
}
