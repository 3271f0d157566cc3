//! The storm: real gateways killed by `kill -9` in every window of an operation, under real traffic.
//!
//! Each round keeps some eighty clients busy, waits until fault points hold many requests in one window and at least
//! [`traffic::IN_FLIGHT`] are in flight, kills the gateway, starts another on the same ledger, and repeats every key.
//! `cargo test` runs a few kills in each window; `cargo xtask storm` runs forty.
//!
//! The seed that is printed brings back the plan (who sends what, how the upstream behaves, when the kill falls), not
//! the scheduler's choices: a violation may take several storms of one seed to come again.

#[path = "../support/gateway.rs"]
mod gateway;

mod answer;
mod bank;
mod book;
mod chance;
mod hold;
mod kill;
mod moody;
mod plan;
mod rerun;
mod table;
mod traffic;

use plan::Plan;

#[tokio::test(flavor = "multi_thread")]
async fn under_hold_no_key_has_two_effects_and_every_acknowledged_answer_is_replayed() {
    let plan = Plan::of_this_run("hold");
    println!("{}", hold::storm(&plan).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn under_rerun_every_key_ends_in_one_effect_and_none_stays_unknown() {
    let plan = Plan::of_this_run("rerun");
    println!("{}", rerun::storm(&plan).await);
}
