//! The names of a ledger's keys.
//!
//! ```text
//! {onlyonce:5a}r:<id>    a record's row, a string; its id in hexadecimal begins with 5a
//! {onlyonce:5a}b:<id>    its result, a string
//! {onlyonce:5a}open      the ids of open rows, a sorted set with equal scores, so in the order of ids
//! {onlyonce:5a}ended     the ids of all other rows, by the time at which they may go
//! {onlyonce:5a}audit     audit entries, a stream
//! {onlyonce:5a}touch     written where replicas are waited for, and at opening; means nothing and goes by itself
//! {onlyonce:meta}        the ledger's own row: identity and layout, a hash
//! ```
//!
//! Invariant: whatever a script touches has one hash tag, so it lies in one slot of a Cluster, and moves with it. The tag
//! is the namespace and the first byte of the id: 256 shards, whose order is the order of ids.

use onlyonce_core::RecordId;

use crate::slot;

/// The layout above. A version that lays keys out otherwise writes another number, and refuses what it cannot read.
pub(crate) const LAYOUT: &str = "1";
/// How many shards there are.
pub(crate) const SHARDS: usize = 256;

/// A ledger's keys.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    namespace: String,
    slots: Vec<u16>,
    meta_slot: u16,
}

/// A record's shard: the first byte of its id.
pub(crate) fn shard_of(id: RecordId) -> u8 {
    let [first, ..] = id.0;
    first
}

impl Keys {
    pub(crate) fn new(namespace: &str) -> Self {
        let slot = |tag: String| slot::of_tag(tag.as_bytes());
        Self {
            namespace: namespace.to_owned(),
            slots: (0..=u8::MAX).map(|shard| slot(format!("{namespace}:{shard:02x}"))).collect(),
            meta_slot: slot(format!("{namespace}:meta")),
        }
    }

    /// The slot in which a shard lies.
    pub(crate) fn slot(&self, shard: u8) -> u16 {
        *self.slots.get(usize::from(shard)).expect("there is a slot for each shard")
    }

    /// The slot of the ledger's own row.
    pub(crate) const fn meta_slot(&self) -> u16 {
        self.meta_slot
    }

    pub(crate) fn row(&self, id: RecordId) -> String {
        self.of_record(id, 'r')
    }

    pub(crate) fn result(&self, id: RecordId) -> String {
        self.of_record(id, 'b')
    }

    pub(crate) fn open(&self, shard: u8) -> String {
        self.of_shard(shard, "open")
    }

    pub(crate) fn ended(&self, shard: u8) -> String {
        self.of_shard(shard, "ended")
    }

    pub(crate) fn audit(&self, shard: u8) -> String {
        self.of_shard(shard, "audit")
    }

    pub(crate) fn touch(&self, shard: u8) -> String {
        self.of_shard(shard, "touch")
    }

    pub(crate) fn meta(&self) -> String {
        format!("{{{}:meta}}", self.namespace)
    }

    /// What all of them are, as a permission names it.
    pub(crate) fn all(&self) -> String {
        format!("{{{}:*", self.namespace)
    }

    fn of_shard(&self, shard: u8, what: &str) -> String {
        format!("{{{}:{shard:02x}}}{what}", self.namespace)
    }

    fn of_record(&self, id: RecordId, what: char) -> String {
        let mut key = String::with_capacity(self.namespace.len() + 39);
        key.push('{');
        key.push_str(&self.namespace);
        key.push(':');
        push_hex(&mut key, &[shard_of(id)]);
        key.push('}');
        key.push(what);
        key.push(':');
        push_hex(&mut key, &id.0);
        key
    }
}

/// Without a formatter, whose work for sixteen bytes would be a tenth of what a look-up costs.
fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        for digit in [byte >> 4, byte & 0xf] {
            text.push(char::from_digit(digit.into(), 16).expect("four bits are one digit"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_script_touches_has_one_tag() {
        let keys = Keys::new("onlyonce");
        let id = RecordId([0x5a; 16]);
        let all = [
            keys.row(id),
            keys.result(id),
            keys.open(shard_of(id)),
            keys.ended(shard_of(id)),
            keys.audit(shard_of(id)),
        ];
        assert!(all.iter().all(|key| key.starts_with("{onlyonce:5a}")), "{all:?}");
        assert_eq!(all[0], format!("{{onlyonce:5a}}r:{}", "5a".repeat(16)));
        assert_eq!(keys.slot(0x5a), slot::of_tag(b"onlyonce:5a"));
    }
}
