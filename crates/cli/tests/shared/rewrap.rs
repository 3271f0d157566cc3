//! Another secret for a ledger that two gateways are using, and these restarted with it one after the other.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use onlyonce_testbed::{
    client::{Connection, Request, Response},
    effects::Upstream,
    process::Port,
};
use tokio::{sync::watch, task::JoinSet, time::timeout};

use crate::{
    chance::Chance,
    gateway::{Gateway, Setup},
    ledger::{Ledger, SECRET, on_each_backend},
    pair::Pair,
    transfer::{assert_replays, said, send, transfer},
};

const NEW_SECRET: &str = "the secret that the ledger has from now on";
const CLIENTS: usize = 24;
/// How often each new key is sent, by clients that do it at about the same time.
const EACH: usize = 4;
/// What is answered in each part of the story, at least.
const PART: usize = 600;
/// How often a request is handed on: either gateway may have closed a connection that a client still has, and one is away.
const TRIES: usize = 4;
/// Longest time that a part takes.
const PART_LIMIT: Duration = Duration::from_secs(120);

on_each_backend!(a_rewrap_and_the_restarts_after_it_fail_no_request_under_load_and_run_none_twice);

/// What has been answered so far.
#[derive(Debug, Default)]
struct Seen {
    answers: HashMap<usize, Response>,
    answered: usize,
    executed: usize,
    handed_on: usize,
    /// What a client has seen that must not be.
    wrong: Option<String>,
}

/// Clients that go on until they are told to stop.
struct Load {
    gateways: [SocketAddr; 2],
    next: AtomicUsize,
    /// How far they have come; those who wait for it are told.
    seen: watch::Sender<usize>,
    all: Mutex<Seen>,
    over: watch::Sender<bool>,
}

/// A rewrap that changes the names of the records has both gateways run a key, each under a name of its own; one that takes the
/// ledger away from those who opened it with the old secret fails what they are asked.
async fn a_rewrap_and_the_restarts_after_it_fail_no_request_under_load_and_run_none_twice(ledger: &Ledger) {
    let upstream = Upstream::counting().await;
    let ports = [Port::reserve(), Port::reserve()];
    let setup = |secret: &str, port: &Port| -> Setup {
        let setup = ledger.setup("wait = \"60s\"").listen(port.addr());
        setup.environment("ONLYONCE_SECRET", secret)
    };
    let mut pair = Pair::of(&upstream, setup(SECRET, &ports[0]), setup(SECRET, &ports[1])).await;
    let load = Arc::new(Load::on([pair.one.address, pair.other.address]));
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let (chance, load) =
            (Chance::new(std::process::id().into(), &format!("client {number}")), Arc::clone(&load));
        clients.spawn(async move { load.client(chance).await });
    }
    load.goes_on().await;
    rewrap(ledger).await;
    let told = ledger.refusal(SECRET).await;
    assert!(told.contains("the secret is not the one that it has"), "{told}");
    load.goes_on().await;
    for (gateway, port) in [(&mut pair.one, &ports[0]), (&mut pair.other, &ports[1])] {
        gateway.set_up(setup(NEW_SECRET, port));
        replaced(gateway, &load).await;
        load.goes_on().await;
    }
    load.over.send_replace(true);
    clients.join_all().await;

    let told = ledger.refusal(SECRET).await;
    assert!(told.contains("the secret is not the one that it has"), "{told}");
    let seen = std::mem::take(&mut *load.all.lock().unwrap());
    assert_eq!(seen.wrong, None);
    let keys = seen.answers.len();
    assert_eq!((seen.executed, upstream.total(), upstream.keys().len()), (keys, keys, keys));
    for (key, answer) in &seen.answers {
        let gateway = if key % 2 == 0 { &pair.one } else { &pair.other };
        assert_replays(&send(gateway.address, &request(*key)).await, answer);
    }
    assert_eq!(upstream.arrivals(), keys);
}

async fn rewrap(ledger: &Ledger) {
    let secrets = [("ONLYONCE_SECRET", SECRET), ("ONLYONCE_NEW_SECRET", NEW_SECRET)];
    let ended = ledger.command(&["rewrap"], &secrets).await;
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}

