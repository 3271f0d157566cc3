//! Round after round over the open records, a few questions at a time.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::StatusCode;
use onlyonce_core::{
    Record, Refusal, State,
    event::{Seen, Verdict},
    record::{Source, StateName},
};
use onlyonce_ledger::{
    Ledger,
    audit::Author,
    operator::{Listed, Settlement},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::Instant,
};

use super::{
    diary::Diary,
    question::Question,
    reading::{self, Said},
};
use crate::config::probe::Absent;

/// Questions that are asked at the same time, of all routes together.
pub(super) const QUESTIONS_MAX: usize = 8;
/// How long one may take, connection and answer together.
const ANSWER_TIME: Duration = Duration::from_secs(10);
/// Largest answer that is read.
const ANSWER_MAX: usize = 64 * 1024;
/// Records of one page.
const PAGE: usize = 256;
/// From one round to the next, at least.
const REST: Duration = Duration::from_millis(500);
/// From one round to the next, at most, however long a round takes.
const REST_MAX: Duration = Duration::from_secs(30);
/// A round rests so many times as long as it took: reading open records is not what a ledger is for.
const REST_FACTOR: u32 = 20;
/// Who settles, in the audit.
const WHO: &str = "probe";

/// Asks for as long as the process serves.
pub(crate) struct Prober {
    ledger: Ledger,
    questions: HashMap<String, Question>,
    diary: Mutex<Diary>,
    places: Arc<Semaphore>,
}

impl Prober {
    /// Starts asking. It ends when `draining` says so; a question that is on its way then is broken off, which settles
    /// nothing.
    pub(crate) fn start(
        ledger: Ledger,
        questions: HashMap<String, Question>,
        draining: watch::Receiver<bool>,
    ) {
        if questions.is_empty() {
            return;
        }
        let places = Arc::new(Semaphore::new(QUESTIONS_MAX));
        let prober = Arc::new(Self { ledger, questions, diary: Mutex::default(), places });
        tokio::spawn(prober.rounds(draining));
    }

    async fn rounds(self: Arc<Self>, mut draining: watch::Receiver<bool>) {
        let asking = async {
            loop {
                let began = Instant::now();
                if self.has_unknowns() {
                    self.round().await;
                }
                let rest = began.elapsed().saturating_mul(REST_FACTOR).clamp(REST, REST_MAX);
                // bounded: by REST_MAX
                tokio::time::sleep(rest).await;
            }
        };
        tokio::select! {
            () = asking => {}
            // The sender lives as long as the gateway.
            _ = draining.wait_for(|draining| *draining) => {}
        }
    }

    /// As far as the ledger has counted, which costs nothing.
    fn has_unknowns(&self) -> bool {
        let counts = self.ledger.unknowns();
        counts.iter().any(|(route, count)| *count > 0 && self.questions.contains_key(route))
    }

