//! A store that takes several batches at once.

use super::*;
use crate::writer::begun::LATE;

/// A server that joins what comes from several connections was asked by one at a time.
#[tokio::test]
async fn a_store_that_takes_several_batches_gets_them_at_once_and_none_with_a_record_of_another() {
    let (store, writer) = busy_with_several(3).await;
    let mut tasks = vec![submit(&writer, Class::End, command(1, 1)).await];
    settled(&store, 2).await;
    // The record's next word has to wait; strangers pass it.
    tasks.push(submit(&writer, Class::End, command(1, 2)).await);
    tasks.push(submit(&writer, Class::End, command(2, 1)).await);
    settled(&store, 3).await;
    tasks.push(submit(&writer, Class::Claim, command(3, 1)).await);
    assert_eq!(store.batches(), [vec![0], vec![1], vec![2]], "the fourth waits for one of three");
    store.open();
    for task in tasks {
        assert!(applied(task.await.unwrap()));
    }
    assert_eq!(store.batches().concat().len(), 5, "each was written once");
}

/// With two batches of a few commands each, a server had twice the work that one of them all would have been.
#[tokio::test(start_paused = true)]
async fn a_batch_begins_beside_another_once_it_is_half_as_large() {
    let (store, writer) = busy_with_several(2).await;
    let mut tasks = Vec::new();
    for number in 1..=8 {
        tasks.push(submit(&writer, Class::Claim, command(number, 1)).await);
    }
    // Beside the first one, of one command, one was enough; of those that came then, none has a place.
    assert_eq!(store.batches(), [vec![0], vec![1]]);
    store.gate.as_ref().unwrap().add_permits(2);
    settled(&store, 3).await;
    tasks.push(submit(&writer, Class::Claim, command(9, 1)).await);
    tasks.push(submit(&writer, Class::Claim, command(10, 1)).await);
    assert_eq!(store.batches()[2..], [vec![2, 3, 4, 5, 6, 7, 8]], "two are too few beside seven");
    tasks.push(submit(&writer, Class::Claim, command(11, 1)).await);
    settled(&store, 4).await;
    assert_eq!(store.batches()[3], [9, 10, 11]);
    tasks.push(submit(&writer, Class::Claim, command(12, 1)).await);
    store.open();
    for task in tasks {
        assert!(applied(task.await.unwrap()));
    }
    assert_eq!(store.batches()[4], [12], "whoever came too late for a large one is not forgotten");
}

/// Whoever was in a batch that hangs says his word again, and stood before the ends of all others until it returned.
#[tokio::test(start_paused = true)]
async fn a_batch_that_hangs_holds_up_no_end_of_others() {
    let (store, writer) = busy_with_several(2).await;
    let hanging = 2..=130;
    let mut tasks = Vec::new();
    for number in [1].into_iter().chain(hanging.clone()) {
        tasks.push(submit(&writer, Class::Claim, command(number, 1)).await);
    }
    store.gate.as_ref().unwrap().add_permits(2);
    settled(&store, 3).await;
    assert_eq!(store.batches()[2].len(), hanging.clone().count());
    for number in hanging.clone() {
        tasks.push(submit(&writer, Class::End, command(number, 2)).await);
    }
    tasks.push(submit(&writer, Class::End, command(500, 1)).await);
    turns().await;
    assert_eq!(store.batches()[3..], [vec![500]], "the other place is free");
    store.open();
    for task in tasks {
        assert!(applied(task.await.unwrap()));
    }
    assert!(store.batches()[4].starts_with(&[2, 3, 4]), "and theirs go on in their order");
}

/// Beside a large batch that hung, a single command waited for 63 others, though the store would have taken it.
#[tokio::test(start_paused = true)]
async fn beside_a_batch_that_is_late_one_command_is_enough() {
    let (store, writer) = busy_with_several(2).await;
    let mut tasks = Vec::new();
    for number in 1..=200 {
        tasks.push(submit(&writer, Class::Claim, command(number, 1)).await);
    }
    store.gate.as_ref().unwrap().add_permits(2);
    settled(&store, 3).await;
    tasks.push(submit(&writer, Class::Claim, command(300, 1)).await);
    tokio::time::advance(LATE - Duration::from_millis(1)).await;
    assert_eq!(store.batches().len(), 3, "it may be answered any moment");
    tokio::time::advance(Duration::from_millis(2)).await;
    turns().await;
    assert_eq!(store.batches()[3..], [vec![300]]);
    store.open();
    for task in tasks {
        assert!(applied(task.await.unwrap()));
    }
}

/// Each command conflicts if it is not written after the one before it of its record, and the store takes its time.
#[tokio::test]
async fn with_several_batches_at_once_the_commands_of_each_record_keep_their_order() {
    const RECORDS: u16 = 40;
    for seed in 1..=20_u32 {
        let store =
            Arc::new(Watched { at_once: Some(3), unsteady: Some(Mutex::new(seed)), ..Watched::default() });
        let rows = Intercepted::new(Arc::clone(&store.rows), Arc::clone(&store));
        let writer = Arc::new(Writer::start(rows).unwrap());
        for number in 0..RECORDS {
            assert!(applied(writer.submit(Class::Claim, command(number, 1)).await));
        }
        let mut tasks = Vec::new();
        for number in 0..RECORDS {
            for revision in 2..=5 {
                tasks.push(submit(&writer, Class::End, command(number, revision)).await);
            }
        }
        for task in tasks {
            assert!(applied(task.await.unwrap()), "seed {seed}");
        }
        assert!(store.overlapped.load(Ordering::Relaxed) > 0, "several were under way");
    }
}

/// A writer whose first batch, of record 0, is held by a store that takes so many at once.
async fn busy_with_several(at_once: usize) -> (Arc<Watched>, Arc<Writer>) {
    let gate = Some(Semaphore::new(0));
    let gated = AtomicBool::new(true);
    let store = Arc::new(Watched { at_once: Some(at_once), gated, gate, ..Watched::default() });
    let writer = busy(&store).await;
    (store, writer)
}

/// Until so many batches were begun.
async fn settled(store: &Watched, batches: usize) {
    while store.batches.lock().unwrap().len() < batches {
        tokio::task::yield_now().await;
    }
}

/// Until whoever could begin another batch has had his turn.
async fn turns() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}
