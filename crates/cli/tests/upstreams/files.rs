//! File descriptors for tests that hold thousands of connections: many systems give a process 1024 unless it asks.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// As many as this process may have; those that it starts inherit them.
pub(crate) fn allow_many() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("up to the maximum is allowed");
}
