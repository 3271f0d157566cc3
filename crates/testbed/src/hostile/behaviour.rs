//! The faults by name, and the table of what each does.

use std::{ops::RangeInclusive, time::Duration};

use super::plan::{Act, Coding, End, Idle, Piece, Plan, Reads};
use crate::Close;

/// The body of every answer that is not generated.
pub const BODY: &[u8] = br#"{"from":"hostile"}"#;
/// How many bytes the large answers have.
pub const HUNDRED_MB: u64 = 100_000_000;
/// When [`Behaviour::ClosesIdle`] closes.
pub const IDLE_CLOSE: RangeInclusive<Duration> = Duration::from_millis(900)..=Duration::from_millis(1100);
/// The pause after each byte of [`Behaviour::AnswersSlowly`].
pub const BYTE_PAUSE: Duration = Duration::from_millis(2);

/// A fault. Unless it says otherwise, the whole request is read first, and answers are
/// `201 Created` with [`BODY`].
#[derive(Clone, Debug)]
pub enum Behaviour {
    /// None, as a control: answers and keeps the connection.
    Answers,
    /// Connections are refused: the port is reserved and nobody listens.
    Refuses,
    /// Reads the request and never answers.
    Hangs,
    /// Accepts and does not even read.
    HangsUnread,
    /// RST at once, nothing read.
    ResetsAtAccept,
    /// RST after the request, no byte of an answer.
    ResetsUnanswered,
    /// FIN after the request, no byte of an answer.
    ClosesUnanswered,
    /// RST in the middle of the answer's head.
    ResetsMidHead,
    /// FIN in the middle of the answer's head.
    ClosesMidHead,
    /// RST in the middle of a body with `Content-Length`.
    ResetsMidBody,
    /// FIN in the middle of a body with `Content-Length`.
    ClosesMidBody,
    /// FIN in the middle of a chunked body, between two chunks.
    ClosesMidChunks,
    /// Bytes that are not HTTP, then FIN.
    AnswersGarbage,
    /// A complete final answer once the head is there, then FIN; the body is read away afterwards.
    AnswersEarly,
    /// The same, then RST: a body on its way meets it, and the answer may be lost.
    AnswersEarlyAndResets,
    /// [`HUNDRED_MB`] of body, as they are or chunked.
    AnswersLarge(Coding),
    /// Bytes after the end of the answer's body, in the same write.
    AnswersWithSurplus,
    /// A second answer on an idle connection, when [`cued`](super::Hostile::cue).
    SpeaksWhileIdle,
    /// Closes idle connections after a random time in [`IDLE_CLOSE`]: the keep-alive race.
    ClosesIdle,
    /// Closes idle connections (FIN) when [`cued`](super::Hostile::cue).
    ClosesIdleOnCue,
    /// `Content-Length` and `Transfer-Encoding: chunked` on one answer, both true of it as far as can be.
    FramesTwice,
    /// An answer without framing, ended by FIN.
    EndsByClosing,
    /// The answer byte by byte, [`BYTE_PAUSE`] apart.
    AnswersSlowly,
    /// 103 Early Hints with a `Link`, then the answer.
    HintsFirst,
    /// 101 Switching Protocols, then silence.
    SwitchesProtocols,
    /// A chunked answer with the trailer `digest: x`.
    SendsTrailers,
    /// Anything else.
    Planned(Plan),
}

