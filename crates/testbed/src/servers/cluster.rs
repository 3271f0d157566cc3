//! A Redis Cluster of one test: three masters, each with a replica.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Redis, UP_LIMIT, programs, redis};
use crate::{process::Port, tls::Authority};

/// Masters and replicas.
const NODES: usize = 6;
/// A node that is silent for a second is taken for dead, and a fail-over takes about twice that. A replica is served at once
/// and not with others that may come.
const SETTINGS: &[(&str, &str)] =
    &[("cluster-enabled", "yes"), ("cluster-node-timeout", "1000"), ("repl-diskless-sync-delay", "0")];
/// The nodes speak with each other on a port this much higher.
const BUS: u16 = 10_000;
/// How many ports are tried until one is found whose bus is free too.
const PORT_TRIES: usize = 1_000;
/// How long between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// A running cluster.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Redis>,
    /// Kept for the nodes, as their own ports are.
    _buses: Vec<Port>,
}

impl Cluster {
    /// A new one, whose nodes sync every write; returns when all slots are served and all replicas follow.
    ///
    /// # Panics
    /// With a node's log, if it does not get that far.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// A new one with these lines in every node's `redis.conf`.
    ///
    /// # Panics
    /// With a node's log, if it does not get as far as [`Cluster::start`].
    pub async fn start_with(settings: &[(&'static str, &str)]) -> Self {
        Self::start_as(settings, None).await
    }

    /// A new one whose nodes speak TLS, also with each other, each with a certificate of this authority for these names. What a
    /// test asks of a node goes to its plain port.
    ///
    /// # Panics
    /// With a node's log, if it does not get as far as [`Cluster::start`].
    pub async fn start_tls(authority: &Authority, names: &[&str]) -> Self {
        Self::start_as(&[], Some((authority, names))).await
    }

    async fn start_as(settings: &[(&'static str, &str)], tls: Option<(&Authority, &[&str])>) -> Self {
        let (mut nodes, mut buses) = (Vec::with_capacity(NODES), Vec::with_capacity(NODES));
        for _ in 0..NODES {
            let lines = SETTINGS.iter().chain(settings).map(|(name, value)| (*name, (*value).to_owned()));
            let certificate = tls.map(|(authority, names)| authority.certify(names));
            let options =
                redis::Options { settings: lines.collect(), certificate, ..redis::Options::default() };
            // The bus belongs to the port that the cluster names.
            let (named, bus) = port_with_bus();
            buses.push(bus);
            nodes.push(match tls {
                None => Redis::start_on(named, None, options).await,
                Some((authority, _)) => {
                    let tls = redis::Tls { port: named, fellows: Some(authority.pem()) };
                    Redis::start_on(Port::reserve(), Some(tls), options).await
                }
            });
        }
        let cluster = Self { nodes, _buses: buses };
        cluster.join();
        cluster.settled().await;
        cluster
    }

    /// `redis-cluster://HOST,HOST,…` with all nodes, or `rediss-cluster://…` where they speak TLS.
    pub fn url(&self) -> String {
        let scheme = if self.speaks_tls() { "rediss-cluster" } else { "redis-cluster" };
        format!("{scheme}://{}", self.named().join(","))
    }

    /// A node, to be stopped, killed, restarted and asked.
    ///
    /// # Panics
    /// If there is none of that number.
    pub fn node(&mut self, number: usize) -> &mut Redis {
        self.nodes.get_mut(number).expect("a cluster has six nodes")
    }

    /// The node that is master of the slot of `key`, by what the first node that answers says.
    ///
    /// # Panics
    /// If no node answers, or none is master of it.
    pub async fn master_of(&self, key: &str) -> usize {
        let found = self.find_master_of(key).await;
        found.unwrap_or_else(|nodes| panic!("no master has the slot of {key:?}:\n{nodes}"))
    }

    /// The node that follows this one.
    ///
    /// # Panics
    /// If no node answers, or none follows it.
    pub async fn replica_of(&self, master: usize) -> usize {
        let nodes = self.anybody("CLUSTER NODES").await;
        let id = nodes
            .lines()
            .find(|line| self.number(line) == Some(master))
            .and_then(|line| line.split(' ').next());
        let mut replicas = nodes.lines().filter(|line| id.is_some() && line.split(' ').nth(3) == id);
        let found = replicas.find_map(|line| self.number(line));
        found.unwrap_or_else(|| panic!("nothing follows node {master}:\n{nodes}"))
    }

    async fn find_master_of(&self, key: &str) -> Result<usize, String> {
        let slot = self.anybody(&format!("CLUSTER KEYSLOT {key}")).await.parse().expect("a slot is a number");
        let nodes = self.anybody("CLUSTER NODES").await;
        let mut masters = nodes.lines().filter(|line| is_master(line) && has_slot(line, slot));
        masters.find_map(|line| self.number(line)).ok_or(nodes)
    }

    /// The nodes that are masters and not taken for dead.
    pub async fn masters(&self) -> Vec<usize> {
        let nodes = self.anybody("CLUSTER NODES").await;
        nodes.lines().filter(|line| is_master(line)).filter_map(|line| self.number(line)).collect()
    }

    /// Waits until every node that answers says that all slots are served, and every replica among them follows a master.
    /// A node that was just killed counts until the others miss it: wait for its slots' new master first.
    ///
    /// # Panics
    /// After [`UP_LIMIT`], with what the nodes say.
    pub async fn settled(&self) {
        self.until("settle", async || {
            let mut answers = 0;
            for node in &self.nodes {
                let (Ok(state), Ok(replication)) =
                    (node.try_ask("CLUSTER INFO").await, node.try_ask("INFO replication").await)
                else {
                    continue;
                };
                answers += 1;
                let known = state.contains("cluster_state:ok") && state.contains("cluster_known_nodes:6");
                if !known || replication.contains("master_link_status:down") {
                    return false;
                }
            }
            answers > 0
        })
        .await;
    }

    /// Waits until another node than `old` is master of the slot of `key`.
    ///
    /// # Panics
    /// After [`UP_LIMIT`], with what the nodes say.
    pub async fn failed_over(&self, key: &str, old: usize) {
        self.until("fail over", async || self.find_master_of(key).await.is_ok_and(|new| new != old)).await;
    }

    /// The nodes know each other afterwards, three of them all slots, and the others whom to follow.
    fn join(&self) {
        let first = self.nodes.first().expect("a cluster has six nodes");
        let named = self.named();
        let mut args = vec!["--cluster", "create"];
        args.extend(named.iter().map(String::as_str));
        args.extend(["--cluster-replicas", "1", "--cluster-yes"]);
        // Beside the directory in which it works.
        let authority = format!("../{}", redis::AUTHORITY);
        if self.speaks_tls() {
            args.extend(["--tls", "--cacert", &authority]);
        }
        first.place().run(&programs::program("redis-cli"), &args);
    }

    fn speaks_tls(&self) -> bool {
        self.nodes.iter().all(|node| node.tls_addr().is_some())
    }

    /// The nodes, as they name each other.
    fn named(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.tls_addr().unwrap_or_else(|| node.addr()).to_string()).collect()
    }

    async fn anybody(&self, command: &str) -> String {
        for node in &self.nodes {
            if let Ok(answer) = node.try_ask(command).await {
                return answer;
            }
        }
        panic!("no node answers {command}");
    }

    /// The number of the node of a line of `CLUSTER NODES`: `ID IP:PORT@BUS,… …`.
    fn number(&self, line: &str) -> Option<usize> {
        let addr = line.split(' ').nth(1)?.split('@').next()?;
        self.nodes.iter().position(|node| node.addr().to_string() == addr)
    }

    async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let end = Instant::now() + UP_LIMIT;
        while !holds().await {
            if Instant::now() > end {
                let nodes = self.anybody("CLUSTER NODES").await;
                panic!("the cluster did not {what} within {UP_LIMIT:?}:\n{nodes}");
            }
            sleep(PAUSE).await;
        }
    }
}

fn is_master(line: &str) -> bool {
    let flags = line.split(' ').nth(2).unwrap_or_default();
    let has = |name| flags.split(',').any(|flag| flag == name);
    has("master") && !has("fail")
}

/// After eight words come the slots: `N`, `N-M`, or in brackets those on the move.
fn has_slot(line: &str, slot: u16) -> bool {
    line.split(' ').skip(8).any(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let bounds = first.parse().ok().zip(last.parse().ok());
        bounds.is_some_and(|(first, last): (u16, u16)| (first..=last).contains(&slot))
    })
}

fn port_with_bus() -> (Port, Port) {
    let tried = std::iter::repeat_with(Port::reserve).take(PORT_TRIES);
    let mut both = tried.filter_map(|port| {
        let bus = port.number().checked_add(BUS).and_then(Port::reserve_number)?;
        Some((port, bus))
    });
    both.next().unwrap_or_else(|| panic!("no two free ports that are {BUS} apart"))
}
