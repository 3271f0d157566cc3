//! What a server drops by itself, and what it never does.

use bytes::Bytes;
use onlyonce_core::{Record, codec};
use onlyonce_ledger::store::Store;
use onlyonce_testbed::servers::Redis;

use crate::{
    begun::{CREATED, begin, request, until},
    load::Load,
};

/// A row of a claim, for tests that write without a ledger.
pub(crate) fn row() -> Bytes {
    use onlyonce_core::{AttemptId, Fence, State, Timestamp, Version};
    let request = request(1);
    let record = Record {
        version: Version { attempt: AttemptId([1; 16]), revision: 1 },
        fence: Fence::FIRST,
        first_claim_at: Timestamp::from_ms(1),
        claimed_at: Timestamp::from_ms(1),
        recipe: request.recipe,
        fingerprint: request.fingerprint,
        owner: request.owner,
        route: request.route,
        policy: request.policy,
        earlier_unknown: None,
        parameters: Bytes::new(),
        state: State::InProgress { lease_until: Timestamp::from_ms(2) },
    };
    codec::encode(&record)
}

const ROW: &str = "{onlyonce:01}r:01000000000000000000000000000000";
const RESULT: &str = "{onlyonce:01}b:01000000000000000000000000000000";

/// A row that went by itself would run again: a claim whose owner is gone for long, or a completed one on a server whose clock
/// was set a week ahead.
#[tokio::test(flavor = "multi_thread")]
async fn no_row_has_an_expiry_of_the_servers_own_and_a_result_has_a_late_one() {
    let server = Redis::start().await;
    let begun = begin(&server.url()).await;
    let ttl = async |key: &str| server.ask(&format!("PTTL {key}")).await.parse::<i64>().unwrap();
    let attempt = begun.run(&request(1)).await;
    assert_eq!(ttl(ROW).await, -1, "in progress");
    attempt.lose_track(onlyonce_core::record::UnknownCause::AnswerLost.into()).await.unwrap();
    assert_eq!(ttl(ROW).await, -1, "unknown");
    attempt.complete(CREATED, "paid".into()).await.unwrap();
    assert_eq!(ttl(ROW).await, -1, "completed");
    let policy = request(1).policy;
    let at_least = |retained: std::time::Duration| i64::try_from(retained.as_millis()).unwrap();
    let result = ttl(RESULT).await;
    assert!(result > at_least(policy.retain_result), "{result} ms for the result");
    assert!(result < at_least(policy.retain_key), "a result goes before its key");
    let attempt = begun.claim(&request(1 + 256)).await;
    attempt.release(onlyonce_core::record::ReleaseCause::NotSent, None).await.unwrap();
    assert_eq!(ttl("{onlyonce:01}r:01010000000000000000000000000000").await, -1, "released");
}

/// Somebody has given a row an expiry.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_claim_takes_the_expiry_of_the_row_before_away() {
    let server = Redis::start().await;
    let begun = begin(&server.url()).await;
    let attempt = begun.claim(&request(1)).await;
    attempt.release(onlyonce_core::record::ReleaseCause::NotSent, None).await.unwrap();
    assert_eq!(server.ask(&format!("PEXPIRE {ROW} 3600000")).await, "1");
    let _held = begun.claim(&request(1)).await;
    assert_eq!(server.ask(&format!("PTTL {ROW}")).await, "-1");
}

/// What has gone otherwise, by hand or by such an expiry, is forgotten by the indexes with the next sweep.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_gone_leaves_the_indexes_with_the_next_sweep() {
    let server = Redis::start().await;
    let begun = begin(&server.url()).await;
    let attempt = begun.run(&request(1)).await;
    attempt.complete(CREATED, "paid".into()).await.unwrap();
    server.ask(&format!("DEL {ROW}")).await;
    // Its time has come.
    let mut aged = redis::cmd("ZADD");
    aged.arg("{onlyonce:01}ended").arg("XX").arg(1).arg(&request(1).id.0);
    let client = redis::Client::open(server.url()).unwrap();
    aged.query::<()>(&mut client.get_connection().unwrap()).unwrap();
    assert_eq!(server.ask("ZCARD {onlyonce:01}ended").await, "1");
    let found = begun.store.sweep(begun.store.now(), 1).await.unwrap();
    assert_eq!(found, 1, "somebody else may have removed it just now, so there may be more");
    assert_eq!(server.ask("ZCARD {onlyonce:01}ended").await, "0");
    assert_eq!(server.ask(&format!("EXISTS {RESULT}")).await, "0");
}

/// The look for expired rows and their removal are two steps, and the key was claimed anew in between.
#[tokio::test(flavor = "multi_thread")]
async fn a_removal_leaves_a_row_that_is_another_than_was_read() {
    let server = Redis::start().await;
    let mut connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let removal = redis::Script::new(include_str!("../../src/scripts/remove.lua"));
    let row = row();
    let mut remove = |version: &[u8]| -> usize {
        let mut removal = removal.prepare_invoke();
        for key in ["row", "result", "ended"] {
            removal.key(key);
        }
        removal.arg(version).arg("id").invoke(&mut connection).unwrap()
    };
    let mut set = redis::cmd("SET");
    set.arg("row").arg(&row[..]);
    set.query::<()>(&mut redis::Client::open(server.url()).unwrap().get_connection().unwrap()).unwrap();
    let (read, mut another) = (row[10..30].to_vec(), row[10..30].to_vec());
    another[19] ^= 1;
    assert_eq!(remove(&another), 0);
    assert_eq!(remove(b""), 0);
    assert_eq!(server.ask("EXISTS row").await, "1");
    assert_eq!(remove(&read), 1);
    assert_eq!(server.ask("EXISTS row").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_forgets_its_scripts_under_load_is_given_them_again() {
    let server = Redis::start().await;
    let begun = begin(&server.url()).await;
    let load = Load::start(&[&begun], 16);
    for _ in 0..20 {
        load.more(20).await;
        assert_eq!(server.ask("SCRIPT FLUSH").await, "OK");
    }
    let counts = load.end().await;
    assert_eq!(counts.refused.load(std::sync::atomic::Ordering::Relaxed), 0, "nobody was turned away");
    counts.hold_at(&begun).await;
    let flushed = server.ask("INFO errorstats").await;
    assert!(flushed.contains("errorstat_NOSCRIPT"), "it was asked for a script that it had not: {flushed}");
    until("it answers", async || server.ask("PING").await == "PONG").await;
}
