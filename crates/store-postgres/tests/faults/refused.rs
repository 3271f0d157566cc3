//! Start-up errors say what to do, and repeat nothing of a password.

use onlyonce_ledger::identity::Secret;
use onlyonce_store_postgres::{OpenError, OpenErrorKind, Options, PostgresStore};
use onlyonce_testbed::{
    process::Port,
    servers::{self, Postgres, postgres},
};

use crate::{
    begun::{Place, with_schema},
    rows::Session,
};

async fn refused(url: impl Into<String>) -> OpenError {
    let error = PostgresStore::open(Options { url: url.into(), accept_loss: false }).await.err().unwrap();
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("s3same") && !shown.contains("wr0ng"), "{shown}");
    error
}

fn says(error: &OpenError, kind: OpenErrorKind, words: &[&str]) {
    assert_eq!(error.kind(), kind, "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "`{error}` does not say `{word}`");
    }
}

#[tokio::test]
async fn a_wrong_password_database_host_or_user_is_told() {
    let options = postgres::Options { password: Some("s3same"), ..Default::default() };
    let server = Postgres::start_with(options).await;
    let url = server.url();
    says(
        &refused(url.replace("s3same", "wr0ng")).await,
        OpenErrorKind::Denied,
        &["user `postgres`", "password"],
    );
    let database = url.replace("/postgres", "/payments").replace("//payments", "//postgres");
    says(&refused(database).await, OpenErrorKind::NoDatabase, &["/payments", "createdb"]);
    let nobody = format!("postgres://postgres:s3same@{}/postgres", Port::reserve().addr());
    says(&refused(nobody).await, OpenErrorKind::Unreachable, &["check host, port"]);
    says(
        &refused("postgres://ana:s3same@db:port/x").await,
        OpenErrorKind::Address,
        &["postgres://user@host"],
    );
}

#[tokio::test]
async fn a_missing_or_newer_schema_is_told() {
    let server = servers::postgres().await;
    let url = with_schema(&server, &servers::name());
    says(
        &refused(url).await,
        OpenErrorKind::Migration,
        &["missing migration", "onlyonce ledger migrate --ledger"],
    );
    let place = Place::new().await;
    let mut beside = Session::open(&server).await;
    let table = format!("{}.migrations", place.schema);
    // The next version, which leaves this one working.
    beside.say(format!("insert into {table} values (2, 'later', 1, '')")).await;
    place.store().await;
    beside.say(format!("insert into {table} values (3, 'much later', 2, '')")).await;
    says(
        &refused(place.options().url).await,
        OpenErrorKind::Newer,
        &["schema 3", "use the version of Onlyonce"],
    );
    let migrated = PostgresStore::migrate(place.options()).await.unwrap_err();
    assert_eq!(migrated.kind(), OpenErrorKind::Newer);
    beside.say(format!("delete from {table} where number > 1; update {table} set checksum = '\\x00'")).await;
    says(&refused(place.options().url).await, OpenErrorKind::Newer, &["another one"]);
    beside.say(format!("delete from {table}")).await;
    says(&refused(place.options().url).await, OpenErrorKind::Migration, &["missing migration"]);
}

#[tokio::test]
async fn a_role_without_rights_is_told_which_to_grant() {
    let place = Place::new().await;
    let mut owner = Session::open(&place.server).await;
    let (role, schema) = (servers::name(), &place.schema);
    owner.say(format!("create role {role} login password 's3same'")).await;
    let as_role = place.server.replace("postgres://postgres@", &format!("postgres://{role}:s3same@"));
    let url = with_schema(&as_role, schema);
    let error = refused(&url).await;
    says(&error, OpenErrorKind::Permission, &[&role, "GRANT USAGE ON SCHEMA"]);
    // What it says helps.
    let grants = |error: &OpenError| error.to_string().split('`').nth(5).unwrap().to_owned();
    owner.say(format!("grant usage on schema {schema} to {role}")).await;
    let words = [&role, "for table migrations", "GRANT USAGE ON SCHEMA", "GRANT SELECT, INSERT"];
    says(&refused(&url).await, OpenErrorKind::Permission, &words);
    owner.say(format!("grant select on {schema}.migrations to {role}")).await;
    let error = refused(&url).await;
    says(&error, OpenErrorKind::Permission, &["records", "audit", "GRANT SELECT, INSERT"]);
    owner.say(grants(&error)).await;
    PostgresStore::open(Options { url, accept_loss: false }).await.unwrap();
    let own = with_schema(&as_role, &servers::name());
    let error = PostgresStore::migrate(Options { url: own, accept_loss: false }).await.unwrap_err();
    says(&error, OpenErrorKind::Permission, &["migrate as the owner"]);
}

#[tokio::test]
async fn a_server_that_cannot_be_written_to_is_refused() {
    let settings = vec![("default_transaction_read_only", "on".to_owned())];
    let server = Postgres::start_with(postgres::Options { settings, ..Default::default() }).await;
    says(&refused(server.url()).await, OpenErrorKind::ReadOnly, &["default_transaction_read_only"]);
}

#[tokio::test]
async fn another_ledgers_secret_is_refused() {
    let place = Place::new().await;
    place.ledger().await;
    let store = std::sync::Arc::new(place.store().await);
    let secret = Secret::new([8; 32]).unwrap();
    let opened = onlyonce_ledger::Ledger::open(store, &secret, onlyonce_ledger::Options::default()).await;
    assert_eq!(opened.unwrap_err().kind(), onlyonce_ledger::identity::OpenErrorKind::Secret);
}

/// A server that has no connection left: nothing was sent, and it comes back by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_run_out_are_told_and_come_back() {
    let settings =
        vec![("max_connections", "6".to_owned()), ("superuser_reserved_connections", "0".to_owned())];
    let server = Postgres::start_with(postgres::Options { settings, ..Default::default() }).await;
    let place = Place::on(&server.url()).await;
    let store = place.store().await;
    let mut others = vec![Session::open(&server.url()).await];
    while let Ok(other) = tokio::spawn({
        let url = server.url();
        async move { Session::open(&url).await }
    })
    .await
    {
        others.push(other);
    }
    use onlyonce_ledger::store::{ErrorKind, Store};
    let ids = [crate::rows::id(1)];
    assert_eq!(store.heads(&ids).await.unwrap_err().kind(), ErrorKind::NotApplied);
    says(&refused(place.options().url).await, OpenErrorKind::Unreachable, &["max_connections"]);
    drop(others);
    let mut tries = 0;
    while store.heads(&ids).await.is_err() {
        tries += 1;
        assert!(tries < 100_000, "it does not recover");
    }
}
