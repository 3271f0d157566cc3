//! What the clients of one round sent and were told, under `hold`.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
};

use onlyonce_testbed::client::{Error, Request, Response};

use crate::{
    answer::Essence,
    chance::Chance,
    traffic::{Errands, HOST},
};

/// One request in so many repeats an earlier key.
const REPEATS: usize = 4;

/// The keys of one round. Each stands for one request.
pub(crate) struct Book(Mutex<Pages>);

struct Pages {
    chance: Chance,
    round: String,
    keys: Vec<String>,
    acknowledged: BTreeMap<String, Essence>,
}

impl Book {
    /// An empty book; keys begin with `round`.
    pub(crate) fn new(round: &str, chance: Chance) -> Self {
        let (keys, acknowledged) = (Vec::new(), BTreeMap::new());
        Self(Mutex::new(Pages { chance, round: round.to_owned(), keys, acknowledged }))
    }

    /// All keys that were sent.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.pages().keys.clone()
    }

    /// The answers that a client has received completely, by key.
    pub(crate) fn acknowledged(&self) -> BTreeMap<String, Essence> {
        self.pages().acknowledged.clone()
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        // A client that was told something wrong panics with the book in its hand; the others go on.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The request that a key stands for.
pub(crate) fn request(key: &str) -> Request {
    Request::post("/transfers")
        .header("Host", HOST)
        .key(key)
        .json(&serde_json::json!({ "to": "Luis", "amount": 100, "for": key }))
}

impl Errands for Book {
    fn next(&self) -> (String, Request) {
        let mut pages = self.pages();
        let known = pages.keys.len();
        let key = if known > 0 && pages.chance.one_in(REPEATS) {
            // Every other time the newest, whose first request is most likely under way.
            let back = if pages.chance.one_in(2) { 0 } else { pages.chance.below(known) };
            pages.keys.get(known - 1 - back).expect("fewer back than there are").clone()
        } else {
            let key = format!("{}-{known}", pages.round);
            pages.keys.push(key.clone());
            key
        };
        let request = request(&key);
        (key, request)
    }

    fn told(&self, key: &str, answer: Result<Response, Error>) {
        // No whole answer: nothing was acknowledged.
        let Ok(answer) = answer else { return };
        let status = answer.header("idempotency-status");
        match (answer.status, status) {
            (201, Some("executed" | "replayed")) => {
                let essence = Essence::of(&answer);
                let mut pages = self.pages();
                let first = pages.acknowledged.entry(key.to_owned()).or_insert_with(|| essence.clone());
                assert!(*first == essence, "{key}: two answers differ:\n{first:?}\n{essence:?}");
            }
            // The upstream was busy, and its answer freed the key.
            (503, Some("released")) => {}
            _ => panic!("{key}: a client was told {} {status:?}: {}", answer.status, answer.text()),
        }
    }
}
