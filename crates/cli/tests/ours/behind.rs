//! The gateway with the verifier as the application behind it.

use std::{sync::Arc, time::Duration};

use onlyonce_verify::{Plan, plan::Upstream, run::Selection, upstream::Application};

use crate::{
    killable::Killable,
    report::{assert_nothing_failed, of_these, plan, verified},
};

/// How long a key is locked for a request that runs, here: short enough to wait for three times.
const LEASE: Duration = Duration::from_secs(1);
const CONFIGURATION: &str = "[defaults]\nlease = \"1s\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_fails_in_the_upstream_view_of_the_gateway() {
    let application = Application::listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let gateway = Killable::start(&format!("http://{}", application.address()), CONFIGURATION).await;
    let plan = Plan {
        target: gateway.port.url().parse().unwrap(),
        upstream: Some(Upstream { listen: application.address(), lease: Some(LEASE), credentials: true }),
        commands: gateway.commands(),
        ..plan("gateway")
    };
    let report = verified(&plan, Some(Arc::new(application)), Selection::default()).await;
    assert_nothing_failed(&report);
    of_these(&report, &["forward", "stored", "overlap", "held", "broken", "status", "down"]);
    of_these(&report, &["crash/runs-again", "held/forgotten-at-crash"]);
}
