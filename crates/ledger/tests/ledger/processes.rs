//! Several processes on one store: what each does by itself leaves the others' work alone.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use onlyonce_core::Refusal;
use onlyonce_ledger::{
    Found, Ledger, Options,
    identity::Secret,
    intercept::{Intercept, Intercepted},
    memory::MemoryStore,
    store::{Capabilities, Reply, Store},
};
use tokio::sync::Barrier;

use crate::{
    begun::{CREATED, LOST, begin_two, open, passes, refused, replayed, request, result},
    faulty::Write,
};

const A_MINUTE: Duration = Duration::from_secs(60);

/// Gives an identity to nobody until two have asked for it.
struct BothAtOnce {
    asked: Barrier,
    /// How many were asked for one.
    first: std::sync::atomic::AtomicUsize,
}

impl Intercept for BothAtOnce {
    fn capabilities(&self, rows: &MemoryStore) -> Capabilities {
        Capabilities { shared: true, ..rows.capabilities() }
    }

    fn identity<'a>(&'a self, rows: &'a MemoryStore) -> Reply<'a, Option<Bytes>> {
        let number = self.first.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Box::pin(async move {
            let found = rows.identity().await;
            if number < 2 {
                self.asked.wait().await;
            }
            found
        })
    }
}

fn secret() -> Secret {
    Secret::new([7; 32]).unwrap()
}

#[tokio::test(start_paused = true)]
async fn two_processes_that_open_a_new_ledger_at_once_agree_on_its_key() {
    let by = BothAtOnce { asked: Barrier::new(2), first: 0.into() };
    let store = Intercepted::new(Arc::default(), Arc::new(by));
    let secret = secret();
    let open = || Ledger::open(Arc::clone(&store) as Arc<dyn Store>, &secret, Options::default());
    let (one, two) = tokio::join!(open(), open());
    let (one, two) = (one.unwrap().0, two.unwrap().0);
    assert_eq!(one.key().expose(), two.key().expose());
}

/// The slower one found no identity, and then records: it refused to start and asked for a backup.
#[tokio::test(start_paused = true)]
async fn a_process_that_opens_a_new_ledger_while_another_uses_it_already_agrees_too() {
    struct Slow {
        rows: Arc<MemoryStore>,
    }

    impl Intercept for Slow {
        fn is_empty<'a>(&'a self, _: &'a MemoryStore) -> Reply<'a, bool> {
            Box::pin(async move {
                let store = Arc::clone(&self.rows) as Arc<dyn Store>;
                let secret = secret();
                let (faster, _) = Box::pin(Ledger::open(store, &secret, Options::default())).await.unwrap();
                let begun = crate::begun::Begun { ledger: faster, store: Arc::default() };
                begun.execute(&request(1), "paid").await;
                self.rows.is_empty().await
            })
        }
    }

    let rows = Arc::<MemoryStore>::default();
    let store = Intercepted::new(Arc::clone(&rows), Arc::new(Slow { rows }));
    Ledger::open(store, &secret(), Options::default()).await.unwrap();
}

/// What another living process holds, and renews, is its own: by no round and by no start-up of the others does it lapse, and
/// *process gone* is said of nothing.
#[tokio::test(start_paused = true)]
async fn what_another_process_holds_is_left_alone() {
    let (one, two) = begin_two().await;
    let attempt = one.run(&request(1)).await;
    for _ in 0..5 {
        passes(A_MINUTE).await;
        let (third, found) = open(&one.store, Options::default()).await;
        assert_eq!(found, Found::default());
        assert_eq!(third.unknowns(), []);
    }
    assert_eq!(one.store.met(Write::Unknown), 0);
    assert_eq!(refused(two.standing(&request(1)).await), Refusal::InProgress);
    attempt.complete(CREATED, result("paid")).await.unwrap();
    assert_eq!(replayed(&two.standing(&request(1)).await), b"paid");
}

/// Of a process that died, one of the others writes the lapse; both count it.
#[tokio::test(start_paused = true)]
async fn what_nobody_renews_any_more_lapses_once_and_all_count_it() {
    let (one, two) = begin_two().await;
    let (third, _) = open(&one.store, Options::default()).await;
    std::mem::forget(one.run(&request(1)).await);
    let store = Arc::clone(&one.store);
    drop(one);
    store.advance(A_MINUTE + Duration::from_secs(1));
    passes(A_MINUTE * 4).await;
    assert_eq!(store.applied(Write::Unknown), 1);
    assert_eq!(two.unknown(), 1);
    assert_eq!(third.unknowns(), two.ledger.unknowns());
}

/// What one makes unknown, or settles, the others have counted after their next round.
#[tokio::test(start_paused = true)]
async fn rounds_of_several_processes_count_what_the_others_have_changed() {
    let (one, two) = begin_two().await;
    let attempts = [one.run(&request(1)).await, two.run(&request(2)).await];
    for attempt in &attempts {
        attempt.lose_track(LOST).await.unwrap();
    }
    passes(A_MINUTE * 2).await;
    assert_eq!((one.unknown(), two.unknown()), (2, 2));
    for attempt in &attempts {
        attempt.complete(CREATED, result("paid")).await.unwrap();
    }
    passes(A_MINUTE * 2).await;
    assert_eq!((one.unknown(), two.unknown()), (0, 0));
}

/// All processes of a fleet are started at once, and would sweep the same rows at the same moment for ever.
#[tokio::test(start_paused = true)]
async fn the_rounds_of_several_processes_drift_apart() {
    #[derive(Default)]
    struct Swept(std::sync::Mutex<Vec<tokio::time::Instant>>);

    impl Intercept for Swept {
        fn capabilities(&self, rows: &MemoryStore) -> Capabilities {
            Capabilities { shared: true, ..rows.capabilities() }
        }

        fn sweep<'a>(
            &'a self,
            rows: &'a MemoryStore,
            now: onlyonce_core::Timestamp,
            limit: usize,
        ) -> Reply<'a, usize> {
            self.0.lock().unwrap().push(tokio::time::Instant::now());
            rows.sweep(now, limit)
        }
    }

    let swept = Arc::<Swept>::default();
    let store = Intercepted::new(Arc::default(), Arc::clone(&swept));
    let mut ledgers = Vec::new();
    for _ in 0..4 {
        ledgers.push(
            Ledger::open(Arc::clone(&store) as Arc<dyn Store>, &secret(), Options::default()).await.unwrap(),
        );
    }
    passes(A_MINUTE * 10).await;
    let mut times = swept.0.lock().unwrap().clone();
    let rounds = times.len();
    assert!((32..=56).contains(&rounds), "{rounds} rounds of four processes in ten minutes");
    times.dedup();
    // The first is at once, to know what there is; two others may meet by chance.
    assert!(times.len() > rounds / 2 + 4, "{} of {rounds} at moments of their own", times.len());
}
