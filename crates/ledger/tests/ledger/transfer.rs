//! Moving a ledger that processes are using. (That no answer changes, whatever the two stores are: `store-conformance`.)

use std::{
    io::Cursor,
    sync::{Arc, Mutex},
    time::Duration,
};

use onlyonce_core::{
    RecordId, Refusal, State, Timestamp,
    event::{Seen, Unknown, Verdict},
    record::{Source, UnknownCause},
};
use onlyonce_ledger::{
    Error, Ledger, Options,
    audit::Author,
    begin::{Claimed, Look, Request},
    identity::{self, Closed, Secret},
    memory::MemoryStore,
    operator::Settlement,
    store::Store,
    transfer::{self, ErrorKind, Export, Input, Progress, Reopened, Step, Summary, export, import, reopen},
};
use tokio::task::JoinHandle;

use crate::{
    begun::{Begun, CREATED, LOST, begin, begin_two, passes, refused, replayed, request, result, settled},
    faulty::{Fault, Gate, Write},
};

/// Longer than a process may go without a look at the identity.
pub(crate) const SEEN: Duration = Duration::from_secs(15);

type File = Result<(Vec<u8>, Summary), transfer::Error>;

pub(crate) async fn exported(begun: &Begun, how: Export) -> (Vec<u8>, Summary) {
    let mut file = Vec::new();
    let summary = export(begun.store.store(), how, &mut file, &mut |_| {}).await.unwrap();
    (file, summary)
}

/// And what it is about.
fn exporting(begun: &Begun, how: Export) -> (JoinHandle<File>, Arc<Mutex<Step>>) {
    let (store, step) = (begun.store.store(), Arc::<Mutex<Step>>::default());
    let told = Arc::clone(&step);
    let export = tokio::spawn(async move {
        let mut file = Vec::new();
        let mut tell = |progress: Progress| *told.lock().unwrap() = progress.step;
        let summary = export(store, how, &mut file, &mut tell).await?;
        Ok((file, summary))
    });
    (export, step)
}

const ONE_RUNS: Step = Step::Ending { running: 1, listening: None };

pub(crate) async fn imported(file: &[u8], store: &Arc<MemoryStore>) -> Result<Summary, transfer::Error> {
    imported_into(file, Arc::clone(store) as Arc<dyn Store>).await
}

pub(crate) async fn imported_into(file: &[u8], store: Arc<dyn Store>) -> Result<Summary, transfer::Error> {
    import(store, Input::File(&mut Cursor::new(file)), &mut |_| {}).await
}

pub(crate) async fn open(store: &Arc<MemoryStore>) -> Begun {
    let secret = Secret::new([7; 32]).unwrap();
    let options = Options { must_exist: true, ..Options::default() };
    let (ledger, _) = Ledger::open(Arc::clone(store) as Arc<dyn Store>, &secret, options).await.unwrap();
    Begun { ledger, store: Arc::default() }
}

/// Where it has been moved to.
pub(crate) async fn moved(file: &[u8]) -> Begun {
    let store = Arc::default();
    imported(file, &store).await.unwrap();
    open(&store).await
}

pub(crate) async fn claim(begun: &Begun, request: &Request) -> Result<Claimed, Error> {
    match begun.look(request).await.unwrap() {
        Look::Free(leader) => leader.claim().await,
        Look::Stands(standing) => Ok(Claimed::Stands(standing)),
    }
}

/// Both ledgers would serve, and the key that was claimed here after the copy would be free there.
#[tokio::test(start_paused = true)]
async fn a_ledger_that_is_moved_takes_no_claims_and_what_runs_is_in_the_copy() {
    let (one, two) = begin_two().await;
    one.execute(&request(1), "paid").await;
    let running = two.run(&request(2)).await;
    let (export, waits_for) = exporting(&one, Export::Move);
    passes(SEEN).await;
    for begun in [&one, &two] {
        let refused = claim(begun, &request(3)).await.unwrap_err();
        assert_eq!(refused.detail(), "closed: it was exported");
        assert!(matches!(begun.ledger.closed(), Some(Closed::Exported { .. })));
        assert_eq!(replayed(&begun.standing(&request(1)).await), b"paid", "what was done is replayed");
    }
    assert_eq!((export.is_finished(), *waits_for.lock().unwrap()), (false, ONE_RUNS));
    running.complete(CREATED, result("paid too")).await.unwrap();
    let (file, summary) = export.await.unwrap().unwrap();
    assert_eq!(summary, Summary { records: 2, results: 2, ..Summary::default() });
    let there = moved(&file).await;
    assert_eq!(replayed(&there.standing(&request(1)).await), b"paid");
    assert_eq!(replayed(&there.standing(&request(2)).await), b"paid too");
    there.execute(&request(3), "paid there").await;
}

