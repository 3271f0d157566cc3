//! Which server has which slot.
//!
//! A single Redis has them all. A Cluster is asked when it has moved something, when one of its servers fails, and
//! regularly. Between two askings there is a pause: a Cluster in the middle of a fail-over says the same for seconds.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use onlyonce_ledger::clock::Boot;
use redis::Value;

use crate::{
    error::Failure,
    link::Setup,
    node::{Ask, Lane, Node},
    reply,
    slot::SLOTS,
    url::Address,
};

/// Shortest time between two askings.
const PAUSE: Duration = Duration::from_millis(100);
/// Most servers that one Cluster is taken to have: it may have a thousand, replicas included.
const NODES_MAX: usize = 1_000;

/// The servers of a ledger.
pub(crate) struct Topology {
    setup: Arc<Setup>,
    seeds: Vec<Address>,
    cluster: bool,
    known: Mutex<Known>,
    asking: tokio::sync::Mutex<Asking>,
}

#[derive(Default)]
struct Known {
    nodes: HashMap<Address, Arc<Node>>,
    /// Which master has a slot, by ranges in their order.
    ranges: Vec<Range>,
}

#[derive(Default)]
struct Asking {
    last: Option<Boot>,
    /// People were told that nobody answers, and nobody has since.
    told: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Range {
    first: u16,
    last: u16,
    master: Address,
    replicas: usize,
}

impl Topology {
    /// Knows nothing but where to ask.
    pub(crate) fn new(setup: Arc<Setup>, seeds: Vec<Address>, cluster: bool) -> Self {
        let ranges = match seeds.first() {
            Some(only) if !cluster => {
                vec![Range { first: 0, last: SLOTS - 1, master: only.clone(), replicas: 0 }]
            }
            _ => Vec::new(),
        };
        let known = Mutex::new(Known { ranges, ..Known::default() });
        Self { setup, seeds, cluster, known, asking: tokio::sync::Mutex::default() }
    }

    pub(crate) const fn is_cluster(&self) -> bool {
        self.cluster
    }

    /// The server that has this slot, as far as is known.
    pub(crate) fn owner(&self, slot: u16) -> Option<Arc<Node>> {
        let mut known = self.known();
        let master = known.master(slot)?.clone();
        Some(known.node(&master, &self.setup))
    }

    /// A server by its address, where one of the others sent us.
    pub(crate) fn at(&self, address: &Address) -> Option<Arc<Node>> {
        let mut known = self.known();
        (known.nodes.len() < NODES_MAX || known.nodes.contains_key(address))
            .then(|| known.node(address, &self.setup))
    }

    /// All masters, with the number of their replicas.
    pub(crate) fn masters(&self) -> Vec<(Arc<Node>, usize)> {
        let mut known = self.known();
        let mut masters: Vec<_> =
            known.ranges.iter().map(|range| (range.master.clone(), range.replicas)).collect();
        masters.sort();
        masters.dedup();
        masters.into_iter().map(|(master, replicas)| (known.node(&master, &self.setup), replicas)).collect()
    }

    /// The servers that the URL names.
    pub(crate) fn seed_nodes(&self) -> Vec<Arc<Node>> {
        self.seeds.iter().filter_map(|seed| self.at(seed)).collect()
    }

    /// Whether every slot has a master.
    pub(crate) fn is_whole(&self) -> bool {
        let known = self.known();
        let mut next = Some(0);
        for range in &known.ranges {
            if next != Some(range.first) {
                return false;
            }
            next = range.last.checked_add(1);
        }
        next == Some(SLOTS)
    }

    /// Asks the Cluster anew who has what, unless that was done a moment ago; people are told when nobody knows any more, and
    /// when somebody does. Does nothing for a single server.
    pub(crate) async fn refresh(&self) -> Result<(), Failure> {
        if !self.cluster {
            return Ok(());
        }
        let mut asking = self.asking.lock().await;
        if asking.last.is_some_and(|last| last.elapsed() < PAUSE) {
            return Ok(());
        }
        let mut failure = Failure::not_sent("no server of the Cluster is known");
        for address in self.to_ask() {
            let Some(node) = self.at(&address) else { continue };
            match ask(&node).await {
                Ok(ranges) => {
                    self.learn(ranges);
                    asking.last = Some(Boot::now());
                    if std::mem::take(&mut asking.told) {
                        tracing::info!("the Cluster says again who has which slots");
                    }
                    return Ok(());
                }
                Err(error) => failure = error,
            }
        }
        asking.last = Some(Boot::now());
        if !std::mem::replace(&mut asking.told, true) {
            tracing::warn!(error = %failure, "the Cluster does not say who has which slots");
        }
        Err(failure)
    }

    /// The masters that are known, then the seeds.
    fn to_ask(&self) -> Vec<Address> {
        let mut addresses: Vec<_> = self.known().ranges.iter().map(|range| range.master.clone()).collect();
        addresses.extend(self.seeds.iter().cloned());
        let mut seen = std::collections::HashSet::new();
        addresses.retain(|address| seen.insert(address.clone()));
        addresses
    }

