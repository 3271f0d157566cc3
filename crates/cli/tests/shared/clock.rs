//! Gateways whose wall clocks do not agree.

use onlyonce_testbed::{Gate, client::Request, effects::Upstream};

use crate::{
    gateway::{Gateway, Setup},
    ledger::{Ledger, on_each_backend},
    pair::Pair,
    transfer::{assert_executed, assert_problem, assert_replays, begin, send, transfer},
};

/// Where Debian's package `faketime` puts what gives a process another wall clock.
const LIBRARIES: &[&str] = &["x86_64-linux-gnu", "aarch64-linux-gnu"];

on_each_backend!(
    a_gateway_whose_wall_clock_is_an_hour_fast_makes_no_difference,
    a_gateway_whose_wall_clock_is_an_hour_slow_makes_no_difference
);

/// A gateway that judges leases and retention by its own wall clock takes over what is running, or forgets what is kept.
async fn a_gateway_whose_wall_clock_is_an_hour_fast_makes_no_difference(ledger: &Ledger) {
    story(ledger, "+1h").await;
}

/// And one that lags behind writes leases that have ended for all others.
async fn a_gateway_whose_wall_clock_is_an_hour_slow_makes_no_difference(ledger: &Ledger) {
    story(ledger, "-1h").await;
}

async fn story(ledger: &Ledger, offset: &str) {
    let after = Gate::closed();
    let upstream = Upstream::gated(&Gate::opened(), &after).await;
    // Whoever is an hour off takes every lease for over, and every result for old, or the other way around.
    let setup = ledger.setup("wait = \"100ms\"\nretain_result = \"30m\"\nretain_key = \"40m\"");
    let pair = Pair::of(&upstream, setup.clone(), off_by(setup, offset)).await;
    let apart = minutes_apart(&pair.one, &pair.other).await;
    assert!((59..=61).contains(&apart), "the wall clocks are {apart} minutes apart");
    for (number, (at, elsewhere)) in
        [(&pair.one, &pair.other), (&pair.other, &pair.one)].into_iter().enumerate()
    {
        let request = transfer(&format!("k{number}"));
        let first = begin(at.address, &request);
        after.arrived(number + 1).await;
        assert_problem(&send(elsewhere.address, &request).await, 409, "in-progress");
        after.admit(1);
        let first = first.await.unwrap();
        assert_executed(&first, 201);
        assert_replays(&send(elsewhere.address, &request).await, &first);
        assert_replays(&send(at.address, &request).await, &first);
    }
    assert_eq!(upstream.arrivals(), 2);
}

/// With a wall clock that is that much off; other clocks are as they are.
fn off_by(setup: Setup, offset: &str) -> Setup {
    let paths = LIBRARIES.iter().map(|machine| format!("/usr/lib/{machine}/faketime/libfaketime.so.1"));
    let found = paths.into_iter().find(|path| std::path::Path::new(path).exists());
    let library =
        found.expect("this test needs Debian's package `faketime`: run `cargo xtask tools` as root");
    setup
        .environment("LD_PRELOAD", &library)
        .environment("FAKETIME", offset)
        .environment("FAKETIME_DONT_FAKE_MONOTONIC", "1")
}

/// By what they date their answers with, which may be one more or less.
async fn minutes_apart(one: &Gateway, other: &Gateway) -> u32 {
    let (one, other) = (minute(one).await, minute(other).await);
    let day = 24 * 60;
    ((one + day - other) % day).min((other + day - one) % day)
}

/// The minute of the day that `Thu, 01 Jan 1970 HH:MM:SS GMT` says.
async fn minute(gateway: &Gateway) -> u32 {
    let answer = gateway.ask(&Request::get("/metrics")).await;
    let time = answer.header("date").unwrap().split(' ').nth(4).unwrap().to_owned();
    let mut parts = time.split(':').map(|part| part.parse::<u32>().unwrap());
    parts.next().unwrap() * 60 + parts.next().unwrap()
}
