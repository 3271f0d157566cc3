//! A disk that is full, beneath the reserve or to the last byte, and one that may not be written.

use std::{net::SocketAddr, time::Duration};

use onlyonce_testbed::{
    Gate, WAIT_LIMIT,
    client::{self, Request},
    effects::{Answer, Upstream},
};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    disk::Disk,
    gateway::{Gateway, Setup},
    start_up::{LEDGER, refused_on},
    transfer::{assert_executed, assert_problem, assert_replays, begin, begin_many, said, send, transfer},
};

/// Room for the reserve of 64 MiB, and for work.
const SIZE: u32 = 160;
/// The gateway asks the system for its free space that often at most.
const FRESH: Duration = Duration::from_millis(100);

fn keyed(n: usize) -> Request {
    transfer(&format!("k-{n}"))
}

/// Sends it until something else comes than 503, for as long as tests wait.
pub(crate) async fn send_until_served(address: SocketAddr, request: &Request) -> client::Response {
    let served = async {
        loop {
            let answer = send(address, request).await;
            if answer.status != 503 {
                return answer;
            }
            // bounded: by WAIT_LIMIT, below
            sleep(FRESH).await;
        }
    };
    tokio::time::timeout(WAIT_LIMIT, served).await.expect("the gateway serves again by itself")
}

#[tokio::test]
async fn beneath_the_reserve_new_keys_are_refused_and_old_ones_replayed_until_there_is_space() {
    let disk = Disk::of_mib(SIZE);
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start_in(&disk.path(), &upstream.url(), Setup::anonymous()).await;
    let mut firsts = Vec::new();
    for n in 0..20 {
        firsts.push(send(gateway.address, &keyed(n)).await);
        assert_executed(&firsts[n], 201);
    }
    let filler = disk.fill_but(32);
    // bounded: what the gateway knows of its disk is that old
    sleep(FRESH * 2).await;
    for n in 20..40 {
        let refused = send(gateway.address, &keyed(n)).await;
        let document = assert_problem(&refused, 503, "capacity");
        assert_eq!((&document["retryable"], &document["next"]), (&true.into(), &"same-key".into()));
        assert!((1..=3).contains(&refused.header("retry-after").unwrap().parse::<u32>().unwrap()));
        assert_eq!(upstream.executions(&format!("k-{n}")), 0);
    }
    for (n, first) in firsts.iter().enumerate() {
        assert_replays(&send(gateway.address, &keyed(n)).await, first);
    }
    let unkeyed = send(gateway.address, &Request::get("/")).await;
    assert_eq!((unkeyed.status, upstream.total()), (201, 21));
    drop(filler);
    for n in 20..40 {
        assert_executed(&send_until_served(gateway.address, &keyed(n)).await, 201);
        assert_eq!(upstream.executions(&format!("k-{n}")), 1);
    }
}

/// What was claimed before has its room: it is what the reserve is for.
#[tokio::test]
async fn what_was_claimed_before_the_reserve_was_reached_is_recorded_all_the_same() {
    const HELD: usize = 50;
    let disk = Disk::of_mib(SIZE);
    let (effect, answer) = (Gate::opened(), Gate::closed());
    let upstream = Upstream::gated(&effect, &answer).await;
    let gateway = Gateway::start_in(&disk.path(), &upstream.url(), Setup::anonymous()).await;
    let mut held = JoinSet::new();
    for n in 0..HELD {
        let address = gateway.address;
        held.spawn(async move { (n, send(address, &keyed(n)).await) });
    }
    answer.arrived(HELD).await;
    let _filler = disk.fill_but(32);
    // bounded: what the gateway knows of its disk is that old
    sleep(FRESH * 2).await;
    answer.open();
    for (n, first) in held.join_all().await {
        assert_executed(&first, 201);
        assert_replays(&send(gateway.address, &keyed(n)).await, &first);
    }
    assert_problem(&send(gateway.address, &keyed(HELD)).await, 503, "capacity");
}

/// A large result has no room of its own. The caller gets it, repeats are told that it is gone, and none is executed.
#[tokio::test]
async fn a_large_result_that_finds_no_room_goes_to_its_caller_and_leaves_a_tombstone() {
    let disk = Disk::of_mib(SIZE);
    let held = Gate::closed();
    let upstream = Upstream::start({
        let held = held.clone();
        move |arrival| {
            let held = held.clone();
            async move {
                arrival.execute();
                held.pass().await;
                Answer::new(201).body(vec![b'x'; 4 << 20])
            }
        }
    });
    let upstream = upstream.await;
    let gateway = Gateway::start_in(&disk.path(), &upstream.url(), Setup::anonymous()).await;
    let first = begin(gateway.address, &transfer("k"));
    held.arrived(1).await;
    let _filler = disk.fill_but(32);
    // bounded: what the gateway knows of its disk is that old
    sleep(FRESH * 2).await;
    held.open();
    let first = first.await.unwrap();
    assert_executed(&first, 201);
    assert_eq!(first.body.len(), 4 << 20);
    assert_problem(&send(gateway.address, &transfer("k")).await, 409, "result-unavailable");
    assert_eq!(upstream.total(), 1);
}

