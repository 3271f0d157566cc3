//! What the system calls tell of one connection's request: when the ledger was written and synced, and when bytes left.

use std::{collections::HashMap, path::Path};

use crate::trace::Call;

/// A step of a request's way, in the order in which it is certain or, for what is sent, possible: a write or sync counts
/// from its end, a send from its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Bytes were written to a file of the ledger.
    Written,
    /// A sync of such a file, begun after all that was written to it, has succeeded.
    Synced,
    /// Bytes go to the upstream.
    SendsUpstream,
    /// Bytes go to the client.
    AnswersClient,
}

/// Whom a socket leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Peer {
    Upstream,
    Client,
}

/// The steps from the moment at which the client with this port was accepted, to its last; the same step again and
/// again counts once.
pub(crate) fn story(calls: &[Call], ledger: &Path, upstream: u16, client: u16) -> Vec<Step> {
    let accepted = calls.iter().position(|call| is_accept(call) && call.port() == Some(client));
    let accepted = accepted.expect("the gateway has accepted the client");
    let (mut peers, mut written) = (HashMap::new(), HashMap::new());
    let mut steps: Vec<(usize, Step)> = Vec::new();
    for (number, call) in calls.iter().enumerate() {
        // A socket may be older than the client.
        follow(&mut peers, call, upstream, client);
        if number < accepted {
            continue;
        }
        let step = match (call.name.as_str(), call.ended) {
            ("fdatasync" | "fsync", Some(ended)) if call.result == Some(0) && is_in(call, ledger) => {
                let covers = written.get(&call.path()).is_none_or(|written| *written < call.begun);
                assert!(covers, "a sync began before what it is to cover was written");
                (ended, Step::Synced)
            }
            (_, Some(ended)) if is_write(call) && is_in(call, ledger) => {
                written.insert(call.path(), ended);
                (ended, Step::Written)
            }
            _ if is_write(call) => match call.descriptor().and_then(|fd| peers.get(&fd)) {
                Some(Peer::Upstream) => (call.begun, Step::SendsUpstream),
                Some(Peer::Client) => (call.begun, Step::AnswersClient),
                None => continue,
            },
            ("io_uring_enter" | "msync" | "sync_file_range", _) => {
                panic!("bytes take a way not watched: {call:?}")
            }
            _ => continue,
        };
        steps.push(step);
    }
    steps.sort_by_key(|(line, _)| *line);
    let mut steps: Vec<_> = steps.into_iter().map(|(_, step)| step).collect();
    steps.dedup();
    let answered = steps.iter().position(|step| *step == Step::AnswersClient);
    steps.truncate(answered.expect("the client was answered") + 1);
    steps
}

/// Keeps account of whom each descriptor leads to.
fn follow(peers: &mut HashMap<i64, Peer>, call: &Call, upstream: u16, client: u16) {
    match call.name.as_str() {
        "connect" if call.port() == Some(upstream) => {
            peers.extend(call.descriptor().map(|fd| (fd, Peer::Upstream)));
        }
        _ if is_accept(call) && call.port() == Some(client) => {
            peers.extend(call.result.map(|fd| (fd, Peer::Client)));
        }
        "close" => {
            peers.retain(|fd, _| Some(*fd) != call.descriptor());
        }
        _ => {}
    }
}

fn is_accept(call: &Call) -> bool {
    call.name.starts_with("accept") && call.result.is_some_and(|fd| fd >= 0)
}

/// Any call by which bytes leave.
fn is_write(call: &Call) -> bool {
    ["write", "pwrite", "send", "splice"].iter().any(|prefix| call.name.starts_with(prefix))
}

fn is_in(call: &Call, directory: &Path) -> bool {
    call.path().is_some_and(|path| Path::new(path).starts_with(directory))
}