/// Of what was lost once, the ledger knows no more elsewhere. The later note counts, whichever side has it.
#[tokio::test(start_paused = true)]
async fn that_a_ledger_was_restored_moves_with_it() {
    let (one, _) = begin_two().await;
    let long_ago = Some(Timestamp::from_ms(7));
    let earlier = identity::restored(&*one.store.store(), long_ago).await.unwrap().before;
    let (file, _) = exported(&one, Export::Copy).await;
    let there = Arc::<MemoryStore>::default();
    imported(&file, &there).await.unwrap();
    assert_eq!(open(&there).await.lead(&request(1)).await.forgotten_before(), Some(earlier));
    let later = identity::restored(&*there, None).await.unwrap().before;
    assert!(later > earlier);
    imported(&file, &there).await.unwrap();
    assert_eq!(open(&there).await.lead(&request(1)).await.forgotten_before(), Some(later));
}

/// Whoever has not looked at the identity since still claims, and nobody may copy before he has.
#[tokio::test(start_paused = true)]
async fn what_is_claimed_by_who_does_not_know_yet_is_in_the_copy() {
    let (one, two) = begin_two().await;
    let (export, _) = exporting(&one, Export::Move);
    settled().await;
    assert!(two.ledger.closed().is_none());
    let running = two.run(&request(1)).await;
    passes(Duration::from_secs(5)).await;
    assert!(two.ledger.closed().is_some());
    running.complete(CREATED, result("paid")).await.unwrap();
    let (file, _) = export.await.unwrap().unwrap();
    assert_eq!(replayed(&moved(&file).await.standing(&request(1)).await), b"paid");
}

/// A gateway that stood still wakes up when the ledger has been moved, renews its lease at the old one, and sends.
#[tokio::test(start_paused = true)]
async fn a_lease_that_has_passed_is_lapsed_before_the_copy_and_got_back_by_nobody() {
    let (one, two) = begin_two().await;
    let asleep = one.claim(&request(1)).await;
    let (export, waits_for) = exporting(&two, Export::Move);
    passes(SEEN).await;
    assert_eq!(*waits_for.lock().unwrap(), ONE_RUNS);
    one.store.advance(Duration::from_secs(61));
    let (file, _) = export.await.unwrap().unwrap();
    assert_eq!(two.state(&request(1)).await, "unknown, fence 1");
    let there = moved(&file).await;
    assert_eq!(refused(there.standing(&request(1)).await), Refusal::Unknown);
    drop(asleep);
}

/// A claim may be under way while the ledger is closed, and its record in no copy.
#[tokio::test(start_paused = true)]
async fn a_claim_that_is_acknowledged_after_the_ledger_was_closed_starts_nothing() {
    let (one, two) = begin_two().await;
    let gate = Gate::closed();
    // So that it looks at the identity again before the claim is given up.
    passes(Duration::from_millis(1_500)).await;
    one.store.fail(Write::Claim, Fault::Held(gate.clone()), 1);
    let leader = one.lead(&request(1)).await;
    let claim = tokio::spawn(leader.claim());
    one.store.until_met(Write::Claim, 1).await;
    // Seen by this process before the store answers.
    let identity = one.store.store().identity().await.unwrap().unwrap();
    let since = one.ledger.now().as_ms().to_be_bytes();
    let row = [&identity, &[1][..], &since].concat().into();
    assert!(one.store.store().set_identity(Some(&identity), row).await.unwrap());
    passes(Duration::from_secs(1)).await;
    assert!(one.ledger.closed().is_some() && !claim.is_finished());
    gate.open();
    assert_eq!(claim.await.unwrap().unwrap_err().detail(), "closed: it was exported");
    one.store.until_applied(Write::Release, 1).await;
    settled().await;
    assert_eq!(two.state(&request(1)).await, "released, fence 1");
}

/// A claim whose answer was lost was made once more in a ledger that was closed and copied meanwhile, to be released after that:
/// the copy had it as one that runs, and where it was imported nobody knew what had become of it.
#[tokio::test(start_paused = true)]
async fn a_claim_in_doubt_is_not_made_anew_in_a_ledger_that_is_closed() {
    let (one, two) = begin_two().await;
    one.store.keep_failing(Write::Claim, Fault::Ghost);
    one.lead(&request(1)).await.claim().await.unwrap_err();
    let (export, _) = exporting(&two, Export::Move);
    passes(Duration::from_secs(5)).await;
    one.store.heal();
    export.await.unwrap().unwrap();
    passes(SEEN).await;
    assert_eq!((one.store.applied(Write::Claim), one.state(&request(1)).await.as_str()), (0, "absent"));
    // What was sent may still land, and is taken back.
    one.store.haunt().await;
    one.store.until_applied(Write::Release, 1).await;
    assert_eq!(reopen(&*one.store.store()).await.unwrap(), Reopened::Exported);
    passes(SEEN).await;
    two.execute(&request(1), "paid").await;
}

