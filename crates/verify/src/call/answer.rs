//! What came back, or did not.

use std::{fmt, time::Duration};

use http::{HeaderMap, StatusCode};

use super::{Body, body::BEGINNING};

/// What became of one request, as its client saw it.
pub type Outcome = Result<Answer, Lost>;

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers, in the order in which they came.
    pub headers: HeaderMap,
    /// Its body, to the end.
    pub body: Body,
    /// From the first byte sent to the last one read.
    pub took: Duration,
}

/// Why there is no whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Not connected: nothing was sent.
    NotReached(String),
    /// The connection ended before an answer did.
    BrokeOff(String),
    /// The time was up.
    TimedOut(Duration),
    /// The client hung up, as it was meant to.
    HungUp,
    /// The API gave this answer, and it was lost on the way, as it was meant to be.
    Withheld(Box<Answer>),
    /// Nobody waited for it any more.
    NotAwaited,
    /// It was larger than what is read, or than what there is room for.
    TooLarge,
}

impl Answer {
    /// A header's value as text; `None` if it is absent or no text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON, if it is, and all of it is kept.
    #[must_use]
    pub fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(self.body.whole()?).ok()
    }

    /// Lets go of what no report shows.
    pub(crate) fn shorten(&mut self) {
        self.body.shorten();
    }

    /// Its status and words, without what has digits: that is another one each time.
    pub(crate) fn said(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        let words = body.split(|c: char| !c.is_alphanumeric() && c != '-' && c != '_');
        let words: Vec<_> = words.filter(|word| !word.bytes().any(|byte| byte.is_ascii_digit())).collect();
        format!("{} {}", self.status.as_u16(), words.join(" "))
    }

    /// Whether it says the same, of whatever request.
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        self.said() == other.said()
    }

    /// Whether it tells the same: by status and body.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        (self.status, &self.body) == (other.status, &other.body)
    }

    /// Whether it says that the request was carried out.
    #[must_use]
    pub fn is_success(&self) -> bool {
        // 304, 307 and 308 leave it to the client to ask elsewhere, or say that nothing is new: nothing was done.
        self.status.is_success() || matches!(self.status.as_u16(), 301..=303)
    }
}

/// Lets go of what no report shows.
pub(crate) fn shorten(outcome: &mut Outcome) {
    match outcome {
        Ok(answer) => answer.shorten(),
        Err(Lost::Withheld(answer)) => answer.shorten(),
        Err(_) => {}
    }
}

/// What became of a request, in one line.
pub(crate) fn told(outcome: &Outcome) -> String {
    outcome.as_ref().map_or_else(ToString::to_string, ToString::to_string)
}

impl fmt::Display for Answer {
    /// In one line: status, and the beginning of the body.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 120;
        write!(f, "{}", self.status.as_u16())?;
        // What is shown is far shorter.
        let beginning = self.body.get(..BEGINNING).unwrap_or(&self.body);
        let text = String::from_utf8_lossy(beginning);
        let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let shown: String = line.chars().take(SHOWN).collect();
        let dots = if shown.len() < line.len() || beginning.len() < self.body.len() { "…" } else { "" };
        if shown.is_empty() { Ok(()) } else { write!(f, " {shown}{dots}") }
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotReached(why) => write!(f, "it could not be reached: {why}"),
            Self::BrokeOff(why) => write!(f, "no whole answer: {why}"),
            Self::TimedOut(after) => write!(f, "no answer within {} s", after.as_secs_f32()),
            Self::HungUp => f.write_str("hung up on purpose"),
            Self::Withheld(answer) => write!(f, "lost on the way, on purpose: {answer}"),
            Self::NotAwaited => f.write_str("not waited for"),
            Self::TooLarge => f.write_str("an answer of more than 64 MiB, too large to be compared"),
        }
    }
}
