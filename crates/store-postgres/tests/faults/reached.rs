//! The ways to a server: a pooler, TLS, another schema, several processes at once.

use onlyonce_store_postgres::{Migrated, OpenErrorKind, Options, PostgresStore};
use onlyonce_testbed::{
    servers::{self, Pgbouncer, Postgres, postgres},
    tls::Authority,
};

use crate::{
    begun::{CREATED, Place, replayed, request, run, with_schema},
    rows::{Session, apply, id, in_progress, insert, version},
};
use onlyonce_ledger::store::{Applied, Store};

/// A ledger works: it is claimed, completed and replayed.
async fn works(place: &Place) {
    let ledger = place.ledger().await;
    for key in 0..40 {
        run(&ledger, &request(key)).await.complete(CREATED, "paid".into()).await.unwrap();
        assert_eq!(replayed(&ledger, &request(key)).await, "paid");
    }
}

/// Each transaction may meet another session of the server: two clients share two here, so that what is left behind in one
/// would be found by the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_that_gives_out_servers_by_transaction_is_no_hindrance() {
    let server = Postgres::start().await;
    let pooler = Pgbouncer::start_with(&server, &[("default_pool_size", "2")]).await;
    let place = Place::on(&format!("{}?pooler=transaction", pooler.url())).await;
    let other = Place::on(&place.server).await;
    let work = async {
        let store = other.store().await;
        for number in 1_000..1_040 {
            let batch = vec![insert(id(number), &in_progress(version(1, 1)))];
            assert_eq!(store.apply(batch.clone()).await.unwrap(), [Applied::Yes]);
            assert!(matches!(&*store.apply(batch).await.unwrap(), [Applied::Conflict(Some(_))]));
        }
    };
    tokio::join!(works(&place), work);
    let mut beside = Session::open(&server.url()).await;
    let kept = "select count(*) from pg_stat_activity where state like 'idle in transaction%'";
    assert_eq!(beside.count(kept).await, 0);
}

/// Whoever gets the server's session next must not find what was set for the ledger.
#[tokio::test]
async fn settings_of_a_transaction_do_not_outlive_it_in_the_pooler() {
    let server = Postgres::start().await;
    let pooler = Pgbouncer::start_with(&server, &[("default_pool_size", "1")]).await;
    let place = Place::on(&format!("{}?pooler=transaction", pooler.url())).await;
    let store = place.store().await;
    apply(&store, insert(id(1), &in_progress(version(1, 1)))).await;
    let shown = postgres::ask(&pooler.url(), "show lock_timeout").await;
    assert_eq!(shown, "0", "what the next client of the pooler finds");
    assert_eq!(postgres::ask(&pooler.url(), "show enable_seqscan").await, "on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_is_verified_against_the_authority_that_the_url_names() {
    let authority = Authority::new();
    let certificate = Some(authority.certify(&["127.0.0.1"]));
    let options = postgres::Options { password: Some("s3same"), certificate, ..Default::default() };
    let server = Postgres::start_with(options).await;
    let roots = server.place().data().with_file_name("root.pem");
    let strangers = server.place().data().with_file_name("stranger.pem");
    std::fs::write(&roots, authority.pem()).unwrap();
    std::fs::write(&strangers, Authority::new().pem()).unwrap();
    let verified = format!("{}?sslmode=verify-full&sslrootcert={}", server.url(), roots.display());
    let place = Place::on(&verified).await;
    works(&place).await;
    for (url, kind) in [
        (verified.replace("root.pem", "stranger.pem"), OpenErrorKind::Unreachable),
        (verified.replace("127.0.0.1", "localhost"), OpenErrorKind::Unreachable),
        (verified.replace("verify-full", "disable"), OpenErrorKind::Denied),
        (verified.replace("s3same", "simsalabim"), OpenErrorKind::Denied),
    ] {
        let error = PostgresStore::open(place.through(&url).options()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("s3same") && !shown.contains("simsalabim"), "{shown}");
    }
}

#[tokio::test]
async fn two_schemas_of_one_database_are_two_ledgers() {
    let server = servers::postgres().await;
    let names = [servers::name(), format!("{}-B", servers::name())];
    for (name, attempt) in names.iter().zip(1..) {
        let place = Place { server: server.clone(), schema: name.clone() };
        PostgresStore::migrate(place.options()).await.unwrap();
        let applied = apply(&place.store().await, insert(id(1), &in_progress(version(attempt, 1)))).await;
        assert_eq!(applied, Applied::Yes, "{name}");
    }
}

/// Both migrate and both make an identity; there is one of each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_begin_a_ledger_at_once_share_it() {
    let place = Place { server: servers::postgres().await, schema: servers::name() };
    let migrations: Vec<_> = (0..6).map(|_| tokio::spawn(PostgresStore::migrate(place.options()))).collect();
    let mut first = 0;
    for migration in migrations {
        let migrated = migration.await.unwrap().unwrap();
        first += usize::from(migrated == Migrated { from: 0, to: 1 });
        assert_eq!(migrated.to, 1);
    }
    assert_eq!(first, 1, "one of them has made it");
    let (one, two) = tokio::join!(place.ledger(), place.ledger());
    assert_eq!(one.key().expose(), two.key().expose());
    run(&one, &request(1)).await.complete(CREATED, "paid".into()).await.unwrap();
    assert_eq!(replayed(&two, &request(1)).await, "paid");
    let options = Options { url: with_schema(&place.server, &place.schema), accept_loss: false };
    assert_eq!(PostgresStore::migrate(options).await.unwrap(), Migrated { from: 1, to: 1 });
}

/// Nothing is written into sessions that are lent on, and a server that had ended every one of them is found again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_the_server_ended_are_replaced() {
    let place = Place::new().await;
    let store = place.store().await;
    store.heads(&[id(1)]).await.unwrap();
    apply(&store, insert(id(1), &in_progress(version(1, 1)))).await;
    let mut beside = Session::open(&place.server).await;
    let schema = &place.schema;
    beside
        .say(format!(
            "select pg_terminate_backend(pid) from pg_stat_activity where query like '%{schema}%' and pid <> pg_backend_pid()"
        ))
        .await;
    let mut failures = 0;
    while store.heads(&[id(1)]).await.is_err()
        || store.apply(vec![insert(id(2), &in_progress(version(1, 1)))]).await.is_err()
    {
        failures += 1;
        assert!(failures < 100, "it does not recover");
    }
    assert!(store.heads(&[id(2)]).await.unwrap()[0].is_some());
}