    async fn round(self: &Arc<Self>) {
        let (mut after, mut met) = (None, HashSet::new());
        loop {
            let page = match self.ledger.open_records(after, PAGE).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::debug!(%error, "open records cannot be read; probes wait");
                    return;
                }
            };
            for listed in &page.listed {
                if self.is_ripe(&listed.record) {
                    met.insert(listed.reference.record);
                    if self.begins(listed) {
                        self.ask(listed).await;
                    }
                }
            }
            after = page.next;
            if after.is_none() {
                self.diary().keep(&met);
                return;
            }
        }
    }

    /// Whether its attempt can have no effect any more that an answer does not tell.
    fn is_ripe(&self, record: &Record) -> bool {
        let (State::Unknown { settle_from, .. }, Some(question)) =
            (&record.state, self.questions.get(&record.route))
        else {
            return false;
        };
        let wait = record.policy.settle_after.unwrap_or(question.settle_after);
        settle_from.plus(wait) <= self.ledger.now()
    }

    fn begins(&self, listed: &Listed) -> bool {
        self.diary().begin(listed.reference, listed.record.fence, Instant::now())
    }

    /// Asks once there is a place, and does not wait for the answer.
    async fn ask(self: &Arc<Self>, listed: &Listed) {
        let place = Arc::clone(&self.places).acquire_owned().await;
        // Never closed.
        let Ok(place) = place else { return };
        let (prober, listed) = (Arc::clone(self), listed.clone());
        tokio::spawn(async move { prober.ask_now(&listed, place).await });
    }

    async fn ask_now(&self, listed: &Listed, _place: OwnedSemaphorePermit) {
        let (id, asked) = (listed.reference.record, Instant::now());
        let Some(question) = self.questions.get(&listed.record.route) else { return };
        if !circuit(question).lets_through(asked) {
            self.diary().put_off(id, question.every, asked);
            return;
        }
        let said = self.answer(question, listed).await;
        match &said {
            None | Some(Said::Trouble(_)) => circuit(question).failed(Instant::now()),
            Some(_) => circuit(question).answered(),
        }
        let operation = listed.reference;
        match said {
            Some(Said::Applied(stored)) => {
                let verdict = Verdict::Applied { status: stored.status.as_u16() };
                self.settle(listed, verdict, stored.encode(), question, asked).await;
            }
            Some(Said::Absent)
                if question.absent == Absent::NotApplied
                    && self.diary().absent(id, question.every, asked) =>
            {
                let verdict = Verdict::NotApplied { forced: false };
                self.settle(listed, verdict, bytes::Bytes::new(), question, asked).await;
            }
            // The diary has it.
            Some(Said::Absent) if question.absent == Absent::NotApplied => {}
            Some(Said::Absent) => self.left(listed, question, asked, StatusCode::NOT_FOUND),
            Some(Said::Nothing(status) | Said::Trouble(status)) => self.left(listed, question, asked, status),
            None => {
                tracing::debug!(idempotency.operation_ref = %operation, "a probe got no answer");
                self.diary().unsettled(id, question.every, asked);
            }
        }
    }

    async fn answer(&self, question: &Question, listed: &Listed) -> Option<Said> {
        let asking = question.pool.ask(question.request(listed.reference), ANSWER_MAX);
        let answer = tokio::time::timeout(ANSWER_TIME, asking).await.ok()?;
        // What went wrong names addresses at most, and no header.
        let answer = answer.inspect_err(|error| tracing::debug!(%error, "a probe failed")).ok()?;
        Some(reading::read(question, answer))
    }

    fn left(&self, listed: &Listed, question: &Question, asked: Instant, status: StatusCode) {
        if [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status) {
            tracing::warn!(
                route = listed.record.route,
                status = status.as_u16(),
                "the upstream does not let the probe in: check `probe.headers`"
            );
        }
        tracing::debug!(
            idempotency.operation_ref = %listed.reference,
            status = status.as_u16(),
            "a probe's answer settles nothing"
        );
        self.diary().unsettled(listed.reference.record, question.every, asked);
    }

    /// The tally of the ledger counts and logs what is settled.
    async fn settle(
        &self,
        listed: &Listed,
        verdict: Verdict,
        result: bytes::Bytes,
        question: &Question,
        asked: Instant,
    ) {
        let (id, operation) = (listed.reference.record, listed.reference);
        let settlement = Settlement {
            by: Source::Probe,
            seen: Seen { state: StateName::Unknown, fence: listed.record.fence },
            verdict,
            result,
            author: Author::program(WHO, why(verdict)),
        };
        match self.ledger.settle(operation, settlement).await {
            Ok(Ok(_)) => self.diary().forget(id),
            Ok(Err(Refusal::TooEarly(_) | Refusal::NoSettleAfter)) => {
                // Nobody said, when it was claimed, how long the upstream may work: only a person may say so now.
                self.diary().unsettled(id, question.every, asked);
            }
            Ok(Err(refusal)) => {
                tracing::debug!(idempotency.operation_ref = %operation, refusal = refusal.as_str(), "somebody was faster than a probe");
                self.diary().forget(id);
            }
            Err(error) => {
                tracing::error!(idempotency.operation_ref = %operation, %error, "what a probe found may not be on record");
                self.diary().unsettled(id, question.every, asked);
            }
        }
    }

    fn diary(&self) -> MutexGuard<'_, Diary> {
        self.diary.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn circuit(question: &Question) -> MutexGuard<'_, super::circuit::Circuit> {
    question.circuit.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why, for the audit.
