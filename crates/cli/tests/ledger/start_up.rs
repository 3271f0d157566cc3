//! Ledgers on servers that do not open: each time the start-up says what is wrong and what to do, and nothing is served.

use std::time::Duration;

use onlyonce_testbed::{
    effects::Upstream,
    process::Port,
    servers::{self, Cluster, Postgres, Redis, postgres, redis},
};

use crate::{
    command::{CONFIG, DONE, LEDGER, migrated, onlyonce, refused_on},
    gateway::{Gateway, Setup},
    transfer::{assert_executed, send, transfer},
};

const SECRET: (&str, &str) = ("ONLYONCE_SECRET", "the secret of a ledger that is shared");
const OTHER: (&str, &str) = ("ONLYONCE_SECRET", "the secret of another ledger altogether");
/// What a password is in these stories; nothing may repeat it.
const PASSWORD: &str = "hunter2";
/// Longest time that a server which does not answer is waited for; more than it should take, less than for ever.
const PATIENCE: Duration = Duration::from_secs(60);

fn setup(ledger: &str, (name, secret): (&str, &str)) -> Setup {
    Setup::anonymous().ledger(ledger).environment(name, secret)
}

/// A namespace of the shared Redis.
async fn namespace() -> String {
    format!("{}?namespace={}", servers::redis().await, servers::name())
}

/// What people are shown of its URL.
fn told_as(ledger: &str) -> String {
    let place: onlyonce_backends::Place = ledger.parse().unwrap();
    place.to_string()
}

async fn refused(ledger: &str) -> crate::command::Ended {
    let ended = tokio::time::timeout(PATIENCE, refused_on(ledger, &[SECRET])).await;
    let ended = ended.expect("a start-up does not wait for ever");
    assert!(!ended.told.contains(PASSWORD), "{}", ended.told);
    ended
}

/// A gateway with this `[ledger]`.
async fn refused_with(table: &str) -> crate::command::Ended {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("[ledger]\n{table}\n")).unwrap();
    let config = file.path().to_str().unwrap();
    let arguments = ["gateway", "--listen", "127.0.0.1:0", "--admin", "off", "--config", config];
    onlyonce(&arguments, &[SECRET]).await
}

#[tokio::test]
async fn a_shared_ledger_without_a_secret_is_refused_with_how_to_make_one() {
    for ledger in [migrated().await, namespace().await, servers::redis_cluster().await] {
        let told = refused_on(&ledger, &[]).await;
        told.assert(
            CONFIG,
            &["is shared and makes no secret for itself", "`openssl rand -hex 32` makes one"],
        );
    }
}

/// Each look-up would say that nothing is there.
#[tokio::test]
async fn another_ledgers_secret_is_refused() {
    let upstream = Upstream::counting().await;
    for ledger in [migrated().await, namespace().await] {
        let gateway = Gateway::start(&upstream.url(), setup(&ledger, SECRET)).await;
        assert_executed(&send(gateway.address, &transfer("k")).await, 201);
        refused_on(&ledger, &[OTHER])
            .await
            .assert(LEDGER, &["the secret is not the one that it has", &told_as(&ledger), "ledger rewrap"]);
    }
}

