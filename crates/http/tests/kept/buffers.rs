//! The bytes that all requests have buffered, at their bound.

use bytes::Bytes;
use http::Response;
use onlyonce_core::{State, carrier::Carrier};
use onlyonce_http::{Carriers, Rules};

use crate::scene::{
    Fed, Feed, Scene, Setting, body, fed, from, problem, request, said, settled, transfer, whole,
};

/// What an answer may have whatever others have buffered: the room that its attempt was admitted with.
const RESERVED: usize = onlyonce_ledger::begin::RESERVED_RESULT;

/// A scene in which so many bytes may be buffered, and whose handler answers with so many.
async fn buffering(bytes: usize, answer: usize) -> Scene {
    let setting = Setting { buffering: Some(bytes), ..Setting::default() };
    Scene::new(setting, |_: &mut Rules| {}, move |_| async move { answered(answer) }).await
}

fn answered(bytes: usize) -> Response<Fed> {
    Response::builder().status(201).body(whole(vec![b'a'; bytes])).unwrap()
}

/// A request whose body has come so far, and goes on.
fn uploading(key: &str, bytes: usize) -> (Feed, http::Request<Fed>) {
    let (feed, body) = fed();
    feed.send(vec![b'b'; bytes]);
    (feed, request(key, body))
}

#[tokio::test(start_paused = true)]
async fn a_request_that_finds_no_room_is_refused_before_anything_is_done() {
    let scene = buffering(100, 2).await;
    let (feed, slow) = uploading("slow", 60);
    let slow = scene.begin(slow);
    settled().await;
    assert_eq!(scene.shared.buffered(), 60, "what has come counts, not what may come");
    let refused = scene.send(request("k", whole(vec![b'x'; 41]))).await;
    assert_eq!(refused.headers()["connection"], "close");
    let seconds: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=3).contains(&seconds));
    problem(refused, 503, "capacity").await;
    assert!(scene.state("k").await.is_none() && scene.seen().is_empty());
    assert_eq!(scene.shared.buffered(), 60, "who is refused leaves nothing behind");
    assert_eq!(said(&scene.send(request("k", whole(vec![b'x'; 40]))).await), Some("executed"));
    drop(feed);
    assert_eq!(said(&slow.await.unwrap()), Some("executed"));
    settled().await;
    assert_eq!(scene.shared.buffered(), 0);
}

/// Ten thousand waiters, each with a megabyte. Who waits needs its body, to take over; who does not fit cannot wait.
#[tokio::test(start_paused = true)]
async fn a_waiter_that_finds_no_room_is_told_at_once_that_the_first_is_at_work() {
    let setting = Setting { buffering: Some(70), ..Setting::default() };
    let (finish, finished) = tokio::sync::watch::channel(false);
    let scene = Scene::new(
        setting,
        |_| {},
        move |_| {
            let mut finished = finished.clone();
            async move {
                let _ = finished.wait_for(|finished| *finished).await;
                answered(2)
            }
        },
    );
    let scene = scene.await;
    let first = scene.begin(request("k", whole(vec![b'x'; 40])));
    settled().await;
    let waits = scene.begin(request("k", whole(vec![b'x'; 40])));
    settled().await;
    assert_eq!(
        (scene.shared.ledger().waiters(), scene.shared.buffered()),
        (1, 40),
        "the handler read the first's"
    );
    let before = tokio::time::Instant::now();
    let refused = scene.send(request("k", whole(vec![b'x'; 40]))).await;
    assert_eq!(before.elapsed(), std::time::Duration::ZERO, "at once");
    assert_eq!(refused.headers()["retry-after"], "1");
    let document = problem(refused, 409, "in-progress").await;
    assert_eq!((&document["state"], &document["next"]), (&"in-progress".into(), &"same-key".into()));
    assert!(document["operation_ref"].as_str().unwrap().starts_with("op_"));
    finish.send_replace(true);
    assert_eq!(said(&first.await.unwrap()), Some("executed"));
    assert_eq!(said(&waits.await.unwrap()), Some("replayed"));
    assert_eq!(scene.seen().len(), 1);
}

/// It is never lost: the first caller gets all of it, and repeats are told that there was one.
#[tokio::test(start_paused = true)]
async fn a_large_answer_that_finds_no_room_streams_and_leaves_a_tombstone() {
    let scene = buffering(100, RESERVED + 1).await;
    let first = scene.send(transfer("k")).await;
    assert_eq!(said(&first), Some("executed"));
    assert!(matches!(scene.state("k").await, Some(State::Tombstone { status: Some(201), .. })));
    assert_eq!(body(first).await, Bytes::from(vec![b'a'; RESERVED + 1]));
    problem(scene.send(transfer("k")).await, 409, "result-unavailable").await;
    settled().await;
    assert_eq!(scene.shared.buffered(), 0);
}

