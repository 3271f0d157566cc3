//! From requests to answers: each goes to the server that has its slot, all of one server as one pipeline, all servers at
//! once; and what a server refuses is sent again where that is sound.
//!
//! A server that answers `MOVED`, `ASK`, `TRYAGAIN` or the like has done nothing, so such a request may be sent again, there or
//! elsewhere. Invariant: a request whose fate is not known is never sent again from here. Its caller does that, who knows
//! what it was to do.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::future::join_all;
use onlyonce_ledger::{clock::RemoteClock, store::ErrorKind};

use crate::{
    error::Failure,
    keys::Keys,
    node::{Ask, Clock, Lane, Node, Replicas},
    reply::Answer,
    request::Request,
    scripts::Script,
    topology::Topology,
    url::Address,
};

/// How often one request is sent: redirections and a Cluster that changes come to an end, or the caller is told.
const ROUNDS_MAX: usize = 8;
/// How often a write is sent again to a server that cannot serve just now. Its batch has parts for other servers, which wait for
/// it, and its caller tries again by himself.
const WRITE_AGAIN: usize = 1;
/// How often a read is: who looks a key up is answered 503 afterwards.
const READ_AGAIN: usize = 6;
/// How many slots are tried besides the one that was written to, for a key that makes replicas be waited for.
const OTHER_TOUCHES: usize = 2;
/// Between two rounds after a server that cannot serve just now; doubled each time.
const PAUSE: Duration = Duration::from_millis(5);

/// Sends requests where they belong.
pub(crate) struct Router {
    pub(crate) keys: Keys,
    pub(crate) topology: Topology,
    pub(crate) clock: Clock,
    pub(crate) min_replicas: u32,
}

/// One request on its way.
struct Turn {
    at: usize,
    way: Way,
    /// Whether the server lacks its script.
    load: bool,
}

/// Where a request goes next.
#[derive(Clone)]
enum Way {
    Owner,
    Moved(Address),
    Asking(Address),
}

/// What is to be done about an answer.
enum Verdict {
    Final(Answer),
    /// Load the script there, and send again.
    Load,
    Redirect(Way),
    /// The server cannot serve it just now.
    Later(Failure),
}

/// What is sent again.
#[derive(Default)]
struct Next {
    turns: Vec<Turn>,
    /// Somebody else has a slot than was known.
    changed: bool,
    /// A server needs a moment.
    busy: bool,
}

impl Next {
    fn take(&mut self, turn: Turn, verdict: Verdict) {
        let turn = match verdict {
            Verdict::Final(_) => return,
            Verdict::Load => Turn { load: true, ..turn },
            Verdict::Redirect(way) => {
                self.changed |= matches!(way, Way::Moved(_));
                Turn { way, load: false, ..turn }
            }
            Verdict::Later(_) => {
                (self.changed, self.busy) = (true, true);
                Turn { way: Way::Owner, load: false, ..turn }
            }
        };
        self.turns.push(turn);
    }
}

impl Router {
    /// Asks one thing that changes nothing.
    pub(crate) async fn read(&self, request: Request) -> Answer {
        one(self.reads(vec![request]).await)
    }

    /// Asks things that change nothing, and gives the answers in their order.
    pub(crate) async fn reads(&self, requests: Vec<Request>) -> Vec<Answer> {
        self.send(requests, false).await
    }

    /// Changes one thing.
    pub(crate) async fn write(&self, request: Request) -> Answer {
        one(self.writes(vec![request]).await)
    }

    /// Changes things, each on its own, and gives the answers in their order.
    pub(crate) async fn writes(&self, requests: Vec<Request>) -> Vec<Answer> {
        self.send(requests, true).await
    }

    /// Asks for the ledger's time: whoever has the ledger's own row keeps it.
    pub(crate) async fn hear_time(&self) -> Result<(), Failure> {
        match self.ask_keeper().await {
            Ok(()) => Ok(()),
            Err(_) => {
                // On the way to the row it is found out who has it now.
                self.read(Request::Meta).await?;
                self.ask_keeper().await
            }
        }
    }

    /// Asks the keeper of the time for both, so that one who has the row no more is not believed.
    async fn ask_keeper(&self) -> Result<(), Failure> {
        let keeper = self.topology.owner(self.keys.meta_slot());
        let keeper = keeper.ok_or_else(|| Failure::not_sent("no server has its slot"))?;
        let asked = RemoteClock::ask();
        let ask = Ask { cmd: Request::Meta.cmd(&self.keys), asking: false };
        match one(keeper.send(vec![ask], Lane::Reads, Some(&self.clock)).await) {
            // The row has gone ahead, and its slot is still here.
            Err(failure) if failure.code() == Some("ASK") => {}
            answer => drop(answer?),
        }
        let heard = self.clock.get().is_some_and(|clock| clock.has_answered_since(asked));
        heard.then_some(()).ok_or_else(|| Failure::unknown("the server that keeps the time has not told it"))
    }

    /// The ledger's clock, if it goes by that server.
    pub(crate) fn clock_of(&self, node: &Node) -> Option<&Clock> {
        let keeper = self.topology.owner(self.keys.meta_slot())?;
        (keeper.address == node.address).then_some(&self.clock)
    }

