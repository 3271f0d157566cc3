//! The audit: in each shard a stream, read as one.
//!
//! An entry lies in the slot of the record whose change it tells of, because it is written in the same script. Its number is
//! the server's time in microseconds and its shard, so numbers are in the order of time over all shards; in a Cluster, as
//! far as its servers' clocks agree.

use onlyonce_ledger::store::AuditPage;
use redis::Value;

use crate::{
    error::Failure,
    keys::SHARDS,
    reply::{self, Answer},
    request::Request,
    router::Router,
};

/// Most entries that a shard keeps; the oldest go first. About a hundred thousand in all.
pub(crate) const AUDIT_ENTRIES: usize = 400;
/// Most entries that a shard is asked for at once.
const CHUNK: usize = 64;
/// A number's bits that say the shard.
const SHARD_BITS: u32 = 8;

/// Up to `limit` entries with numbers below `before`, newest first.
pub(crate) async fn page(router: &Router, before: Option<u64>, limit: usize) -> Result<AuditPage, Failure> {
    let mut page = AuditPage::new();
    let chunk = limit.min(CHUNK);
    let mut asked: Vec<(u8, u64)> =
        (0..=u8::MAX).filter_map(|shard| Some((shard, until(before.unwrap_or(u64::MAX), shard)?))).collect();
    // A shard is asked again while it may have entries that are newer than the last of the page.
    for _ in 0..=AUDIT_ENTRIES / CHUNK {
        let requests =
            asked.iter().map(|(shard, until)| Request::Audit { shard: *shard, until: *until, limit: chunk });
        let answers = router.reads(requests.collect()).await;
        let mut last = Vec::with_capacity(SHARDS);
        for ((shard, _), answer) in asked.iter().zip(answers) {
            let entries = read(*shard, answer)?;
            let full = entries.len() == chunk;
            last.extend(entries.last().filter(|_| full).map(|(number, _)| (*shard, *number)));
            page.extend(entries);
        }
        page.sort_unstable_by_key(|(number, _)| std::cmp::Reverse(*number));
        page.truncate(limit);
        let oldest = if page.len() < limit { 0 } else { page.last().map_or(0, |(number, _)| *number) };
        asked = last
            .into_iter()
            .filter(|(_, number)| *number > oldest)
            .filter_map(|(shard, number)| Some((shard, until(number, shard)?)))
            .collect();
        if asked.is_empty() {
            break;
        }
    }
    Ok(page)
}

/// The latest time of this shard whose number is below `before`.
fn until(before: u64, shard: u8) -> Option<u64> {
    before.checked_sub(1)?.checked_sub(shard.into()).map(|rest| rest >> SHARD_BITS)
}

/// `[[id, [field, entry]], …]`.
fn read(shard: u8, answer: Answer) -> Result<AuditPage, Failure> {
    let entry = |value| {
        let (id, fields) = reply::pair(value)?;
        let Value::BulkString(id) = id else { return Err(Failure::shape()) };
        let time = std::str::from_utf8(&id).ok().and_then(|id| id.split('-').next()?.parse::<u64>().ok());
        let number = time.ok_or_else(Failure::shape)? << SHARD_BITS | u64::from(shard);
        let (_, entry) = reply::pair(fields)?;
        Ok((number, reply::bytes(entry)?.ok_or_else(Failure::shape)?))
    };
    reply::array(answer?)?.into_iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_below_another_are_those_up_to_a_time() {
        let number = |time: u64, shard: u8| time << SHARD_BITS | u64::from(shard);
        for shard in [0, 7, 255] {
            for before in [number(5, 7), number(5, 7) + 1, number(5, 0)] {
                let until = until(before, shard).unwrap();
                assert!(number(until, shard) < before && number(until + 1, shard) >= before);
            }
        }
        assert_eq!(until(0, 0), None);
        assert_eq!(until(7, 7), None);
    }
}
