//! The demo's bank: behind the gateway, where nothing fails, and its naive twin, where much has to.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use onlyonce_demo::{Demo, Options};
use onlyonce_verify::{Plan, run::Selection};

use crate::{
    killable::Killable,
    report::{assert_nothing_failed, of_these, plan, verified},
};

const CONFIGURATION: &str = "[principal]\nfrom = \"header\"\ntrusted = [\"127.0.0.1\"]\n\
                             [[route]]\nmatch = \"POST /transfers\"\nkey = \"required\"\n";

async fn demo() -> (Demo, Killable) {
    let held = Arc::new(Mutex::new(None));
    let start = {
        let held = Arc::clone(&held);
        move |bank: SocketAddr| async move {
            let gateway = Killable::start(&format!("http://{bank}"), CONFIGURATION).await;
            let address = gateway.addr();
            *held.lock().unwrap() = Some(gateway);
            Ok::<_, Infallible>(address)
        }
    };
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let demo = Demo::start(Options { page: Some(any) }, start).await.unwrap();
    let gateway = held.lock().unwrap().take().unwrap();
    (demo, gateway)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_fails_in_the_clients_view_of_the_gateway() {
    let (_demo, gateway) = demo().await;
    let target = gateway.url().parse().unwrap();
    let plan = Plan { target, commands: gateway.commands(), ..plan("demo") };
    let report = verified(&plan, None, Selection::default()).await;
    assert_nothing_failed(&report);
    of_these(&report, &["replay", "mismatch", "sameness", "apart", "scope", "race", "lost", "hangup"]);
}

/// It does what it is asked each time, so whoever repeats pays twice and is told something else.
const FAIL: [&str; 15] = [
    "replay/runs-again",
    "replay/body-differs",
    "replay/later-differs",
    "replay/forgotten",
    "mismatch/body-ignored",
    "race/two-run",
    "race/ten-run",
    "race/hundred-run",
    "race/answer-differs",
    "lost/dropped-answer-runs-again",
    "lost/cut-answer-runs-again",
    "lost/late-answer-runs-again",
    "lost/late-request-runs-again",
    "lost/doubled-request-runs-twice",
    "hangup/runs-again",
];
/// What has nothing to do with repeats, it does right.
const HOLD: [&str; 4] =
    ["replay/status-differs", "apart/collapsed", "apart/blocked-at-once", "race/keys-wait-for-each-other"];

#[tokio::test(flavor = "multi_thread")]
async fn the_naive_bank_fails_where_it_has_to() {
    let (demo, _gateway) = demo().await;
    let target = format!("http://{}", demo.addresses().twin).parse().unwrap();
    let selection = Selection(FAIL.into_iter().chain(HOLD).map(str::to_owned).collect());
    let report = verified(&Plan { target, ..plan("demo") }, None, selection).await;
    let of = |verdict: &str| -> BTreeSet<&str> {
        let found = report.findings.iter().filter(|finding| finding.verdict.as_str() == verdict);
        found.map(|finding| finding.check.id).collect()
    };
    assert_eq!(of("fail"), BTreeSet::from(FAIL));
    assert_eq!(of("pass"), BTreeSet::from(HOLD));
}
