//! What a service does that has no ledger: two writes for each request, each on its own.

pub(crate) mod postgres;
pub(crate) mod redis;

mod pool;
