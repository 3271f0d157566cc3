//! Moving a ledger that processes are using. (That no answer changes, whatever the two stores are: `store-conformance`.)

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use onlyonce_core::{RecordId, Refusal, State, Timestamp, record::UnknownCause};
use onlyonce_ledger::{
    Error, Ledger, Options,
    begin::{Claimed, Look, Request},
    identity::{self, Closed, OpenErrorKind, Secret},
    memory::MemoryStore,
    store::Store,
    transfer::{self, ErrorKind, Export, Progress, Summary, export, import, reopen},
};
use tokio::task::JoinHandle;

use crate::{
    begun::{Begun, CREATED, begin, begin_two, passes, refused, replayed, request, result, settled},
    faulty::{Fault, Gate, Write},
};

/// Longer than a process may go without a look at the identity.
const SEEN: Duration = Duration::from_secs(15);

type File = Result<(Vec<u8>, Summary), transfer::Error>;

async fn exported(begun: &Begun, how: Export) -> (Vec<u8>, Summary) {
    let mut file = Vec::new();
    let summary = export(begun.store.store(), how, &mut file, &mut |_| {}).await.unwrap();
    (file, summary)
}

/// With how many operations it waits for.
fn exporting(begun: &Begun) -> (JoinHandle<File>, Arc<AtomicUsize>) {
    let (store, running) = (begun.store.store(), Arc::new(AtomicUsize::new(usize::MAX)));
    let told = Arc::clone(&running);
    let export = tokio::spawn(async move {
        let mut file = Vec::new();
        let mut tell = |progress: Progress| told.store(progress.running, Ordering::SeqCst);
        let summary = export(store, Export::Move, &mut file, &mut tell).await?;
        Ok((file, summary))
    });
    (export, running)
}

async fn imported(file: &[u8], store: &Arc<MemoryStore>) -> Result<Summary, transfer::Error> {
    import(Arc::clone(store) as Arc<dyn Store>, &mut &*file, &mut |_| {}).await
}

async fn open(store: &Arc<MemoryStore>) -> Begun {
    let secret = Secret::new([7; 32]).unwrap();
    let options = Options { must_exist: true, ..Options::default() };
    let (ledger, _) = Ledger::open(Arc::clone(store) as Arc<dyn Store>, &secret, options).await.unwrap();
    Begun { ledger, store: Arc::default() }
}

/// Where it has been moved to.
async fn moved(file: &[u8]) -> Begun {
    let store = Arc::default();
    imported(file, &store).await.unwrap();
    open(&store).await
}

async fn claim(begun: &Begun, request: &Request) -> Result<Claimed, Error> {
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
    let (export, waits_for) = exporting(&one);
    passes(SEEN).await;
    for begun in [&one, &two] {
        let refused = claim(begun, &request(3)).await.unwrap_err();
        assert_eq!(refused.detail(), "closed: it was exported");
        assert!(matches!(begun.ledger.closed(), Some(Closed::Exported { .. })));
        assert_eq!(replayed(&begun.standing(&request(1)).await), b"paid", "what was done is replayed");
    }
    assert_eq!((export.is_finished(), waits_for.load(Ordering::SeqCst)), (false, 1));
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
    let earlier = identity::restored(&*one.store.store(), long_ago).await.unwrap();
    let (file, _) = exported(&one, Export::Copy).await;
    let there = Arc::<MemoryStore>::default();
    imported(&file, &there).await.unwrap();
    assert_eq!(open(&there).await.lead(&request(1)).await.forgotten_before(), Some(earlier));
    let later = identity::restored(&*there, None).await.unwrap();
    assert!(later > earlier);
    imported(&file, &there).await.unwrap();
    assert_eq!(open(&there).await.lead(&request(1)).await.forgotten_before(), Some(later));
}

