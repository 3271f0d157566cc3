//! No answer, or not a whole one.

use onlyonce_testbed::{
    hostile::{Behaviour, Hostile},
    process::Port,
};

use super::{Pair, Scenario};
use crate::{
    gateway::{Gateway, Setup},
    transfer::{send, transfer},
};

pub(super) const SCENARIOS: &[Scenario] = &[
    ("not-connected", |_| Box::pin(not_connected())),
    ("broken-off", |_| Box::pin(broken_off())),
    ("no-answer-in-time", |_| Box::pin(no_answer_in_time())),
    ("switched-protocols", |_| Box::pin(switched_protocols())),
    ("hints-first", |_| Box::pin(hints_first())),
];

async fn not_connected() -> Vec<Pair> {
    let port = Port::reserve();
    let mut pairs = Vec::new();
    for (case, url) in [("refused", port.url()), ("no such host", "http://nobody.invalid:9".to_owned())] {
        let gateway = Gateway::start(&url, Setup::anonymous()).await;
        let first = send(gateway.address, &transfer("k")).await;
        let repeat = send(gateway.address, &transfer("k")).await;
        // Nobody is there to see the repeat; that it tried is what it says itself.
        let ran_again = repeat.header("idempotent-replayed").is_none() && repeat.status == 502;
        pairs.push(Pair { case: case.to_owned(), first, repeat, ran_again });
    }
    pairs
}

async fn broken_off() -> Vec<Pair> {
    let mut pairs = Vec::new();
    for behaviour in [
        Behaviour::ResetsUnanswered,
        Behaviour::ClosesUnanswered,
        Behaviour::ResetsMidHead,
        Behaviour::ClosesMidHead,
        Behaviour::ResetsMidBody,
        Behaviour::ClosesMidBody,
        Behaviour::ClosesMidChunks,
        Behaviour::AnswersGarbage,
        Behaviour::FramesTwice,
        Behaviour::AnswersWithSurplus,
    ] {
        pairs.push(met(behaviour, Setup::anonymous()).await);
    }
    pairs
}

async fn no_answer_in_time() -> Vec<Pair> {
    vec![met(Behaviour::Hangs, Setup::anonymous().defaults("deadline = \"100ms\"")).await]
}

async fn switched_protocols() -> Vec<Pair> {
    vec![met(Behaviour::SwitchesProtocols, Setup::anonymous()).await]
}

async fn hints_first() -> Vec<Pair> {
    vec![met(Behaviour::HintsFirst, Setup::anonymous()).await]
}

async fn met(behaviour: Behaviour, setup: Setup) -> Pair {
    let case = format!("{behaviour:?}");
    let upstream = Hostile::start(behaviour).await;
    let gateway = Gateway::start(&upstream.url(), setup).await;
    let first = send(gateway.address, &transfer("k")).await;
    let repeat = send(gateway.address, &transfer("k")).await;
    Pair { case, first, repeat, ran_again: upstream.heads() > 1 }
}