/// A claim's write, a completion's or both meet the end of the disk, at full speed. The process ends with a code that
/// says so, and started again it knows of every request that went out.
#[tokio::test]
async fn to_the_last_byte_the_process_ends_and_what_went_out_is_known_afterwards() {
    const LANES: usize = 32;
    const HELD: usize = 20;
    const POISONED: i32 = 6;
    let disk = Disk::of_mib(SIZE);
    let held = Gate::closed();
    let upstream = Upstream::start({
        let held = held.clone();
        move |arrival| {
            let held = held.clone();
            async move {
                let effect = arrival.execute();
                if arrival.seen.path == "/held" {
                    held.pass().await;
                }
                Answer::created(&effect, &arrival.seen)
            }
        }
    });
    let upstream = upstream.await;
    let mut gateway = Gateway::start_in(&disk.path(), &upstream.url(), Setup::anonymous()).await;
    let address = gateway.address;
    let mut lanes = JoinSet::new();
    for n in 0..HELD {
        let request = Request::post("/held").header("Host", "bank.example").key(format!("h-{n}")).body("x");
        lanes.spawn(async move { vec![(request.clone(), client::send(address, &request).await.ok())] });
    }
    held.arrived(HELD).await;
    for lane in 0..LANES {
        lanes.spawn(async move {
            let mut sent = Vec::new();
            for n in 0.. {
                let request = transfer(&format!("k-{lane}-{n}"));
                let answer = client::send(address, &request).await.ok();
                let gone = answer.is_none();
                sent.push((request, answer));
                if gone {
                    break;
                }
            }
            sent
        });
    }
    upstream.executed(HELD + 500).await;
    let filler = disk.fill_but(0);
    held.open();
    let ended =
        gateway.process.wait_for(WAIT_LIMIT).await.expect("a ledger that failed for good ends the process");
    assert_eq!(ended.code(), Some(POISONED), "{}", gateway.process.output());
    assert!(gateway.process.output().contains("hint: free disk space"), "{}", gateway.process.output());
    let sent: Vec<_> = lanes.join_all().await.into_iter().flatten().collect();

    drop(filler);
    gateway.restart().await;
    let (mut replayed, mut unknown, mut free) = (0, 0, 0);
    for (request, first) in sent {
        let key = request.headers.get("idempotency-key").unwrap().to_owned();
        let executions = upstream.executions(&key);
        let acknowledged = first.as_ref().is_some_and(|first| said(first) == Some("executed"));
        let repeat = send(gateway.address, &request).await;
        match said(&repeat) {
            Some("replayed") => {
                replayed += 1;
                assert_eq!(executions, 1);
                assert!(
                    first.is_none_or(|first| said(&first) != Some("executed") || first.body == repeat.body)
                );
            }
            Some("executed") => {
                free += 1;
                assert_eq!((executions, acknowledged), (0, false), "{key} had an effect and was free");
            }
            _ => {
                unknown += 1;
                assert_problem(&repeat, 409, "outcome-unknown");
                assert!(!acknowledged, "{key} was acknowledged and is unknown");
            }
        }
        assert!(upstream.executions(&key) <= 1);
    }
    println!("replayed {replayed}, unknown {unknown}, free {free}");
    assert!(replayed >= 500 && unknown >= 1, "the disk was full in the middle of it");
}

#[tokio::test]
async fn a_directory_that_may_not_be_written_is_told_and_nothing_is_lost() {
    let mut disk = Disk::of_mib(SIZE);
    let upstream = Upstream::counting().await;
    let mut gateway = Gateway::start_in(&disk.path(), &upstream.url(), Setup::anonymous()).await;
    let first = send(gateway.address, &transfer("k")).await;
    gateway.process.kill9().await;
    disk.remount("ro");
    for path in [gateway.directory.path().join("ledger"), disk.path().join("new")] {
        let (code, text) = refused_on(&upstream.url(), &format!("embedded:{}", path.display())).await;
        assert_eq!(code, LEDGER, "{text}");
        assert!(text.contains(path.to_str().unwrap()), "{text}");
        assert!(text.contains("must be writable by this process; check owner, mode and mount"), "{text}");
    }
    disk.remount("rw");
    gateway.restart().await;
    assert_replays(&send(gateway.address, &transfer("k")).await, &first);
}

#[tokio::test]
async fn a_disk_that_is_full_at_the_start_is_told_and_a_repeat_of_the_start_works() {
    let disk = Disk::of_mib(8);
    let filler = disk.fill_but(0);
    let upstream = Upstream::counting().await;
    let ledger = format!("embedded:{}", disk.path().join("new").display());
    let (code, text) = refused_on(&upstream.url(), &ledger).await;
    assert_eq!(code, LEDGER, "{text}");
    assert!(text.contains("no space left; free some and start again"), "{text}");
    drop(filler);
    // Beneath the reserve from the beginning: it starts, and claims nothing.
    let gateway = Gateway::start_in(&disk.path(), &upstream.url(), Setup::anonymous()).await;
    for answer in begin_many(gateway.address, &transfer("k"), 3) {
        assert_problem(&answer.await.unwrap(), 503, "capacity");
    }
    assert_eq!(upstream.total(), 0);
}
