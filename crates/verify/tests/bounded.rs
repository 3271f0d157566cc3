//! The bounds that a plan sets hold, whatever a check does.

#![expect(
    clippy::unwrap_used,
    reason = "a test's failed step is its panic; clippy sees only `#[test]` functions"
)]

use std::{
    convert::Infallible,
    future::pending,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::Incoming, client::conn::http1 as client, server::conn::http1 as server, service::service_fn,
};
use hyper_util::rt::TokioIo;
use onlyonce_verify::{
    Check, Plan, Report, Run, Verdict,
    fixture::Fixture,
    report::Finding,
    run::{Observer, Selection},
};
use tokio::net::{TcpListener, TcpStream};

struct Silent;

impl Observer for Silent {
    fn begins(&mut self, _: &'static Check, _: usize, _: usize) {}
    fn ended(&mut self, _: &Finding) {}
}

async fn run(plan: &Plan, checks: &[&str]) -> Report {
    let selection = Selection(checks.iter().map(|check| (*check).to_owned()).collect());
    Run::new(plan, &selection).unwrap().carry_out(&mut Silent, pending()).await
}

/// How many requests are under way through it, and how many were at most.
#[derive(Default)]
struct Crowd {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Crowd {
    /// Stands in front of `api`.
    async fn before(api: SocketAddr) -> (Arc<Self>, SocketAddr) {
        let crowd = Arc::<Self>::default();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let (address, counting) = (listener.local_addr().unwrap(), Arc::clone(&crowd));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let crowd = Arc::clone(&counting);
                let service = service_fn(move |request| Arc::clone(&crowd).carried(request, api));
                let serving = server::Builder::new().serve_connection(TokioIo::new(stream), service);
                tokio::spawn(async move { drop(serving.await) });
            }
        });
        (crowd, address)
    }

    /// A request counts for as long as it has no answer: its client, which waits for that, has not gone on.
    async fn carried(
        self: Arc<Self>,
        request: Request<Incoming>,
        api: SocketAddr,
    ) -> Result<Response<Full<bytes::Bytes>>, Infallible> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let stream = TcpStream::connect(api).await.unwrap();
        let (mut sender, connection) = client::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(async move { drop(connection.await) });
        let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        self.now.fetch_sub(1, Ordering::SeqCst);
        Ok(Response::from_parts(parts, Full::new(body)))
    }
}

/// Checks that wait for all that they send, or send nothing: of what is hung up on, nobody knows when it is over.
const WAITING: [&str; 9] = [
    "race/two-run",
    "race/ten-run",
    "race/stuck-in-progress",
    "race/keys-wait-for-each-other",
    "apart",
    "mismatch",
    "replay",
    "failure",
    "lost/doubled-request-runs-twice",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_more_requests_are_under_way_than_the_plan_allows() {
    for allowed in [2, 3] {
        let fixture = Fixture::start(None).await.unwrap();
        let mut plan = fixture.plan();
        let (crowd, address) = Crowd::before(SocketAddr::from(([127, 0, 0, 1], plan.target.port))).await;
        plan.target.port = address.port();
        plan.bounds.at_once = allowed;
        let report = run(&plan, &WAITING).await;
        assert_eq!(crowd.most.load(Ordering::SeqCst), 2, "none of them needs more, and some need as many");
        let failed: Vec<_> =
            report.findings.iter().filter(|f| matches!(f.verdict, Verdict::Fail { .. })).collect();
        assert!(failed.is_empty(), "{failed:?}");
    }
}

/// What needs more is said to need more, and how many.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_way_already_counts() {
    let fixture = Fixture::start(None).await.unwrap();
    let mut plan = fixture.plan();
    plan.bounds.at_once = 1;
    let report = run(&plan, &["race/stuck-in-progress"]).await;
    let why = format!("{:?}", report.findings[0].verdict);
    assert!(why.contains("it needs 2 requests at once, and 1 are allowed"), "{why}");
}

/// Answers of many checks were kept whole until the report was written.
#[tokio::test(flavor = "multi_thread")]
async fn of_an_answer_no_more_is_kept_than_a_report_shows() {
    let fixture = Fixture::start(None).await.unwrap();
    let report = run(&fixture.plan(), &["limits/large-answer-runs-again"]).await;
    assert!(matches!(report.findings[0].verdict, Verdict::Pass { .. }), "{:?}", report.findings[0].verdict);
    let exchanges =
        report.findings.iter().flat_map(|finding| &finding.steps).flat_map(|step| &step.exchanges);
    let answers: Vec<_> = exchanges.filter_map(|(_, outcome)| outcome.as_ref().ok()).collect();
    let large = answers.iter().filter(|answer| answer.body.len() > 65_536).count();
    assert!(large >= 2, "{:?}", answers.iter().map(|answer| answer.body.len()).collect::<Vec<_>>());
    assert!(answers.iter().all(|answer| answer.body.whole().is_none_or(|whole| whole.len() <= 65_536)));
}
