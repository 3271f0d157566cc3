//! The storm under `hold`: what is unknown stays so until somebody settles it.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use onlyonce_http::fault::Window;
use onlyonce_testbed::{
    Gate,
    client::{self, Request, Response},
};

use crate::{
    book::{Book, request},
    gateway::{Gateway, Setup},
    kill::{Aim, Hit, armed},
    moody::Moody,
    plan::Plan,
    table::Table,
    traffic::Traffic,
};

mod fate;

use fate::{Case, Fate};

/// Keys that are repeated at a time.
const AT_ONCE: usize = 32;

const COLUMNS: &[&str] = &[
    "kills",
    "in flight at kill",
    "held in window",
    "keys",
    "acknowledged",
    "replayed",
    "unknown executed",
    "unknown unexecuted",
    "free",
];

/// What the kills of one window left behind.
#[derive(Default)]
struct Count {
    kills: usize,
    in_flight: usize,
    held: usize,
    keys: usize,
    acknowledged: usize,
    replayed: usize,
    unknown_executed: usize,
    unknown_unexecuted: usize,
    free: usize,
}

pub(crate) async fn storm(plan: &Plan) -> Table {
    let mut table = Table::new("kill -9 under `hold`", COLUMNS);
    for window in Window::OF_CRASHES {
        let count = Storm::begin(plan, window).await.rage().await;
        table.row(window.as_str(), &count.cells());
    }
    table
}

/// The kills of one window, all on one ledger.
struct Storm<'a> {
    plan: &'a Plan,
    window: Window,
    upstream: Moody,
    gateway: Gateway,
    count: Count,
    /// What each key of the rounds so far came to.
    fates: BTreeMap<String, Fate>,
}

/// What is left when a gateway was killed.
struct Wreck {
    book: Arc<Book>,
    gate: Gate,
    /// Whether the kill counts.
    caught: bool,
}

impl<'a> Storm<'a> {
    async fn begin(plan: &'a Plan, window: Window) -> Self {
        let upstream = Moody::start(plan).await;
        let gateway = Gateway::start(&upstream.url(), armed(Setup::anonymous(), window)).await;
        Self { plan, window, upstream, gateway, count: Count::default(), fates: BTreeMap::new() }
    }

    async fn rage(mut self) -> Count {
        for round in 0..self.plan.rounds() {
            if self.count.kills == self.plan.kills {
                break;
            }
            let wreck = self.strike(round).await;
            self.gateway.set_up(Setup::anonymous());
            self.gateway.restart().await;
            self.judge(round, wreck).await;
            // This one dies idle, which must make no difference.
            self.gateway.set_up(armed(Setup::anonymous(), self.window));
            self.gateway.crash_and_restart().await;
        }
        assert_eq!(
            self.count.kills,
            self.plan.kills,
            "too few kills in {} caught anything",
            self.window.as_str()
        );
        self.gateway.set_up(Setup::anonymous());
        self.gateway.crash_and_restart().await;
        self.nothing_was_forgotten().await;
        self.count
    }

    /// Kills the gateway under full traffic, with many requests in the window.
    async fn strike(&mut self, round: usize) -> Wreck {
        let name = format!("{}-{round}", self.window.as_str());
        let mut chance = self.plan.chance(&name);
        let aim = Aim::at(self.window, &mut chance);
        let book = Arc::new(Book::new(&name, chance.clone()));
        let gate = self.upstream.storm();
        let traffic = Traffic::start(self.gateway.address, &book);
        let hit = aim.kill(&mut self.gateway, traffic, chance).await;
        self.upstream.calm();
        if let Some(Hit { in_flight, held }) = &hit {
            self.count.kills += 1;
            self.count.in_flight += in_flight;
            self.count.held += held;
        }
        Wreck { book, gate, caught: hit.is_some() }
    }

    /// Repeats every key, and lets what the upstream held go on before or after.
    async fn judge(&mut self, round: usize, wreck: Wreck) {
        let Wreck { book, gate, caught } = wreck;
        let effects_come_first = self.plan.chance(&format!("late effects of {round}")).one_in(2);
        if effects_come_first {
            gate.open();
            self.upstream.quiet().await;
        }
        let (keys, told) = (book.keys(), book.acknowledged());
        let before: Vec<_> = keys.iter().map(|key| self.upstream.executions(key)).collect();
        let repeats = self.repeat(&keys).await;
        gate.open();
        self.upstream.quiet().await;
        for ((key, repeat), before) in keys.into_iter().zip(&repeats).zip(before) {
            let effects = self.upstream.ids(&key);
            let fate = Case { key: &key, told: told.get(&key), before, effects: &effects }.judged_by(repeat);
            if caught {
                self.count.key(&fate, told.contains_key(&key), effects.len());
            }
            self.fates.insert(key, fate);
        }
        let operations = self.upstream.operations();
        assert!(
            operations.values().all(|effects| *effects == 1),
            "an operation has two effects: {operations:?}"
        );
    }

    /// After all those crashes, every key still stands for what it stood for after its own.
    async fn nothing_was_forgotten(&self) {
        let effects = self.upstream.keys();
        let keys: Vec<_> = self.fates.keys().cloned().collect();
        for ((key, fate), repeat) in self.fates.iter().zip(self.repeat(&keys).await) {
            match (fate, Fate::of(key, &repeat)) {
                (Fate::Kept(then) | Fate::Ran(then), Fate::Kept(now)) => {
                    assert!(*then == now, "{key}: changed")
                }
                (Fate::Unknown, Fate::Unknown) => {}
                _ => panic!("{key}: is now answered {} {}", repeat.status, repeat.text()),
            }
        }
        assert_eq!(self.upstream.keys(), effects, "repeats had effects");
        assert!(effects.values().all(|effects| *effects == 1), "a key has two effects: {effects:?}");
    }

    /// Sends every key once more; the answers come in the order of the keys.
    async fn repeat(&self, keys: &[String]) -> Vec<Response> {
        let mut answers = Vec::with_capacity(keys.len());
        for some in keys.chunks(AT_ONCE) {
            let repeats: Vec<_> =
                some.iter().map(|key| tokio::spawn(send(self.gateway.address, request(key)))).collect();
            for repeat in repeats {
                answers.push(
                    repeat.await.expect("sending does not panic").expect("a gateway that runs answers"),
                );
            }
        }
        answers
    }
}

async fn send(gateway: SocketAddr, request: Request) -> Result<Response, client::Error> {
    client::send(gateway, &request).await
}

impl Count {
    fn key(&mut self, fate: &Fate, told: bool, effects: usize) {
        self.keys += 1;
        self.acknowledged += usize::from(told);
        *match fate {
            Fate::Kept(_) => &mut self.replayed,
            Fate::Unknown if effects == 1 => &mut self.unknown_executed,
            Fate::Unknown => &mut self.unknown_unexecuted,
            Fate::Ran(_) => &mut self.free,
        } += 1;
    }

    fn cells(&self) -> [usize; 9] {
        [
            self.kills,
            self.in_flight,
            self.held,
            self.keys,
            self.acknowledged,
            self.replayed,
            self.unknown_executed,
            self.unknown_unexecuted,
            self.free,
        ]
    }
}
