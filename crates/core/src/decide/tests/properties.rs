//! What holds over any history of one key: random events of several attempts and people, at random times.
//!
//! [`World`] applies events to a record through `decide` and keeps a book of its own, by which it judges each write:
//! who was granted a claim, until when an outcome is known, which references were given. The book never looks at how
//! the record is represented.

use proptest::{collection::vec, prelude::*, strategy::ValueTree, test_runner::TestRunner};

use super::fixtures::{NOW, attempt, claim, policy};
use crate::{
    Decision, Event, Fence, Fingerprint, OperationRef, Policy, Record, RecordId, State, Timestamp, decide,
    event::{Claim, Completion, Holder, Seen, Settle, Unknown, Verdict},
    policy::OnUnknown::{Hold, Rerun},
    record::{ReleaseCause, Source, StateName, UnknownCause},
};

const ID: RecordId = RecordId([0; 16]);

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// [`World::grant`] and [`World::judge`] hold the single claims.
    #[test]
    fn a_key_executes_once(steps in history()) {
        let mut world = World::new();
        steps.iter().for_each(|step| world.take(step));
    }
}

/// A property over histories that never get anywhere would hold for any code.
#[test]
fn the_histories_reach_what_the_properties_are_about() {
    let mut runner = TestRunner::deterministic();
    let mut reached = Reached::default();
    for _ in 0..2_000 {
        let mut world = World::new();
        let steps = history().new_tree(&mut runner).unwrap().current();
        steps.iter().for_each(|step| world.take(step));
        reached.add(&world.reached);
    }
    let Reached { grants, after_release, reruns, new_operations, late_completions, disproved, refused_late } =
        reached;
    for (what, times) in [
        ("grants", grants),
        ("claims after a release", after_release),
        ("re-runs", reruns),
        ("operations after expiry", new_operations),
        ("late completions", late_completions),
        ("settlements proved wrong", disproved),
        ("late attempts refused", refused_late),
    ] {
        assert!(times > 20, "only {times} {what}");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    /// By a new attempt, or the one that stands once more; `body` is one of two.
    Claim {
        again: bool,
        body: u8,
        policy: Policy,
    },
    /// On behalf of a claim that was granted, counted from the last.
    Attempt {
        grants_ago: usize,
        act: Act,
    },
    Lapse,
    ProcessGone,
    Settle {
        by: Source,
        verdict: Verdict,
        looked: bool,
    },
    Forget {
        looked: bool,
    },
    Sweep,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Renew,
    Complete(Completion),
    Release(ReleaseCause),
    LoseTrack,
}

fn history() -> impl Strategy<Value = Vec<Step>> {
    let promise = prop_oneof![1 => Just(Hold), 3 => Just(Rerun)];
    let policies = (promise, prop::option::weighted(0.9, 0..40u64)).prop_map(|(promise, settle_after)| {
        Policy { settle_after: settle_after.map(std::time::Duration::from_secs), ..policy(promise) }
    });
    let verdict = prop_oneof![
        Just(Verdict::Applied { status: 201 }),
        any::<bool>().prop_map(|forced| Verdict::NotApplied { forced }),
    ];
    let act = prop_oneof![
        Just(Act::Renew),
        Just(Act::Complete(Completion::Kept { status: 201 })),
        Just(Act::Complete(Completion::TooLarge { status: 201 })),
        Just(Act::Release(ReleaseCause::NotSent)),
        Just(Act::Release(ReleaseCause::Answered(429))),
        Just(Act::LoseTrack),
    ];
    let looked = prop::bool::weighted(0.8);
    let by = prop_oneof![Just(Source::Probe), Just(Source::Operator)];
    let step = prop_oneof![
        6 => prop_oneof![8 => 0..40u64, 1 => 900..1_200u64, 1 => 4_900..5_200u64].prop_map(Step::Wait),
        8 => (prop::bool::weighted(0.2), 0..2u8, policies)
            .prop_map(|(again, body, policy)| Step::Claim { again, body, policy }),
        8 => (prop_oneof![3 => Just(0), 1 => 0..4usize], act)
            .prop_map(|(grants_ago, act)| Step::Attempt { grants_ago, act }),
        2 => Just(Step::Lapse),
        1 => Just(Step::ProcessGone),
        3 => (by, verdict, looked).prop_map(|(by, verdict, looked)| Step::Settle { by, verdict, looked }),
        1 => looked.prop_map(|looked| Step::Forget { looked }),
        1 => Just(Step::Sweep),
    ];
    vec(step, 1..60)
}

#[derive(Clone, Copy, Debug, Default)]
struct Reached {
    grants: usize,
    after_release: usize,
    reruns: usize,
    new_operations: usize,
    late_completions: usize,
    disproved: usize,
    refused_late: usize,
}

impl Reached {
    fn add(&mut self, other: &Self) {
        self.grants += other.grants;
        self.after_release += other.after_release;
        self.reruns += other.reruns;
        self.new_operations += other.new_operations;
        self.late_completions += other.late_completions;
        self.disproved += other.disproved;
        self.refused_late += other.refused_late;
    }
}

struct World {
    record: Option<Record>,
    now: Timestamp,
    /// All claims that were granted, in their order.
    grants: Vec<Holder>,
    /// Who may be executing, as far as the record says.
    running: Option<Holder>,
    /// The policy of an attempt of which nobody knows what became, and its last chance to send.
    unknown: Option<(Policy, Timestamp)>,
    /// Until when an outcome is known, and no attempt may start.
    known_until: Option<Timestamp>,
    last_reference: Option<OperationRef>,
    /// How the record was at each moment when an attempt might have seen it.
    seen_open: Vec<Record>,
    reached: Reached,
}

impl World {
    fn new() -> Self {
        Self {
            record: None,
            now: NOW,
            grants: Vec::new(),
            running: None,
            unknown: None,
            known_until: None,
            last_reference: None,
            seen_open: Vec::new(),
            reached: Reached::default(),
        }
    }

    fn take(&mut self, step: &Step) {
        if let Step::Wait(seconds) = step {
            self.now = self.now.plus(std::time::Duration::from_secs(*seconds));
        } else if let Step::Sweep = step {
            self.record = self.record.take().filter(|record| record.at(self.now).is_some());
        } else if let Some(event) = self.event(step) {
            match decide(self.record.as_ref(), &event, self.now) {
                Decision::Write(record) => self.judge(&event, *record),
                Decision::Already => {}
                Decision::Refuse(_) => {
                    self.reached.refused_late += usize::from(matches!(event, Event::Complete(..)));
                }
            }
        }
        self.nothing_is_taken_for_lost();
    }

    /// Nothing was: so whatever an attempt has seen, and however late it says that it does not find it any more, what stands
    /// is not touched, and an outcome that is known is not overwritten.
    fn nothing_is_taken_for_lost(&self) {
        let Some(record) = self.record.as_ref().filter(|record| record.at(self.now).is_some()) else {
            return;
        };
        for seen in &self.seen_open {
            let decided = decide(Some(record), &Event::Vanished(Box::new(seen.clone())), self.now);
            assert!(!matches!(decided, Decision::Write(_)), "{record:?} is there, and not {seen:?}");
        }
    }

    fn event(&self, step: &Step) -> Option<Event> {
        Some(match step {
            Step::Wait(_) | Step::Sweep => return None,
            Step::Claim { again, body, policy } => {
                // A claim is sent again for seconds, so never after the row of its attempt has expired.
                let standing = self.record.as_ref().filter(|record| *again && record.at(self.now).is_some());
                let new = attempt(u8::try_from(self.grants.len() + 1).unwrap());
                let attempt = standing.map_or(new, |record| record.version.attempt);
                let body = Fingerprint([*body; 32]);
                Event::Claim(Claim { policy: policy.clone(), ..claim(attempt, body, policy.on_unknown) })
            }
            Step::Attempt { grants_ago, act } => {
                let holder = *self.grants.iter().rev().nth(*grants_ago)?;
                match *act {
                    Act::Renew => Event::Renew(holder),
                    Act::Complete(what) => Event::Complete(holder, what),
                    Act::Release(why) => Event::Release(holder, why),
                    Act::LoseTrack => Event::LoseTrack(
                        holder,
                        Unknown {
                            cause: UnknownCause::AnswerLost,
                            seen_status: None,
                            listening: std::time::Duration::ZERO,
                        },
                    ),
                }
            }
            Step::Lapse => Event::Lapse,
            Step::ProcessGone => Event::ProcessGone,
            Step::Settle { by, verdict, looked } => {
                Event::Settle(Settle { by: *by, seen: self.seen(*looked)?, verdict: *verdict })
            }
            Step::Forget { looked } => Event::Forget(self.seen(*looked)?),
        })
    }

    /// What a person sees who looks, or who looked too long ago.
    fn seen(&self, looked: bool) -> Option<Seen> {
        let record = self.record.as_ref()?;
        let state = record.at(self.now)?.name();
        let seen = Seen { state, fence: record.fence };
        Some(if looked { seen } else { Seen { fence: seen.fence.next(), ..seen } })
    }

    /// Judges one write by the book, and books it.
    fn judge(&mut self, event: &Event, after: Record) {
        let before = self.record.take();
        let stood = before.as_ref().and_then(|record| record.at(self.now));
        let revision = before.as_ref().map_or(0, |record| record.version.revision);
        assert_eq!(after.version.revision, revision + 1, "a revision strictly increases");
        if after.is_open() {
            assert!(after.at(Timestamp::from_ms(u64::MAX)).is_some(), "what is open never expires");
        }
        match event {
            Event::Claim(claim) => self.grant(claim, before.as_ref(), stood.as_ref(), &after),
            Event::Renew(holder)
            | Event::Complete(holder, _)
            | Event::Release(holder, _)
            | Event::LoseTrack(holder, _) => {
                assert_eq!(Some(holder), self.grants.last(), "a late attempt never touches its successor");
            }
            Event::Lapse | Event::ProcessGone | Event::Settle(_) | Event::Forget(_) => {}
            Event::Vanished(_) => unreachable!("no step loses a record"),
        }
        if !matches!(event, Event::Claim(_)) {
            let before = before.as_ref().expect("only a claim makes a record");
            assert_eq!(after.operation_ref(ID), before.operation_ref(ID), "an operation keeps its reference");
            let freed = after.state.name() == StateName::Released;
            if freed && after.earlier_unknown.is_some() {
                assert!(
                    matches!(event, Event::Settle(_)),
                    "a re-run never frees the key but by being settled"
                );
            }
        }
        self.seen_open.extend(after.is_open().then(|| after.clone()));
        self.book(event, stood.as_ref(), &after);
        self.record = Some(after);
    }

    fn grant(&mut self, claim: &Claim, before: Option<&Record>, stood: Option<&State>, after: &Record) {
        assert_eq!(self.running, None, "at most one attempt holds the claim");
        assert!(self.known_until.is_none_or(|end| end <= self.now), "none starts after an outcome is known");
        if let Some((policy, settle_from)) = &self.unknown {
            assert_eq!((policy.on_unknown, claim.policy.on_unknown), (Rerun, Rerun), "both promise it");
            let wait = policy.settle_after.expect("without settle_after nothing is re-run");
            assert!(settle_from.plus(wait) <= self.now, "not before settle_after");
            assert_eq!(after.earlier_unknown, Some(*settle_from), "the re-run knows what is unknown");
            self.reached.reruns += 1;
        }
        let holder = Holder { attempt: after.version.attempt, fence: after.fence };
        assert!(!self.grants.contains(&holder), "attempt and fence never come twice");
        let reference = after.operation_ref(ID);
        match (stood, before) {
            (Some(_), Some(before)) => {
                assert_eq!(after.fence, before.fence.next(), "fences count the claims of a row");
                assert_eq!(Some(reference), self.last_reference, "a reference is stable over attempts");
                self.reached.after_release += usize::from(self.unknown.is_none());
            }
            _ => {
                assert_eq!(after.fence, Fence::FIRST);
                let last = self.last_reference.map(|last| last.first_claim_at);
                assert!(Some(reference.first_claim_at) > last, "and new for a new operation");
                self.reached.new_operations += usize::from(last.is_some());
            }
        }
        self.reached.grants += 1;
        self.last_reference = Some(reference);
        self.grants.push(holder);
    }

    fn book(&mut self, event: &Event, stood: Option<&State>, after: &Record) {
        if let (Event::Complete(..), Some(stood)) = (event, stood) {
            self.reached.late_completions += usize::from(stood.name() == StateName::Unknown);
            self.reached.disproved += usize::from(stood.name() == StateName::Released);
        }
        self.running = None;
        self.unknown = None;
        match &after.state {
            State::InProgress { .. } => self.running = self.grants.last().copied(),
            State::Unknown { settle_from, .. } => self.unknown = Some((after.policy.clone(), *settle_from)),
            State::Released { .. } => self.known_until = None,
            State::Completed { key_until, .. } | State::Tombstone { key_until, .. } => {
                assert!(
                    self.known_until.is_none_or(|end| end <= self.now || end == *key_until),
                    "never shortened"
                );
                self.known_until = Some(*key_until);
            }
        }
    }
}
