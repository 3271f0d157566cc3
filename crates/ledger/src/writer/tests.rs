//! Batches as the store sees them: who goes first, what is in one, and who fails with whom.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use onlyonce_core::{
    AttemptId, Fence, Fingerprint, Owner, Policy, Record, RecordId, State, Timestamp, Version, codec,
    fingerprint::Recipe,
};
use tokio::{sync::Semaphore, task::JoinHandle};

use super::*;
use crate::{
    intercept::{Intercept, Intercepted},
    memory::MemoryStore,
    store::{Error, Reply},
};

mod several;

/// A memory store that notes each batch, and may be told to wait or to refuse a record.
#[derive(Default)]
struct Watched {
    rows: Arc<MemoryStore>,
    batches: Mutex<Vec<Vec<Command>>>,
    /// While it is set, batches wait for a permit each.
    gated: AtomicBool,
    gate: Option<Semaphore>,
    /// The store does not take a row of this record.
    poison: Option<(RecordId, ErrorKind)>,
    /// A server of the store is lost: what concerns this record fails, and the store says so of each.
    lost: Option<(RecordId, ErrorKind)>,
    /// It takes so many batches at once; none is one.
    at_once: Option<usize>,
    /// It takes its time, by chance; the number goes on from batch to batch.
    unsteady: Option<Mutex<u32>>,
    /// The records of batches under way, and how often there was more than one batch.
    under_way: Mutex<Vec<RecordId>>,
    overlapped: AtomicUsize,
}

impl Watched {
    fn gated() -> Arc<Self> {
        Arc::new(Self { gated: AtomicBool::new(true), gate: Some(Semaphore::new(0)), ..Self::default() })
    }

    fn poisoned_by(number: u16, kind: ErrorKind) -> Arc<Self> {
        let gate = Some(Semaphore::new(0));
        let gated = AtomicBool::new(true);
        Arc::new(Self { poison: Some((id(number), kind)), gated, gate, ..Self::default() })
    }

    /// Waits until a batch is being written, and what comes from now on has to queue.
    async fn busy(&self) {
        while self.batches.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    }

    /// Lets others go on in the meantime, and sees to it that none of them is at a record of this batch.
    async fn take_time(&self, chance: &Mutex<u32>, batch: &[Command]) {
        let ids: Vec<_> = batch.iter().map(|command| command.id).collect();
        let turns = {
            let mut chance = chance.lock().unwrap();
            *chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *chance >> 28
        };
        {
            let mut under_way = self.under_way.lock().unwrap();
            self.overlapped.fetch_add(usize::from(!under_way.is_empty()), Ordering::Relaxed);
            assert!(ids.iter().all(|id| !under_way.contains(id)), "a record is in two batches");
            under_way.extend(&ids);
        }
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        self.under_way.lock().unwrap().retain(|id| !ids.contains(id));
    }

    fn open(&self) {
        self.gated.store(false, Ordering::Relaxed);
        self.gate.as_ref().unwrap().close();
    }

    /// The records of each batch.
    fn batches(&self) -> Vec<Vec<u16>> {
        let number = |command: &Command| u16::from_be_bytes([command.id.0[0], command.id.0[1]]);
        let batches = self.batches.lock().unwrap();
        batches.iter().map(|batch| batch.iter().map(number).collect()).collect()
    }
}

impl Intercept for Watched {
    fn batches_at_once(&self, _: &MemoryStore) -> usize {
        self.at_once.unwrap_or(1)
    }

    fn apply<'a>(&'a self, rows: &'a MemoryStore, batch: Vec<Command>) -> Reply<'a, Vec<Applied>> {
        Box::pin(async move {
            self.batches.lock().unwrap().push(batch.clone());
            if let Some(chance) = &self.unsteady {
                self.take_time(chance, &batch).await;
            }
            if self.gated.load(Ordering::Relaxed) {
                // Closed, it lets everybody pass.
                if let Ok(permit) = self.gate.as_ref().unwrap().acquire().await {
                    permit.forget();
                }
            }
            if let Some((poison, kind)) = self.poison
                && batch.iter().any(|command| command.id == poison)
            {
                return Err(Error::new(kind, "scripted"));
            }
            if let Some((lost, kind)) = self.lost {
                let mut each = Vec::new();
                for command in batch {
                    let concerned = command.id == lost;
                    let applied = rows.apply(vec![command]).await?.remove(0);
                    each.push(if concerned { Err(kind) } else { Ok(applied) });
                }
                return Err(Error::each(each, "scripted"));
            }
            rows.apply(batch).await
        })
    }
}

