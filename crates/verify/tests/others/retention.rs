//! What is kept for a time, and is new after it.

use std::{
    collections::BTreeMap,
    future::pending,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use onlyonce_verify::{Run, Verdict, run::Selection};

use crate::{Silent, plan, served::Served, verdict};

/// What is known for most of its time, and not for all of it, is forgotten early.
#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_is_gone_before_its_time_is_forgotten_early() {
    static SENT: AtomicU32 = AtomicU32::new(0);
    let served = Served::start(|asked, api| match (asked.method.as_str(), asked.key.as_str()) {
        ("GET", _) => api.list(),
        // The first repeat still finds it, and the next does not.
        _ if asked.body.contains("later") && SENT.fetch_add(1, Ordering::Relaxed) == 2 => api.each_time(201),
        _ => api.once_for_each_key(asked, 201),
    });
    let mut plan = plan(&served, "GET /transfers length");
    plan.retention = Some(Duration::from_secs(2));
    plan.operations.create = plan.operations.create.with_json(r#"{"amount":1,"to":"later"}"#);
    let selection = Selection(vec!["expiry/forgotten-early".to_owned()]);
    let report = Run::new(&plan, &selection).unwrap().carry_out(&mut Silent, pending()).await;
    let verdict = &report.findings.first().unwrap().verdict;
    assert!(matches!(verdict, Verdict::Fail { actual, .. } if actual.contains("2 effects")), "{verdict:?}");
}

/// Whoever comes when its time is over is rightly new, also in a race.
#[tokio::test(flavor = "multi_thread")]
async fn a_race_that_takes_longer_than_results_are_kept_proves_nothing() {
    static SENT: Mutex<BTreeMap<String, u32>> = Mutex::new(BTreeMap::new());
    let served = Served::start(|asked, api| {
        if asked.method == "GET" {
            return api.list();
        }
        let mut sent = SENT.lock().expect("nothing panics while it is held");
        let of_key = sent.entry(asked.key.clone()).or_default();
        *of_key += 1;
        // By then its time is over.
        if *of_key > 2 { api.each_time(201) } else { api.once_for_each_key(asked, 201) }
    });
    let known = plan(&served, "GET /transfers length");
    let mut short = plan(&served, "GET /transfers length");
    short.retention = Some(Duration::from_micros(1));
    let checks =
        ["race/two-run", "race/answer-differs", "race/stuck-in-progress", "race/replays-refuse-each-other"];
    for check in checks {
        let fault = verdict(&known, check).await;
        assert!(matches!(fault, Verdict::Fail { .. }), "{check}: {fault:?}");
        let late = verdict(&short, check).await;
        let fair = matches!(&late, Verdict::NotObservable { why } if why.contains("is kept for 0.0 s only"));
        assert!(fair, "{check}: {late:?}");
    }
}
