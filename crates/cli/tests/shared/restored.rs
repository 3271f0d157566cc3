//! A ledger that has failed over to a server that lagged, under gateways that run.

use std::time::Duration;

use onlyonce_testbed::{WAIT_LIMIT, effects::Upstream};

use crate::{
    ledger::{Ledger, on_each_backend},
    pair::Pair,
    transfer::{assert_executed, assert_problem, assert_replays, send, transfer},
};

/// How far apart the looks are whether it is known.
const PAUSE: Duration = Duration::from_millis(20);

on_each_backend!(a_restore_is_noted_while_two_gateways_run);

/// Each of them keeps what it has read of the ledger's identity, and has to read it again.
async fn a_restore_is_noted_while_two_gateways_run(ledger: &Ledger) {
    let upstream = Upstream::counting().await;
    let pair = Pair::start(&upstream, ledger.setup("key = \"required\"")).await;
    let first = send(pair.one.address, &transfer("before")).await;
    assert_executed(&first, 201);
    let ended = ledger.command(&["restored", "--yes"], &[]).await;
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    for (name, gateway) in [("one", &pair.one), ("other", &pair.other)] {
        let mut taken = 0;
        let refused = async {
            loop {
                let answer = send(gateway.address, &transfer(&format!("{name}-{taken}"))).await;
                if answer.status != 201 {
                    return answer;
                }
                taken += 1;
                // bounded: by WAIT_LIMIT, below
                tokio::time::sleep(PAUSE).await;
            }
        };
        let refused = tokio::time::timeout(WAIT_LIMIT, refused).await.expect("it learns of it");
        assert_problem(&refused, 409, "key-expired");
        assert_replays(&send(gateway.address, &transfer("before")).await, &first);
    }
    let before = upstream.total();
    for gateway in [&pair.one, &pair.other] {
        assert_problem(&send(gateway.address, &transfer("another")).await, 409, "key-expired");
    }
    assert_eq!(upstream.total(), before);
}
