//! Private servers do what tests do with them, and leave nothing behind.

use std::{
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use onlyonce_testbed::{
    servers::{Cluster, Daemon, POSTGRES, Pgbouncer, Postgres, REDIS, REDIS_CLUSTER, Redis, postgres, redis},
    tls::Authority,
};
use tokio::time::timeout;

/// Longer than a server that answers takes, and shorter than anybody likes to wait for one that does not.
const SILENCE: Duration = Duration::from_secs(1);
/// How long what was left behind may take to go.
const GONE_LIMIT: Duration = Duration::from_secs(60);

fn is_refused(addr: SocketAddr) -> bool {
    TcpStream::connect(addr).is_err()
}

/// What a killed test leaves goes by itself, soon.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + GONE_LIMIT;
    while !holds() {
        assert!(Instant::now() < end, "{what} after {GONE_LIMIT:?}");
        // bounded: GONE_LIMIT
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn remains(daemon: &Daemon) -> (SocketAddr, PathBuf) {
    (daemon.addr(), daemon.place().data())
}

#[tokio::test]
async fn a_postgres_keeps_its_data_and_port_over_a_kill_and_goes_when_dropped() {
    let mut server = Postgres::start().await;
    let addr = server.addr();
    server.ask("create table t (a int); insert into t values (7)").await;
    server.kill9().await;
    assert!(is_refused(addr));
    server.restart().await;
    assert_eq!((server.ask("select a from t").await.as_str(), server.addr()), ("7", addr));
    server.restart().await;
    assert_eq!(server.ask("show data_directory").await, server.place().data().display().to_string());
    let (addr, data) = remains(&server);
    drop(server);
    assert!(is_refused(addr) && !data.exists());
}

/// A backend is in a process group of its own, and would answer on if only the first process were stopped.
#[tokio::test]
async fn a_stopped_postgres_stands_still_with_all_its_backends() {
    let options = postgres::Options { settings: vec![("fsync", "off".to_owned())], ..Default::default() };
    let server = Postgres::start_with(options).await;
    let url = server.url();
    let busy = tokio::spawn(async move { postgres::ask(&url, "select pg_sleep(600)").await });
    let sleeping = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'";
    while server.ask(sleeping).await != "1" {}
    server.sigstop().await;
    let data = server.place().data();
    let states =
        processes().into_iter().filter(|process| works_in(process, &data)).map(|process| state(&process));
    let states: Vec<String> = states.collect();
    assert!(states.len() > 3 && states.iter().all(|state| state == "T"), "{states:?}");
    assert!(timeout(SILENCE, server.ask("select 1")).await.is_err());
    server.sigcont();
    assert_eq!(server.ask("show fsync").await, "off");
    server.sigstop().await;
    let addr = server.addr();
    drop(server);
    assert!(is_refused(addr) && !data.exists(), "a stopped server goes too");
    assert!(busy.await.unwrap_err().is_panic());
}

#[tokio::test]
async fn a_postgres_with_a_certificate_and_a_password_lets_nobody_in_without() {
    let authority = Authority::new();
    let certificate = Some(authority.certify(&["127.0.0.1"]));
    let options = postgres::Options { password: Some("sesame"), certificate, ..Default::default() };
    let server = Postgres::start_with(options).await;
    let root = server.place().data().with_file_name("root.pem");
    std::fs::write(&root, authority.pem()).unwrap();
    let verified = format!("{}?sslmode=verify-full&sslrootcert={}", server.url(), root.display());
    let encrypted = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
    assert_eq!(postgres::ask(&verified, encrypted).await, "t");
    for refused in [format!("{}?sslmode=disable", server.url()), verified.replace("sesame", "simsim")] {
        let asked = tokio::spawn(async move { postgres::ask(&refused, "select 1").await });
        assert!(asked.await.unwrap_err().is_panic());
    }
}

#[tokio::test]
async fn a_pgbouncer_gives_out_connections_of_its_server() {
    let server = Postgres::start().await;
    let mut pooler = Pgbouncer::start(&server).await;
    assert_eq!(postgres::ask(&pooler.url(), "select 1").await, "1");
    pooler.kill9().await;
    pooler.restart().await;
    let port = postgres::ask(&pooler.url(), "show port").await;
    assert_eq!(port, server.addr().port().to_string());
}

#[tokio::test]
async fn a_redis_keeps_what_it_has_synced_over_a_kill_and_goes_when_dropped() {
    let mut server = Redis::start().await;
    assert_eq!(server.ask("SET key value").await, "OK");
    server.kill9().await;
    assert!(is_refused(server.addr()));
    server.restart().await;
    assert_eq!(server.ask("GET key").await, "value");
    assert_eq!(server.ask("CONFIG GET appendfsync").await, "appendfsync\nalways");
    assert!(server.ask("NONSENSE").await.starts_with("-ERR"));
    server.sigstop().await;
    assert!(timeout(SILENCE, server.ask("PING")).await.is_err());
    server.sigcont();
    assert_eq!(server.ask("PING").await, "PONG");
    let (addr, data) = remains(&server);
    drop(server);
    assert!(is_refused(addr) && !data.exists());
}

#[tokio::test]
async fn a_redis_takes_settings_a_password_and_a_certificate() {
    let authority = Authority::new();
    let options = redis::Options {
        settings: vec![("appendfsync", "everysec".to_owned())],
        password: Some("sesame"),
        certificate: Some(authority.certify(&["127.0.0.1"])),
    };
    let server = Redis::start_with(options).await;
    assert_eq!(server.ask("CONFIG GET appendfsync").await, "appendfsync\neverysec");
    let root = server.place().data().with_file_name("root.pem");
    std::fs::write(&root, authority.pem()).unwrap();
    let mut client = Command::new("redis-cli");
    // `redis-cli` alone takes a user without a name for one whose name is empty.
    let url = server.tls_url().replace("://:", "://default:");
    client.args(["-u", &url, "--tls", "--cacert"]).arg(&root).arg("PING");
    let output = client.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "PONG", "{output:?}");
}

#[tokio::test]
async fn a_cluster_fails_over_and_takes_the_old_master_back() {
    let mut cluster = Cluster::start().await;
    assert_eq!(cluster.masters().await.len(), 3);
    let old = cluster.master_of("key").await;
    assert_eq!(cluster.node(old).ask("SET key value").await, "OK");
    cluster.node(old).kill9().await;
    cluster.failed_over("key", old).await;
    let new = cluster.master_of("key").await;
    // What the old one had acknowledged a moment ago, the new one may lack; but it takes the slot's writes.
    assert_eq!(cluster.node(new).ask("SET key anew").await, "OK");
    cluster.node(old).restart().await;
    cluster.settled().await;
    assert!(cluster.node(old).ask("ROLE").await.starts_with("slave"));
}

/// The program beside us starts the three shared servers; here it is a test that is killed, or ends.
fn shared() -> (Child, Vec<SocketAddr>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_onlyonce-servers"));
    // Those that we are given ourselves are not ours to stop.
    child.env_remove(POSTGRES).env_remove(REDIS).env_remove(REDIS_CLUSTER);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it was built");
    let out = std::io::BufReader::new(child.stdout.take().expect("it is a pipe"));
    let lines: Vec<String> = std::io::BufRead::lines(out).map(Result::unwrap).take(3).collect();
    let hosts =
        lines.iter().flat_map(|line| line.split(['@', ',', '/'])).filter_map(|part| part.parse().ok());
    let addrs: Vec<SocketAddr> = hosts.collect();
    assert_eq!(addrs.len(), 8, "{lines:?}");
    (child, addrs)
}

#[tokio::test]
async fn no_server_outlives_a_test_that_was_killed() {
    let (mut child, addrs) = shared();
    assert!(!addrs.iter().copied().any(is_refused));
    let places = places_of(child.id());
    assert_eq!(places.len(), 8, "{places:?}");
    child.kill().unwrap();
    child.wait().unwrap();
    until("servers live on", || addrs.iter().copied().all(is_refused)).await;
    until("directories stay", || !places.iter().any(|place| place.exists())).await;
}

#[tokio::test]
async fn shared_servers_end_with_the_input_of_their_program() {
    let (mut child, addrs) = shared();
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    assert!(addrs.iter().copied().all(is_refused));
}

#[tokio::test]
async fn a_server_that_is_given_is_not_started() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onlyonce-servers"));
    let given = [(POSTGRES, "postgres://a"), (REDIS, "redis://b"), (REDIS_CLUSTER, "redis-cluster://c")];
    let output = command.envs(given).stdin(Stdio::null()).output().unwrap();
    let expected: String = given.iter().map(|(name, url)| format!("export {name}={url}\n")).collect();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

/// Where the children of a process work.
fn places_of(parent: u32) -> Vec<PathBuf> {
    let is_child = |process: &PathBuf| stat(process).get(1) == Some(&parent.to_string());
    let places = processes()
        .into_iter()
        .filter(is_child)
        .filter_map(|child| std::fs::read_link(child.join("cwd")).ok());
    places.filter(|place| place.ends_with("data")).collect()
}

fn processes() -> Vec<PathBuf> {
    std::fs::read_dir("/proc").expect("there is /proc").flatten().map(|entry| entry.path()).collect()
}

fn works_in(process: &Path, data: &Path) -> bool {
    std::fs::read_link(process.join("cwd")).is_ok_and(|place| place == data)
}

fn state(process: &Path) -> String {
    stat(process).swap_remove(0)
}

/// State, parent, …: what follows the parenthesised name.
fn stat(process: &Path) -> Vec<String> {
    let stat = std::fs::read_to_string(process.join("stat")).unwrap_or_default();
    stat.rsplit(')').next().unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}
