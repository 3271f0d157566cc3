//! What the system calls tell of one connection's request: when the ledger was written and synced, and when bytes left.

use std::{collections::HashMap, path::Path};

use crate::trace::Call;

/// A step of a request's way. A write or a sync counts from its end, when it is certain; a send from its beginning, when
/// it becomes possible that somebody has seen it.
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

/// The steps from the moment at which the client with this port was accepted to its answer. The same step again and
/// again counts once.
pub(crate) fn story(calls: &[Call], ledger: &Path, upstream: u16, client: u16) -> Vec<Step> {
    let mut reader = Reader { ledger, upstream, client, peers: HashMap::new(), written: HashMap::new() };
    // From the very beginning: a connection to the upstream may be older than the client.
    let steps = calls.iter().filter_map(|call| reader.step(call));
    let accepted = calls.iter().find(|call| is_accept(call) && call.port() == Some(client));
    let accepted = accepted.expect("the gateway has accepted the client").begun;
    let mut steps: Vec<_> = steps.filter(|(line, _)| *line > accepted).collect();
    steps.sort_by_key(|(line, _)| *line);
    let mut steps: Vec<_> = steps.into_iter().map(|(_, step)| step).collect();
    steps.dedup();
    let answered = steps.iter().position(|step| *step == Step::AnswersClient);
    steps.truncate(answered.expect("the client was answered") + 1);
    steps
}

/// Reads the calls of one process in order.
struct Reader<'a> {
    ledger: &'a Path,
    upstream: u16,
    client: u16,
    /// What bytes to a descriptor mean.
    peers: HashMap<i64, Step>,
    /// The line on which a file of the ledger was last written.
    written: HashMap<String, usize>,
}

impl Reader<'_> {
    /// The step that a call is, with its line.
    fn step(&mut self, call: &Call) -> Option<(usize, Step)> {
        self.follow(call);
        match call.name.as_str() {
            "fdatasync" | "fsync" => self.synced(call),
            "io_uring_enter" | "msync" | "sync_file_range" => {
                panic!("bytes go a way that is not watched: {call:?}")
            }
            _ if !is_write(call) => None,
            _ => match self.file(call) {
                Some(path) => {
                    let ended = call.ended?;
                    self.written.insert(path.to_owned(), ended);
                    Some((ended, Step::Written))
                }
                None => self.peers.get(&call.descriptor()?).map(|step| (call.begun, *step)),
            },
        }
    }

    fn synced(&self, call: &Call) -> Option<(usize, Step)> {
        let (path, ended) = (self.file(call)?, call.ended.filter(|_| call.result == Some(0))?);
        let covers = self.written.get(path).is_none_or(|written| *written < call.begun);
        assert!(covers, "a sync began before what it is to cover was written: {call:?}");
        Some((ended, Step::Synced))
    }

    /// Keeps account of whom each descriptor leads to.
    fn follow(&mut self, call: &Call) {
        if call.name == "connect" && call.port() == Some(self.upstream) {
            self.peers.extend(call.descriptor().map(|fd| (fd, Step::SendsUpstream)));
        } else if is_accept(call) && call.port() == Some(self.client) {
            self.peers.extend(call.result.map(|fd| (fd, Step::AnswersClient)));
        } else if call.name == "close" {
            self.peers.retain(|fd, _| Some(*fd) != call.descriptor());
        }
    }

    /// The file of the ledger that a call is about.
    fn file<'c>(&self, call: &'c Call) -> Option<&'c str> {
        call.path().filter(|path| Path::new(path).starts_with(self.ledger))
    }
}

fn is_accept(call: &Call) -> bool {
    call.name.starts_with("accept") && call.result.is_some_and(|fd| fd >= 0)
}

/// Any call by which bytes leave.
fn is_write(call: &Call) -> bool {
    ["write", "pwrite", "send", "splice"].iter().any(|prefix| call.name.starts_with(prefix))
}
