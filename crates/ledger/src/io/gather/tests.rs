//! Who is read for with whom, and what becomes of those who wait when a read fails, panics or is wanted by too many.

use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};

use super::*;

/// How long the engine waits for a row.
const STORE_WAIT: Duration = Duration::from_secs(2);

/// A store that is asked when it is let, and tells what it was asked.
#[derive(Clone)]
struct Held {
    asked: mpsc::UnboundedSender<Vec<RecordId>>,
    let_go: Arc<Semaphore>,
}

fn held() -> (Held, mpsc::UnboundedReceiver<Vec<RecordId>>) {
    let (asked, questions) = mpsc::unbounded_channel();
    (Held { asked, let_go: Arc::new(Semaphore::new(0)) }, questions)
}

impl Held {
    fn read(&self) -> impl Fn(Vec<RecordId>) -> Reply<'static, Vec<Answer>> + Send + Sync + 'static + use<> {
        let this = self.clone();
        move |ids| {
            let this = this.clone();
            Box::pin(async move {
                this.asked.send(ids.clone()).unwrap();
                this.let_go.acquire().await.unwrap().forget();
                // What is not there, what fails, and what kills.
                assert!(!ids.contains(&id(98)), "the store panics");
                if ids.contains(&id(99)) {
                    return Err(Error::full("out of connections"));
                }
                Ok(ids.iter().map(|id| Ok(Some(Bytes::copy_from_slice(&id.0[..1])))).collect())
            })
        }
    }
}

fn id(number: u8) -> RecordId {
    RecordId([number; 16])
}

fn ids(questions: &[u8]) -> Vec<RecordId> {
    questions.iter().map(|number| id(*number)).collect()
}

#[tokio::test]
async fn who_asks_while_others_are_read_for_is_read_for_with_all_who_wait() {
    let (io, gather, (store, mut questions)) = (Io::start().unwrap(), Arc::new(Gather::default()), held());
    let mut answers = Vec::new();
    for number in [1, 2] {
        answers.push(gather.ask(&io, id(number), store.read()));
        assert_eq!(questions.recv().await.unwrap(), ids(&[number]), "there is nothing to wait for");
    }
    answers.extend([3, 4, 5].map(|number| gather.ask(&io, id(number), store.read())));
    store.let_go.add_permits(1);
    assert_eq!(questions.recv().await.unwrap(), ids(&[3, 4, 5]));
    store.let_go.add_permits(2);
    for (number, answer) in (1..).zip(answers) {
        assert_eq!(answer.await.unwrap().unwrap()[..], [number], "each gets his own");
    }
}

#[tokio::test]
async fn who_has_gone_is_not_read_for() {
    let (io, gather, (store, mut questions)) = (Io::start().unwrap(), Arc::new(Gather::default()), held());
    let mut first = Vec::new();
    for number in [1, 2] {
        first.push(gather.ask(&io, id(number), store.read()));
        questions.recv().await.unwrap();
    }
    let (gone, stays) = (gather.ask(&io, id(3), store.read()), gather.ask(&io, id(4), store.read()));
    drop(gone);
    store.let_go.add_permits(3);
    for answer in first {
        answer.await.unwrap();
    }
    stays.await.unwrap();
    let mut asked = Vec::new();
    while let Ok(question) = questions.try_recv() {
        asked.extend(question);
    }
    assert!(!asked.contains(&id(3)), "{asked:?}");
}

#[tokio::test]
async fn a_failure_is_told_to_each_and_ends_nothing() {
    let (io, gather, (store, mut questions)) = (Io::start().unwrap(), Arc::new(Gather::default()), held());
    let mut first = Vec::new();
    for number in [1, 2] {
        first.push(gather.ask(&io, id(number), store.read()));
        questions.recv().await.unwrap();
    }
    let failing = [3, 99].map(|number| gather.ask(&io, id(number), store.read()));
    store.let_go.add_permits(4);
    for answer in first {
        answer.await.unwrap();
    }
    for answer in failing {
        let error = answer.await.unwrap_err();
        assert!(error.is_full(), "a bound that was reached is told as one: {error:?}");
    }
    assert!(gather.ask(&io, id(5), store.read()).await.is_ok(), "the next one is answered");
}

/// Each of the turns panics once, and there are still as many.
#[tokio::test]
async fn a_panic_gives_the_turn_back() {
    let (io, gather, (store, _questions)) = (Io::start().unwrap(), Arc::new(Gather::default()), held());
    store.let_go.add_permits(2 * READS + 1);
    for _ in 0..2 * READS {
        let error = gather.ask(&io, id(98), store.read()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unknown);
    }
    let next = gather.ask(&io, id(1), store.read());
    let next = tokio::time::timeout(Duration::from_secs(60), next).await;
    assert!(next.expect("somebody reads").is_ok());
}

#[tokio::test]
async fn a_queue_that_is_full_forgets_who_has_gone_and_then_turns_away() {
    let gather = Gather::default();
    gather.lock().reading = READS;
    let enter = || {
        let (answer, answered) = oneshot::channel();
        gather.enter(Pending { id: id(1), answer }).map(|_| answered)
    };
    let waiting: Vec<_> = (0..WAITING_MAX).map(|_| enter().unwrap()).collect();
    assert!(enter().err().unwrap().is_full());
    drop(waiting);
    enter().unwrap();
    assert_eq!(gather.lock().queue.len(), 1);
}

/// A long queue told by the limit for a store that is away would let requests through unprotected.
#[tokio::test(start_paused = true)]
async fn who_waits_too_long_while_others_are_answered_is_told_of_a_bound() {
    let (io, gather, (store, mut questions)) = (Io::start().unwrap(), Arc::new(Gather::default()), held());
    let mut answers = Vec::new();
    for number in [1, 2] {
        answers.push(gather.ask(&io, id(number), store.read()));
        questions.recv().await.unwrap();
    }
    let waits = gather.ask(&io, id(3), store.read());
    store.let_go.add_permits(1);
    assert_eq!(questions.recv().await.unwrap(), ids(&[3]), "one of those before was answered");
    let told = tokio::time::timeout(STORE_WAIT, waits).await;
    assert!(told.expect("in time").unwrap_err().is_full());
    assert_eq!(
        answers.remove(0).await.unwrap().unwrap()[..],
        [1],
        "who was read for gets it, however late he looks"
    );
}

#[tokio::test(start_paused = true)]
async fn while_nobody_is_answered_it_is_no_bound_until_somebody_is() {
    let (io, gather, (store, mut questions)) = (Io::start().unwrap(), Arc::new(Gather::default()), held());
    let mut asked = Vec::new();
    for number in [1, 2] {
        asked.push(gather.ask(&io, id(number), store.read()));
        questions.recv().await.unwrap();
    }
    let mut waits = gather.ask(&io, id(3), store.read());
    assert!(tokio::time::timeout(STORE_WAIT, &mut waits).await.is_err(), "the store does not answer");
    store.let_go.add_permits(1);
    assert!(waits.await.unwrap_err().is_full(), "it does after all");
}