    async fn send(&self, requests: Vec<Request>, write: bool) -> Vec<Answer> {
        let mut answers: Vec<Option<Answer>> = requests.iter().map(|_| None).collect();
        let mut waiting: Vec<_> =
            (0..requests.len()).map(|at| Turn { at, way: Way::Owner, load: false }).collect();
        let mut pause = PAUSE;
        let mut again = if write { WRITE_AGAIN } else { READ_AGAIN };
        for round in 1..=ROUNDS_MAX {
            let mut next = Next::default();
            for (turn, answer) in self.round(&requests, waiting, write).await {
                let verdict = if round == ROUNDS_MAX { Verdict::Final(answer) } else { self.judge(answer) };
                let verdict = match verdict {
                    Verdict::Later(failure) if again == 0 => Verdict::Final(Err(failure)),
                    verdict => verdict,
                };
                match verdict {
                    Verdict::Final(answer) => {
                        if let Some(place) = answers.get_mut(turn.at) {
                            *place = Some(answer);
                        }
                    }
                    verdict => next.take(turn, verdict),
                }
            }
            if next.turns.is_empty() {
                break;
            }
            if next.busy {
                tokio::time::sleep(pause).await;
                pause *= 2;
                again -= 1;
            }
            if next.changed {
                // Where that fails, what is known already is tried; people are told there.
                let _ = self.topology.refresh().await;
            }
            waiting = next.turns;
        }
        let missing = || Err(Failure::not_sent("it was not sent"));
        answers.into_iter().map(|answer| answer.unwrap_or_else(missing)).collect()
    }

    fn judge(&self, answer: Answer) -> Verdict {
        let Err(failure) = answer else { return Verdict::Final(answer) };
        let cluster = self.topology.is_cluster();
        match (failure.code(), failure.moved_to()) {
            (Some("NOSCRIPT"), _) => Verdict::Load,
            (Some("MOVED"), Some(to)) => Verdict::Redirect(Way::Moved(to.clone())),
            (Some("ASK"), Some(to)) => Verdict::Redirect(Way::Asking(to.clone())),
            // Its caller tries again, and knows for how long; a Cluster may have another server for it.
            (
                Some("MOVED" | "ASK" | "TRYAGAIN" | "CLUSTERDOWN" | "MASTERDOWN" | "LOADING" | "READONLY"),
                _,
            ) if cluster => Verdict::Later(failure),
            (None, _) if cluster && failure.kind == ErrorKind::NotApplied => Verdict::Later(failure),
            _ => Verdict::Final(Err(failure)),
        }
    }

    /// Sends each of these once.
    async fn round(&self, requests: &[Request], waiting: Vec<Turn>, write: bool) -> Vec<(Turn, Answer)> {
        let mut answers = Vec::with_capacity(waiting.len());
        let mut parts: HashMap<Address, Part> = HashMap::new();
        for turn in waiting {
            let Some(request) = requests.get(turn.at) else { continue };
            let node = match &turn.way {
                Way::Owner => self.topology.owner(request.slot(&self.keys)),
                Way::Moved(address) | Way::Asking(address) => self.topology.at(address),
            };
            let Some(node) = node else {
                answers.push((turn, Err(Failure::not_sent("no server has its slot"))));
                continue;
            };
            let part = parts.entry(node.address.clone()).or_insert_with(|| Part::new(node));
            if turn.load {
                part.needs(request.script());
            }
            let asking = matches!(turn.way, Way::Asking(_));
            part.asks.push(Ask { cmd: request.cmd(&self.keys), asking });
            part.turns.push(turn);
        }
        let sent = join_all(parts.into_values().map(|part| {
            let clock = self.clock_of(&part.node);
            let replicas = (write && self.min_replicas > 0).then(|| self.touches(&part, requests));
            async move {
                let replicas =
                    replicas.as_deref().map(|touches| Replicas { min: self.min_replicas, touches });
                part.send(if write { Lane::Writes(replicas) } else { Lane::Reads }, clock).await
            }
        }));
        answers.extend(sent.await.into_iter().flatten());
        answers
    }

    /// What may be written after a part, so that replicas are waited for: a key of the slot of its first request; and of others
    /// that the server has, in case that one leaves it or is only just coming.
    fn touches(&self, part: &Part, requests: &[Request]) -> Vec<String> {
        let first = part.turns.first().and_then(|turn| Some((turn, requests.get(turn.at)?)));
        let Some((turn, request)) = first else { return Vec::new() };
        let own = (!matches!(turn.way, Way::Asking(_))).then(|| request.touch(&self.keys));
        if !self.topology.is_cluster() {
            return own.into_iter().collect();
        }
        let slot = request.slot(&self.keys);
        let has = |slot| self.topology.owner(slot).is_some_and(|owner| owner.address == part.node.address);
        let others = (0..=u8::MAX)
            .filter(|shard| self.keys.slot(*shard) != slot && has(self.keys.slot(*shard)))
            .map(|shard| self.keys.touch(shard));
        own.into_iter().chain(others.take(OTHER_TOUCHES)).collect()
    }
}

/// What goes to one server.
struct Part {
    node: Arc<Node>,
    loads: Vec<&'static Script>,
    asks: Vec<Ask>,
    turns: Vec<Turn>,
}

impl Part {
    const fn new(node: Arc<Node>) -> Self {
        Self { node, loads: Vec::new(), asks: Vec::new(), turns: Vec::new() }
    }

    fn needs(&mut self, script: Option<&'static Script>) {
        self.loads
            .extend(script.filter(|script| !self.loads.iter().any(|there| std::ptr::eq(*there, *script))));
    }

    async fn send(self, lane: Lane<'_>, clock: Option<&Clock>) -> Vec<(Turn, Answer)> {
        if !self.loads.is_empty() {
            // A server keeps scripts for all connections. If it does not take them, running them says so.
            let loads = self.loads.iter().map(|script| Ask { cmd: script.load(), asking: false }).collect();
            self.node.send(loads, Lane::Writes(None), None).await;
        }
        let answers = self.node.send(self.asks, lane, clock).await;
        self.turns.into_iter().zip(answers).collect()
    }
}

fn one(answers: Vec<Answer>) -> Answer {
    answers.into_iter().next().unwrap_or_else(|| Err(Failure::shape()))
}