/// Whoever has not looked at the identity since still claims, and nobody may copy before he has.
#[tokio::test(start_paused = true)]
async fn what_is_claimed_by_who_does_not_know_yet_is_in_the_copy() {
    let (one, two) = begin_two().await;
    let (export, _) = exporting(&one);
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
    let (export, waits_for) = exporting(&two);
    passes(SEEN).await;
    assert_eq!(waits_for.load(Ordering::SeqCst), 1);
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
    let (export, _) = exporting(&two);
    passes(Duration::from_secs(5)).await;
    one.store.heal();
    export.await.unwrap().unwrap();
    passes(SEEN).await;
    assert_eq!((one.store.applied(Write::Claim), one.state(&request(1)).await.as_str()), (0, "absent"));
    // What was sent may still land, and is taken back.
    one.store.haunt().await;
    one.store.until_applied(Write::Release, 1).await;
    assert!(reopen(&*one.store.store()).await.unwrap());
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
async fn an_import_that_was_broken_off_opens_for_nobody_and_is_run_again() {
    let begun = begin().await;
    let requests: Vec<_> =
        (0..700_u128).map(|number| Request { id: RecordId(number.to_be_bytes()), ..request(0) }).collect();
    for request in &requests {
        begun.execute(request, "paid").await;
    }
    let (file, _) = exported(&begun, Export::Move).await;
    let store = Arc::<MemoryStore>::default();
    for end in [file.len() / 2, file.len() - 1] {
        assert_eq!(imported(&file[..end], &store).await.unwrap_err().kind(), ErrorKind::File);
        let secret = Secret::new([7; 32]).unwrap();
        let shut = Ledger::open(Arc::clone(&store) as Arc<dyn Store>, &secret, Options::default()).await;
        assert_eq!(shut.unwrap_err().kind(), OpenErrorKind::Importing);
        let again =
            export(Arc::clone(&store) as Arc<dyn Store>, Export::Move, &mut Vec::new(), &mut |_| {}).await;
        assert_eq!(again.unwrap_err().kind(), ErrorKind::Ledger, "half a ledger is not moved on");
        assert!(reopen(&*store).await.is_err(), "and not opened");
    }
    let summary = imported(&file, &store).await.unwrap();
    assert_eq!((summary.records, summary.kept), (700, 512), "a batch was written before");
    let there = open(&store).await;
    for request in &requests {
        assert_eq!(replayed(&there.standing(request).await), b"paid");
    }
}

#[tokio::test(start_paused = true)]
async fn a_ledger_is_imported_into_an_empty_store_or_into_itself() {
    let begun = begin().await;
    begun.execute(&request(1), "paid").await;
    let (file, _) = exported(&begun, Export::Copy).await;
    let other = begin().await;
    let into_other = import(other.store.store(), &mut &*file, &mut |_| {}).await.unwrap_err();
    assert_eq!(into_other.kind(), ErrorKind::Ledger);
    other.execute(&request(1), "paid by another").await;
    assert_eq!(replayed(&other.standing(&request(1)).await), b"paid by another");

    let bare = Arc::<MemoryStore>::default();
    bare.plant(request(9).id, begun.store.row(request(1).id).await);
    assert_eq!(imported(&file, &bare).await.unwrap_err().kind(), ErrorKind::Ledger);
    let into_itself = import(begun.store.store(), &mut &*file, &mut |_| {}).await.unwrap();
    assert_eq!((into_itself.records, into_itself.kept), (1, 1));
    assert_eq!(imported(b"{}", &bare).await.unwrap_err().kind(), ErrorKind::File);
}

/// A file of last week, imported once more by mistake.
#[tokio::test(start_paused = true)]
async fn an_old_export_writes_over_nothing_that_came_later() {
    use onlyonce_core::record::ReleaseCause;

    let begun = begin().await;
    begun.run(&request(1)).await.release(ReleaseCause::Answered(503), None).await.unwrap();
    let running = begun.run(&request(2)).await;
    let (file, _) = exported(&begun, Export::Copy).await;
    begun.execute(&request(1), "paid").await;
    running.complete(CREATED, result("paid")).await.unwrap();
    let summary = import(begun.store.store(), &mut &*file, &mut |_| {}).await.unwrap();
    assert_eq!((summary.kept, summary.contradictions), (2, 0));
    assert_eq!(begun.state(&request(1)).await, "completed, fence 2");
    assert_eq!(replayed(&begun.standing(&request(2)).await), b"paid");
}

#[tokio::test(start_paused = true)]
async fn two_ledgers_that_were_both_used_are_told_of() {
    let begun = begin().await;
    let (file, _) = exported(&begun, Export::Copy).await;
    let store = Arc::<MemoryStore>::default();
    imported(&file, &store).await.unwrap();
    open(&store).await.execute(&request(1), "paid there").await;
    begun.execute(&request(1), "paid here").await;
    let (file, _) = exported(&begun, Export::Copy).await;
    assert_eq!(imported(&file, &store).await.unwrap().contradictions, 1);
    assert_eq!(replayed(&open(&store).await.standing(&request(1)).await), b"paid there");
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
    assert!(reopen(&*one.store.store()).await.unwrap());
    assert!(!reopen(&*one.store.store()).await.unwrap(), "it is open");
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
