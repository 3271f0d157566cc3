//! The servers that are measured, which are nobody else's: started here, gone with this process.

use onlyonce_testbed::servers::{Cluster, Postgres, Redis, redis};

use crate::{failure::Failure, system::Family};

/// Nodes of a Cluster.
const NODES: usize = 6;
/// While one way is measured, no other's journal is written anew; and no snapshot is ever taken.
const NO_REWRITE: (&str, &str) = ("auto-aof-rewrite-percentage", "0");

/// All of them, with nothing changed of what they are shipped with but what durability asks for.
pub(crate) struct Servers {
    pub(crate) postgres: Postgres,
    pub(crate) redis: Redis,
    pub(crate) cluster: Cluster,
    pub(crate) postgres_processes: Family,
    pub(crate) redis_processes: Family,
    pub(crate) cluster_processes: Family,
    /// What they call themselves.
    pub(crate) versions: String,
}

impl Servers {
    pub(crate) async fn start() -> Result<Self, Failure> {
        let postgres = Postgres::start().await;
        let (name, value) = NO_REWRITE;
        let settings = vec![(name, value.to_owned())];
        let redis = Redis::start_with(redis::Options { settings, ..redis::Options::default() }).await;
        let mut cluster = Cluster::start_with(&[NO_REWRITE]).await;
        let durable = postgres.ask("SELECT current_setting('synchronous_commit')").await;
        if durable != "on" {
            return Err(Failure::new(format!("synchronous_commit is {durable}")));
        }
        let mut nodes = Vec::with_capacity(NODES);
        for node in 0..NODES {
            nodes.push(pid_of(cluster.node(node))?);
        }
        let info = redis.ask("INFO server").await;
        let redis_version = field(&info, "redis_version:")?;
        let postgres_version = postgres.ask("SHOW server_version").await;
        Ok(Self {
            postgres_processes: Family::of([pid_of(&postgres)?]),
            redis_processes: Family::of([pid_of(&redis)?]),
            cluster_processes: Family::of(nodes),
            versions: format!("PostgreSQL {postgres_version}, Redis {redis_version}"),
            postgres,
            redis,
            cluster,
        })
    }
}

fn pid_of(daemon: &onlyonce_testbed::servers::Daemon) -> Result<u32, Failure> {
    daemon.pid().ok_or_else(|| Failure::new("a server that was started does not run"))
}

fn field<'a>(text: &'a str, name: &str) -> Result<&'a str, Failure> {
    let found = text.lines().find_map(|line| line.strip_prefix(name));
    found.map(str::trim).ok_or_else(|| Failure::new(format!("the server says nothing of {name}")))
}
