//! An upstream with moods: some requests are served at once, some slowly, some only after the gateway is dead, and some
//! are turned away. Every effect is counted under its key.
//!
//! Moods are for the storm only. In calm weather everything is served at once.

use std::{
    collections::HashSet,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use onlyonce_testbed::{
    Gate, WAIT_LIMIT,
    effects::{Answer, Arrival, Upstream},
};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use crate::{chance::Chance, plan::Plan};

/// The longest that a slow request takes before its effect, and again after it.
const SLOW: Duration = Duration::from_millis(6);
/// Most bytes of an answer's body.
const BODY: usize = 40_000;

/// What a request meets.
enum Mood {
    Prompt,
    Slow(Duration, Duration),
    /// Its effect comes after the gateway is dead.
    HeldBefore,
    /// Its effect comes in the storm, its answer never.
    HeldAfter,
    /// 503 with `Retry-After` and no effect, the first time.
    Busy,
}

/// The upstream and its weather.
pub(crate) struct Moody {
    upstream: Upstream,
    weather: Arc<Weather>,
}

struct Weather {
    plan: Plan,
    /// Where held requests of this storm stand; `None` in calm weather.
    storm: Mutex<Option<Gate>>,
    turned_away: Mutex<HashSet<String>>,
    working: watch::Sender<usize>,
}

impl Moody {
    pub(crate) async fn start(plan: &Plan) -> Self {
        let weather = Arc::new(Weather {
            plan: plan.clone(),
            storm: Mutex::default(),
            turned_away: Mutex::default(),
            working: watch::Sender::new(0),
        });
        let serving = Arc::clone(&weather);
        let upstream = Upstream::start(move |arrival| {
            let weather = Arc::clone(&serving);
            weather.working.send_modify(|working| *working += 1);
            async move {
                let answer = weather.serve(arrival).await;
                weather.working.send_modify(|working| *working -= 1);
                answer
            }
        })
        .await;
        Self { upstream, weather }
    }

    /// From now on there are moods. The gate holds what is held until it is opened, also in calm weather.
    pub(crate) fn storm(&self) -> Gate {
        let gate = Gate::closed();
        *self.weather.now() = Some(gate.clone());
        gate
    }

    /// What arrives from now on is served at once.
    pub(crate) fn calm(&self) {
        *self.weather.now() = None;
    }

    /// Waits until nothing is being worked on.
    pub(crate) async fn quiet(&self) {
        let mut working = self.weather.working.subscribe();
        let quiet = timeout(WAIT_LIMIT, working.wait_for(|working| *working == 0)).await;
        assert!(quiet.is_ok(), "the upstream works on for {WAIT_LIMIT:?}");
    }
}

impl Deref for Moody {
    type Target = Upstream;

    fn deref(&self) -> &Upstream {
        &self.upstream
    }
}

impl Weather {
    fn now(&self) -> MutexGuard<'_, Option<Gate>> {
        self.storm.lock().expect("nothing panics with the weather in its hand")
    }

    /// Whether this is the key's first request.
    fn turns_away(&self, key: String) -> bool {
        self.turned_away.lock().expect("nothing panics while it is locked").insert(key)
    }

    async fn serve(&self, arrival: Arrival) -> Answer {
        let key = arrival.seen.key().unwrap_or_default();
        let storm = self.now().clone();
        let mut chance = self.plan.chance(&format!("mood of {key}"));
        let mood = Mood::drawn(&mut chance);
        let Some(gate) = storm else { return created(&arrival, &mut chance) };
        match mood {
            Mood::Prompt => created(&arrival, &mut chance),
            Mood::Slow(before, after) => {
                sleep(before).await; // bounded: SLOW
                let answer = created(&arrival, &mut chance);
                sleep(after).await; // bounded: SLOW
                answer
            }
            Mood::HeldBefore => {
                gate.pass().await;
                created(&arrival, &mut chance)
            }
            Mood::HeldAfter => {
                let answer = created(&arrival, &mut chance);
                gate.pass().await;
                answer
            }
            Mood::Busy if self.turns_away(key) => Answer::new(503).header("retry-after", "0"),
            Mood::Busy => created(&arrival, &mut chance),
        }
    }
}

impl Mood {
    fn drawn(chance: &mut Chance) -> Self {
        match chance.below(16) {
            0 | 1 => Self::HeldBefore,
            2 => Self::HeldAfter,
            3 => Self::Busy,
            4..8 => Self::Slow(chance.time_below(SLOW), chance.time_below(SLOW)),
            _ => Self::Prompt,
        }
    }
}

/// Does the effect. The answer has all that a replay may get wrong: repeated lines, a credential, bytes of any value.
fn created(arrival: &Arrival, chance: &mut Chance) -> Answer {
    let effect = arrival.execute();
    let length = chance.below(BODY);
    let mut body = effect.clone().into_bytes();
    body.extend((0..length / 8).flat_map(|_| chance.bits().to_be_bytes()));
    Answer::new(201)
        .header("content-type", "application/octet-stream")
        .header("location", format!("/transfers/{effect}"))
        .header("link", "</first>; rel=first")
        .header("link", "</last>; rel=last")
        .header("set-cookie", format!("session={effect}"))
        .body(body)
}
