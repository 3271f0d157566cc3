//! Opening: everything that can be checked is checked before anything is written.
//!
//! In this order: whether the servers can be reached and let us in, whether they may hold a ledger at all, whether they keep
//! what they are given, what they can lose, whether they let us do what a ledger needs, and whether what is there is of a version
//! that this one reads.

use std::sync::{Arc, OnceLock};

use redis::Value;

use crate::{
    error::{Failure, OpenError, OpenErrorKind},
    keys::{Keys, LAYOUT},
    link::Setup,
    losses::{self, Server},
    permissions, reply,
    request::Request,
    router::Router,
    tls::Connector,
    topology::Topology,
    url::Url,
    watch::{Accepted, Health, Identity, State},
};

/// How a ledger in Redis is kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where.
    pub url: Url,
    /// Whether servers may be used that can lose a claim which they have acknowledged, so that it runs twice.
    pub accept_loss: bool,
    /// How many replicas must have a write before it counts; 0: none.
    pub min_replicas: u32,
}

/// What opening has found.
pub(crate) struct Opened {
    pub(crate) router: Arc<Router>,
    pub(crate) health: Arc<Health>,
    /// Whether what is acknowledged outlives a crash of a server's machine.
    pub(crate) durable: bool,
    pub(crate) accepted: Accepted,
    /// What start-up has to say.
    pub(crate) sentences: Vec<String>,
}

/// Opens what the URL names. Must be called on the runtime that does the I/O.
pub(crate) async fn open(options: Options) -> Result<Opened, OpenError> {
    let Options { url, accept_loss, min_replicas } = options;
    let cluster = url.cluster;
    let accepted = Accepted { loss: accept_loss, policy: url.vouched, min_replicas };
    let setup = Setup { connector: Connector::new(&url)?, login: url.login, database: url.database };
    let router = Arc::new(Router {
        keys: Keys::new(&url.namespace),
        topology: Topology::new(Arc::new(setup), url.hosts, cluster),
        clock: Arc::new(OnceLock::new()),
        min_replicas,
    });
    let servers = reach(&router).await?;
    for server in &servers {
        server.check_policy(accepted.policy).map_err(|why| OpenError::new(OpenErrorKind::Policy, why))?;
    }
    let loss = losses::of(&servers, cluster);
    if let Some(loss) = loss.as_ref().filter(|_| !accept_loss) {
        return Err(OpenError::new(OpenErrorKind::Loss, losses::refusal(loss)));
    }
    permissions::check(&router).await?;
    let identity = read_meta(&router).await?;
    if router.clock.get().is_none() {
        return Err(OpenError::new(OpenErrorKind::Unsuitable, "no server tells its time: is TIME allowed?"));
    }
    let health = Health::new(State::of(&servers, cluster, accepted, identity));
    let refusal = health.refusal().map(|why| format!("no claim is admitted until it is otherwise: {why}"));
    Ok(Opened {
        durable: servers.iter().all(Server::outlives_a_crash),
        health: Arc::new(health),
        sentences: loss.into_iter().chain(unlimited(&servers)).chain(refusal).collect(),
        router,
        accepted,
    })
}

/// Reaches every master, and finds out whether it may hold a part of a ledger.
async fn reach(router: &Router) -> Result<Vec<Server>, OpenError> {
    let topology = &router.topology;
    if topology.is_cluster() {
        check_seeds(topology).await?;
        topology.refresh().await.map_err(|failure| cluster_failed(&failure))?;
        if !topology.is_whole() {
            return Err(OpenError::new(
                OpenErrorKind::Unreachable,
                "the Cluster has slots that no master serves: `redis-cli --cluster check` says which",
            ));
        }
    }
    let mut servers = Vec::new();
    for (node, _) in topology.masters() {
        let asked = Server::ask(&node, router.clock_of(&node)).await;
        let server = asked.map_err(|failure| OpenError::asking(&node.address, failure))?;
        server.check_suitable(topology.is_cluster())?;
        servers.push(server);
    }
    Ok(servers)
}

/// One that is no Cluster says so better itself than by what it answers to a Cluster's question.
async fn check_seeds(topology: &Topology) -> Result<(), OpenError> {
    let mut last = Ok(());
    for node in topology.seed_nodes() {
        match Server::ask(&node, None).await {
            Ok(server) => return server.check_in_cluster(),
            Err(failure) => last = Err(OpenError::asking(&node.address, failure)),
        }
    }
    last
}

fn cluster_failed(failure: &Failure) -> OpenError {
    OpenError::new(
        OpenErrorKind::Unreachable,
        format!("the Cluster does not say who has which slots ({failure}); are all of its servers up?"),
    )
}

/// Whether there is an identity, laid out as this version does it.
async fn read_meta(router: &Router) -> Result<Identity, OpenError> {
    let failed = |failure: Failure| {
        OpenError::new(
            OpenErrorKind::Unreachable,
            format!("the ledger's own row could not be read: {failure}"),
        )
    };
    let (identity, layout) = router.read(Request::Meta).await.and_then(reply::pair).map_err(failed)?;
    match layout {
        Value::Nil => {}
        Value::BulkString(layout) if layout == LAYOUT.as_bytes() => {}
        _ => {
            return Err(OpenError::new(
                OpenErrorKind::Newer,
                "a newer version has laid its keys out otherwise; use the version that wrote it",
            ));
        }
    }
    Ok(Identity::NotYet.then(reply::bytes(identity).map_err(failed)?))
}

/// Without a limit of its own a server grows until the machine stops it.
fn unlimited(servers: &[Server]) -> Option<String> {
    let without: Vec<_> = servers
        .iter()
        .filter(|server| server.has_no_limit())
        .map(|server| server.address.to_string())
        .collect();
    (!without.is_empty()).then(|| {
        format!(
            "{} has no `maxmemory`: claims stop when it has taken 90 % of the machine's memory, which others may need before",
            without.join(", ")
        )
    })
}