/// A copy is for looking at it, or for trials: the ledger goes on.
#[tokio::test(start_paused = true)]
async fn what_is_in_progress_in_a_copy_is_unknown_there_from_the_import_on() {
    let begun = begin().await;
    let running = begun.run(&request(1)).await;
    let (file, summary) = exported(&begun, Export::Copy).await;
    assert_eq!(summary.records, 1);
    begun.execute(&request(2), "paid").await;
    let store = Arc::<MemoryStore>::default();
    let before = store.now();
    assert_eq!(imported(&file, &store).await.unwrap().became_unknown, 1);
    let there = open(&store).await;
    let State::Unknown { cause, settle_from, .. } = there.record(&request(1)).await.unwrap().state else {
        panic!("nobody holds it there");
    };
    assert_eq!(cause, UnknownCause::ProcessGone);
    assert!(settle_from >= before, "settle_after counts anew");
    running.complete(CREATED, result("paid")).await.unwrap();

    // Copied once more, it is known there as well.
    let (file, _) = exported(&begun, Export::Copy).await;
    let summary = imported(&file, &store).await.unwrap();
    assert_eq!((summary.records, summary.kept), (2, 0));
    assert_eq!(replayed(&open(&store).await.standing(&request(1)).await), b"paid");
}

#[tokio::test(start_paused = true)]
async fn a_closed_ledger_is_opened_again_by_hand_alone() {
    let (one, two) = begin_two().await;
    one.execute(&request(1), "paid").await;
    exported(&one, Export::Move).await;
    passes(SEEN).await;
    claim(&two, &request(2)).await.unwrap_err();
    let (third, _) = crate::begun::open(&one.store, Options::default()).await;
    assert!(third.closed().is_some(), "a process that starts knows it at once");
    assert_eq!(reopen(&*one.store.store()).await.unwrap(), Reopened::Exported);
    assert_eq!(reopen(&*one.store.store()).await.unwrap(), Reopened::WasOpen);
    passes(SEEN).await;
    two.execute(&request(2), "paid").await;
}

/// Unreadable is never absent, wherever it is moved; what a newer version wrote is moved by that version.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_moved_as_it_is_or_not_at_all() {
    let begun = begin().await;
    begun.execute(&request(1), "paid").await;
    let row = begun.store.row(request(1).id).await.unwrap();
    let mut damaged = row.to_vec();
    damaged[60] ^= 1;
    begun.store.plant(request(2).id, Some(damaged.into()));
    begun.store.plant(request(3).id, Some(row.slice(..10)));
    let (file, summary) = exported(&begun, Export::Copy).await;
    assert_eq!(summary.damaged, 2);
    let there = moved(&file).await;
    for key in [2, 3] {
        assert_eq!(there.look(&request(key)).await.unwrap_err().kind(), onlyonce_ledger::ErrorKind::Damaged);
    }
    let mut newer = row.to_vec();
    newer[0] += 1;
    begun.store.plant(request(4).id, Some(newer.into()));
    let refused = export(begun.store.store(), Export::Copy, &mut Vec::new(), &mut |_| {}).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Ledger);
}

/// An attempt that was given up at its deadline goes on listening; what it heard was on record at the source alone, and the
/// destination refused as unknown what the source replayed.
#[tokio::test(start_paused = true)]
async fn an_answer_that_may_come_late_is_waited_for() {
    let (one, two) = begin_two().await;
    let listening = Duration::from_secs(120);
    let late = one.run(&request(1)).await;
    late.lose_track(Unknown { listening, ..LOST }).await.unwrap();
    let until = one.ledger.now().plus(listening);
    let (export, waits_for) = exporting(&two, Export::Move);
    passes(SEEN).await;
    let expected = Step::Ending { running: 0, listening: Some((1, until)) };
    assert_eq!((export.is_finished(), *waits_for.lock().unwrap()), (false, expected));
    late.complete(CREATED, result("paid late")).await.unwrap();
    let (file, _) = export.await.unwrap().unwrap();
    assert_eq!(replayed(&moved(&file).await.standing(&request(1)).await), b"paid late");
}

