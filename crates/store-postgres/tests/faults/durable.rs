//! What opening says of a server that may lose what it has acknowledged.

use onlyonce_ledger::store::{Applied, Command, Error, ErrorKind, Store};
use onlyonce_store_postgres::{OpenErrorKind, Options, PostgresStore};
use onlyonce_testbed::servers::{Pgbouncer, Postgres, postgres};

use crate::{
    begun::Place,
    log,
    rows::{Session, apply, id, in_progress, insert, version},
};

/// What a person at the server's prompt changes.
async fn set(server: &Postgres, setting: &str) {
    let mut owner = Session::open(&server.url()).await;
    owner.say(format!("alter system {setting}")).await;
    owner.say("select pg_reload_conf()").await;
}

fn claim(number: u32) -> Command {
    insert(id(number), &in_progress(version(1, 1)))
}

/// Claims until that fares so.
async fn claim_until(store: &PostgresStore, so: impl Fn(&Result<Vec<Applied>, Error>) -> bool) {
    let fares = async {
        let mut number = 100;
        while !so(&store.apply(vec![claim(number)]).await) {
            number += 1;
        }
    };
    tokio::time::timeout(onlyonce_testbed::WAIT_LIMIT, fares).await.expect("it comes to that");
}

/// Whether it is this setting for which it was refused.
fn names(refused: &Error, setting: &str) -> bool {
    let why = std::error::Error::source(refused).map(ToString::to_string);
    why.is_some_and(|why| why.contains(&format!("`{setting} = off`")))
}

/// Writes down how each claim is committed.
async fn watch_commits(place: &Place, owner: &mut Session) {
    let schema = &place.schema;
    owner
        .say(format!(
            "create table {schema}.seen (commits text);
             create function {schema}.on_insert() returns trigger language plpgsql as $$ begin
               insert into {schema}.seen values (current_setting('synchronous_commit')); return new;
             end $$;
             create trigger seen before insert on {schema}.records for each row execute function {schema}.on_insert()"
        ))
        .await;
}

async fn commits(place: &Place, owner: &mut Session) -> String {
    let schema = &place.schema;
    owner.text(format!("select string_agg(distinct commits, ', ' order by commits) from {schema}.seen")).await
}

#[tokio::test]
async fn a_server_that_loses_what_it_acknowledges_is_refused_unless_that_is_accepted() {
    let settings = ["fsync", "full_page_writes", "synchronous_commit"].map(|name| (name, "off".to_owned()));
    let server =
        Postgres::start_with(postgres::Options { settings: settings.into(), ..Default::default() }).await;
    let place = Place::on(&server.url()).await;
    let refused = PostgresStore::open(place.options()).await.unwrap_err();
    assert_eq!(refused.kind(), OpenErrorKind::Loss);
    let accepted = Options { accept_loss: true, ..place.options() };
    let (_store, sentences) = PostgresStore::open(accepted).await.unwrap();
    for name in ["`fsync = off`", "`full_page_writes = off`", "`synchronous_commit = off`"] {
        assert!(refused.to_string().contains(name), "{refused}");
        assert!(sentences.iter().any(|sentence| sentence.contains(name)), "{sentences:?}");
    }
}

#[tokio::test]
async fn a_sound_server_is_told_what_a_fail_over_means() {
    let (_store, sentences) = PostgresStore::open(Place::new().await.options()).await.unwrap();
    assert_eq!(sentences.len(), 1, "{sentences:?}");
    assert!(sentences[0].contains("synchronous_standby_names"), "{sentences:?}");
}

