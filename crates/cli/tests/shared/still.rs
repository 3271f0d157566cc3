//! A gateway that stands still while its lease ends, and another that goes on.
#![cfg(feature = "fault-points")]

use std::time::Duration;

use onlyonce_testbed::{WAIT_LIMIT, effects::Upstream};

use crate::{
    ledger::{Ledger, on_each_backend},
    pair::Pair,
    transfer::{assert_replays, begin, said, send, transfer},
};

/// More than two leases.
const STILL: Duration = Duration::from_millis(1200);

on_each_backend!(
    a_gateway_that_stood_still_between_claim_and_first_byte_does_not_send,
    a_gateway_that_stood_still_between_start_and_first_byte_does_not_send
);

/// Its lease was good when it claimed. By the time of its first byte the key is another's.
async fn a_gateway_that_stood_still_between_claim_and_first_byte_does_not_send(ledger: &Ledger) {
    story(ledger, "claimed-sent").await;
}

/// The same between the start that it has put on record and its first byte.
async fn a_gateway_that_stood_still_between_start_and_first_byte_does_not_send(ledger: &Ledger) {
    story(ledger, "started-sent").await;
}

async fn story(ledger: &Ledger, window: &str) {
    let upstream = Upstream::counting().await;
    let setup = ledger.setup("lease = \"500ms\"\nwait = \"2s\"");
    let parked = setup.clone().argument("--fault").argument(window);
    let pair = Pair::of(&upstream, parked, setup).await;
    let first = begin(pair.one.address, &transfer("k"));
    pair.one.process.ready(&format!("parked {window} 1")).await;
    pair.one.process.sigstop().await;
    // bounded: by STILL, in which the process does nothing
    tokio::time::sleep(STILL).await;
    // Whatever the other one does now, it may.
    let meanwhile = send(pair.other.address, &transfer("k")).await;
    let by_other = upstream.arrivals();
    assert_eq!(by_other, usize::from(meanwhile.status == 201), "{}", meanwhile.text());
    pair.one.process.sigcont().unwrap();
    let first = first.await.unwrap();
    assert_ne!(said(&first), Some("executed"), "{}", first.text());
    assert_eq!(upstream.arrivals(), by_other, "it has sent");
    // What was not sent is free in the end, at either.
    let free = async {
        loop {
            let answer = send(pair.other.address, &transfer("k")).await;
            if answer.status == 201 {
                break answer;
            }
        }
    };
    let last = tokio::time::timeout(WAIT_LIMIT, free).await.expect("the key becomes free");
    assert_replays(&send(pair.one.address, &transfer("k")).await, &last);
    assert_eq!(upstream.executions("k"), 1);
}
