//! APIs that do not look at credentials.

use onlyonce_verify::Verdict;

use crate::{plan, served::Served, verdicts};

/// Its answers are for everybody, and no key gives away any of them.
#[tokio::test(flavor = "multi_thread")]
async fn who_demands_no_credential_gives_away_nobodys_answer() {
    let served = Served::start(|asked, api| match asked.method.as_str() {
        "GET" => api.list(),
        _ => api.once_for_each_key(asked, 201),
    });
    let mut plan = plan(&served, "GET /transfers length");
    plan.credentials.first = onlyonce_verify::plan::credential("Authorization: Bearer of-nobody").unwrap();
    let checks = ["scope/answer-without-credential", "scope/answer-to-wrong-credential"];
    for (check, verdict) in verdicts(&plan, &checks).await {
        let fair = matches!(&verdict, Verdict::NotObservable { why } if why.contains("does not demand the credential"));
        assert!(fair, "{check}: {verdict:?}");
    }
}
