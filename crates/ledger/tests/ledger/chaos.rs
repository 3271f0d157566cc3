//! Many callers, two processes, one store that fails at random: whatever happens, a key has one effect.
//!
//! Each seed is one history, the same each time. A handler completes, refuses, loses its answer or vanishes; the store
//! loses replies, refuses, and lets ghosts land later; now and then its clock jumps past all leases. At the end the
//! store heals, and what is left must be settled, replayable or free: nothing in progress.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use onlyonce_core::{Record, Refusal, State, record::ReleaseCause};
use onlyonce_ledger::{
    Attempt, Ledger,
    begin::{Claimed, Look, Request, Standing},
};

use crate::{
    begun::{Begun, CREATED, LOST, begin_two, request, settled},
    chance::Chance,
};

const SEEDS: u64 = 300;
const KEYS: u8 = 8;
const CALLERS: u64 = 24;
/// Of a thousand batches, up to so many fail: in most histories none waits long, in some nothing gets through.
const FAULTS: u64 = 1_000;

/// What really happened, as an upstream would know it.
#[derive(Default)]
struct Upstream {
    /// The effects of each key.
    effects: Mutex<HashMap<u8, Vec<Bytes>>>,
    /// The keys whose request is being worked on.
    working: Mutex<Vec<u8>>,
    /// The keys of which an attempt has ever started.
    started: Mutex<HashSet<u8>>,
    /// The keys whose result was handed to the ledger.
    answered: Mutex<HashSet<u8>>,
}

impl Upstream {
    async fn work(&self, key: u8, chance: &Chance) -> Bytes {
        {
            let mut working = self.working.lock().unwrap();
            assert!(!working.contains(&key), "two attempts work on key {key} at once");
            working.push(key);
        }
        tokio::time::advance(Duration::from_millis(chance.below(3_000))).await;
        let mut effects = self.effects.lock().unwrap();
        let effects = effects.entry(key).or_default();
        let result = Bytes::from(format!("key {key}, effect {}", effects.len()));
        effects.push(result.clone());
        assert_eq!(effects.len(), 1, "key {key} has one effect");
        self.working.lock().unwrap().retain(|other| *other != key);
        result
    }

    async fn answer(&self, attempt: &Attempt, key: u8, chance: &Chance) {
        let result = self.work(key, chance).await;
        self.answered.lock().unwrap().insert(key);
        // Whether it is confirmed in time is not the upstream's business.
        drop(attempt.complete(CREATED, result).await);
    }

    fn has(keys: &Mutex<HashSet<u8>>, key: u8) -> bool {
        keys.lock().unwrap().contains(&key)
    }

