//! What the clients want of the bank, and what they were told. A client sends a key until it is answered with 201, and
//! waits in between as `Retry-After` says.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use onlyonce_testbed::client::{self, Error, Request, Response};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use crate::{
    answer::{Essence, problem},
    chance::Chance,
    traffic::{Errands, HOST},
};

/// One request in so many is for a key that another may be sending, or that has long been answered.
const REPEATS: usize = 8;
/// Keys without an answer beyond which no new ones are begun: while the bank is down, all are turned away at once.
const UNANSWERED: usize = 200;
/// How often a key is sent until it is answered, once nothing is killed any more.
const PATIENCE: usize = 20;
/// The longest that a client waits before it sends again, whatever `Retry-After` says.
const PAUSE: Duration = Duration::from_secs(5);
/// Keys that are sent at a time, in the end.
const AT_ONCE: usize = 32;

/// All keys of one storm.
pub(crate) struct Orders(Mutex<Pages>);

/// How many keys there are, and what their clients were told.
pub(crate) struct Told {
    pub(crate) keys: usize,
    /// At least once that the outcome is unknown.
    pub(crate) unknown: usize,
    pub(crate) answered: usize,
}

struct Pages {
    chance: Chance,
    name: String,
    by_key: BTreeMap<String, Order>,
    /// Unanswered keys that nobody is sending, with the time before which they are not to be sent.
    due: Vec<(Instant, String)>,
}

#[derive(Default)]
struct Order {
    answer: Option<Essence>,
    unknown: bool,
}

impl Orders {
    /// No orders; keys begin with `name`.
    pub(crate) fn new(name: &str, chance: Chance) -> Self {
        let (name, by_key, due) = (name.to_owned(), BTreeMap::new(), Vec::new());
        Self(Mutex::new(Pages { chance, name, by_key, due }))
    }

    /// What a patient client does, for every key that has no answer.
    pub(crate) async fn send_until_answered(self: &Arc<Self>, gateway: SocketAddr) {
        let open = self.keys(|order| order.answer.is_none());
        self.each(open, gateway, PATIENCE).await;
    }

    /// Sends every key once more: each is answered at once, and as it was before.
    pub(crate) async fn are_all_replayed(self: &Arc<Self>, gateway: SocketAddr) {
        self.each(self.keys(|_| true), gateway, 1).await;
    }

    /// Each key has one transfer, its client was told of that one, and there are no others. The bank knows a key as the
    /// payer's name.
    pub(crate) fn happened_once(&self, transfers: &BTreeMap<String, Vec<u64>>) {
        let pages = self.pages();
        for (key, order) in &pages.by_key {
            let answer = order.answer.as_ref().unwrap_or_else(|| panic!("{key}: was never answered"));
            let told: serde_json::Value =
                serde_json::from_slice(&answer.body).expect("the bank answers JSON");
            let told: Vec<_> = told.get("id").and_then(serde_json::Value::as_u64).into_iter().collect();
            assert_eq!(transfers.get(key), Some(&told), "{key}: its transfers, and the one it was told of");
        }
        assert_eq!(transfers.len(), pages.by_key.len(), "transfers that nobody ordered");
    }

    pub(crate) fn count(&self) -> Told {
        let unknown = self.keys(|order| order.unknown).len();
        let answered = self.keys(|order| order.answer.is_some()).len();
        Told { keys: self.pages().by_key.len(), unknown, answered }
    }

    /// Sends each of these keys until it is answered, so many times at most.
    async fn each(self: &Arc<Self>, keys: Vec<String>, gateway: SocketAddr, times: usize) {
        for some in keys.chunks(AT_ONCE) {
            let mut sending = JoinSet::new();
            for key in some.iter().cloned() {
                sending.spawn(Arc::clone(self).send(key, gateway, times));
            }
            sending.join_all().await;
        }
    }

    async fn send(self: Arc<Self>, key: String, gateway: SocketAddr, times: usize) {
        for _ in 0..times {
            let answer = client::send(gateway, &request(&key)).await;
            let answer = answer.unwrap_or_else(|error| panic!("{key}: a gateway that runs answers: {error}"));
            if self.note(&key, &answer).is_none() {
                return;
            }
            let again = Instant::now() + pause(&answer);
            sleep_until(again).await; // bounded: PAUSE, PATIENCE
        }
        panic!("{key}: no result after {times} requests");
    }

    /// Notes an answer; `None` if it is the result, else how long to wait. A result never changes.
    fn note(&self, key: &str, answer: &Response) -> Option<Duration> {
        let mut pages = self.pages();
        let order = pages.by_key.get_mut(key).expect("a key is noted before it is sent");
        if answer.status == 201 {
            let essence = Essence::of(answer);
            let first = order.answer.get_or_insert_with(|| essence.clone());
            assert!(*first == essence, "{key}: two answers differ:\n{first:?}\n{essence:?}");
            return None;
        }
        let name = problem(answer).unwrap_or_default();
        let allowed = ["in-progress", "outcome-unknown", "upstream-unreachable"].contains(&name.as_str());
        assert!(allowed, "{key}: a client was told {} {}", answer.status, answer.text());
        assert!(order.answer.is_none(), "{key}: had a result, and now: {}", answer.text());
        let next = answer.json().get("next").and_then(|next| next.as_str().map(ToOwned::to_owned));
        assert_eq!(next.as_deref(), Some("same-key"), "{key}: {}", answer.text());
        order.unknown |= name == "outcome-unknown";
        Some(pause(answer))
    }

    fn keys(&self, which: impl Fn(&Order) -> bool) -> Vec<String> {
        self.pages().by_key.iter().filter(|(_, order)| which(order)).map(|(key, _)| key.clone()).collect()
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        // A client that was told something wrong panics with the pages in its hand; the others go on.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Errands for Orders {
    fn next(&self) -> (String, Request) {
        let key = self.pages().next(Instant::now());
        let request = request(&key);
        (key, request)
    }

    fn told(&self, key: &str, answer: Result<Response, Error>) {
        let wait = match answer {
            Ok(answer) => self.note(key, &answer),
            Err(_) => Some(Duration::ZERO),
        };
        if let Some(wait) = wait {
            self.pages().again(key, Instant::now() + wait);
        }
    }
}

impl Pages {
    fn next(&mut self, now: Instant) -> String {
        let known = self.by_key.len();
        if let Some(due) = self.due.iter().position(|(at, _)| *at <= now) {
            return self.due.swap_remove(due).1;
        }
        if known > 0 && (self.chance.one_in(REPEATS) || self.due.len() >= UNANSWERED) {
            let any = self.chance.below(known);
            return self.by_key.keys().nth(any).expect("less than there are").clone();
        }
        let key = format!("{}-{known}", self.name);
        self.by_key.insert(key.clone(), Order::default());
        key
    }

    fn again(&mut self, key: &str, at: Instant) {
        let answered = self.by_key.get(key).is_none_or(|order| order.answer.is_some());
        if !answered && !self.due.iter().any(|(_, due)| due == key) {
            self.due.push((at, key.to_owned()));
        }
    }
}

/// What `Retry-After` asks for.
fn pause(answer: &Response) -> Duration {
    let seconds = answer.header("retry-after").and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(1)).min(PAUSE)
}

/// The request that a key stands for.
fn request(key: &str) -> Request {
    let order = serde_json::json!({ "from_account": key, "to_account": "Luis", "amount": 100 });
    Request::post("/transfers").header("Host", HOST).key(key).json(&order)
}
