//! A record's binary form, format 1.
//!
//! ```text
//! 0      format      1
//! 1      flags       bit 0: open
//! 2..10  expires_at  ms, big-endian; all ones: never
//! 10..26 attempt
//! 26..30 revision    big-endian
//! 30..   the rest, see `encode`
//! last 8 checksum    the first bytes of blake3 over all before
//! ```
//!
//! The first 30 bytes are what a store may look at ([`peek`]): enough to compare, to page open records and to expire
//! the others. Invariant: what cannot be read is never absent; it is [`Unreadable`], and the caller refuses.

use std::{fmt, time::Duration};

use bytes::Bytes;

use crate::{
    AttemptId, Fence, Fingerprint, Owner, Policy, Record, State, Timestamp, Version,
    fingerprint::Recipe,
    policy::OnUnknown,
    record::{ReleaseCause, Source, TombstoneCause, UnknownCause},
};

mod wire;

use wire::{Reader, Writer};

/// The format that this version writes.
pub const FORMAT: u8 = 1;
/// How many bytes [`peek`] needs.
pub const PEEK_LEN: usize = 30;

const CHECKSUM_LEN: usize = 8;
const OPEN: u8 = 1;
const NEVER: u64 = u64::MAX;

/// Why a record cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It was written by a newer version, in this format.
    Newer(u8),
    /// It was written by a newer version, and its fingerprint was made by this recipe.
    NewerRecipe(u8),
    /// Its bytes are damaged.
    Damaged,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newer(format) => {
                write!(f, "the record has format {format}; this version reads up to {FORMAT}")
            }
            Self::NewerRecipe(recipe) => {
                write!(
                    f,
                    "the record's fingerprint was made by recipe {recipe}, which this version does not know"
                )
            }
            Self::Damaged => f.write_str("the record is damaged"),
        }
    }
}

impl std::error::Error for Unreadable {}

/// What a store sees of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peek {
    /// What the next compare-and-set must find.
    pub version: Version,
    /// Whether the operation has not ended.
    pub open: bool,
    /// When the row may be removed; `None`: never.
    pub expires_at: Option<Timestamp>,
}

/// Reads what a store may know, without checking the rest.
///
/// # Errors
/// [`Unreadable`] if the format is not ours or the prefix is cut.
pub fn peek(bytes: &[u8]) -> Result<Peek, Unreadable> {
    let mut reader = Reader::new(bytes);
    match reader.u8()? {
        FORMAT => {}
        0 => return Err(Unreadable::Damaged),
        newer => return Err(Unreadable::Newer(newer)),
    }
    let open = reader.u8()? & OPEN != 0;
    let expires_at = reader.u64()?;
    let version = Version { attempt: AttemptId(reader.array()?), revision: reader.u32()? };
    Ok(Peek { version, open, expires_at: (expires_at != NEVER).then(|| Timestamp::from_ms(expires_at)) })
}

/// A record's bytes.
pub fn encode(record: &Record) -> Bytes {
    let mut out = Writer::with_capacity(192 + record.parameters.len() + record.route.len());
    out.u8(FORMAT);
    out.u8(if record.is_open() { OPEN } else { 0 });
    out.u64(record.expires_at().map_or(NEVER, Timestamp::as_ms));
    out.raw(&record.version.attempt.0);
    out.u32(record.version.revision);

    out.u32(record.fence.0);
    out.time(record.first_claim_at);
    out.time(record.claimed_at);
    out.u8(record.recipe.into());
    out.raw(&record.fingerprint.0);
    out.raw(&record.owner.0);
    out.bytes(record.route.as_bytes());
    policy(&mut out, &record.policy);
    out.option(record.earlier_unknown.map(Timestamp::as_ms), Writer::u64);
    out.bytes(&record.parameters);
    state(&mut out, &record.state);
    out.finish(CHECKSUM_LEN)
}

/// Reads what [`encode`] wrote.
///
/// # Errors
/// [`Unreadable`] for any other bytes.
pub fn decode(bytes: &[u8]) -> Result<Record, Unreadable> {
    let Peek { version, .. } = peek(bytes)?;
    let body = wire::checked(bytes, CHECKSUM_LEN)?;
    let mut input = Reader::new(body.get(PEEK_LEN..).ok_or(Unreadable::Damaged)?);
    let record = Record {
        version,
        fence: Fence(input.u32()?),
        first_claim_at: input.time()?,
        claimed_at: input.time()?,
        recipe: recipe(input.u8()?)?,
        fingerprint: Fingerprint(input.array()?),
        owner: Owner(input.array()?),
        route: String::from_utf8(input.bytes()?.to_vec()).map_err(|_| Unreadable::Damaged)?,
        policy: read_policy(&mut input)?,
        earlier_unknown: input.option(Reader::time)?,
        parameters: Bytes::copy_from_slice(input.bytes()?),
        state: read_state(&mut input)?,
    };
    if input.is_empty() { Ok(record) } else { Err(Unreadable::Damaged) }
}

