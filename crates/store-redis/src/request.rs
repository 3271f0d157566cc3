//! What is asked of a server: one command or one script each, about keys of one slot.
//!
//! Every write names the version that it replaces, so that one which is carried out twice, or late, is refused; that is
//! what makes it harmless if a proxy between here and the server sends it again.

use std::time::Duration;

use bytes::Bytes;
use onlyonce_core::{RecordId, Timestamp, Version, codec::Peek};
use onlyonce_ledger::store::Body;
use redis::Cmd;

use crate::{
    audit::AUDIT_ENTRIES,
    keys::{Keys, LAYOUT, shard_of},
    scripts::{APPLY, IDENTITY, NOTE, REMOVE, Script},
};

/// How long after its time a result may still lie there before the server drops it by itself: one that somebody is about to
/// read has not gone under his hands.
const GRACE: Duration = Duration::from_secs(3600);
/// Beyond this a server would not take the number; a hundred years.
const KEPT_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Something to ask of the server that has the slot.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    Apply(Write),
    /// Removes an expired row if it has still this version.
    Remove(RecordId, Version),
    /// Forgets a row that the server has dropped by itself, if it is still not there.
    Forget(RecordId),
    Row(RecordId),
    Result(RecordId),
    /// How many open rows a shard has.
    CountOpen(u8),
    /// The ids of open rows after this one.
    Open {
        shard: u8,
        after: Option<RecordId>,
        limit: usize,
    },
    /// The ids of ended rows with the times at which they may go, from one of these on.
    Ended {
        shard: u8,
        from: Option<Bytes>,
        limit: usize,
    },
    /// The ids of ended rows whose time has come, without the first few.
    Expired {
        shard: u8,
        now: Timestamp,
        skip: usize,
        limit: usize,
    },
    /// Whether a shard has a row.
    Exists(u8),
    /// Audit entries with numbers up to this one, newest first.
    Audit {
        shard: u8,
        until: u64,
        limit: usize,
    },
    Note(u8, Bytes),
    /// The identity and the layout.
    Meta,
    SetIdentity {
        expect: Bytes,
        row: Bytes,
    },
}

/// A command, with what the store sees of its row.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) id: RecordId,
    pub(crate) expect: Option<Version>,
    pub(crate) head: Bytes,
    pub(crate) peek: Peek,
    pub(crate) body: Body,
    pub(crate) note: Option<Bytes>,
    /// The ledger's time, from which the server counts what it may drop by itself.
    pub(crate) now: Timestamp,
}

impl Request {
    pub(crate) fn slot(&self, keys: &Keys) -> u16 {
        match self {
            Self::Apply(Write { id, .. })
            | Self::Remove(id, _)
            | Self::Forget(id)
            | Self::Row(id)
            | Self::Result(id) => keys.slot(shard_of(*id)),
            Self::CountOpen(shard)
            | Self::Open { shard, .. }
            | Self::Ended { shard, .. }
            | Self::Expired { shard, .. }
            | Self::Exists(shard)
            | Self::Audit { shard, .. }
            | Self::Note(shard, _) => keys.slot(*shard),
            Self::Meta | Self::SetIdentity { .. } => keys.meta_slot(),
        }
    }

    /// A key of the same slot that means nothing: written to, it takes all writes before it along to the replicas.
    pub(crate) fn touch(&self, keys: &Keys) -> String {
        match self {
            Self::Apply(Write { id, .. }) | Self::Remove(id, _) | Self::Forget(id) => {
                keys.touch(shard_of(*id))
            }
            Self::Note(shard, _) => keys.touch(*shard),
            _ => format!("{}touch", keys.meta()),
        }
    }