/// Clients that read slowly hold what they have not read.
#[tokio::test(start_paused = true)]
async fn results_count_until_they_are_read_and_a_replay_that_finds_no_room_is_refused() {
    let scene = buffering(150, 90).await;
    let first = scene.send(transfer("k")).await;
    assert_eq!(said(&first), Some("executed"));
    settled().await;
    assert_eq!(scene.shared.buffered(), 90);
    problem(scene.send(transfer("k")).await, 503, "capacity").await;
    drop(first);
    let replay = scene.send(transfer("k")).await;
    assert_eq!(said(&replay), Some("replayed"));
    assert!(scene.shared.buffered() >= 90);
    assert_eq!(body(replay).await.len(), 90);
    assert_eq!((scene.shared.buffered(), scene.seen().len()), (0, 1));
}

/// A scene with room for `bytes`, whose handler answers with `answer` once it may.
async fn waiting(bytes: usize, answer: fn() -> Response<Fed>) -> (Scene, tokio::sync::watch::Sender<bool>) {
    let setting = Setting { buffering: Some(bytes), ..Setting::default() };
    let (finish, finished) = tokio::sync::watch::channel(false);
    let answering = move |_| {
        let mut finished = finished.clone();
        async move {
            let _ = finished.wait_for(|finished| *finished).await;
            answer()
        }
    };
    (Scene::new(setting, |_: &mut Rules| {}, answering).await, finish)
}

/// Callers who fill the buffers would make others lose what was done for them: executed, and nothing to show for it.
#[tokio::test(start_paused = true)]
async fn a_small_answer_is_kept_and_replayed_however_full_others_have_made_the_buffers() {
    const ALL: usize = 5 * RESERVED;
    let (scene, finish) = waiting(ALL, || answered(RESERVED)).await;
    let first = scene.begin(from("ann", transfer("k")));
    settled().await;
    let (feed, crowd) = uploading("crowd", ALL);
    let crowd = scene.begin(crowd);
    settled().await;
    assert_eq!(scene.shared.buffered(), ALL, "not a byte is left");
    finish.send_replace(true);
    let first = first.await.unwrap();
    assert_eq!(said(&first), Some("executed"));
    assert!(matches!(scene.state_of("ann", "k").await, Some(State::Completed { status: 201, .. })));
    assert_eq!(scene.shared.buffered(), ALL + RESERVED, "it counts");
    let small = from("bob", request("new", whole("")));
    problem(scene.send(small).await, 503, "capacity").await;
    assert_eq!((scene.seen().len(), scene.state_of("bob", "new").await), (1, None), "so none begins");
    let given = body(first).await;
    crowd.abort();
    drop((feed, crowd.await));
    let replay = scene.send(from("ann", transfer("k"))).await;
    assert_eq!((replay.status().as_u16(), said(&replay)), (201, Some("replayed")));
    assert_eq!((body(replay).await, given.len()), (given, RESERVED));
    assert_eq!(said(&scene.send(from("bob", request("new", whole("")))).await), Some("executed"));
    assert_eq!(scene.shared.buffered(), 0);
}

/// Streamed on unheard, it would be kept as the operation's answer.
#[tokio::test(start_paused = true)]
async fn what_an_inner_layer_says_is_heard_however_full_the_buffers_are() {
    let in_progress = || {
        let document = r#"{"type":"urn:problem-type:onlyonce:in-progress"}"#;
        let padded = format!("{document}{}", " ".repeat(64 * 1024 - document.len()));
        let answer = Response::builder().status(409).header("content-type", "application/problem+json");
        answer.body(whole(padded)).unwrap()
    };
    let (scene, finish) = waiting(100, in_progress).await;
    let first = scene.begin(transfer("k"));
    settled().await;
    let (feed, crowd) = uploading("crowd", 100);
    let _crowd = scene.begin(crowd);
    settled().await;
    finish.send_replace(true);
    let first = first.await.unwrap();
    assert_eq!(said(&first), Some("unknown"));
    assert_eq!(body(first).await.len(), 64 * 1024);
    assert!(matches!(scene.state("k").await, Some(State::Unknown { seen_status: Some(409), .. })));
    drop(feed);
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_has_half_is_refused_and_others_are_not() {
    let (scene, finish) = waiting(100, || answered(2)).await;
    let running = scene.begin(from("ann", transfer("running")));
    settled().await;
    let (feed, slow) = uploading("slow", 49);
    let slow = scene.begin(from("ann", slow));
    settled().await;
    let refused = scene.send(from("ann", request("k", whole("xx")))).await;
    assert_eq!(refused.headers()["connection"], "close");
    let seconds: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=3).contains(&seconds));
    problem(refused, 503, "capacity").await;
    problem(scene.send(from("ann", transfer("running"))).await, 409, "in-progress").await;
    assert_eq!((scene.state_of("ann", "k").await, scene.shared.buffered()), (None, 49));
    finish.send_replace(true);
    assert_eq!(said(&scene.send(from("bob", request("k", whole("xx")))).await), Some("executed"));
    let replayed = scene.send(from("bob", request("k", whole("xx")))).await;
    assert_eq!(said(&replayed), Some("replayed"));
    drop(feed);
    assert_eq!(said(&slow.await.unwrap()), Some("executed"));
    assert_eq!(said(&running.await.unwrap()), Some("executed"));
    assert_eq!(said(&scene.send(from("ann", request("k", whole("xx")))).await), Some("executed"));
}

