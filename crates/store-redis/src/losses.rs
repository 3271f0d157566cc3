//! What a server says of itself, and what follows from it: whether it may hold a ledger, and what it can lose.
//!
//! A claim that is lost after it was acknowledged runs a second time. So whatever can lose one is put into words, and
//! accepted by the operator or refused; what a server does not show counts as if it could.

use std::collections::{BTreeMap, BTreeSet};

use redis::Value;

use crate::{
    error::{Failure, OpenError, OpenErrorKind},
    node::{Ask, Clock, Lane, Node},
    reply::{self, Answer},
    url::Address,
};

/// The oldest version that does all that is asked of it.
const VERSION_MIN: (u32, u32) = (6, 2);

/// What one server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) address: Address,
    info: BTreeMap<String, String>,
    appendfsync: Option<String>,
    no_appendfsync_on_rewrite: Option<String>,
    maxmemory_policy: Option<String>,
    cluster_node_timeout: Option<String>,
}

/// The parameters that are asked for, in this order.
const PARAMETERS: [&str; 4] =
    ["appendfsync", "no-appendfsync-on-rewrite", "maxmemory-policy", "cluster-node-timeout"];

impl Server {
    /// Asks a server.
    pub(crate) async fn ask(node: &Node, clock: Option<&Clock>) -> Result<Self, Failure> {
        let parameter = |name: &&str| {
            let mut cmd = redis::cmd("CONFIG");
            cmd.arg("GET").arg(*name);
            cmd
        };
        let cmds = std::iter::once(redis::cmd("INFO")).chain(PARAMETERS.iter().map(parameter));
        let asks = cmds.map(|cmd| Ask { cmd, asking: false }).collect();
        let mut answers = node.send(asks, Lane::Reads, clock).await.into_iter();
        let info = reply::text(answers.next().ok_or_else(Failure::shape)??)?;
        let mut parameters = answers.map(shown);
        let mut next = || parameters.next().flatten();
        Ok(Self {
            address: node.address.clone(),
            info: read_info(&info),
            appendfsync: next(),
            no_appendfsync_on_rewrite: next(),
            maxmemory_policy: next(),
            cluster_node_timeout: next(),
        })
    }

    /// Whether a ledger can be kept there at all.
    pub(crate) fn check_suitable(&self, cluster: bool) -> Result<(), OpenError> {
        let at = &self.address;
        let refuse = |why: String| Err(OpenError::new(OpenErrorKind::Unsuitable, why));
        let (major, minor) = VERSION_MIN;
        match self.version() {
            Some(version) if version >= VERSION_MIN => {}
            Some((old_major, old_minor)) => {
                return refuse(format!(
                    "{at} is Redis {old_major}.{old_minor}; a ledger needs {major}.{minor} or later"
                ));
            }
            None => return refuse(format!("{at} does not say which version it is: INFO shows none")),
        }
        if cluster {
            self.check_in_cluster()?;
        } else if self.is("cluster_enabled", "1") {
            return refuse(format!("{at} is part of a Cluster: write redis-cluster:// in place of redis://"));
        }
        if self.is_replica() {
            return refuse(format!(
                "{at} is a replica: write the master's address, where alone a ledger can be kept"
            ));
        }
        Ok(())
    }

    /// Whether it is part of a Cluster.
    pub(crate) fn check_in_cluster(&self) -> Result<(), OpenError> {
        if self.is("cluster_enabled", "1") {
            return Ok(());
        }
        let at = &self.address;
        Err(OpenError::new(
            OpenErrorKind::Unsuitable,
            format!("{at} is no part of a Cluster: write redis:// in place of redis-cluster://"),
        ))
    }

    pub(crate) fn is_replica(&self) -> bool {
        self.info.get("role").is_some_and(|role| role != "master")
    }