    /// The script that it runs, where it is one.
    pub(crate) fn script(&self) -> Option<&'static Script> {
        match self {
            Self::Apply(_) => Some(&APPLY),
            Self::Remove(..) | Self::Forget(_) => Some(&REMOVE),
            Self::Note(..) => Some(&NOTE),
            Self::SetIdentity { .. } => Some(&IDENTITY),
            _ => None,
        }
    }

    pub(crate) fn cmd(&self, keys: &Keys) -> Cmd {
        match self {
            Self::Apply(write) => write.cmd(keys),
            Self::Remove(id, version) => remove(*id, &version_bytes(version), keys),
            Self::Forget(id) => remove(*id, &[], keys),
            Self::Row(id) => named("GET", &keys.row(*id)),
            Self::Result(id) => named("GET", &keys.result(*id)),
            Self::CountOpen(shard) => named("ZCARD", &keys.open(*shard)),
            Self::Open { shard, after, limit } => {
                let mut cmd = named("ZRANGEBYLEX", &keys.open(*shard));
                match after {
                    Some(id) => cmd.arg([b"(", &id.0[..]].concat()),
                    None => cmd.arg("-"),
                };
                cmd.arg("+").arg("LIMIT").arg(0).arg(*limit);
                cmd
            }
            Self::Ended { shard, from, limit } => {
                let mut cmd = named("ZRANGEBYSCORE", &keys.ended(*shard));
                cmd.arg(from.as_deref().unwrap_or(&b"-inf"[..])).arg("+inf").arg("WITHSCORES");
                cmd.arg("LIMIT").arg(0).arg(*limit);
                cmd
            }
            Self::Expired { shard, now, skip, limit } => {
                let mut cmd = named("ZRANGEBYSCORE", &keys.ended(*shard));
                cmd.arg("-inf").arg(now.as_ms()).arg("LIMIT").arg(*skip).arg(*limit);
                cmd
            }
            Self::Exists(shard) => {
                let mut cmd = named("EXISTS", &keys.open(*shard));
                cmd.arg(keys.ended(*shard));
                cmd
            }
            Self::Audit { shard, until, limit } => {
                let mut cmd = named("XREVRANGE", &keys.audit(*shard));
                cmd.arg(*until).arg("-").arg("COUNT").arg(*limit);
                cmd
            }
            Self::Note(shard, entry) => {
                let mut cmd = NOTE.run(&[keys.audit(*shard)]);
                cmd.arg(&entry[..]).arg(AUDIT_ENTRIES);
                cmd
            }
            Self::Meta => {
                let mut cmd = named("HMGET", &keys.meta());
                cmd.arg("identity").arg("layout");
                cmd
            }
            Self::SetIdentity { expect, row } => {
                let mut cmd = IDENTITY.run(&[keys.meta()]);
                cmd.arg(&expect[..]).arg(&row[..]).arg(LAYOUT);
                cmd
            }
        }
    }
}

impl Write {
    fn cmd(&self, keys: &Keys) -> Cmd {
        let shard = shard_of(self.id);
        let touched =
            [keys.row(self.id), keys.result(self.id), keys.open(shard), keys.ended(shard), keys.audit(shard)];
        let mut cmd = APPLY.run(&touched);
        match &self.expect {
            Some(version) => cmd.arg(&version_bytes(version)),
            None => cmd.arg(""),
        };
        cmd.arg(&self.head[..]).arg(&self.id.0);
        match (self.peek.open, self.peek.expires_at) {
            (true, _) => cmd.arg("open"),
            (false, Some(end)) => cmd.arg(end.as_ms()),
            (false, None) => cmd.arg("+inf"),
        };
        match &self.body {
            Body::Keep => cmd.arg("keep").arg("").arg(""),
            Body::Remove => cmd.arg("remove").arg("").arg(""),
            Body::Put { bytes, until } => cmd.arg("put").arg(&bytes[..]).arg(self.kept_for(*until)),
        };
        match &self.note {
            Some(entry) => cmd.arg(&entry[..]),
            None => cmd.arg(""),
        };
        cmd.arg(AUDIT_ENTRIES);
        cmd
    }

    /// Milliseconds after which the server may drop what is kept until `end`. Counted from the ledger's time, which may be
    /// a little behind the server's, so never too few.
    fn kept_for(&self, end: Timestamp) -> u128 {
        (end.since(self.now) + GRACE).min(KEPT_MAX).as_millis()
    }
}

fn remove(id: RecordId, version: &[u8], keys: &Keys) -> Cmd {
    let mut cmd = REMOVE.run(&[keys.row(id), keys.result(id), keys.ended(shard_of(id))]);
    cmd.arg(version).arg(&id.0);
    cmd
}

fn named(command: &str, key: &str) -> Cmd {
    let mut cmd = redis::cmd(command);
    cmd.arg(key);
    cmd
}

/// A version as a row has it.
fn version_bytes(version: &Version) -> [u8; 20] {
    let mut bytes = [0; 20];
    let (attempt, revision) = bytes.split_at_mut(16);
    attempt.copy_from_slice(&version.attempt.0);
    revision.copy_from_slice(&version.revision.to_be_bytes());
    bytes
}