/// Opening looked once, and a reload the next day has every crash lose what was acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_set_to_lose_what_it_acknowledges_is_written_to_no_more_until_that_is_mended() {
    let log = log::listen();
    let server = Postgres::start().await;
    let place = Place::on(&server.url()).await;
    let store = place.store().await;
    let accepting = Options { accept_loss: true, ..place.options() };
    let (accepting, _) = PostgresStore::open(accepting).await.unwrap();
    for setting in ["fsync", "full_page_writes"] {
        apply(&store, claim(1)).await;
        set(&server, &format!("set {setting} = off")).await;
        claim_until(&store, |claimed| claimed.as_ref().is_err_and(|error| names(error, setting))).await;
        let refused = store.apply(vec![claim(2)]).await.unwrap_err();
        assert_eq!((refused.kind(), refused.is_full()), (ErrorKind::NotApplied, false));
        assert!(names(&refused, setting), "{:?}", refused);
        assert!(store.heads(&[id(1)]).await.unwrap()[0].is_some(), "what is there can be read");
        apply(&accepting, claim(3)).await;
        set(&server, &format!("reset {setting}")).await;
        claim_until(&store, Result::is_ok).await;
        for told in ["has changed", "is mended"] {
            assert!(!log.lines(&[told, &format!("`{setting} = off`")]).is_empty(), "{setting} {told}");
        }
    }
}

/// A role, a database or a server that is set to `synchronous_commit = off` later has connections that are made later
/// acknowledge what a crash loses.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_acknowledged_is_on_disk_whatever_synchronous_commit_is_set_to_later() {
    let server = Postgres::start().await;
    let place = Place::on(&server.url()).await;
    let mut owner = Session::open(&server.url()).await;
    watch_commits(&place, &mut owner).await;
    let store = place.store().await;
    apply(&store, claim(1)).await;
    set(&server, "set synchronous_commit = off").await;
    owner
        .until("select count(*) from pg_settings where name = 'synchronous_commit' and setting = 'off'")
        .await;
    apply(&store, claim(2)).await;
    owner.say("alter role postgres set synchronous_commit = off").await;
    let ours = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'onlyonce'";
    owner.say(ours).await;
    claim_until(&store, Result::is_ok).await;
    assert_eq!(commits(&place, &mut owner).await, "on");
    // Who has accepted it gets what is set.
    let accepting = Options { accept_loss: true, ..place.options() };
    let (accepting, sentences) = PostgresStore::open(accepting).await.unwrap();
    assert!(sentences[0].contains("`synchronous_commit = off`"), "{sentences:?}");
    apply(&accepting, claim(4)).await;
    assert_eq!(commits(&place, &mut owner).await, "off, on");
}

/// Another client of the pooler leaves its own word in the session that the next transaction of ours gets.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_leave_in_a_poolers_sessions_changes_no_commit_of_ours() {
    let server = Postgres::start().await;
    let pooler = Pgbouncer::start_with(&server, &[("default_pool_size", "1")]).await;
    let place = Place::on(&format!("{}?pooler=transaction", pooler.url())).await;
    let mut owner = Session::open(&server.url()).await;
    watch_commits(&place, &mut owner).await;
    let store = place.store().await;
    for (number, left) in (1..).zip(["off", "local"]) {
        postgres::ask(&pooler.url(), &format!("set synchronous_commit = {left}")).await;
        assert_eq!(postgres::ask(&pooler.url(), "show synchronous_commit").await, left, "it is left there");
        apply(&store, claim(number)).await;
    }
    set(&server, "set synchronous_commit = off").await;
    owner
        .until("select count(*) from pg_settings where name = 'synchronous_commit' and setting = 'off'")
        .await;
    postgres::ask(&pooler.url(), "reset synchronous_commit").await;
    apply(&store, claim(9)).await;
    assert_eq!(commits(&place, &mut owner).await, "on");
    let refused = PostgresStore::open(place.options()).await.unwrap_err();
    assert_eq!(refused.kind(), OpenErrorKind::Loss, "behind a pooler too: {refused}");
}

/// A role that is sent no warnings would never hear that a standby has not got a commit.
#[tokio::test]
async fn a_role_that_is_set_to_hear_no_warnings_hears_ours() {
    let server = Postgres::start().await;
    let place = Place::on(&server.url()).await;
    let mut owner = Session::open(&server.url()).await;
    owner.say("alter role postgres set client_min_messages = error").await;
    set(&server, "set synchronous_standby_names = 'ANY 1 (a, b)'").await;
    owner
        .until("select count(*) from pg_settings where name = 'synchronous_standby_names' and setting <> ''")
        .await;
    let (_store, sentences) = PostgresStore::open(place.options()).await.unwrap();
    assert!(sentences[0].contains("1 of the 2 standbys"), "{sentences:?}");
}