#[tokio::test(start_paused = true)]
async fn nobody_is_waited_for_who_cannot_hear_an_answer() {
    let (one, two) = begin_two().await;
    for key in [1, 2] {
        let given_up = one.run(&request(key)).await;
        given_up.lose_track(Unknown { listening: Duration::from_secs(120), ..LOST }).await.unwrap();
    }
    let runs = one.run(&request(3)).await;
    let (export, waits_for) = exporting(&two, Export::MoveStopped);
    passes(SEEN).await;
    assert_eq!((export.is_finished(), *waits_for.lock().unwrap()), (false, ONE_RUNS), "and for nobody else");
    runs.complete(CREATED, result("paid")).await.unwrap();
    let (file, _) = export.await.unwrap().unwrap();
    assert_eq!(refused(moved(&file).await.standing(&request(1)).await), Refusal::Unknown);
    // Its time is over.
    one.store.advance(Duration::from_secs(121));
    exported(&two, Export::Move).await;
}

/// A probe or a person settled what had been copied as unknown: known at the source, and refused at the destination.
#[tokio::test(start_paused = true)]
async fn nothing_is_settled_or_forgotten_in_a_ledger_that_is_closed() {
    let (one, two) = begin_two().await;
    one.run(&request(1)).await.lose_track(LOST).await.unwrap();
    one.execute(&request(2), "paid").await;
    let (unknown, known) = (one.reference(&request(1)).await, one.reference(&request(2)).await);
    exported(&two, Export::Move).await;
    passes(SEEN).await;
    let author = || Author::new("ana", "called the bank").unwrap();
    let seen = |state| Seen { state, fence: onlyonce_core::Fence::FIRST };
    for by in [Source::Operator, Source::Probe] {
        let settlement = Settlement {
            by,
            seen: seen(onlyonce_core::record::StateName::Unknown),
            verdict: Verdict::Applied { status: 201 },
            result: result("settled"),
            author: author(),
        };
        let refused = one.ledger.settle(unknown, settlement).await.unwrap_err();
        assert_eq!(refused.detail(), "closed: it was exported");
    }
    let seen = seen(onlyonce_core::record::StateName::Completed);
    one.ledger.forget(known, seen, author()).await.unwrap_err();
    assert_eq!(one.state(&request(1)).await, "unknown, fence 1");
    assert_eq!(replayed(&one.standing(&request(2)).await), b"paid");
}

/// What happens while a file is written, as soon as this record is in it.
struct Meanwhile<F> {
    with: RecordId,
    file: Vec<u8>,
    then: Option<F>,
}

impl<F: FnOnce()> std::io::Write for Meanwhile<F> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.extend_from_slice(bytes);
        // An id is written by itself.
        if bytes == self.with.0
            && let Some(then) = self.then.take()
        {
            then();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Asks a store that answers at once.
fn at_once<T>(asked: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(asked).poll(&mut context) {
        std::task::Poll::Ready(answer) => answer,
        std::task::Poll::Pending => panic!("it answers at once"),
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_open_is_copied_last() {
    let (one, two) = begin_two().await;
    one.run(&request(1)).await.lose_track(LOST).await.unwrap();
    one.execute(&request(2), "paid").await;
    let settled = two.run(&request(3)).await;
    settled.release(onlyonce_core::record::ReleaseCause::NotSent, None).await.unwrap();
    let (store, released) = (Arc::clone(&one.store), one.store.row(request(3).id).await);
    let then = move || store.plant(request(1).id, released);
    let mut out = Meanwhile { with: request(2).id, file: Vec::new(), then: Some(then) };
    export(one.store.store(), Export::Move, &mut out, &mut |_| {}).await.unwrap();
    assert!(out.then.is_none(), "it happened");
    assert_eq!(moved(&out.file).await.state(&request(1)).await, "released, fence 1");
}

/// It has taken claims meanwhile that are not in the file.
#[tokio::test(start_paused = true)]
async fn an_export_does_not_end_well_if_the_ledger_was_opened_meanwhile() {
    let begun = begin().await;
    for key in 1..10 {
        begun.execute(&request(key), "paid").await;
    }
    let store = begun.store.store();
    let then = move || assert_eq!(at_once(reopen(&*store)).unwrap(), Reopened::Exported);
    let mut out = Meanwhile { with: request(2).id, file: Vec::new(), then: Some(then) };
    let ended = export(begun.store.store(), Export::Move, &mut out, &mut |_| {}).await;
    assert_eq!(ended.unwrap_err().kind(), ErrorKind::Ledger);
}