/// As a deployment does it: the old process ends what it has begun, the new one is started when it is gone.
async fn replaced(gateway: &mut Gateway, load: &Load) {
    gateway.process.sigterm().unwrap();
    assert_eq!(gateway.process.wait().await.code(), Some(0), "{}", gateway.process.output());
    // What it turned away while it ended may be on its way to the other one, and counts when it is answered.
    let while_it_ended = load.all.lock().unwrap().handed_on + CLIENTS * TRIES;
    load.until(|seen| seen.handed_on > while_it_ended).await;
    gateway.restart().await;
}

fn request(key: usize) -> Request {
    transfer(&format!("key-{key}"))
}

impl Load {
    fn on(gateways: [SocketAddr; 2]) -> Self {
        Self {
            gateways,
            next: AtomicUsize::new(0),
            seen: watch::Sender::new(0),
            all: Mutex::default(),
            over: watch::Sender::new(false),
        }
    }

    /// Waits until a part of the story has been answered.
    async fn goes_on(&self) {
        let before = self.all.lock().unwrap().answered;
        self.until(|seen| seen.answered >= before + PART).await;
    }

    async fn until(&self, is_so: impl Fn(&Seen) -> bool) {
        let mut told = self.seen.subscribe();
        let so = async {
            while !self.is_right(&is_so) {
                told.changed().await.unwrap();
            }
        };
        assert!(timeout(PART_LIMIT, so).await.is_ok(), "the load stands still");
    }

    fn is_right(&self, is_so: impl Fn(&Seen) -> bool) -> bool {
        let (so, wrong) = {
            let seen = self.all.lock().unwrap();
            (is_so(&seen), seen.wrong.clone())
        };
        assert_eq!(wrong, None);
        so
    }

    async fn client(&self, mut chance: Chance) {
        let mut connections = [None, None];
        while !*self.over.borrow() {
            let key = self.key(&mut chance);
            let (answer, handed_on) = self.answer(&request(key), chance.below(2), &mut connections).await;
            self.all.lock().unwrap().takes(key, answer, handed_on);
            self.seen.send_modify(|answered| *answered += 1);
        }
    }

    /// A new one several times, and in between one that has been sent before.
    fn key(&self, chance: &mut Chance) -> usize {
        let newest = self.next.fetch_add(1, Ordering::Relaxed) / EACH;
        if chance.one_in(EACH) { chance.below(newest + 1) } else { newest }
    }

    /// As a balancer does it: what one gateway has not answered goes to the other one.
    async fn answer(
        &self,
        request: &Request,
        first: usize,
        connections: &mut [Option<Connection>; 2],
    ) -> (Response, usize) {
        let mut why = String::new();
        for tried in 0..TRIES {
            let at = (first + tried) % 2;
            match sent(request, self.gateways[at], connections[at].take()).await {
                Ok((answer, connection)) => {
                    connections[at] = connection;
                    return (answer, tried);
                }
                Err(error) => why = error.to_string(),
            }
        }
        panic!("neither gateway answers: {why}");
    }
}

impl Seen {
    fn takes(&mut self, key: usize, answer: Response, handed_on: usize) {
        self.answered += 1;
        self.executed += usize::from(said(&answer) == Some("executed"));
        self.handed_on += handed_on;
        if answer.status != 201 {
            self.wrong = Some(format!("key {key}: {}", answer.text()));
        }
        let first = self.answers.entry(key).or_insert_with(|| answer.clone());
        if first.body != answer.body {
            self.wrong = Some(format!("key {key} has two answers: {} and {}", first.text(), answer.text()));
        }
    }
}

/// The answer, and the connection unless it was its last one.
async fn sent(
    request: &Request,
    gateway: SocketAddr,
    connection: Option<Connection>,
) -> Result<(Response, Option<Connection>), onlyonce_testbed::client::Error> {
    let mut connection = match connection {
        Some(connection) => connection,
        None => Connection::open(gateway).await?,
    };
    let answer = connection.send(request).await?;
    let is_last = answer.header("connection").is_some_and(|value| value.contains("close"));
    Ok((answer, (!is_last).then_some(connection)))
}