    /// Whether it keeps what it was given, by its own word or by the operator's.
    pub(crate) fn check_policy(&self, vouched: bool) -> Result<(), String> {
        let at = &self.address;
        match self.info.get("maxmemory_policy").or(self.maxmemory_policy.as_ref()).map(String::as_str) {
            Some("noeviction") => Ok(()),
            Some(policy) => Err(format!(
                "{at} has `maxmemory-policy {policy}`, and what it evicts would run again; set `maxmemory-policy \
                 noeviction` there"
            )),
            None if vouched => Ok(()),
            None => Err(format!(
                "{at} does not show its `maxmemory-policy`, and what it evicts would run again; if you know that it is \
                 noeviction, add `?policy=noeviction` to the ledger's URL"
            )),
        }
    }

    /// How a crash of this server alone can lose what it has acknowledged.
    fn crash_losses(&self) -> Vec<String> {
        if !self.is("aof_enabled", "1") {
            return vec![
                "with `appendonly no` a crash or a restart loses everything since the last snapshot".into(),
            ];
        }
        let mut losses = Vec::new();
        match self.appendfsync.as_deref() {
            Some("always") => {}
            Some("everysec") => losses.push(
                "with `appendfsync everysec` a crash of the machine loses the last second, two if the disk is slow".into(),
            ),
            Some(other) => {
                losses.push(format!("with `appendfsync {other}` a crash of the machine loses the last half a minute"));
            }
            None => losses.push(
                "`appendfsync` is not shown, so a crash of the machine may lose the last half a minute".into(),
            ),
        }
        if self.no_appendfsync_on_rewrite.as_deref() == Some("yes") {
            losses.push(
                "with `no-appendfsync-on-rewrite yes` a crash of the machine loses what came during a rewrite".into(),
            );
        }
        losses
    }

    /// How a fail-over can.
    fn failover_losses(&self, cluster: bool) -> Vec<String> {
        let replicas = self.replicas();
        if cluster {
            let timeout = self.cluster_node_timeout.as_deref().and_then(|ms| ms.parse::<u64>().ok());
            let timeout = timeout.map_or_else(String::new, |ms| format!(" ({} s)", ms.div_ceil(1_000)));
            return vec![format!(
                "a fail-over of the Cluster loses what the promoted replica had not received, and what a master that was \
                 cut off went on acknowledging for its `cluster-node-timeout`{timeout}"
            )];
        }
        match replicas {
            0 => Vec::new(),
            _ => vec!["a fail-over loses what the promoted replica had not received".into()],
        }
    }

    pub(crate) fn replicas(&self) -> u32 {
        self.number("connected_slaves").and_then(|count| u32::try_from(count).ok()).unwrap_or_default()
    }

    /// Whether what it has acknowledged outlives a crash of its machine.
    pub(crate) fn outlives_a_crash(&self) -> bool {
        self.crash_losses().is_empty()
    }

    pub(crate) fn used_memory(&self) -> Option<u64> {
        self.number("used_memory")
    }

    /// How much memory it may take: what was configured, or what there is.
    pub(crate) fn memory_limit(&self) -> Option<u64> {
        let configured = self.number("maxmemory").filter(|limit| *limit > 0);
        configured.or_else(|| self.number("total_system_memory").filter(|limit| *limit > 0))
    }

    /// Whether nobody has said how much memory it may take.
    pub(crate) fn has_no_limit(&self) -> bool {
        self.number("maxmemory") == Some(0)
    }

    fn version(&self) -> Option<(u32, u32)> {
        // Valkey names the version of Redis that it is compatible with.
        let mut parts = self.info.get("redis_version")?.split('.').map(str::parse);
        Some((parts.next()?.ok()?, parts.next()?.ok()?))
    }

    fn is(&self, name: &str, value: &str) -> bool {
        self.info.get(name).is_some_and(|found| found == value)
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.info.get(name)?.parse().ok()
    }
}

/// What these servers together can lose, in one line; `None`: nothing that they have acknowledged.
pub(crate) fn of(servers: &[Server], cluster: bool) -> Option<String> {
    let losses = servers
        .iter()
        .flat_map(|server| server.crash_losses().into_iter().chain(server.failover_losses(cluster)));
    let losses: BTreeSet<String> = losses.collect();
    if losses.is_empty() {
        return None;
    }
    let losses: Vec<_> = losses.into_iter().collect();
    Some(format!(
        "this ledger can lose claims that it has acknowledged, which then run twice: {}",
        losses.join("; ")
    ))
}