impl Behaviour {
    /// What it does with each request; `None` where it never gets one.
    pub(super) fn plan(self) -> Option<Plan> {
        let whole = |writes: Vec<Piece>, end| Some(Plan { reads: Reads::Whole, writes, end });
        let (fin, reset) = (End::Close(Close::Fin), End::Close(Close::Reset));
        match self {
            Self::Answers => whole(vec![bytes(answer())], End::Idle(Idle::Quiet)),
            Self::Refuses => None,
            Self::Hangs => whole(vec![], End::Hold),
            Self::HangsUnread => Some(Plan { reads: Reads::Nothing, writes: vec![], end: End::Hold }),
            Self::ResetsAtAccept => Some(Plan { reads: Reads::Nothing, writes: vec![], end: reset }),
            Self::ResetsUnanswered => whole(vec![], reset),
            Self::ClosesUnanswered => whole(vec![], fin),
            Self::ResetsMidHead => whole(vec![bytes("HTTP/1.1 201 Created\r\nContent-T")], reset),
            Self::ClosesMidHead => whole(vec![bytes("HTTP/1.1 201 Created\r\nContent-T")], fin),
            Self::ResetsMidBody => whole(vec![bytes(cut(answer()))], reset),
            Self::ClosesMidBody => whole(vec![bytes(cut(answer()))], fin),
            Self::ClosesMidChunks => whole(vec![bytes(head(CHUNKED)), bytes(chunk())], fin),
            Self::AnswersGarbage => whole(vec![bytes(b"\x16\x03\x01\x02\x00 this is not HTTP\r\n\r\n")], fin),
            Self::AnswersEarly => {
                Some(Plan { reads: Reads::Head, writes: vec![bytes(last_answer())], end: fin })
            }
            Self::AnswersEarlyAndResets => {
                Some(Plan { reads: Reads::Head, writes: vec![bytes(last_answer())], end: reset })
            }
            Self::AnswersLarge(coding) => whole(
                vec![bytes(large_head(coding)), Piece::Body(HUNDRED_MB, coding)],
                End::Idle(Idle::Quiet),
            ),
            Self::AnswersWithSurplus => {
                whole(vec![bytes([answer(), b"surplus".to_vec()].concat())], End::Idle(Idle::Quiet))
            }
            Self::SpeaksWhileIdle => {
                whole(vec![bytes(answer())], End::Idle(Idle::OnCue(Act::Speak(answer()))))
            }
            Self::ClosesIdle => whole(vec![bytes(answer())], End::Idle(Idle::CloseAfter(IDLE_CLOSE))),
            Self::ClosesIdleOnCue => {
                whole(vec![bytes(answer())], End::Idle(Idle::OnCue(Act::Close(Close::Fin))))
            }
            Self::FramesTwice => whole(vec![bytes(framed_twice())], End::Idle(Idle::Quiet)),
            Self::EndsByClosing => whole(vec![bytes(head("Connection: close\r\n")), bytes(BODY)], fin),
            Self::AnswersSlowly => whole(vec![Piece::Slowly(answer(), BYTE_PAUSE)], End::Idle(Idle::Quiet)),
            Self::HintsFirst => whole(vec![bytes(HINTS), bytes(answer())], End::Idle(Idle::Quiet)),
            Self::SwitchesProtocols => whole(vec![bytes(SWITCHING)], End::Hold),
            Self::SendsTrailers => {
                let body = [chunk(), b"0\r\ndigest: x\r\n\r\n".to_vec()].concat();
                whole(vec![bytes(head(CHUNKED_WITH_TRAILER)), bytes(body)], End::Idle(Idle::Quiet))
            }
            Self::Planned(plan) => Some(plan),
        }
    }
}

const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";
const CHUNKED_WITH_TRAILER: &str = "Trailer: digest\r\nTransfer-Encoding: chunked\r\n";
const HINTS: &str = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n";
const SWITCHING: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n";

fn bytes(bytes: impl Into<Vec<u8>>) -> Piece {
    Piece::Bytes(bytes.into())
}

fn head(lines: &str) -> String {
    format!("HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n{lines}\r\n")
}

/// A correct answer with [`BODY`].
fn answer() -> Vec<u8> {
    [head(&format!("Content-Length: {}\r\n", BODY.len())).as_bytes(), BODY].concat()
}

/// A correct answer that announces the end of its connection.
fn last_answer() -> Vec<u8> {
    [head(&format!("Connection: close\r\nContent-Length: {}\r\n", BODY.len())).as_bytes(), BODY].concat()
}

fn cut(mut answer: Vec<u8>) -> Vec<u8> {
    answer.truncate(answer.len() - BODY.len() / 2);
    answer
}

/// [`BODY`] as one chunk, without the last chunk.
fn chunk() -> Vec<u8> {
    [format!("{:x}\r\n", BODY.len()).as_bytes(), BODY, b"\r\n"].concat()
}

fn framed_twice() -> Vec<u8> {
    let body = [chunk(), b"0\r\n\r\n".to_vec()].concat();
    [head(&format!("Content-Length: {}\r\n{CHUNKED}", body.len())).into_bytes(), body].concat()
}

fn large_head(coding: Coding) -> String {
    match coding {
        Coding::Length => head(&format!("Content-Length: {HUNDRED_MB}\r\n")),
        Coding::Chunked => head(CHUNKED),
    }
}
