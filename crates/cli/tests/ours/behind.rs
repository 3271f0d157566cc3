//! The gateway with the verifier as the application behind it: one on a ledger of its own, and two on each ledger that can be
//! shared, behind one address.

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

#[tokio::test(flavor = "multi_thread")]
async fn nothing_fails_in_the_upstream_view_of_the_gateway() {
    let application = application().await;
    let gateway = Killable::start(&url(&application), CONFIGURATION).await;
    assert_holds(&of(application, &gateway).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_fails_in_the_upstream_view_of_two_gateways_on_postgresql() {
    let ledger = format!("{}?schema={}", servers::postgres().await, servers::name());
    migrate(&ledger);
    two_on(&ledger, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_fails_in_the_upstream_view_of_two_gateways_on_redis() {
    two_on(&format!("{}?namespace={}", servers::redis().await, servers::name()), "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_fails_in_the_upstream_view_of_two_gateways_on_a_redis_cluster() {
    let ledger = format!("{}?namespace={}", servers::redis_cluster().await, servers::name());
    two_on(&ledger, "[ledger]\naccept_loss = true\n").await;
}

async fn two_on(ledger: &str, tables: &str) {
    let application = application().await;
    let gateways = Killable::two(&url(&application), &format!("{CONFIGURATION}{tables}"), ledger).await;
    assert_holds(&of(application, &gateways).await);
}

async fn application() -> Application {
    Application::listen("127.0.0.1:0".parse().unwrap()).await.unwrap()
}

fn url(application: &Application) -> String {
    format!("http://{}", application.address())
}

async fn of(application: Application, gateways: &Killable) -> Report {
    let mut plan = Plan {
        target: gateways.url().parse().unwrap(),
        upstream: Some(Upstream { listen: application.address(), credentials: true }),
        commands: gateways.commands(),
        ..plan("gateway")
    };
    plan.key.lease = Some(LEASE);
    verified(&plan, Some(Arc::new(application)), Selection::default()).await
}

#[track_caller]
fn assert_holds(report: &Report) {
    assert_nothing_failed(report);
    of_these(report, &["forward", "stored", "overlap", "held", "broken", "status", "down"]);
    of_these(report, &["crash/runs-again", "held/forgotten-at-crash"]);
}

fn migrate(ledger: &str) {
    let program = env!("CARGO_BIN_EXE_onlyonce");
    let done = std::process::Command::new(program).args(["ledger", "migrate", "--ledger", ledger]).status();
    assert!(done.unwrap().success(), "the tables are made");
}
