//! The server's clock is set while gateways use it, or between their starts.
//!
//! What stands before the server here changes what it says of its time, and where it sends those who ask for the ledger's
//! own row, and nothing else: no test may set a machine's clock.
//!
//! Whether a gateway that was there before has already heard of a step when it is asked is luck, since it asks every two
//! seconds; what is asserted holds in both cases. `onlyonce-ledger`'s own tests make each of them certain.

use std::{
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use onlyonce_core::{Policy, Refusal, policy::OnUnknown};
use onlyonce_ledger::{
    begin::{Claimed, Look, Request, Standing},
    store::Store,
};
use onlyonce_testbed::servers::Redis;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use crate::begun::{Begun, CREATED, begin, request, until};

const MINUTE: i64 = 60;
const DAY: i64 = 24 * 3600;
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);
/// How an answer to `TIME` begins; ten digits follow, which are seconds.
const TIME: &[u8] = b"*2\r\n$10\r\n";
const DIGITS: usize = 10;

/// The question for the ledger's own row.
const META: &[u8] = b"*4\r\n$5\r\nHMGET\r\n$15\r\n{onlyonce:meta}\r\n$8\r\nidentity\r\n$6\r\nlayout\r\n";

/// A server whose clock can be set.
struct Clock {
    address: SocketAddr,
    /// By so many seconds.
    set: Arc<AtomicI64>,
    /// Who has the ledger's own row now.
    moved: Arc<OnceLock<SocketAddr>>,
    server: Redis,
}

impl Clock {
    async fn start() -> Self {
        let server = Redis::start().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, behind) = (listener.local_addr().unwrap(), server.addr());
        let set = Arc::<AtomicI64>::default();
        let moved = Arc::<OnceLock<_>>::default();
        let (by, to) = (Arc::clone(&set), Arc::clone(&moved));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // A server that is gone takes the connection along.
                let Ok(server) = TcpStream::connect(behind).await else { continue };
                let ((asked, told), (answered, asks)) = (client.into_split(), server.into_split());
                tokio::spawn(questions(asked, asks, Arc::clone(&to)));
                tokio::spawn(answers(answered, told, Arc::clone(&by)));
            }
        });
        Self { address, set, moved, server }
    }

    fn is_set(&self, by: i64) {
        self.set.fetch_add(by, Ordering::SeqCst);
    }

    async fn gateway(&self) -> Begun {
        begin(&format!("redis://{}", self.address)).await
    }
}

async fn questions(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, moved: Arc<OnceLock<SocketAddr>>) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        let mut part = bytes.get(..read).unwrap().to_vec();
        let asks = part.windows(META.len()).position(|bytes| bytes == META);
        if let (Some(at), Some(moved)) = (asks, moved.get()) {
            let answer = format!("return redis.error_reply('MOVED 1 {moved}')");
            let asks = format!("*3\r\n$4\r\nEVAL\r\n${}\r\n{answer}\r\n$1\r\n0\r\n", answer.len());
            part.splice(at..at + META.len(), asks.into_bytes());
        }
        if to.write_all(&part).await.is_err() {
            return;
        }
    }
}

/// What the server answers here is far smaller than a read, so no time is split over two.
async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, set: Arc<AtomicI64>) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        let part = bytes.get_mut(..read).unwrap();
        for at in 0..read {
            let Some(answer) = part.get_mut(at..at + TIME.len() + DIGITS) else { break };
            if answer.starts_with(TIME) {
                let (_, digits) = answer.split_at_mut(TIME.len());
                let seconds: i64 = std::str::from_utf8(digits).unwrap().parse().unwrap();
                digits.copy_from_slice((seconds + set.load(Ordering::SeqCst)).to_string().as_bytes());
            }
        }
        if to.write_all(part).await.is_err() {
            return;
        }
    }
}

/// What its upstream deduplicates, and would run again as soon as it may.
fn rerunnable(key: u16) -> Request {
    let policy = Policy {
        settle_after: Some(Duration::from_secs(120)),
        on_unknown: OnUnknown::Rerun,
        ..request(key).policy
    };
    Request { policy, ..request(key) }
}

