//! Routes that are only observed (`mode = "observe"`): requests pass, and what would have become of them is found out
//! beside them.
//!
//! Invariant: client and service see what they would see without this layer: nothing is refused, held back, added,
//! removed or read ahead. The judgement runs on copies of what goes by, in a task of its own, against a ledger in memory
//! from which no answer ever comes. It is bounded: beyond 4 096 requests or 64 MiB of their bodies (`shadow`) a
//! request counts as refused for want of room, as it would be, and passes.
//!
//! The rules are those of the enforced way: the same look-up, claim and outcome table, the same waiting. What cannot be
//! known is taken as usual: a client that hangs up would not have ended its attempt, so the attempt counts as answered.
//! Two things are only nearly so. What a layer of our own kind says in an answer's body is not read: the status decides
//! there. And an answer to what would have been a re-run is judged as that of a first attempt, so *not now* frees its key.

mod answer;
mod body;
mod judge;
mod shadow;

pub(crate) use self::{
    answer::{AnswerTap, Ended, follow},
    body::BodyTap,
    judge::{Taps, watch},
    shadow::Shadow,
};