const fn why(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Applied { .. } => "the upstream knows the operation",
        Verdict::NotApplied { .. } => "the upstream twice did not know the operation",
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, path::Path};

    use bytes::Bytes;
    use onlyonce_core::{
        AttemptId, Fence, Fingerprint, Owner, Policy, Timestamp, Version, fingerprint::Recipe,
        record::UnknownCause,
    };
    use onlyonce_ledger::{Options, identity::Secret, memory::MemoryStore};

    use super::*;
    use crate::config::Config;

    const ROUTE: &str = "POST /t";
    const MINUTE: Duration = Duration::from_secs(60);

    async fn prober() -> Prober {
        let text = format!(
            "[[route]]\nmatch = \"{ROUTE}\"\non_unknown = \"probe\"\n[route.probe]\n\
             url = \"/by/{{operation_ref}}\"\nstatus = 201\nsettle_after = \"1m\""
        );
        let config = Config::parse(&text, Path::new("onlyonce.toml")).unwrap();
        let secret = Secret::new(Secret::generate()).unwrap();
        let store = Arc::new(MemoryStore::new());
        let (ledger, _) = Ledger::open(store, &secret, Options::default()).await.unwrap();
        Prober {
            ledger,
            questions: super::super::questions(&config, &BTreeMap::new()).unwrap(),
            diary: Mutex::default(),
            places: Arc::new(Semaphore::new(QUESTIONS_MAX)),
        }
    }

    /// Unknown since then, under a promise of its own or none.
    fn unknown(since: Timestamp, settle_after: Option<Duration>) -> Record {
        let cause = UnknownCause::AnswerLost;
        Record {
            version: Version { attempt: AttemptId([1; 16]), revision: 3 },
            fence: Fence::FIRST,
            first_claim_at: since,
            claimed_at: since,
            recipe: Recipe::V1,
            fingerprint: Fingerprint([7; 32]),
            owner: Owner([8; 16]),
            route: ROUTE.to_owned(),
            policy: Policy { settle_after, ..Policy::default() },
            earlier_unknown: None,
            parameters: Bytes::new(),
            state: State::Unknown { since, settle_from: since, cause, seen_status: None },
        }
    }

    #[tokio::test]
    async fn nobody_is_asked_before_settle_after_has_passed() {
        let prober = prober().await;
        let now = prober.ledger.now();
        let ago = |age: Duration| Timestamp::from_ms(now.as_ms() - u64::try_from(age.as_millis()).unwrap());
        for (age, settle_after, ripe) in [
            (MINUTE / 2, None, false),
            (MINUTE, None, true),
            (MINUTE, Some(MINUTE * 2), false),
            (MINUTE * 2, Some(MINUTE * 2), true),
        ] {
            let record = unknown(ago(age), settle_after);
            assert_eq!(prober.is_ripe(&record), ripe, "{age:?} {settle_after:?}");
        }
        let long = unknown(ago(MINUTE * 60), None);
        let elsewhere = Record { route: "POST /other".to_owned(), ..long.clone() };
        assert!(!prober.is_ripe(&elsewhere), "its route is not probed");
        let running = State::InProgress { lease_until: ago(MINUTE) };
        assert!(!prober.is_ripe(&Record { state: running, ..long }));
    }
}