/// A small answer always has room, so one who reads none of his would have all that there is, and nobody could begin.
#[tokio::test(start_paused = true)]
async fn a_caller_who_reads_no_small_answer_stops_himself_and_nobody_else() {
    let scene = buffering(100, 40).await;
    let mut unread = Vec::new();
    for key in ["1", "2"] {
        unread.push(scene.send(from("ann", request(key, whole("")))).await);
        assert_eq!(unread.last().map(said), Some(Some("executed")));
    }
    problem(scene.send(from("ann", request("3", whole("")))).await, 503, "capacity").await;
    assert_eq!((scene.state_of("ann", "3").await, scene.shared.buffered()), (None, 80));
    assert_eq!(said(&scene.send(from("bob", request("k", whole("")))).await), Some("executed"));
    drop(unread);
    assert_eq!(said(&scene.send(from("ann", request("3", whole("")))).await), Some("executed"));
}

/// Replays cost their caller nothing else: whoever asks for them and reads nothing would have them all.
#[tokio::test(start_paused = true)]
async fn a_caller_who_reads_no_replay_has_half_of_the_room_for_them() {
    let scene = buffering(300, 80).await;
    for caller in ["ann", "bob"] {
        assert_eq!(said(&scene.send(from(caller, request("k", whole("")))).await), Some("executed"));
    }
    settled().await;
    assert_eq!(scene.shared.buffered(), 0);
    let asked = |caller| scene.send(from(caller, request("k", whole(""))));
    let unread = asked("ann").await;
    assert_eq!(said(&unread), Some("replayed"));
    problem(asked("ann").await, 503, "capacity").await;
    assert_eq!(said(&asked("bob").await), Some("replayed"));
    drop(unread);
    assert_eq!(said(&asked("ann").await), Some("replayed"));
}

/// Whoever keeps a key in the body is not known before it has come. He who sends it slowly takes no room of the others.
#[tokio::test(start_paused = true)]
async fn those_who_are_not_known_yet_have_one_share_together() {
    let setting = Setting { buffering: Some(100), ..Setting::default() };
    let rules = |rules: &mut Rules| {
        let carriers = ["header:idempotency-key", "form:key"].map(|text| Carrier::parse(text).unwrap());
        rules.carriers = Carriers::new(carriers).unwrap();
    };
    let scene = Scene::new(setting, rules, |_| async { answered(2) }).await;
    let form = |body: Fed| {
        let form = "application/x-www-form-urlencoded";
        http::Request::post("/transfers").header("content-type", form).body(body).unwrap()
    };
    let (feed, slow) = fed();
    feed.send(vec![b'x'; 50]);
    let _slow = scene.begin(from("eve", form(slow)));
    settled().await;
    problem(scene.send(from("ann", form(whole("key=a")))).await, 503, "capacity").await;
    assert_eq!(said(&scene.send(from("ann", transfer("k"))).await), Some("executed"));
    drop(feed);
    settled().await;
    assert_eq!(said(&scene.send(from("ann", form(whole("key=a")))).await), Some("executed"));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_hangs_up_in_the_middle_of_its_body_gives_back_what_it_has() {
    let scene = buffering(100, 2).await;
    let (_feed, slow) = uploading("slow", 50);
    let slow = scene.begin(from("ann", slow));
    settled().await;
    problem(scene.send(from("ann", transfer("k"))).await, 503, "capacity").await;
    slow.abort();
    assert!(slow.await.unwrap_err().is_cancelled());
    assert_eq!(scene.shared.buffered(), 0);
    assert_eq!(said(&scene.send(from("ann", request("k", whole(vec![b'x'; 50])))).await), Some("executed"));
}

/// One that is given to those who waited is in memory for as long as the last of them reads, also if nobody else does.
#[tokio::test(start_paused = true)]
async fn a_result_that_was_waited_for_counts_once_and_until_the_last_has_read_it() {
    let (scene, finish) = waiting(100, || answered(40)).await;
    let first = scene.begin(transfer("k"));
    settled().await;
    let waiters = [scene.begin(transfer("k")), scene.begin(transfer("k"))];
    settled().await;
    assert_eq!(scene.shared.ledger().waiters(), 2);
    finish.send_replace(true);
    drop(first.await.unwrap());
    let mut given = Vec::new();
    for waiter in waiters {
        given.push(waiter.await.unwrap());
    }
    settled().await;
    assert_eq!(scene.shared.buffered(), 40);
    assert_eq!(said(&given[1]), Some("replayed"));
    assert_eq!(body(given.remove(0)).await.len(), 40);
    assert_eq!(scene.shared.buffered(), 40);
    drop(given);
    assert_eq!(scene.shared.buffered(), 0);
}
