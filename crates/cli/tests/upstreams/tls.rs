//! An upstream behind TLS: what was not sent, what is unknown, and what is nobody's word.

use onlyonce_testbed::{
    effects::Upstream,
    hostile::{Behaviour, Hostile},
    tls::{Authority, Certified, Ends, Front, Manner, Shakes},
};
use tempfile::NamedTempFile;

use crate::{
    gateway::{Gateway, Setup},
    transfer::{assert_executed, assert_problem, assert_replays, said, send, transfer},
};

const HOST: &[&str] = &["127.0.0.1"];

/// A gateway that trusts one authority, in front of an upstream behind TLS.
struct Scene {
    front: Front,
    gateway: Gateway,
    _ca: NamedTempFile,
}

impl Scene {
    async fn of(target: std::net::SocketAddr, manner: Manner) -> Self {
        Self::with(target, manner, |authority| authority.certify(HOST)).await
    }

    async fn with(
        target: std::net::SocketAddr,
        manner: Manner,
        certify: impl FnOnce(&Authority) -> Certified,
    ) -> Self {
        let authority = Authority::new();
        let ca = NamedTempFile::new().unwrap();
        std::fs::write(ca.path(), authority.pem()).unwrap();
        let front = Front::start(target, certify(&authority), manner).await;
        let setup = Setup::anonymous()
            .top(&format!("upstream_ca = {:?}", ca.path()))
            .top("upstream_connect = \"2s\"")
            // Idle connections are used again also where the machine is busy.
            .top("upstream_idle = \"60s\"");
        let gateway = Gateway::start(&front.url(), setup).await;
        Self { front, gateway, _ca: ca }
    }

    /// Nobody was asked: the key is free, and the next request with it would run.
    async fn assert_unreached(&self, upstream: &Upstream) {
        for _ in 0..2 {
            let refused = send(self.gateway.address, &transfer("k")).await;
            assert_problem(&refused, 502, "upstream-unreachable");
            assert_eq!(said(&refused), Some("released"));
        }
        assert_eq!((upstream.total(), self.front.connections()), (0, 2), "each tries anew");
    }

    /// The first answer is lost, and nothing is sent again.
    async fn assert_unknown(&self, hostile: &Hostile) {
        assert_problem(&send(self.gateway.address, &transfer("k")).await, 502, "outcome-unknown");
        assert_problem(&send(self.gateway.address, &transfer("k")).await, 409, "outcome-unknown");
        assert_eq!(hostile.executions("k"), 1);
    }
}

#[tokio::test]
async fn a_keyed_request_runs_once_through_tls_of_either_version_and_is_replayed() {
    for old in [false, true] {
        let upstream = Upstream::counting().await;
        let scene = Scene::of(upstream.addr(), Manner { old, ..Manner::default() }).await;
        let first = send(scene.gateway.address, &transfer("k")).await;
        assert_executed(&first, 201);
        assert_replays(&send(scene.gateway.address, &transfer("k")).await, &first);
        assert_eq!(upstream.executions("k"), 1);
        let seen = &upstream.seen()[0];
        assert_eq!(seen.header("host"), Some("bank.example"), "the host is forwarded as ever");
        assert_eq!(seen.header("x-forwarded-proto"), Some("http"), "it says how the client came");
    }
}

/// Session tickets come with each handshake, new keys between the requests: none of them is a word.
#[tokio::test]
async fn a_connection_is_used_again_whatever_tls_has_to_say_meanwhile() {
    let upstream = Upstream::counting().await;
    let scene = Scene::of(upstream.addr(), Manner::default()).await;
    for n in 1..=20 {
        assert_executed(&send(scene.gateway.address, &transfer(&format!("k-{n}"))).await, 201);
        scene.front.rekey(n).await;
    }
    assert_eq!((scene.front.connections(), upstream.total()), (1, 20));
}

#[tokio::test]
async fn a_certificate_that_is_not_to_be_believed_leaves_the_key_free() {
    type Certify = fn(&Authority) -> Certified;
    let cases: [(&str, Certify); 3] = [
        ("of an unknown authority", |_| Authority::new().certify(HOST)),
        ("expired", |authority| authority.certify_expired(HOST)),
        ("for another host", |authority| authority.certify(&["bank.example", "127.0.0.2"])),
    ];
    for (name, certify) in cases {
        let upstream = Upstream::counting().await;
        let scene = Scene::with(upstream.addr(), Manner::default(), certify).await;
        scene.assert_unreached(&upstream).await;
        let log = scene.gateway.process.stderr().join("\n");
        assert!(log.contains("certificate"), "{name}: the log says why:\n{log}");
    }
}