/// Refuses what can lose claims, unless that was accepted.
pub(crate) fn refusal(loss: &str) -> String {
    format!(
        "{loss}. On the server, `appendonly yes` and `appendfsync always` close what a crash loses; a fail-over loses \
         nothing only where there is none. If you can live with it, write `accept_loss = true` under [ledger]"
    )
}

/// The value of one parameter, if the server shows it.
fn shown(answer: Answer) -> Option<String> {
    let mut values = match answer.ok()? {
        Value::Map(pairs) => pairs.into_iter().map(|(_, value)| value).collect(),
        value => reply::array(value).ok()?,
    };
    reply::text(values.pop()?).ok()
}

/// `name:value` by lines.
fn read_info(text: &str) -> BTreeMap<String, String> {
    let line = |line: &str| {
        let (name, value) = line.trim_end().split_once(':')?;
        Some((name.to_owned(), value.to_owned()))
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(info: &str) -> Server {
        Server {
            address: "db:6379".parse().unwrap(),
            info: read_info(info),
            appendfsync: Some("always".into()),
            no_appendfsync_on_rewrite: Some("no".into()),
            maxmemory_policy: None,
            cluster_node_timeout: Some("15000".into()),
        }
    }

    const SAFE: &str = "redis_version:7.0.15\r\nrole:master\r\naof_enabled:1\r\nconnected_slaves:0\r\n\
                        maxmemory_policy:noeviction\r\ncluster_enabled:0\r\n";

    #[test]
    fn a_server_that_syncs_before_it_answers_and_stands_alone_loses_nothing() {
        let server = server(SAFE);
        assert!(server.check_suitable(false).is_ok() && server.check_policy(false).is_ok());
        assert_eq!(of(&[server], false), None);
    }

    #[test]
    fn whatever_can_lose_a_claim_is_said_once() {
        let everysec = Server { appendfsync: Some("everysec".into()), ..server(SAFE) };
        let hidden = Server { appendfsync: None, ..server(SAFE) };
        let rewriting = Server { no_appendfsync_on_rewrite: Some("yes".into()), ..server(SAFE) };
        for (server, told) in [
            (&everysec, "the last second"),
            (&hidden, "is not shown"),
            (&rewriting, "during a rewrite"),
            (&server(&SAFE.replace("aof_enabled:1", "aof_enabled:0")), "since the last snapshot"),
            (&server(&SAFE.replace("connected_slaves:0", "connected_slaves:1")), "a fail-over loses"),
        ] {
            let line = of(&[server.clone(), server.clone()], false).unwrap();
            assert_eq!(line.matches(told).count(), 1, "{line}");
        }
        assert!(of(&[server(SAFE)], true).unwrap().contains("`cluster-node-timeout` (15 s)"));
    }

    #[test]
    fn a_server_that_may_evict_or_does_not_say_is_refused() {
        for policy in ["allkeys-lru", "volatile-ttl", "volatile-lru"] {
            let server = server(&SAFE.replace("noeviction", policy));
            assert!(server.check_policy(true).unwrap_err().contains(policy));
        }
        let silent = server(&SAFE.replace("maxmemory_policy:noeviction\r\n", ""));
        assert!(silent.check_policy(false).unwrap_err().contains("?policy=noeviction"));
        assert!(silent.check_policy(true).is_ok());
        let shown = Server { maxmemory_policy: Some("noeviction".into()), ..silent };
        assert!(shown.check_policy(false).is_ok());
    }

    #[test]
    fn a_server_that_cannot_hold_a_ledger_is_told_why() {
        for (from, to, cluster, told) in [
            ("7.0.15", "6.0.16", false, "needs 6.2"),
            ("7.0.15", "", false, "which version"),
            ("role:master", "role:slave", false, "is a replica"),
            ("cluster_enabled:0", "cluster_enabled:1", false, "write redis-cluster://"),
            ("role:master", "role:master", true, "write redis://"),
        ] {
            let error = server(&SAFE.replace(from, to)).check_suitable(cluster).unwrap_err();
            assert!(error.to_string().contains(told), "{error}");
        }
    }
}