    fn learn(&self, ranges: Vec<Range>) {
        let mut known = self.known();
        if known.ranges != ranges {
            tracing::debug!(ranges = ranges.len(), "the Cluster has told who has which slots");
        }
        for (gone, successor) in succeeded(&known.ranges, &ranges) {
            tracing::warn!(
                server = %gone, %successor,
                "a master of the Cluster has no slot any more; if it failed, what its successor had not received is forgotten and \
                 would run again: `onlyonce ledger restored` has keys from before refused"
            );
        }
        // Who has nothing is let go; whoever is in the middle of asking him something still holds him.
        known.nodes.retain(|address, _| ranges.iter().any(|range| range.master == *address));
        known.ranges = ranges;
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Whatever it holds is complete: ranges are replaced as a whole.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn master(&self, slot: u16) -> Option<&Address> {
        let after = self.ranges.partition_point(|range| range.first <= slot);
        let range = self.ranges.get(after.checked_sub(1)?)?;
        (slot <= range.last).then_some(&range.master)
    }

    fn node(&mut self, address: &Address, setup: &Arc<Setup>) -> Arc<Node> {
        let make = || Arc::new(Node::new(address.clone(), setup));
        Arc::clone(self.nodes.entry(address.clone()).or_insert_with(make))
    }
}

async fn ask(node: &Node) -> Result<Vec<Range>, Failure> {
    let mut cmd = redis::cmd("CLUSTER");
    cmd.arg("SLOTS");
    let answers = node.send(vec![Ask { cmd, asking: false }], Lane::Reads, None).await;
    let answer = answers.into_iter().next().ok_or_else(Failure::shape)?;
    let mut ranges = reply::array(answer?)?
        .into_iter()
        .map(|range| read(range, &node.address))
        .collect::<Result<Vec<_>, _>>()?;
    ranges.sort_by_key(|range| range.first);
    Ok(ranges)
}

/// One entry of `CLUSTER SLOTS`: first, last, master, replicas. An empty host is the one that was asked.
fn read(range: Value, asked: &Address) -> Result<Range, Failure> {
    let mut parts = reply::array(range)?.into_iter();
    let mut next = || parts.next().ok_or_else(Failure::shape);
    let slot = |value: Value| u16::try_from(reply::number(&value)?).map_err(|_| Failure::shape());
    let (first, last) = (slot(next()?)?, slot(next()?)?);
    let mut master = reply::array(next()?)?.into_iter();
    let mut next = || master.next().ok_or_else(Failure::shape);
    let host = match next()? {
        Value::Nil => String::new(),
        host => reply::text(host)?,
    };
    let host = if host.is_empty() || host == "?" { asked.host.clone() } else { host };
    let port = u16::try_from(reply::number(&next()?)?).map_err(|_| Failure::shape())?;
    Ok(Range { first, last, master: Address { host, port }, replicas: parts.len() })
}
/// Masters that have no slot any more, each with the one that has its first.
fn succeeded<'a>(before: &'a [Range], now: &'a [Range]) -> Vec<(&'a Address, &'a Address)> {
    let mut found: Vec<(&Address, &Address)> = Vec::new();
    for old in before {
        let is_known = found.iter().any(|(gone, _)| **gone == old.master);
        if is_known || now.iter().any(|range| range.master == old.master) {
            continue;
        }
        if let Some(new) = now.iter().find(|range| range.first <= old.first && old.first <= range.last) {
            found.push((&old.master, &new.master));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(masters: &[(u16, u16, &str)]) -> Vec<Range> {
        let address = |host: &str| Address { host: host.to_owned(), port: 1 };
        let range = |&(first, last, master): &(u16, u16, &str)| Range {
            first,
            last,
            master: address(master),
            replicas: 1,
        };
        masters.iter().map(range).collect()
    }

    #[test]
    fn a_master_that_has_no_slot_any_more_has_a_successor_and_one_that_gave_some_away_has_none() {
        let before = ranges(&[(0, 9, "a"), (10, 19, "b"), (20, 29, "a")]);
        let told = |now: &[(u16, u16, &str)]| {
            let now = ranges(now);
            let found = succeeded(&before, &now);
            found.iter().map(|(gone, new)| format!("{} to {}", gone.host, new.host)).collect::<Vec<_>>()
        };
        assert_eq!(told(&[(0, 9, "c"), (10, 19, "b"), (20, 29, "c")]), ["a to c"], "told once");
        assert_eq!(
            told(&[(0, 4, "c"), (5, 9, "a"), (10, 19, "b"), (20, 29, "c")]),
            [""; 0],
            "it still has some"
        );
        assert_eq!(told(&[(20, 29, "a")]), [""; 0], "nobody has them yet");
        assert_eq!(succeeded(&[], &before).len(), 0, "at the beginning nobody is succeeded");
    }
}