    fn effect(&self, key: u8) -> Option<Bytes> {
        self.effects.lock().unwrap().get(&key).and_then(|effects| effects.first().cloned())
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_the_store_does_a_key_has_one_effect_and_nothing_stays_in_progress() {
    let mut ends = HashMap::<String, usize>::new();
    for seed in 0..SEEDS {
        for end in history(seed).await {
            *ends.entry(end).or_default() += 1;
        }
    }
    // A history in which nothing goes wrong would prove little.
    for end in ["completed", "unknown", "released"] {
        assert!(ends.get(end).is_some_and(|times| *times >= 5), "{end} is rare: {ends:?}");
    }
}

async fn history(seed: u64) -> Vec<String> {
    let (one, two) = begin_two().await;
    let upstream = Arc::new(Upstream::default());
    let chance = Arc::new(Chance::of(seed));
    let faults = chance.below(FAULTS);
    one.store.chaos(Some((Arc::clone(&chance), faults)));
    let callers: Vec<_> = (0..CALLERS)
        .map(|number| {
            let ledger = if number % 2 == 0 { one.ledger.clone() } else { two.ledger.clone() };
            let (upstream, chance, store) =
                (Arc::clone(&upstream), Arc::clone(&chance), Arc::clone(&one.store));
            tokio::spawn(async move {
                tokio::time::advance(Duration::from_millis(chance.below(2_000))).await;
                if chance.below(40) == 0 {
                    store.advance(Duration::from_secs(61));
                }
                let key = u8::try_from(chance.below(KEYS.into())).unwrap();
                call(&ledger, key, &upstream, &chance).await;
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
    one.store.chaos(None);
    quiet(&one, &two).await;
    let mut ends = Vec::new();
    for key in 0..KEYS {
        ends.push(judge(seed, &one, key, &upstream).await);
    }
    ends
}

/// One caller, who gives up after the first refusal.
async fn call(ledger: &Ledger, key: u8, upstream: &Upstream, chance: &Chance) {
    let request = request(key);
    match ledger.look_up(&request, Duration::from_millis(chance.below(5_000))).await {
        Ok(Look::Free(leader)) if chance.below(20) > 0 => match leader.claim().await {
            Ok(Claimed::Attempt(attempt)) => handle(attempt, key, upstream, chance).await,
            Ok(Claimed::Stands(standing)) => replays_the_effect(&standing, key, upstream),
            Err(_) => {}
        },
        Ok(Look::Stands(standing)) => replays_the_effect(&standing, key, upstream),
        // It hangs up, or the ledger cannot say: nothing may run.
        Ok(Look::Free(_)) | Err(_) => {}
    }
}

fn replays_the_effect(standing: &Standing, key: u8, upstream: &Upstream) {
    if let Standing::Result { result, .. } = standing {
        assert_eq!(Some(result), upstream.effect(key).as_ref());
    }
}

async fn handle(attempt: Attempt, key: u8, upstream: &Upstream, chance: &Chance) {
    if chance.below(10) == 0 || attempt.start().await.is_err() {
        // Dropped: it never started.
        return;
    }
    upstream.started.lock().unwrap().insert(key);
    match chance.below(10) {
        0 => drop(attempt.release(ReleaseCause::Answered(429), None).await),
        1 => {
            upstream.work(key, chance).await;
            drop(attempt.lose_track(LOST).await);
        }
        2 => drop(upstream.work(key, chance).await),
        3 => {
            drop(attempt.lose_track(LOST).await);
            upstream.answer(&attempt, key, chance).await;
        }
        _ => upstream.answer(&attempt, key, chance).await,
    }
}

/// Ghosts land, what is tried in the background gets through, and a round of each process has passed.
async fn quiet(one: &Begun, two: &Begun) {
    one.store.haunt_if_any().await;
    for _ in 0..1_000 {
        tokio::time::advance(Duration::from_millis(100)).await;
    }
    one.store.advance(Duration::from_secs(61));
    for _ in 0..70 {
        tokio::time::advance(Duration::from_secs(1)).await;
        settled().await;
    }
    assert_eq!(one.ledger.attempts() + two.ledger.attempts(), 0, "no attempt is left");
}

/// What is on record agrees with what happened; gives the state.
async fn judge(seed: u64, begun: &Begun, key: u8, upstream: &Upstream) -> String {
    let request: Request = request(key);
    let record: Option<Record> = begun.record(&request).await;
    let effect = upstream.effect(key);
    let at = format!("seed {seed}, key {key}: {:?}", record.as_ref().map(|record| &record.state));
    match record.as_ref().map(|record| &record.state) {
        None | Some(State::Released { .. }) => {
            assert_eq!(effect, None, "{at}: the key is free, and there was an effect");
            let look = begun.look(&request).await.unwrap();
            assert!(matches!(look, Look::Free(_)), "{at}: it can be claimed");
        }
        Some(State::Completed { .. }) => {
            let Standing::Result { result, .. } = begun.standing(&request).await else {
                panic!("{at}: the result can be read")
            };
            assert_eq!(Some(result), effect, "{at}");
        }
        Some(State::Tombstone { .. }) => assert!(effect.is_some(), "{at}"),
        Some(State::Unknown { .. }) => {
            assert!(Upstream::has(&upstream.started, key), "{at}: nothing has ever started");
            assert!(!Upstream::has(&upstream.answered, key), "{at}: the ledger was told");
            let standing = begun.standing(&request).await;
            assert!(matches!(standing, Standing::Refused { refusal: Refusal::Unknown, .. }), "{at}");
        }
        Some(State::InProgress { .. }) => panic!("{at}: nobody works on it any more"),
    }
    record.map_or_else(|| "absent".to_owned(), |record| record.state.name().as_str().to_owned())
}
