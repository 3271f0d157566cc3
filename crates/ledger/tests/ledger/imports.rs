//! Importing: over a ledger that is used, half a file, an old one, and under which secret it opens then.

use std::{
    io::{Cursor, Read, Seek, SeekFrom},
    sync::Arc,
    time::Duration,
};

use onlyonce_core::{RecordId, Refusal, record::ReleaseCause};
use onlyonce_ledger::{
    Ledger, Options,
    begin::Request,
    identity::{self, OpenErrorKind, Secret},
    memory::MemoryStore,
    store::Store,
    transfer::{self, ErrorKind, Export, Input, Reopened, Summary, Wrapped, export, import, reopen},
};

use crate::{
    begun::{
        self, Begun, CREATED, LOST, begin, begin_two, passes, refused, replayed, request, rerunnable, result,
    },
    faulty::Faulty,
    transfer::{SEEN, claim, exported, imported, imported_into, open},
};

async fn streamed(file: &[u8], store: Arc<dyn Store>) -> Result<Summary, transfer::Error> {
    import(store, Input::Stream(&mut &*file), &mut |_| {}).await
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
        let broken_off = streamed(&file[..end], Arc::clone(&store) as Arc<dyn Store>).await;
        assert_eq!(broken_off.unwrap_err().kind(), ErrorKind::File);
        let secret = Secret::new([7; 32]).unwrap();
        let shut = Ledger::open(Arc::clone(&store) as Arc<dyn Store>, &secret, Options::default()).await;
        assert_eq!(shut.unwrap_err().kind(), OpenErrorKind::Importing);
        for how in [Export::Move, Export::Copy] {
            let again = export(Arc::clone(&store) as Arc<dyn Store>, how, &mut Vec::new(), &mut |_| {}).await;
            assert_eq!(again.unwrap_err().kind(), ErrorKind::Ledger, "half a ledger is not moved on");
        }
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
    let into_other = imported_into(&file, other.store.store()).await.unwrap_err();
    assert_eq!(into_other.kind(), ErrorKind::Ledger);
    other.execute(&request(1), "paid by another").await;
    assert_eq!(replayed(&other.standing(&request(1)).await), b"paid by another");

    let bare = Arc::<MemoryStore>::default();
    bare.plant(request(9).id, begun.store.row(request(1).id).await);
    assert_eq!(imported(&file, &bare).await.unwrap_err().kind(), ErrorKind::Ledger);
    let into_itself = imported_into(&file, begun.store.store()).await.unwrap();
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
    let summary = imported_into(&file, begun.store.store()).await.unwrap();
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

/// Half of what was read closed a ledger that was in use, and nothing told how to get it back.
#[tokio::test(start_paused = true)]
async fn a_file_that_is_not_whole_changes_nothing_in_a_ledger_that_is_used() {
    let (one, two) = begin_two().await;
    one.execute(&request(1), "paid").await;
    let (file, _) = exported(&one, Export::Copy).await;
    let before = one.store.store().identity().await.unwrap();
    let mut damaged = file.clone();
    damaged[file.len() - 60] ^= 1;
    for file in [&file[..file.len() - 1], &damaged] {
        let refused = imported_into(file, one.store.store()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::File);
        assert_eq!(one.store.store().identity().await.unwrap(), before);
    }
    // What is read once may end anywhere.
    let refused = streamed(&file, one.store.store()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Ledger);
    assert_eq!(one.store.store().identity().await.unwrap(), before);
    passes(SEEN).await;
    two.execute(&request(2), "paid").await;
}

/// A file that is whole when it is looked at, and cut when it is read again.
struct Failing<'a> {
    file: Cursor<&'a [u8]>,
    again: bool,
}

impl Read for Failing<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        let most = self.file.get_ref().len() as u64 - u64::from(self.again) - self.file.position();
        self.file.by_ref().take(most).read(bytes)
    }
}

impl Seek for Failing<'_> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.again |= matches!(to, SeekFrom::Start(_));
        self.file.seek(to)
    }
}

