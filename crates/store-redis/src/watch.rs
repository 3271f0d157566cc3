//! What is looked at while the ledger is in use: whether its servers still may hold it, and have room.
//!
//! A server whose settings were changed, a replica in its place, a database that was emptied: claims are refused from then
//! on, and it is said loudly; completions and replays go on. Memory is looked at often enough that the last tenth is not
//! full before it is noticed.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::join_all;
use onlyonce_ledger::{identity::is_same_ledger, store::Room};

use crate::{
    error::Failure,
    losses::{self, Server},
    reply,
    request::Request,
    router::Router,
    topology::Topology,
};

/// How often the servers are looked at; the ledger's time is confirmed then too.
pub(crate) const EVERY: Duration = Duration::from_secs(2);
/// How much of a server's memory claims may fill: the rest is for the ends of those that run.
const FULL_PERCENT: u64 = 90;

/// What an operator has said of his servers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accepted {
    pub(crate) loss: bool,
    pub(crate) policy: bool,
    pub(crate) min_replicas: u32,
}

/// How the servers are.
#[derive(Debug)]
pub(crate) struct Health(Mutex<State>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// Why no claim is admitted.
    refusal: Option<String>,
    /// Bytes that claims may still fill, on the server that has the fewest.
    free: Option<u64>,
    used: Option<u64>,
    identity: Identity,
}

impl Health {
    pub(crate) fn new(state: State) -> Self {
        Self(Mutex::new(state))
    }

    /// For claims.
    pub(crate) fn room(&self, in_flight_bytes: u64) -> Room {
        let state = self.lock();
        if state.refusal.is_none() { state.memory_for(in_flight_bytes) } else { Room::Short }
    }

    /// Whatever claims are refused for, memory apart: what ran is seen to its end.
    pub(crate) fn room_for_result(&self, bytes: u64) -> Room {
        self.lock().memory_for(bytes)
    }

    /// Why no claim is admitted, if that is so.
    pub(crate) fn refusal(&self) -> Option<String> {
        self.lock().refusal.clone()
    }

    pub(crate) fn used(&self) -> Option<u64> {
        self.lock().used
    }

    fn become_(&self, new: State) {
        let mut state = self.lock();
        match (&state.refusal, &new.refusal) {
            (before, Some(why)) if before.as_ref() != Some(why) => {
                tracing::error!(%why, "no more claims are admitted");
            }
            (Some(_), None) => tracing::info!("claims are admitted again"),
            (None | Some(_), _) => {}
        }
        if new.free == Some(0) && state.free != Some(0) {
            tracing::error!("a server of the ledger is {FULL_PERCENT} % full: no more claims are admitted");
        }
        *state = new;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Replaced as a whole, so sound also after a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What these servers, and whether there is an identity, mean for claims.
    pub(crate) fn of(servers: &[Server], cluster: bool, accepted: Accepted, identity: Identity) -> Self {
        let policy = servers.iter().find_map(|server| server.check_policy(accepted.policy).err());
        let replica = servers.iter().find(|server| server.is_replica());
        let replica = replica.map(|server| format!("{} has become a replica", server.address));
        let loss = losses::of(servers, cluster).filter(|_| !accepted.loss);
        let short = servers.iter().find(|server| server.replicas() < accepted.min_replicas);
        let short = short.map(|server| {
            let (at, has, wanted) = (&server.address, server.replicas(), accepted.min_replicas);
            format!("{at} has {has} replicas, and `min_replicas` is {wanted}")
        });
        let emptied = (identity == Identity::Gone).then(|| {
            "the ledger's identity is gone, or another one: somebody has emptied the database, and what it held would run \
             again; stop all gateways, restore it, or empty it once more to begin a new ledger, and start them again"
                .to_owned()
        });
        let free = |server: &Server| {
            let limit = server.memory_limit()? / 100 * FULL_PERCENT;
            Some(limit.saturating_sub(server.used_memory()?))
        };
        Self {
            refusal: emptied.or(policy).or(replica).or(loss.map(|loss| losses::refusal(&loss))).or(short),
            free: servers.iter().filter_map(free).min(),
            used: servers.iter().map(Server::used_memory).sum(),
            identity,
        }
    }

    fn memory_for(&self, bytes: u64) -> Room {
        // Where nothing is known of a limit there is one all the same.
        let free = self.free.unwrap_or(u64::MAX / 2);
        if bytes <= free { Room::Enough } else { Room::Short }
    }
}

/// Whether the ledger has the identity that it had.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Identity {
    /// As it was first seen.
    There(Bytes),
    /// It was never seen.
    #[default]
    NotYet,
    /// It was there, and then was not, or was another ledger's: somebody may have emptied the database and begun anew between
    /// two looks.
    Gone,
}

impl Identity {
    /// With what is found there now.
    pub(crate) fn then(self, found: Option<Bytes>) -> Self {
        match (self, found) {
            // Also if there is one again: what this process knows is not in it.
            (Self::Gone, _) | (Self::There(_), None) => Self::Gone,
            (Self::There(first), Some(row)) if !is_same_ledger(&first, &row) => Self::Gone,
            (Self::There(first), Some(_)) => Self::There(first),
            (Self::NotYet, Some(row)) => Self::There(row),
            (Self::NotYet, None) => Self::NotYet,
        }
    }
}

/// All masters that answer, as they describe themselves.
async fn servers(router: &Router) -> Result<Vec<Server>, Failure> {
    let masters = router.topology.masters();
    let asked = join_all(masters.iter().map(|(node, _)| Server::ask(node, router.clock_of(node)))).await;
    let mut failure = Failure::not_sent("no server is known");
    let mut servers = Vec::with_capacity(asked.len());
    for server in asked {
        match server {
            Ok(server) => servers.push(server),
            Err(error) => failure = error,
        }
    }
    if servers.is_empty() { Err(failure) } else { Ok(servers) }
}

/// Looks at the servers for as long as the store lives.
pub(crate) async fn keep(router: Weak<Router>, health: Arc<Health>, accepted: Accepted) {
    let mut seen = true;
    loop {
        tokio::time::sleep(EVERY).await;
        let Some(router) = router.upgrade() else { return };
        match look(&router, &health, accepted).await {
            Ok(()) if !std::mem::replace(&mut seen, true) => {
                tracing::info!("the servers of the ledger are looked at again");
            }
            Ok(()) => {}
            Err(error) if std::mem::replace(&mut seen, false) => {
                tracing::warn!(%error, "the servers of the ledger cannot be looked at");
            }
            Err(_) => {}
        }
        look_after_links(&router.topology).await;
    }
}

async fn look(router: &Router, health: &Health, accepted: Accepted) -> Result<(), Failure> {
    router.topology.refresh().await?;
    let servers = servers(router).await?;
    let (identity, _) = reply::pair(router.read(Request::Meta).await?)?;
    let identity = health.lock().identity.clone().then(reply::bytes(identity)?);
    health.become_(State::of(&servers, router.topology.is_cluster(), accepted, identity));
    Ok(())
}

async fn look_after_links(topology: &Topology) {
    let masters = topology.masters();
    join_all(masters.iter().map(|(node, _)| node.look_after_links())).await;
}
