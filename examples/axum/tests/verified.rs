//! The service as the verifier sees it, which stands in for the provider: nothing fails.

use std::{future::pending, process::Command, sync::Arc};

use onlyonce_testbed::process::Server;
use onlyonce_verify::{
    Check, Plan, Verdict,
    check::Need,
    checks,
    plan::Upstream,
    report::Finding,
    run::{Observer, Run, Selection},
    upstream::Application,
};

const PLAN: &str = include_str!("../../../docs/guides/verify/axum.toml");
/// Of those that need the verifier behind it: what a service does as a gateway does.
const BEHIND: [&str; 3] = ["overlap", "held", "broken"];

struct Silent;

impl Observer for Silent {
    fn begins(&mut self, _: &'static Check, _: usize, _: usize) {}
    fn ended(&mut self, _: &Finding) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_fails() {
    let application = Application::listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_onlyonce-example-axum"));
    command.current_dir(directory.path()).args(["127.0.0.1:0".to_owned(), application.address().to_string()]);
    let service = Server::spawn_command(command);
    let line = service.ready("listening on http://").await;
    let target = line.rsplit(' ').next().unwrap().trim().parse().unwrap();
    let upstream = Some(Upstream { listen: application.address(), credentials: false });
    let plan = Plan { target, upstream, ..Plan::parse(PLAN).unwrap() };
    let concerns =
        |check: &&Check| !check.needs.contains(&Need::UpstreamView) || BEHIND.contains(&check.subject());
    let selection = Selection(checks::all().filter(concerns).map(|check| check.id.to_owned()).collect());
    let run = Run::new(&plan, &selection).unwrap().before(Arc::new(application));
    let report = run.carry_out(&mut Silent, pending()).await;
    let told = |finding: &Finding| match &finding.verdict {
        Verdict::Fail { expected, actual } => Some(format!("{}: {expected}, not {actual}", finding.check.id)),
        Verdict::Pass { .. } | Verdict::Deviates { .. } | Verdict::NotObservable { .. } => None,
    };
    let failed: Vec<String> = report.findings.iter().filter_map(told).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(report.summary().passed > 40, "{:?}", report.summary());
}