#[tokio::test(start_paused = true)]
async fn an_import_into_a_ledger_that_was_used_can_be_given_up() {
    let (one, two) = begin_two().await;
    one.execute(&request(1), "paid").await;
    let (file, _) = exported(&one, Export::Copy).await;
    let mut failing = Failing { file: Cursor::new(&file), again: false };
    let broken_off = import(one.store.store(), Input::File(&mut failing), &mut |_| {}).await;
    assert_eq!(broken_off.unwrap_err().kind(), ErrorKind::File);
    passes(SEEN).await;
    let closed = claim(&two, &request(2)).await.unwrap_err();
    assert_eq!(closed.detail(), "closed: an import into it has not ended");
    // A second one that breaks off does not make it less whole.
    let mut failing = Failing { file: Cursor::new(&file), again: false };
    import(one.store.store(), Input::File(&mut failing), &mut |_| {}).await.unwrap_err();
    assert_eq!(reopen(&*one.store.store()).await.unwrap(), Reopened::Importing);
    passes(SEEN).await;
    two.execute(&request(2), "paid").await;
}

/// What only the later file had was missing, and ran again.
#[tokio::test(start_paused = true)]
async fn an_import_that_was_broken_off_is_ended_by_no_older_file() {
    let begun = begin().await;
    begun.execute(&request(1), "paid").await;
    let (older, _) = exported(&begun, Export::Copy).await;
    begun.store.advance(Duration::from_secs(1));
    begun.execute(&request(2), "paid").await;
    let (later, _) = exported(&begun, Export::Copy).await;
    let store = Arc::<MemoryStore>::default();
    let into = || Arc::clone(&store) as Arc<dyn Store>;
    streamed(&later[..later.len() - 1], into()).await.unwrap_err();
    assert_eq!(imported(&older, &store).await.unwrap_err().kind(), ErrorKind::File);
    let secret = Secret::new([7; 32]).unwrap();
    let shut = Ledger::open(into(), &secret, Options::default()).await;
    assert_eq!(shut.unwrap_err().kind(), OpenErrorKind::Importing);
    // A later one of the same ledger does.
    begun.store.advance(Duration::from_secs(1));
    let (latest, _) = exported(&begun, Export::Copy).await;
    imported(&latest, &store).await.unwrap();
    assert_eq!(replayed(&open(&store).await.standing(&request(2)).await), b"paid");
}

/// A key that begins anew begins with the first fence: an unknown of a higher one went over it.
#[tokio::test(start_paused = true)]
async fn an_old_export_writes_over_no_operation_that_began_since() {
    let begun = begin().await;
    begun.run(&request(1)).await.release(ReleaseCause::Answered(503), None).await.unwrap();
    let running = begun.run(&request(1)).await;
    let (file, _) = exported(&begun, Export::Copy).await;
    running.release(ReleaseCause::Answered(503), None).await.unwrap();
    begun.store.advance(Duration::from_secs(300));
    begun.execute(&request(1), "paid").await;
    assert_eq!(begun.state(&request(1)).await, "completed, fence 1");
    let summary = imported_into(&file, begun.store.store()).await.unwrap();
    assert_eq!((summary.kept, summary.contradictions), (1, 1), "and people are told");
    assert_eq!(replayed(&begun.standing(&request(1)).await), b"paid");
}

/// A trial had run it again while the ledger heard the answer: the import put an unknown in the place of what was known, and said
/// nothing.
#[tokio::test(start_paused = true)]
async fn no_known_outcome_gives_way_to_an_unknown_of_a_higher_fence() {
    let begun = begin().await;
    let given_up = begun.run(&rerunnable(1)).await;
    given_up.lose_track(LOST).await.unwrap();
    let (file, _) = exported(&begun, Export::Copy).await;
    let store = Arc::<Faulty>::default();
    imported_into(&file, store.store()).await.unwrap();
    let (ledger, _) = begun::open(&store, Options::default()).await;
    let trial = Begun { ledger, store };
    trial.store.advance(Duration::from_secs(121));
    trial.run(&rerunnable(1)).await.lose_track(LOST).await.unwrap();
    assert_eq!(trial.state(&rerunnable(1)).await, "unknown, fence 2");
    given_up.complete(CREATED, result("paid late")).await.unwrap();

    let (file, _) = exported(&trial, Export::Copy).await;
    let summary = imported_into(&file, begun.store.store()).await.unwrap();
    assert_eq!((summary.kept, summary.contradictions), (1, 1), "people are told");
    assert_eq!(replayed(&begun.standing(&rerunnable(1)).await), b"paid late");
}