#[tokio::test]
async fn a_handshake_that_fails_or_hangs_leaves_the_key_free() {
    for shakes in [Shakes::Closes, Shakes::Resets, Shakes::Hangs, Shakes::OnlyHttp2] {
        let upstream = Upstream::counting().await;
        let scene = Scene::of(upstream.addr(), Manner { shakes, ..Manner::default() }).await;
        scene.assert_unreached(&upstream).await;
    }
}

/// In TLS 1.2 the refusal is part of the handshake. In 1.3 it may come after the request, and then nobody knows what a
/// server does that answers so; it is told as it is.
#[tokio::test]
async fn a_client_certificate_that_we_do_not_have_never_counts_as_executed() {
    let upstream = Upstream::counting().await;
    let manner = Manner { shakes: Shakes::DemandsCertificate, old: true, ..Manner::default() };
    Scene::of(upstream.addr(), manner).await.assert_unreached(&upstream).await;

    let scene = Scene::of(upstream.addr(), Manner { old: false, ..manner }).await;
    let refused = send(scene.gateway.address, &transfer("k")).await;
    let name = if said(&refused) == Some("released") { "upstream-unreachable" } else { "outcome-unknown" };
    assert_problem(&refused, 502, name);
    assert_eq!((upstream.total(), scene.front.handshakes()), (0, 0));
}

#[tokio::test]
async fn an_upstream_that_breaks_off_after_the_request_leaves_the_outcome_unknown() {
    for behaviour in [
        Behaviour::ResetsUnanswered,
        Behaviour::ClosesUnanswered,
        Behaviour::ResetsMidBody,
        Behaviour::ClosesMidBody,
        Behaviour::ClosesMidChunks,
        Behaviour::AnswersWithSurplus,
    ] {
        let hostile = Hostile::start(behaviour).await;
        Scene::of(hostile.addr(), Manner::default()).await.assert_unknown(&hostile).await;
    }
}

/// Without `close_notify` anybody on the way may have cut it short.
#[tokio::test]
async fn an_answer_that_ends_with_its_connection_is_kept_only_if_the_end_is_the_upstreams_own() {
    let hostile = Hostile::start(Behaviour::EndsByClosing).await;
    let scene = Scene::of(hostile.addr(), Manner::default()).await;
    let first = send(scene.gateway.address, &transfer("k")).await;
    assert_executed(&first, 201);
    assert_replays(&send(scene.gateway.address, &transfer("k")).await, &first);

    let hostile = Hostile::start(Behaviour::EndsByClosing).await;
    let cut = Manner { ends: Ends::Cut, ..Manner::default() };
    Scene::of(hostile.addr(), cut).await.assert_unknown(&hostile).await;
}

#[tokio::test]
async fn an_answer_with_a_length_is_kept_however_its_connection_ends() {
    for behaviour in [Behaviour::Answers, Behaviour::AnswersEarly] {
        let hostile = Hostile::start(behaviour).await;
        let scene = Scene::of(hostile.addr(), Manner { ends: Ends::Cut, ..Manner::default() }).await;
        assert_executed(&send(scene.gateway.address, &transfer("k")).await, 201);
    }
}

#[tokio::test]
async fn an_upstream_that_speaks_or_closes_while_idle_costs_a_connection_and_no_outcome() {
    for (behaviour, ends) in [
        (Behaviour::SpeaksWhileIdle, Ends::Notified),
        (Behaviour::ClosesIdleOnCue, Ends::Notified),
        (Behaviour::ClosesIdleOnCue, Ends::Cut),
    ] {
        let hostile = Hostile::start(behaviour).await;
        let scene = Scene::of(hostile.addr(), Manner { ends, ..Manner::default() }).await;
        assert_executed(&send(scene.gateway.address, &transfer("k-1")).await, 201);
        hostile.cue().await;
        // The answer was the first.
        scene.front.passed_on(2).await;
        assert_executed(&send(scene.gateway.address, &transfer("k-2")).await, 201);
        assert_eq!((scene.front.connections(), hostile.executions("k-2")), (2, 1));
    }
}

/// A gateway that does not start says which file, and what is wrong with it.
#[tokio::test]
async fn a_file_of_roots_that_is_none_is_named_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let (config, ca) = (directory.path().join("onlyonce.toml"), directory.path().join("ca.pem"));
    std::fs::write(&config, format!("upstream_ca = {ca:?}\n")).unwrap();
    for (text, told) in [(None, "cannot be read"), (Some("no certificate\n"), "no certificate in it")] {
        if let Some(text) = text {
            std::fs::write(&ca, text).unwrap();
        }
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_onlyonce"))
            .args([
                "gateway",
                "--listen",
                "127.0.0.1:0",
                "--admin",
                "off",
                "--upstream",
                "https://127.0.0.1:1",
            ])
            .args(["--ledger", "memory:", "--config"])
            .arg(&config)
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains("upstream_ca") && error.contains(told), "{error}");
    }
}
