//! A server whose clock is set, and processes that hear of it one after the other.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use onlyonce_core::{
    Refusal, Timestamp,
    event::{Seen, Unknown, Verdict},
    record::{Source, StateName},
};
use onlyonce_ledger::{
    Ledger, Options,
    audit::Author,
    begin::{Claimed, Look, Request, Standing},
    clock::Steady,
    identity::Secret,
    intercept::{Intercept, Intercepted},
    memory::MemoryStore,
    operator::Settlement,
    store::{Capabilities, Reply, Store},
    transfer::{Export, export},
};

use crate::begun::{Begun, CREATED, LOST, passes, refused, replayed, request, rerunnable, result};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The server that all share.
#[derive(Default)]
struct Server {
    rows: Arc<MemoryStore>,
    /// By how much its clock was set, in ms.
    set_ms: AtomicI64,
}

/// What one process believes of its clock.
struct Process {
    server: Arc<Server>,
    believed_ms: AtomicI64,
    steady: Mutex<Steady>,
}

impl Server {
    fn is_set_back(&self, by: Duration) {
        self.set_ms.fetch_sub(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    fn is_set_forward(&self, by: Duration) {
        self.set_ms.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// A process that knows the server's time of now, and no more until it asks.
    async fn process(self: &Arc<Self>) -> (Begun, Arc<Process>) {
        let process = Arc::new(Process {
            server: Arc::clone(self),
            believed_ms: AtomicI64::new(self.set_ms.load(Ordering::SeqCst)),
            steady: Mutex::default(),
        });
        *process.steady.lock().unwrap() = Steady { since: process.time(), ahead: Duration::ZERO };
        let secret = Secret::new([7; 32]).unwrap();
        let (ledger, _) = Ledger::open(process.store(), &secret, Options::default()).await.unwrap();
        // The first round is made at once, and asks.
        passes(Duration::from_secs(1)).await;
        (Begun { ledger, store: Arc::default() }, process)
    }
}

impl Process {
    fn store(self: &Arc<Self>) -> Arc<dyn Store> {
        Intercepted::new(Arc::clone(&self.server.rows), Arc::clone(self))
    }

    /// As an answer of the server does.
    fn hears(&self) {
        let set = self.server.set_ms.load(Ordering::SeqCst);
        let forward = set - self.believed_ms.swap(set, Ordering::SeqCst);
        if let Some(ahead) = u64::try_from(forward).ok().filter(|forward| *forward > 0) {
            let ahead = Duration::from_millis(ahead);
            *self.steady.lock().unwrap() = Steady { since: self.time(), ahead };
        }
    }

    fn time(&self) -> Timestamp {
        let now = self.server.rows.now().as_ms();
        Timestamp::from_ms(now.checked_add_signed(self.believed_ms.load(Ordering::SeqCst)).unwrap())
    }
}

impl Intercept for Process {
    fn capabilities(&self, rows: &MemoryStore) -> Capabilities {
        Capabilities { shared: true, ..rows.capabilities() }
    }

    fn now(&self, _: &MemoryStore) -> Timestamp {
        self.time()
    }

    fn steady(&self, _: &MemoryStore) -> Steady {
        *self.steady.lock().unwrap()
    }

    fn hear_time<'a>(&'a self, _: &'a MemoryStore) -> Reply<'a, ()> {
        self.hears();
        Box::pin(async { Ok(()) })
    }
}

async fn not_applied(begun: &Begun) -> Result<(), Refusal> {
    let record = begun.record(&request(1)).await.unwrap();
    let settlement = Settlement {
        by: Source::Probe,
        seen: Seen { state: StateName::Unknown, fence: record.fence },
        verdict: Verdict::NotApplied { forced: false },
        result: result(""),
        author: Author::program("probe", "the upstream twice did not know the operation"),
    };
    let reference = record.operation_ref(request(1).id);
    begun.ledger.settle(reference, settlement).await.unwrap().map(drop)
}

/// What a request is told that may believe for a moment that its key is free.
async fn does_not_run(begun: &Begun, request: &Request) -> Standing {
    match begun.look(request).await.unwrap() {
        Look::Stands(standing) => standing,
        Look::Free(leader) => match leader.claim().await.unwrap() {
            Claimed::Stands(standing) => standing,
            Claimed::Attempt(_) => panic!("it runs again"),
        },
    }
}

/// The clock was set back by five minutes, and the second process started after that. For the first one, which had not heard of
/// it, what the second had just begun had lapsed for longer than `settle_after`: it ran again at once.
#[tokio::test(start_paused = true)]
async fn a_lapse_is_never_early_where_the_clock_was_set_back() {
    let server = Arc::<Server>::default();
    let (one, _) = server.process().await;
    server.is_set_back(MINUTE * 5);
    let (two, _) = server.process().await;
    let attempt = two.run(&rerunnable(1)).await;
    for _ in 0..3 {
        assert_eq!(refused(one.standing(&rerunnable(1)).await), Refusal::InProgress);
        assert_eq!(two.state(&request(1)).await, "in-progress, fence 1");
    }
    attempt.complete(CREATED, result("paid")).await.unwrap();
    assert_eq!(replayed(&one.standing(&rerunnable(1)).await), b"paid");
}

/// The same for what has become unknown: nobody may say yet that it was not applied, and nothing is re-run.
#[tokio::test(start_paused = true)]
async fn nothing_is_settled_as_not_applied_by_a_time_that_the_server_has_taken_back() {
    for first_asks in [true, false] {
        let server = Arc::<Server>::default();
        let (one, _) = server.process().await;
        server.is_set_back(MINUTE * 5);
        let (two, _) = server.process().await;
        two.run(&rerunnable(1)).await.lose_track(LOST).await.unwrap();
        if first_asks {
            let early = not_applied(&one).await.unwrap_err();
            assert!(matches!(early, Refusal::TooEarly(_)), "{early:?}");
        }
        assert_eq!(refused(does_not_run(&one, &rerunnable(1)).await), Refusal::Unknown);
        assert_eq!(one.state(&request(1)).await, "unknown, fence 1");
    }
}

/// A clock that was eight days fast was put right. What was completed after that ended, for who had believed it, before it
/// had begun.
#[tokio::test(start_paused = true)]
async fn what_was_completed_after_the_clock_was_set_back_has_not_expired_for_anybody() {
    let server = Arc::<Server>::default();
    let (one, _) = server.process().await;
    server.is_set_back(DAY * 8);
    let (two, _) = server.process().await;
    two.execute(&request(1), "paid").await;
    assert_eq!(replayed(&does_not_run(&one, &request(1)).await), b"paid");
}

#[tokio::test(start_paused = true)]
async fn what_was_completed_after_the_clock_was_set_back_is_not_swept() {
    let server = Arc::<Server>::default();
    let (_one, _) = server.process().await;
    server.is_set_back(DAY * 8);
    let (two, _) = server.process().await;
    two.execute(&request(1), "paid").await;
    passes(MINUTE * 2).await;
    assert_eq!(replayed(&two.standing(&request(1)).await), b"paid");
}

/// With the clock every lease of the ledger passed at once, and `settle_after` too, while the attempts ran on.
#[tokio::test(start_paused = true)]
async fn a_lapse_is_never_early_where_the_clock_was_set_forward() {
    let server = Arc::<Server>::default();
    let (one, _) = server.process().await;
    let (two, heard) = server.process().await;
    let attempt = one.run(&rerunnable(1)).await;
    server.is_set_forward(MINUTE * 10);
    heard.hears();
    assert_eq!(refused(two.standing(&rerunnable(1)).await), Refusal::InProgress);

    // Its process is gone, and the time really passes.
    attempt.lose_track(LOST).await.unwrap();
    let early = not_applied(&two).await.unwrap_err();
    assert!(matches!(early, Refusal::TooEarly(_)), "{early:?}");
    assert_eq!(refused(two.standing(&rerunnable(1)).await), Refusal::Unknown);
}

/// Nobody had been there to see by how much. So much of `settle_after` seemed to have passed, and it ran again.
#[tokio::test(start_paused = true)]
async fn a_process_that_starts_after_the_clock_was_set_forward_counts_settle_after_from_its_start() {
    let server = Arc::<Server>::default();
    let (one, _) = server.process().await;
    one.run(&rerunnable(1)).await.lose_track(LOST).await.unwrap();
    server.is_set_forward(MINUTE * 10);
    let (two, heard) = server.process().await;
    let early = not_applied(&two).await.unwrap_err();
    assert!(matches!(early, Refusal::TooEarly(_)), "{early:?}");
    assert_eq!(refused(does_not_run(&two, &rerunnable(1)).await), Refusal::Unknown);
    // Time that passes is time that both know of.
    server.is_set_forward(MINUTE * 2);
    heard.believed_ms.store(server.set_ms.load(Ordering::SeqCst), Ordering::SeqCst);
    not_applied(&two).await.unwrap();
}

/// What nobody renews is found out all the same, a lease later.
#[tokio::test(start_paused = true)]
async fn a_lease_that_nobody_renews_passes_also_after_the_clock_was_set_forward() {
    let server = Arc::<Server>::default();
    let (one, _) = server.process().await;
    let (two, heard) = server.process().await;
    std::mem::forget(one.run(&rerunnable(1)).await);
    drop(one);
    server.is_set_forward(MINUTE * 10);
    heard.hears();
    assert_eq!(refused(two.standing(&rerunnable(1)).await), Refusal::InProgress);
    // Time that passes is time that both know of.
    server.is_set_forward(MINUTE + MINUTE / 6);
    heard.believed_ms.store(server.set_ms.load(Ordering::SeqCst), Ordering::SeqCst);
    assert_eq!(refused(two.standing(&rerunnable(1)).await), Refusal::Unknown);
    let early = not_applied(&two).await.unwrap_err();
    assert!(matches!(early, Refusal::TooEarly(_)), "settle_after counts from there: {early:?}");
}

/// Who moves a ledger wrote down as lapsed what ran, and copied it as unknown.
#[tokio::test(start_paused = true)]
async fn whoever_moves_a_ledger_waits_for_leases_from_before_its_clock_was_set_forward() {
    let server = Arc::<Server>::default();
    let (one, _) = server.process().await;
    let attempt = one.run(&request(1)).await;
    let (_, mover) = server.process().await;
    server.is_set_forward(MINUTE * 10);
    let store = mover.store();
    let moved =
        tokio::spawn(async move { export(store, Export::Move, &mut Vec::new(), &mut |_| {}).await.unwrap() });
    passes(MINUTE / 2).await;
    assert!(!moved.is_finished());
    assert_eq!(one.state(&request(1)).await, "in-progress, fence 1");
    attempt.complete(CREATED, result("paid")).await.unwrap();
    moved.await.unwrap();
}

/// To a process that has just started nobody knows when it became unknown. It need not wait for that: the answer would have come.
#[tokio::test(start_paused = true)]
async fn whoever_moves_a_ledger_waits_for_no_answer_to_what_has_long_been_unknown() {
    let server = Arc::<Server>::default();
    let (one, _) = server.process().await;
    let lost = Unknown { listening: MINUTE * 2, ..LOST };
    one.run(&request(1)).await.lose_track(lost).await.unwrap();
    server.is_set_forward(DAY);
    let (_, mover) = server.process().await;
    let store = mover.store();
    let moved =
        tokio::spawn(async move { export(store, Export::Move, &mut Vec::new(), &mut |_| {}).await.unwrap() });
    passes(MINUTE / 2).await;
    assert!(moved.is_finished());
}