async fn does_not_run(begun: &Begun, request: &Request) -> Standing {
    match begun.ledger.look_up(request, Duration::ZERO).await.unwrap() {
        Look::Stands(standing) => standing,
        Look::Free(leader) => match leader.claim().await.unwrap() {
            Claimed::Stands(standing) => standing,
            Claimed::Attempt(_) => panic!("it runs again"),
        },
    }
}

fn refused(standing: Standing) -> Refusal {
    match standing {
        Standing::Refused { refusal, .. } => refusal,
        other => panic!("it is refused, and not {other:?}"),
    }
}

/// For who had stood still since, what the others began had lapsed long ago, and was run again.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_clock_is_set_back_makes_nothing_run_twice() {
    let clock = Clock::start().await;
    let before = clock.gateway().await;
    let now = before.store.now();
    clock.is_set(-5 * MINUTE);
    let after = clock.gateway().await;
    assert!(after.store.now() < now, "the clock is set");
    let attempt = after.run(&rerunnable(1)).await;
    assert_eq!(refused(does_not_run(&before, &rerunnable(1)).await), Refusal::InProgress);
    assert_eq!(after.state(&request(1)).await, "in-progress, fence 1");
    attempt.complete(CREATED, "paid".into()).await.unwrap();
    assert_eq!(before.replay(&rerunnable(1)).await, "paid");

    clock.is_set(-8 * DAY);
    after.run(&rerunnable(2)).await.complete(CREATED, "paid".into()).await.unwrap();
    for begun in [&before, &after, &clock.gateway().await] {
        assert_eq!(begun.replay(&rerunnable(2)).await, "paid");
    }
}

/// Every lease of the ledger lapsed at once, and whoever was started then swept what was kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_clock_is_set_forward_makes_nothing_run_twice() {
    let clock = Clock::start().await;
    let (one, before) = (clock.gateway().await, clock.gateway().await);
    let attempt = one.run(&rerunnable(1)).await;
    one.run(&rerunnable(2)).await.complete(CREATED, "paid".into()).await.unwrap();
    let now = one.store.now();
    clock.is_set(8 * DAY);
    let after = clock.gateway().await;
    assert!(after.store.now().since(now) > WEEK, "the clock is set");
    for begun in [&before, &after] {
        assert_eq!(refused(does_not_run(begun, &rerunnable(1)).await), Refusal::InProgress);
        assert_eq!(begun.replay(&rerunnable(2)).await, "paid");
    }
    assert_eq!(one.state(&request(1)).await, "in-progress, fence 1");
    attempt.complete(CREATED, "paid".into()).await.unwrap();
    assert_eq!(after.replay(&rerunnable(1)).await, "paid");
}

/// What rests on time alone waits for the server's word.
#[tokio::test(flavor = "multi_thread")]
async fn the_time_is_heard_from_the_server_and_from_nobody_else() {
    let clock = Clock::start().await;
    let begun = clock.gateway().await;
    let now = begun.store.now();
    clock.is_set(-5 * MINUTE);
    begun.store.hear_time().await.unwrap();
    assert!(begun.store.now() < now);
    clock.server.sigstop().await;
    let heard = begun.store.hear_time().await;
    clock.server.sigcont();
    assert!(heard.is_err(), "it stands still, and nobody knows its time");
    until("it is heard again", async || begun.store.hear_time().await.is_ok()).await;
    assert_eq!(clock.server.ask("ACL SETUSER default -time").await, "OK");
    assert!(begun.store.identity().await.is_ok(), "it answers");
    assert!(begun.store.hear_time().await.is_err(), "and does not tell its time");
}

/// Whoever has the ledger's own row keeps its time; who had it before may have another.
#[tokio::test(flavor = "multi_thread")]
async fn the_time_is_not_heard_from_a_server_that_keeps_it_no_more() {
    use onlyonce_ledger::store::Store;

    let clock = Clock::start().await;
    let begun = clock.gateway().await;
    begun.store.hear_time().await.unwrap();
    clock.moved.set(clock.server.addr()).unwrap();
    assert!(begun.store.identity().await.is_ok(), "it is asked where it is now");
    assert!(begun.store.hear_time().await.is_err(), "only the one before has told its time");
}