fn recipe(code: u8) -> Result<Recipe, Unreadable> {
    Recipe::try_from(code).map_err(|_| match code {
        0 => Unreadable::Damaged,
        newer => Unreadable::NewerRecipe(newer),
    })
}

fn policy(out: &mut Writer, policy: &Policy) {
    out.duration(policy.lease);
    out.duration(policy.deadline);
    out.option(policy.settle_after, Writer::duration);
    out.duration(policy.retain_result);
    out.duration(policy.retain_key);
    out.u8(match policy.on_unknown {
        OnUnknown::Hold => 0,
        OnUnknown::Rerun => 1,
        OnUnknown::Probe => 2,
    });
}

fn read_policy(input: &mut Reader<'_>) -> Result<Policy, Unreadable> {
    Ok(Policy {
        lease: input.duration()?,
        deadline: input.duration()?,
        settle_after: input.option(Reader::duration)?,
        retain_result: input.duration()?,
        retain_key: input.duration()?,
        on_unknown: match input.u8()? {
            0 => OnUnknown::Hold,
            1 => OnUnknown::Rerun,
            2 => OnUnknown::Probe,
            _ => return Err(Unreadable::Damaged),
        },
    })
}

fn state(out: &mut Writer, state: &State) {
    match state {
        State::InProgress { lease_until } => {
            out.u8(0);
            out.time(*lease_until);
        }
        State::Unknown { since, settle_from, cause, seen_status } => {
            out.u8(1);
            out.time(*since);
            out.time(*settle_from);
            out.code(&UnknownCause::ALL, *cause);
            out.option(*seen_status, Writer::u16);
        }
        State::Released { at, until, cause } => {
            out.u8(2);
            out.time(*at);
            out.time(*until);
            release_cause(out, *cause);
        }
        State::Completed { at, status, by, result_until, key_until } => {
            out.u8(3);
            out.time(*at);
            out.u16(*status);
            out.code(&Source::ALL, *by);
            out.time(*result_until);
            out.time(*key_until);
        }
        State::Tombstone { at, status, cause, key_until } => {
            out.u8(4);
            out.time(*at);
            out.option(*status, Writer::u16);
            out.code(&TombstoneCause::ALL, *cause);
            out.time(*key_until);
        }
    }
}

fn read_state(input: &mut Reader<'_>) -> Result<State, Unreadable> {
    Ok(match input.u8()? {
        0 => State::InProgress { lease_until: input.time()? },
        1 => State::Unknown {
            since: input.time()?,
            settle_from: input.time()?,
            cause: input.code(&UnknownCause::ALL)?,
            seen_status: input.option(Reader::u16)?,
        },
        2 => State::Released { at: input.time()?, until: input.time()?, cause: read_release_cause(input)? },
        3 => State::Completed {
            at: input.time()?,
            status: input.u16()?,
            by: input.code(&Source::ALL)?,
            result_until: input.time()?,
            key_until: input.time()?,
        },
        4 => State::Tombstone {
            at: input.time()?,
            status: input.option(Reader::u16)?,
            cause: input.code(&TombstoneCause::ALL)?,
            key_until: input.time()?,
        },
        _ => return Err(Unreadable::Damaged),
    })
}

fn release_cause(out: &mut Writer, cause: ReleaseCause) {
    match cause {
        ReleaseCause::NotStarted => out.u8(0),
        ReleaseCause::NotSent => out.u8(1),
        ReleaseCause::Answered(status) => {
            out.u8(2);
            out.u16(status);
        }
        ReleaseCause::Handler => out.u8(3),
        ReleaseCause::Settled(by) => {
            out.u8(4);
            out.code(&Source::ALL, by);
        }
    }
}

fn read_release_cause(input: &mut Reader<'_>) -> Result<ReleaseCause, Unreadable> {
    Ok(match input.u8()? {
        0 => ReleaseCause::NotStarted,
        1 => ReleaseCause::NotSent,
        2 => ReleaseCause::Answered(input.u16()?),
        3 => ReleaseCause::Handler,
        4 => ReleaseCause::Settled(input.code(&Source::ALL)?),
        _ => return Err(Unreadable::Damaged),
    })
}

impl Writer {
    fn time(&mut self, time: Timestamp) {
        self.u64(time.as_ms());
    }

    fn duration(&mut self, duration: Duration) {
        self.u64(crate::time::duration_ms(duration));
    }
}

impl Reader<'_> {
    fn time(&mut self) -> Result<Timestamp, Unreadable> {
        self.u64().map(Timestamp::from_ms)
    }

    fn duration(&mut self) -> Result<Duration, Unreadable> {
        self.u64().map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests;