fn id(number: u16) -> RecordId {
    let [high, low] = number.to_be_bytes();
    RecordId([high, low, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
}

/// The write of a record's revision.
fn command(number: u16, revision: u32) -> Command {
    let version = |revision| Version { attempt: AttemptId([1; 16]), revision };
    let record = Record {
        version: version(revision),
        fence: Fence::FIRST,
        first_claim_at: Timestamp::from_ms(1),
        claimed_at: Timestamp::from_ms(1),
        recipe: Recipe::V1,
        fingerprint: Fingerprint([1; 32]),
        owner: Owner([1; 16]),
        route: String::new(),
        policy: Policy::default(),
        earlier_unknown: None,
        parameters: Bytes::new(),
        state: State::InProgress { lease_until: Timestamp::from_ms(2) },
    };
    let expect = revision.checked_sub(1).filter(|revision| *revision > 0).map(version);
    Command { id: id(number), expect, head: codec::encode(&record), body: Body::Keep, note: None }
}

/// Submits in a task of its own; it is queued once this returns.
async fn submit(writer: &Arc<Writer>, class: Class, command: Command) -> JoinHandle<Option<Answer>> {
    let writer = Arc::clone(writer);
    let task = tokio::spawn(async move { writer.submit(class, command).await });
    tokio::task::yield_now().await;
    task
}

fn applied(answer: Option<Answer>) -> bool {
    matches!(answer, Some(Ok(Applied::Yes)))
}

/// A writer whose first batch, of record 0, is held by the store.
async fn busy(store: &Arc<Watched>) -> Arc<Writer> {
    let writer =
        Arc::new(Writer::start(Intercepted::new(Arc::clone(&store.rows), Arc::clone(store))).unwrap());
    submit(&writer, Class::Claim, command(0, 1)).await;
    store.busy().await;
    writer
}

#[tokio::test]
async fn what_arrives_while_one_batch_is_written_is_the_next_and_ends_go_before_claims() {
    let store = Watched::gated();
    let writer = busy(&store).await;
    let mut tasks = Vec::new();
    for (class, number) in
        [(Class::Claim, 1), (Class::End, 2), (Class::Claim, 3), (Class::End, 4), (Class::End, 5)]
    {
        tasks.push(submit(&writer, class, command(number, 1)).await);
    }
    store.open();
    for task in tasks {
        assert!(applied(task.await.unwrap()));
    }
    assert_eq!(store.batches(), [vec![0], vec![2, 4, 5, 1, 3]]);
}

/// Each of these would conflict if it came before the one before it, or in one batch with it.
#[tokio::test]
async fn the_commands_of_one_record_keep_their_order_and_never_share_a_batch() {
    let store = Watched::gated();
    let writer = busy(&store).await;
    let mut tasks = Vec::new();
    for revision in 1..=5 {
        tasks.push(submit(&writer, Class::End, command(1, revision)).await);
        tasks.push(submit(&writer, Class::End, command(1 + u16::try_from(revision).unwrap(), 1)).await);
    }
    store.open();
    for task in tasks {
        assert!(applied(task.await.unwrap()));
    }
    assert!(store.batches().iter().all(|batch| batch.iter().filter(|number| **number == 1).count() <= 1));
}

#[tokio::test]
async fn a_batch_is_bounded_in_commands() {
    let store = Watched::gated();
    let writer = busy(&store).await;
    let mut tasks = Vec::new();
    for number in 1..=1_300 {
        tasks.push(submit(&writer, Class::Claim, command(number, 1)).await);
    }
    store.open();
    for task in tasks {
        assert!(applied(task.await.unwrap()));
    }
    let sizes: Vec<_> = store.batches().iter().map(Vec::len).collect();
    assert_eq!(sizes, [1, BATCH_COMMANDS, BATCH_COMMANDS, 1_300 - 2 * BATCH_COMMANDS]);
}

/// Eight-megabyte results must not hold up everybody else's claim.
#[tokio::test]
async fn a_batch_is_bounded_in_bytes_and_a_larger_command_stands_alone() {
    let store = Watched::gated();
    let writer = busy(&store).await;
    let with_body = |number, len| Command {
        body: Body::Put { bytes: vec![0; len].into(), until: Timestamp::from_ms(9) },
        ..command(number, 1)
    };
    let mut tasks = Vec::new();
    for (number, len) in
        [(1, BATCH_BYTES / 3), (2, BATCH_BYTES / 3), (3, BATCH_BYTES / 3), (4, BATCH_BYTES * 2), (5, 10)]
    {
        tasks.push(submit(&writer, Class::End, with_body(number, len)).await);
    }
    store.open();
    for task in tasks {
        assert!(applied(task.await.unwrap()));
    }
    assert_eq!(store.batches(), [vec![0], vec![1, 2], vec![3], vec![4], vec![5]]);
}

/// One command that the store never takes failed the whole batch, again and again.
#[tokio::test]
async fn a_poison_command_among_many_hinders_no_other() {
    for kind in [ErrorKind::Content, ErrorKind::NotApplied] {
        let store = Watched::poisoned_by(37, kind);
        let writer = busy(&store).await;
        let mut tasks = Vec::new();
        for number in 1..=100 {
            tasks.push((number, submit(&writer, Class::Claim, command(number, 1)).await));
        }
        store.open();
        for (number, task) in tasks {
            match task.await.unwrap() {
                Some(Err(error)) if number == 37 => assert_eq!(error.kind(), kind),
                answer => assert!(applied(answer), "{number}"),
            }
        }
        let tries = store.batches().iter().filter(|batch| batch.contains(&37)).count();
        assert!(tries <= 9, "halved until it stands alone, in {tries} tries");
    }
}

/// Sent again in halves, a batch of which nobody knows whether it landed would be written twice for nothing: each
/// command's own retry finds out.
#[tokio::test]
async fn a_batch_whose_fate_is_unknown_is_not_split() {
    for kind in [ErrorKind::Unknown, ErrorKind::Poisoned] {
        let store = Watched::poisoned_by(2, kind);
        let writer = busy(&store).await;
        let mut tasks = Vec::new();
        for number in 1..=3 {
            tasks.push(submit(&writer, Class::Claim, command(number, 1)).await);
        }
        store.open();
        for task in tasks {
            assert!(matches!(task.await.unwrap(), Some(Err(error)) if error.kind() == kind));
        }
        assert_eq!(store.batches(), [vec![0], vec![1, 2, 3]]);
        assert_eq!(*writer.poisoned().borrow(), kind == ErrorKind::Poisoned);
    }
}

/// One lost server of several made the fate of everybody's claim unknown.
#[tokio::test]
async fn a_batch_of_which_a_part_fared_badly_is_answered_one_by_one_and_written_once() {
    for kind in [ErrorKind::NotApplied, ErrorKind::Unknown] {
        let gate = Some(Semaphore::new(0));
        let gated = AtomicBool::new(true);
        let store = Arc::new(Watched { lost: Some((id(2), kind)), gated, gate, ..Watched::default() });
        let writer = busy(&store).await;
        let mut tasks = Vec::new();
        for number in 1..=3 {
            tasks.push((number, submit(&writer, Class::Claim, command(number, 1)).await));
        }
        store.open();
        for (number, task) in tasks {
            match task.await.unwrap() {
                Some(Err(error)) if number == 2 => assert_eq!(error.kind(), kind),
                answer => assert!(applied(answer), "{number}"),
            }
        }
        assert_eq!(store.batches(), [vec![0], vec![1, 2, 3]]);
    }
}

#[test]
fn a_failure_of_several_is_as_bad_as_the_worst_for_who_looks_at_none() {
    let kind = |each| Error::each(each, "scripted").kind();
    let (no, unknown) = (ErrorKind::NotApplied, ErrorKind::Unknown);
    assert_eq!(kind(vec![Err(no), Err(no)]), no);
    assert_eq!(kind(vec![Err(no), Err(unknown)]), unknown);
    assert_eq!(kind(vec![Ok(Applied::Yes), Err(no)]), unknown, "something was applied");
}

#[test]
fn the_queue_holds_as_many_commands_as_the_contract_says() {
    assert_eq!(CLAIM_QUEUE + OTHER_QUEUE, 8_192);
}

/// A full queue refused completions. Claims are turned away; ends always find room.
#[tokio::test]
async fn a_full_queue_turns_claims_away_and_takes_every_end() {
    let store = Watched::gated();
    let writer = busy(&store).await;
    let full = u16::try_from(CLAIM_QUEUE).unwrap();
    let mut tasks = Vec::new();
    for number in 1..=full {
        tasks.push(submit(&writer, Class::Claim, command(number, 1)).await);
    }
    let one_more = submit(&writer, Class::Claim, command(full + 1, 1)).await;
    assert!(one_more.is_finished() && one_more.await.unwrap().is_none(), "turned away at once");
    for number in 1..=100 {
        tasks.push(submit(&writer, Class::End, command(full + 1 + number, 1)).await);
    }
    store.open();
    for task in tasks {
        assert!(applied(task.await.unwrap()));
    }
    assert!(store.batches()[1].starts_with(&[full + 2, full + 3]), "and they go first");
    assert!(applied(writer.submit(Class::Claim, command(full + 1, 1)).await), "there is room again");
}

/// Lapses that requests find, and what people settle, stood in the attempts' queue, which has no bound.
#[tokio::test]
async fn what_is_no_attempts_word_is_turned_away_at_its_own_bound_and_goes_between_ends_and_claims() {
    let store = Watched::gated();
    let writer = busy(&store).await;
    let full = u16::try_from(OTHER_QUEUE).unwrap();
    let mut tasks = Vec::new();
    for number in 1..=full {
        tasks.push(submit(&writer, Class::Other, command(number, 1)).await);
    }
    let one_more = submit(&writer, Class::Other, command(full + 1, 1)).await;
    assert!(one_more.is_finished() && one_more.await.unwrap().is_none(), "turned away at once");
    tasks.push(submit(&writer, Class::Claim, command(full + 2, 1)).await);
    tasks.push(submit(&writer, Class::End, command(full + 3, 1)).await);
    store.open();
    for task in tasks {
        assert!(applied(task.await.unwrap()));
    }
    assert!(store.batches()[1].starts_with(&[full + 3, 1, 2]), "an end first, then these");
    assert_eq!(store.batches().last().unwrap().last(), Some(&(full + 2)), "and the claim last");
    assert!(applied(writer.submit(Class::Other, command(full + 1, 1)).await), "there is room again");
}

/// A store that hangs must not keep the results of all who gave up waiting: what is not being written yet goes with
/// whoever asked for it, and the rest of the queue stays as it is.
#[tokio::test]
async fn a_command_whose_caller_is_gone_leaves_the_queue() {
    let store = Watched::gated();
    let writer = busy(&store).await;
    let gone = submit(&writer, Class::End, command(1, 1)).await;
    let stays = submit(&writer, Class::End, command(2, 1)).await;
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    store.open();
    assert!(applied(stays.await.unwrap()));
    assert!(applied(writer.submit(Class::End, command(3, 1)).await));
    let rows = store.rows.heads(&[id(1), id(2)]).await.unwrap();
    assert!(rows[0].is_none() && rows[1].is_some());
}

/// A store may fail while nothing is written, and then only readers meet the failure.
#[tokio::test]
async fn a_failure_that_a_reader_meets_is_noticed() {
    let writer = Writer::start(Arc::new(MemoryStore::new())).unwrap();
    writer.met(&store::Error::new(ErrorKind::Unknown, "passing"));
    assert!(applied(writer.submit(Class::End, command(1, 1)).await));
    assert!(!*writer.poisoned().borrow());
    writer.met(&store::Error::new(ErrorKind::Poisoned, "for good"));
    assert!(writer.poisoned().wait_for(|poisoned| *poisoned).await.is_ok());
}
