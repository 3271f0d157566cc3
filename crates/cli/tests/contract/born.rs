//! Keys that tell when they were made.

use std::time::SystemTime;

/// Milliseconds since the epoch.
#[expect(clippy::disallowed_methods, reason = "clients make dated keys by the wall clock")]
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

/// A UUIDv7 of that time.
pub(crate) fn born(ms: u64) -> String {
    let hex = format!("{ms:012x}");
    format!("{}-{}-7000-8000-000000000000", &hex[..8], &hex[8..])
}