/// Who imported an old export into a ledger that had another secret since could not open it any more.
#[tokio::test(start_paused = true)]
async fn after_an_import_a_ledger_opens_with_the_secret_that_it_got_last() {
    let [first, second, third] = [7, 8, 9].map(|byte| Secret::new([byte; 32]).unwrap());
    let opens = async |store: &Arc<dyn Store>, secret: &Secret| {
        let options = Options { must_exist: true, ..Options::default() };
        Ledger::open(Arc::clone(store), secret, options).await.is_ok()
    };
    let begun = begin().await;
    begun.execute(&request(1), "paid").await;
    let (old, _) = exported(&begun, Export::Copy).await;
    let source = begun.store.store();
    identity::rewrap(&*source, &first, &second).await.unwrap();
    let summary = imported_into(&old, Arc::clone(&source)).await.unwrap();
    assert_eq!(summary.secret, Wrapped::AsBefore);
    assert!(opens(&source, &second).await && !opens(&source, &first).await);

    // There and back: where it was, it had an earlier one.
    let (file, _) = exported(&begun, Export::Move).await;
    let there = Arc::<MemoryStore>::default() as Arc<dyn Store>;
    assert_eq!(imported_into(&file, Arc::clone(&there)).await.unwrap().secret, Wrapped::Alike);
    identity::rewrap(&*there, &second, &third).await.unwrap();
    let mut back = Vec::new();
    export(there, Export::Move, &mut back, &mut |_| {}).await.unwrap();
    assert_eq!(imported_into(&back, Arc::clone(&source)).await.unwrap().secret, Wrapped::AsInFile);
    assert!(opens(&source, &third).await && !opens(&source, &second).await);
    assert_eq!(imported_into(&back, source).await.unwrap().secret, Wrapped::Alike);
}

/// An embedded ledger goes by its machine's clock of the last start, and a server by its own. By so much as that one was later,
/// `settle_after` seemed to have passed.
#[tokio::test(start_paused = true)]
async fn what_was_unknown_counts_settle_after_anew_where_it_is_imported() {
    let begun = begin().await;
    begun.run(&rerunnable(1)).await.lose_track(LOST).await.unwrap();
    let (file, _) = exported(&begun, Export::MoveStopped).await;
    let there = Arc::<Faulty>::default();
    there.advance(Duration::from_secs(600));
    imported_into(&file, there.store()).await.unwrap();
    let (ledger, _) = begun::open(&there, Options::default()).await;
    let there = Begun { ledger, store: there };
    assert_eq!(refused(there.standing(&rerunnable(1)).await), Refusal::Unknown);
    there.store.advance(Duration::from_secs(121));
    there.execute(&rerunnable(1), "paid").await;
    assert_eq!(there.state(&request(1)).await, "completed, fence 2");
}

/// It was taken over when the import began: gateways that ran went on, and whichever was started anew did not open the ledger.
#[tokio::test(start_paused = true)]
async fn an_import_that_is_given_up_leaves_the_ledger_under_its_own_secret() {
    let [first, second] = [7, 8].map(|byte| Secret::new([byte; 32]).unwrap());
    let begun = begin().await;
    begun.execute(&request(1), "paid").await;
    let (file, _) = exported(&begun, Export::Copy).await;
    let there = Arc::<MemoryStore>::default() as Arc<dyn Store>;
    imported_into(&file, Arc::clone(&there)).await.unwrap();
    identity::rewrap(&*there, &first, &second).await.unwrap();
    let mut file = Vec::new();
    export(there, Export::Move, &mut file, &mut |_| {}).await.unwrap();

    let source = begun.store.store();
    let opens = async |secret: &Secret| {
        let options = Options { must_exist: true, ..Options::default() };
        Ledger::open(Arc::clone(&source), secret, options).await.is_ok()
    };
    let break_off = async || {
        let mut failing = Failing { file: Cursor::new(&file), again: false };
        import(Arc::clone(&source), Input::File(&mut failing), &mut |_| {}).await.unwrap_err();
    };
    break_off().await;
    reopen(&*source).await.unwrap();
    assert!(opens(&first).await && !opens(&second).await);
    // Run again after it was broken off, it says what has changed since.
    break_off().await;
    assert_eq!(imported_into(&file, Arc::clone(&source)).await.unwrap().secret, Wrapped::AsInFile);
    assert!(opens(&second).await && !opens(&first).await);
}
