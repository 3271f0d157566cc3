//! Answers that are larger than what is kept: a tombstone first, then the stream.

use std::fs;

use onlyonce_testbed::{
    Close,
    client::Connection,
    hostile::{Behaviour, Coding, HUNDRED_MB},
};

use crate::{
    gateway::{Gateway, Setup},
    outcome::Scene,
    transfer::{assert_executed, assert_problem, transfer},
};

/// What a hundred megabytes may cost in memory: the 8 MiB that might have been kept, and buffers.
const MEMORY: u64 = 48 << 20;

async fn assert_streamed(coding: Coding) {
    let scene = Scene::of(Behaviour::AnswersLarge(coding)).await;
    let before = peak(&scene.gateway);
    let first = scene.transfer("k").await;
    assert_executed(&first, 201);
    assert_eq!(first.header("idempotency-expires"), None, "there is no result that could expire");
    assert_eq!(first.body.len() as u64, HUNDRED_MB);
    assert!(first.body.iter().all(|byte| *byte == b'x'));
    for _ in 0..2 {
        let document = assert_problem(&scene.transfer("k").await, 409, "result-unavailable");
        assert_eq!((&document["next"], &document["state"]), (&"stop".into(), &"tombstone".into()));
        assert!(document["detail"].as_str().unwrap().contains("201"), "the status is remembered");
    }
    assert_eq!(scene.hostile.executions("k"), 1);
    let grown = peak(&scene.gateway) - before;
    assert!(grown < MEMORY, "{coding:?}: {} MiB more", grown >> 20);
}

#[tokio::test]
async fn a_hundred_megabytes_arrive_whole_and_are_not_kept() {
    assert_streamed(Coding::Length).await;
}

#[tokio::test]
async fn a_hundred_megabytes_in_chunks_arrive_whole_and_are_not_kept() {
    assert_streamed(Coding::Chunked).await;
}

/// The caller has read a little and the rest is not even written; a crash now must not make the operation unknown.
#[tokio::test]
async fn the_tombstone_is_durable_before_the_stream_begins() {
    let mut scene = Scene::of(Behaviour::AnswersLarge(Coding::Length)).await;
    let mut slow = begun(&scene).await;
    assert_problem(&scene.transfer("k").await, 409, "result-unavailable");
    scene.gateway.crash_and_restart().await;
    assert!(
        slow.read(usize::try_from(HUNDRED_MB).unwrap()).await.is_err(),
        "the stream broke off with the process"
    );
    assert_problem(&scene.transfer("k").await, 409, "result-unavailable");
    assert_eq!(scene.hostile.executions("k"), 1);
}

#[tokio::test]
async fn a_caller_that_leaves_a_large_answer_leaves_the_tombstone() {
    let scene = Scene::of(Behaviour::AnswersLarge(Coding::Chunked)).await;
    begun(&scene).await.close(Close::Reset);
    assert_problem(&scene.transfer("k").await, 409, "result-unavailable");
    assert_eq!(scene.hostile.executions("k"), 1);
}

/// Callers that do not read hold the upstream back, and nothing piles up in between.
#[tokio::test]
async fn callers_that_do_not_read_cost_what_is_kept_at_most() {
    let setup = Setup::anonymous().defaults("answer_limit = \"64KiB\"");
    let scene = Scene::with(Behaviour::AnswersLarge(Coding::Length), setup).await;
    let before = peak(&scene.gateway);
    let mut callers = Vec::new();
    for n in 0..20 {
        let mut caller = Connection::open(scene.gateway.address).await.unwrap();
        caller.start(&transfer(&format!("k-{n}"))).await.unwrap();
        caller.read(12).await.unwrap();
        callers.push(caller);
    }
    let grown = peak(&scene.gateway) - before;
    assert!(grown < MEMORY, "{} MiB more", grown >> 20);
    for n in 0..20 {
        assert_problem(&scene.transfer(&format!("k-{n}")).await, 409, "result-unavailable");
    }
}

/// A caller that has read the first bytes of a large answer, and no more.
async fn begun(scene: &Scene) -> Connection {
    let mut caller = Connection::open(scene.gateway.address).await.unwrap();
    caller.start(&transfer("k")).await.unwrap();
    assert_eq!(caller.read(12).await.unwrap(), b"HTTP/1.1 201");
    caller
}

/// The most memory that the process has had at a time, in bytes.
fn peak(gateway: &Gateway) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", gateway.process.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux says so");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}
