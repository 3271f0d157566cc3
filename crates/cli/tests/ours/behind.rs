//! The gateway with the verifier as the application behind it: one on a ledger of its own, and two on each ledger that can be
//! shared, behind one address, which die together or one beside the other.

use std::{sync::Arc, time::Duration};

use onlyonce_testbed::servers;
use onlyonce_verify::{Plan, Report, plan::Upstream, run::Selection, upstream::Application};

use crate::{
    killable::Killable,
    report::{assert_nothing_failed, of_these, plan, verified},
};

/// How long a key is locked for a request that runs, here: short enough to wait for three times.
const LEASE: Duration = Duration::from_secs(1);
const CONFIGURATION: &str = "[defaults]\nlease = \"1s\"\n";
/// What is to be said of a ledger on a Redis Cluster.
const ACCEPTED: &str = "[ledger]\naccept_loss = true\n";
/// What is to hold when something dies with a request under way, or right after it.
const CRASHES: [&str; 3] = ["crash/runs-again", "crash/finished-lost", "held/forgotten-at-crash"];
/// Fewest kills of these checks: eight, and three for each of the others.
const KILLS_MIN: usize = 14;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_fails_in_the_upstream_view_of_the_gateway() {
    let application = application().await;
    let gateway = Killable::start(&url(&application), CONFIGURATION).await;
    assert_holds(&of(application, &gateway).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_fails_in_the_upstream_view_of_two_gateways_on_postgresql() {
    two_on(&postgresql().await, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_fails_in_the_upstream_view_of_two_gateways_on_redis() {
    two_on(&redis().await, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_fails_in_the_upstream_view_of_two_gateways_on_a_redis_cluster() {
    two_on(&redis_cluster().await, ACCEPTED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_fails_where_one_gateway_dies_beside_another_on_postgresql() {
    one_dies_on(&postgresql().await, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_fails_where_one_gateway_dies_beside_another_on_redis() {
    one_dies_on(&redis().await, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_fails_where_one_gateway_dies_beside_another_on_a_redis_cluster() {
    one_dies_on(&redis_cluster().await, ACCEPTED).await;
}

async fn two_on(ledger: &str, tables: &str) {
    let application = application().await;
    let gateways = Killable::two(&url(&application), &format!("{CONFIGURATION}{tables}"), ledger).await;
    assert_holds(&of(application, &gateways).await);
}

/// Each kill ends the one that has the request; its repeat is the other one's, which has never been away.
async fn one_dies_on(ledger: &str, tables: &str) {
    let application = application().await;
    let configuration = format!("{CONFIGURATION}{tables}");
    let gateways = Killable::one_beside_another(&url(&application), &configuration, ledger).await;
    let report = chosen(application, &gateways, &CRASHES).await;
    assert_nothing_failed(&report);
    of_these(&report, &CRASHES);
    assert!(gateways.moves() >= KILLS_MIN, "the other one went on {} times", gateways.moves());
}

async fn application() -> Application {
    Application::listen("127.0.0.1:0".parse().unwrap()).await.unwrap()
}

fn url(application: &Application) -> String {
    format!("http://{}", application.address())
}

async fn of(application: Application, gateways: &Killable) -> Report {
    chosen(application, gateways, &[]).await
}

/// The checks of these names; without one, all.
async fn chosen(application: Application, gateways: &Killable, names: &[&str]) -> Report {
    let mut plan = Plan {
        target: gateways.url().parse().unwrap(),
        upstream: Some(Upstream { listen: application.address(), credentials: true }),
        commands: gateways.commands(),
        ..plan("gateway")
    };
    plan.key.lease = Some(LEASE);
    let selection = Selection(names.iter().map(|&name| name.to_owned()).collect());
    verified(&plan, Some(Arc::new(application)), selection).await
}

#[track_caller]
fn assert_holds(report: &Report) {
    assert_nothing_failed(report);
    of_these(report, &["forward", "stored", "overlap", "held", "broken", "status", "down"]);
    of_these(report, &["crash/runs-again", "held/forgotten-at-crash"]);
}

async fn postgresql() -> String {
    let ledger = format!("{}?schema={}", servers::postgres().await, servers::name());
    migrate(&ledger);
    ledger
}

async fn redis() -> String {
    format!("{}?namespace={}", servers::redis().await, servers::name())
}

async fn redis_cluster() -> String {
    format!("{}?namespace={}", servers::redis_cluster().await, servers::name())
}

fn migrate(ledger: &str) {
    let program = env!("CARGO_BIN_EXE_onlyonce");
    let done = std::process::Command::new(program).args(["ledger", "migrate", "--ledger", ledger]).status();
    assert!(done.unwrap().success(), "the tables are made");
}
