//! Whether a server lets us do all that a ledger needs, found out before anything depends on it.
//!
//! A permission that is missing in the middle of a script is met after its first write: the row stands, in no index, and nobody
//! knows of it. So each command is tried once at opening, on a key that means nothing.

use std::sync::Arc;

use redis::Cmd;

use crate::{
    error::{OpenError, OpenErrorKind},
    keys::Keys,
    node::{Ask, Lane, Node},
    router::Router,
    scripts::APPLY,
};

/// A script that nobody has loaded.
const NO_SCRIPT: &str = "0000000000000000000000000000000000000000";
/// What is done to a key, the key left out. The first makes it a string, which is no set, stream or hash: whatever would be
/// written after that is refused, but only to who may. Where it is itself refused nothing else makes the key, since it might stay:
/// `HSET` lacks a value, which is looked at after the permission.
const TO_A_KEY: [(&str, &[&str]); 14] = [
    ("SET", &["", "PX", "60000"]),
    ("GET", &[]),
    ("EXISTS", &[]),
    ("HGET", &["field"]),
    ("HMGET", &["field"]),
    ("HSET", &["field", "", "another"]),
    ("ZADD", &["XX", "0", "member"]),
    ("ZREM", &["member"]),
    ("ZCARD", &[]),
    ("ZRANGEBYLEX", &["-", "+"]),
    ("ZRANGEBYSCORE", &["-inf", "+inf"]),
    ("XADD", &["NOMKSTREAM", "*", "field", ""]),
    ("XREVRANGE", &["+", "-", "COUNT", "1"]),
    ("UNLINK", &[]),
];

/// Tries every command at every master.
pub(crate) async fn check(router: &Router) -> Result<(), OpenError> {
    for (node, _) in router.topology.masters() {
        check_at(&node, router).await?;
    }
    Ok(())
}

async fn check_at(node: &Arc<Node>, router: &Router) -> Result<(), OpenError> {
    let at = &node.address;
    let (names, asks): (Vec<_>, Vec<_>) =
        commands(router, node).into_iter().map(|(name, cmd)| (name, Ask { cmd, asking: false })).unzip();
    let (mut refused, mut unknown) = (Vec::new(), Vec::new());
    for (name, answer) in names.into_iter().zip(node.send(asks, Lane::Reads, None).await) {
        match answer {
            Err(failure) if failure.code() == Some("NOPERM") => refused.push(name),
            Err(failure) if failure.is_unknown_command() => unknown.push(name),
            Err(failure) if failure.code().is_none() => return Err(OpenError::asking(at, failure)),
            // It may be full, or be no master any more: that is seen elsewhere.
            Ok(_) | Err(_) => {}
        }
    }
    if !refused.is_empty() {
        let (refused, keys) = (refused.join(", "), router.keys.all());
        let why = format!(
            "{at} does not let its user do all that a ledger needs: it refuses {refused} (on keys {keys}); \
             docs/operating/redis.md has the line that permits it"
        );
        return Err(OpenError::new(OpenErrorKind::Login, why));
    }
    if !unknown.is_empty() {
        let unknown = unknown.join(", ");
        let why =
            format!("{at} does not know {unknown}: a ledger needs a Redis whose commands have their names");
        return Err(OpenError::new(OpenErrorKind::Unsuitable, why));
    }
    Ok(())
}

/// The commands with their names.
fn commands(router: &Router, node: &Node) -> Vec<(&'static str, Cmd)> {
    let Router { keys, topology, min_replicas, .. } = router;
    let key = a_key_of(keys, |slot| topology.owner(slot).is_some_and(|owner| owner.address == node.address));
    let to_a_key = TO_A_KEY.iter().map(|(name, rest)| {
        let mut cmd = redis::cmd(name);
        cmd.arg(&key).arg(*rest);
        (*name, cmd)
    });
    let mut commands: Vec<_> = to_a_key.collect();
    commands.push(("SCRIPT LOAD", APPLY.load()));
    let mut run = redis::cmd("EVALSHA");
    run.arg(NO_SCRIPT).arg(0);
    commands.push(("EVALSHA", run));
    if *min_replicas > 0 {
        let mut wait = redis::cmd("WAIT");
        wait.arg(0).arg(0);
        commands.push(("WAIT", wait));
    }
    if topology.is_cluster() {
        commands.push(("ASKING", redis::cmd("ASKING")));
    }
    commands.push(("TIME", redis::cmd("TIME")));
    commands
}

/// A key that means nothing, of a slot that is served there; of any, where it has none of ours: permissions come first.
fn a_key_of(keys: &Keys, served: impl Fn(u16) -> bool) -> String {
    let shard = (0..=u8::MAX).find(|shard| served(keys.slot(*shard))).unwrap_or_default();
    keys.touch(shard)
}
