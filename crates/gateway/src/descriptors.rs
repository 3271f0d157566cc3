//! File descriptors: as many as the system gives, and connections only as far as they reach.
//!
//! A connection in wants another one upstream beside it. A process that runs out of descriptors cannot connect, and
//! cannot open its ledger's next file either, which ends the ledger; so the ledger's share is never given away. Both
//! directions are bounded, each by itself: one client may have many requests upstream at a time (HTTP/2), and attempts go on
//! when their clients are gone.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// For the ledger's files (fjall keeps up to 900 open), operators, probes and what the runtime needs; half of what there is,
/// if that is less.
const RESERVED: u64 = 2048;
/// So few connections at a time that somebody should know.
const FEW: usize = 1024;

/// Raises the limit as far as the system allows, and says how many connections it serves, `wanted` at most: so many of
/// clients, and so many to the upstream, idle ones among them.
pub(crate) fn connections(wanted: usize) -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok();
    let Some(limit) = (if raised { maximum } else { current }) else { return wanted };
    let served =
        usize::try_from((limit - RESERVED.min(limit / 2)) / 2).unwrap_or(usize::MAX).clamp(1, wanted);
    if served < wanted {
        let text = format!(
            "the limit of {limit} open files allows {served} connections at a time, and as many to the upstream; to take \
             more, raise it (systemd: LimitNOFILE, docker: --ulimit nofile)"
        );
        if served < FEW { tracing::warn!("{text}") } else { tracing::debug!("{text}") }
    }
    served
}
