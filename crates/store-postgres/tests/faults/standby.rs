//! A commit that waits for a standby, and is told not to wait any longer.

use std::sync::Arc;

use onlyonce_core::codec;
use onlyonce_ledger::store::{Applied, ErrorKind, Store};
use onlyonce_testbed::servers::Postgres;

use crate::{
    begun::Place,
    rows::{Session, id, in_progress, insert, version},
};

/// C13: such a commit succeeds, with a warning, and a fail-over loses it. And whoever asks again must not be told that it
/// stands before a standby has it.
#[tokio::test(flavor = "multi_thread")]
async fn c13_a_commit_whose_wait_for_the_standby_is_broken_off_is_unknown_until_a_standby_has_it() {
    let server = Postgres::start().await;
    let place = Place::on(&server.url()).await;
    let mut beside = Session::open(&server.url()).await;
    // A standby that never comes.
    beside.say("alter system set synchronous_standby_names = 'nobody'").await;
    beside.say("select pg_reload_conf()").await;
    beside
        .until("select count(*) from pg_settings where name = 'synchronous_standby_names' and setting <> ''")
        .await;
    let store = Arc::new(place.store().await);
    let command = insert(id(1), &in_progress(version(1, 1)));
    let apply = || {
        let (store, command) = (Arc::clone(&store), command.clone());
        tokio::spawn(async move { store.apply(vec![command]).await })
    };
    let first = apply();
    beside.until_onlyonce_waits_for("IPC", "SyncRep").await;
    beside.say("select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'").await;
    assert_eq!(first.await.unwrap().unwrap_err().kind(), ErrorKind::Unknown);

    let again = apply();
    beside.until_onlyonce_waits_for("IPC", "SyncRep").await;
    assert!(!again.is_finished(), "what stands here is on no standby yet");
    beside.say("alter system reset synchronous_standby_names").await;
    beside.say("select pg_reload_conf()").await;
    let standing = Applied::Conflict(Some(command.head.clone()));
    assert_eq!(again.await.unwrap().unwrap(), [standing]);
    assert_eq!(store.heads(&[id(1)]).await.unwrap(), [Some(codec::encode(&in_progress(version(1, 1))))]);
}