/// The wrong database, or another namespace, must not look like a fresh start.
#[tokio::test]
async fn an_empty_shared_ledger_that_must_exist_is_refused() {
    for ledger in [migrated().await, namespace().await] {
        let told = refused_with(&format!("url = \"{ledger}\"\nmust_exist = true")).await;
        let none = format!("{}: there is none, and `must_exist` is set", told_as(&ledger));
        told.assert(LEDGER, &[&none, "is the URL right?"]);
        // Nothing was made: it is refused again.
        refused_with(&format!("url = \"{ledger}\"\nmust_exist = true"))
            .await
            .assert(LEDGER, &["there is none"]);
        // Nor is "here" any place to those who took the URL from a variable.
        let url = [SECRET, ("ONLYONCE_NEW_SECRET", OTHER.1), ("LEDGER_URL", &*ledger)];
        for command in [&["restored", "--yes"][..], &["rewrap"], &["reopen"]] {
            let arguments = [&["ledger"], command, &["--ledger", "env:LEDGER_URL"]].concat();
            onlyonce(&arguments, &url).await.assert(LEDGER, &[&told_as(&ledger), "there is none"]);
        }
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_in_time() {
    let at = Port::reserve().addr();
    for ledger in [
        format!("postgres://ana:{PASSWORD}@{at}/bank"),
        format!("redis://:{PASSWORD}@{at}"),
        format!("redis-cluster://:{PASSWORD}@{at}"),
    ] {
        refused(&ledger).await.assert(LEDGER, &[&at.to_string()]);
    }
}

/// Its kernel still accepts connections.
#[tokio::test]
async fn a_server_that_stands_still_is_told_in_time() {
    let (database, cache) = (Postgres::start().await, Redis::start().await);
    database.sigstop().await;
    cache.sigstop().await;
    for ledger in [database.url(), cache.url()] {
        refused(&ledger).await.assert(LEDGER, &["127.0.0.1"]);
    }
}

#[tokio::test]
async fn a_redis_that_lets_nobody_in_is_told() {
    let options = redis::Options { password: Some("hunter1"), ..redis::Options::default() };
    let cache = Redis::start_with(options).await;
    let (_, at) = cache.url().rsplit_once('@').map(|(who, at)| (who.to_owned(), at.to_owned())).unwrap();
    refused(&format!("redis://:{PASSWORD}@{at}")).await.assert(LEDGER, &["it refuses this user or password"]);
    refused(&format!("redis://{at}")).await.assert(LEDGER, &["it wants a password"]);
}

#[tokio::test]
async fn a_redis_that_may_evict_is_refused() {
    for policy in ["allkeys-lru", "volatile-ttl"] {
        let settings = vec![("maxmemory", "100mb".to_owned()), ("maxmemory-policy", policy.to_owned())];
        let cache = Redis::start_with(redis::Options { settings, ..redis::Options::default() }).await;
        let told = refused(&cache.url()).await;
        told.assert(
            LEDGER,
            &[&format!("maxmemory-policy {policy}"), "set `maxmemory-policy noeviction` there"],
        );
    }
}

/// Only its operator can say that this may be; then each start says what it is.
#[tokio::test]
async fn a_server_that_may_lose_what_it_acknowledged_needs_a_word_for_it() {
    let upstream = Upstream::counting().await;
    let settings = vec![("appendfsync", "everysec".to_owned())];
    let cache = Redis::start_with(redis::Options { settings, ..redis::Options::default() }).await;
    let settings = vec![("synchronous_commit", "off".to_owned())];
    let database = Postgres::start_with(postgres::Options { settings, ..postgres::Options::default() }).await;
    onlyonce(&["ledger", "migrate", "--ledger", &database.url()], &[]).await.assert(DONE, &[]);
    let cluster = Cluster::start().await;
    for (ledger, why) in [
        (cache.url(), "appendfsync everysec"),
        (database.url(), "synchronous_commit"),
        (cluster.url(), "a fail-over of the Cluster loses"),
    ] {
        refused(&ledger).await.assert(LEDGER, &[why, "accept_loss = true"]);
        let accepting = setup(&ledger, SECRET).table("[ledger]\naccept_loss = true");
        let gateway = Gateway::start(&upstream.url(), accepting).await;
        let told = gateway.process.stderr();
        assert!(told.iter().any(|line| line.contains(why)), "{told:?}");
        assert_executed(&send(gateway.address, &transfer("k")).await, 201);
    }
}

#[tokio::test]
async fn a_postgresql_that_lets_nobody_in_is_told() {
    let options = postgres::Options { password: Some("hunter1"), ..postgres::Options::default() };
    let database = Postgres::start_with(options).await;
    let url = database.url();
    let (_, at) = url.rsplit_once('@').unwrap();
    let told = refused(&format!("postgres://postgres:{PASSWORD}@{at}")).await;
    told.assert(LEDGER, &["password"]);
    refused(&format!("postgres://postgres@{at}")).await.assert(LEDGER, &["password"]);
}

/// Without asking any server.
#[tokio::test]
async fn a_parameter_with_a_wrong_value_is_the_configurations_fault() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for (url, told) in [
        ("postgres://ana:hunter2@db/bank?sslmode=requires", "`sslmode` is none of"),
        ("postgres://ana:hunter2@db/bank?pooler=statement", "`pooler` is neither"),
        ("postgres://ana:hunter2@db/bank?schema=a.b", "`schema` is no name for a schema"),
        ("postgres://ana:hunter2@db/bank?namespace=x", "a parameter `namespace`, which there is not"),
        ("redis://:hunter2@cache?policy=allkeys-lru", "`policy` can only be noeviction"),
        ("redis://:hunter2@cache?sslmode=require", "a parameter `sslmode`, which there is not"),
    ] {
        refused(url).await.assert(CONFIG, &[told]);
        std::fs::write(file.path(), format!("upstream = \"http://127.0.0.1:1\"\n[ledger]\nurl = \"{url}\""))
            .unwrap();
        let check = ["config", "check", file.path().to_str().unwrap()];
        onlyonce(&check, &[SECRET]).await.assert(CONFIG, &[told]);
    }
}

#[tokio::test]
async fn a_database_that_there_is_not_is_told() {
    let database = servers::postgres().await;
    let (server, _) = database.rsplit_once('/').unwrap();
    refused(&format!("{server}/nowhere")).await.assert(LEDGER, &["nowhere"]);
}

#[tokio::test]
async fn tables_that_are_missing_are_told_with_the_command_that_makes_them() {
    let ledger = format!("{}?schema={}", servers::postgres().await, servers::name());
    for command in ["gateway", "rewrap"] {
        let told = match command {
            "gateway" => refused(&ledger).await,
            _ => {
                let new = ("ONLYONCE_NEW_SECRET", OTHER.1);
                onlyonce(&["ledger", command, "--ledger", &ledger], &[SECRET, new]).await
            }
        };
        told.assert(LEDGER, &["onlyonce ledger migrate"]);
    }
}

#[tokio::test]
async fn tables_of_a_newer_version_are_refused() {
    let (ledger, schema) = (servers::postgres().await, servers::name());
    let in_schema = format!("{ledger}?schema={schema}");
    onlyonce(&["ledger", "migrate", "--ledger", &in_schema], &[]).await.assert(DONE, &[]);
    let newer = format!(
        "INSERT INTO {schema}.migrations (number, name, serves, checksum) VALUES (99, 'later', 99, '\\x00')"
    );
    postgres::ask(&ledger, &newer).await;
    refused(&in_schema).await.assert(LEDGER, &["use the version of Onlyonce that migrated it"]);
}
