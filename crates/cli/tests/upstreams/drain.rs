//! SIGTERM: no new connections, what runs is awaited up to the drain limit, and what is cut off is unknown.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use onlyonce_testbed::{
    Close, Gate,
    client::{self, Connection, Kind, Point, Request, Response, abandon},
    effects::{Answer, Upstream},
};
use tokio::task::JoinSet;

use crate::{
    files,
    gateway::{Gateway, Setup},
    transfer::{assert_executed, assert_problem, assert_replays, begin, said, send, transfer},
};

/// In flight when the signal comes: half of them end in time.
const IN_FLIGHT: usize = 500;
/// What the end of a process may take beyond its drain limit.
const SLACK: Duration = Duration::from_secs(10);

/// Quick requests wait at one gate for their answer, slow ones at the other; both have had their effect before.
async fn upstream(quick: &Gate, slow: &Gate) -> Upstream {
    let (quick, slow) = (quick.clone(), slow.clone());
    Upstream::start(move |arrival| {
        let gate = if arrival.seen.path == "/slow" { slow.clone() } else { quick.clone() };
        async move {
            let effect = arrival.execute();
            gate.pass().await;
            Answer::created(&effect, &arrival.seen)
        }
    })
    .await
}

fn request(n: usize) -> Request {
    let path = if n.is_multiple_of(2) { "/slow" } else { "/quick" };
    // The host is named, since it counts, and a gateway that is started again has another port.
    Request::post(path).header("Host", "bank.example").key(format!("k-{n}")).body("x")
}

#[tokio::test]
async fn with_500_in_flight_every_caller_gets_a_whole_answer_and_no_executed_key_is_free() {
    files::allow_many();
    let (quick, slow) = (Gate::closed(), Gate::closed());
    let upstream = upstream(&quick, &slow).await;
    let mut gateway = Gateway::start(&upstream.url(), Setup::anonymous().top("drain = \"2s\"")).await;
    let address = gateway.address;
    let mut begun = JoinSet::new();
    for n in 0..IN_FLIGHT {
        begun.spawn(async move { (n, client::send(address, &request(n)).await) });
    }
    quick.arrived(IN_FLIGHT / 2).await;
    slow.arrived(IN_FLIGHT / 2).await;
    let mut idle = Connection::open(address).await.unwrap();

    gateway.process.sigterm().unwrap();
    gateway.process.ready("stopping").await;
    let ready = gateway.ask(&Request::get("/readyz")).await;
    assert_eq!((ready.status, &ready.json()["reason"]), (503, &"draining".into()));
    assert!(idle.ended(SLACK).await.is_ok(), "a connection without a request is closed");
    assert_refuses(address).await;
    quick.open();
    let mut answers: Vec<Option<Response>> = vec![None; IN_FLIGHT];
    while let Some(ended) = begun.join_next().await {
        let (n, answer) = ended.unwrap();
        answers[n] = Some(answer.expect("whoever was executed gets an answer"));
    }
    for (n, answer) in answers.iter().flatten().enumerate() {
        if n.is_multiple_of(2) {
            assert_problem(answer, 504, "outcome-unknown");
            assert_eq!(said(answer), Some("unknown"));
        } else {
            assert_executed(answer, 201);
        }
    }
    assert_eq!(gateway.process.wait().await.code(), Some(0), "{}", gateway.process.output());
    let told = format!("cut off at the drain limit, outcome unknown: {}", IN_FLIGHT / 2);
    assert!(gateway.process.output().contains(&told), "{}", gateway.process.output());

    slow.open();
    gateway.restart().await;
    for (n, answer) in answers.iter().flatten().enumerate() {
        let repeat = send(gateway.address, &request(n)).await;
        if n.is_multiple_of(2) {
            assert_problem(&repeat, 409, "outcome-unknown");
        } else {
            assert_eq!((said(&repeat), repeat.body == answer.body), (Some("replayed"), true));
        }
    }
    assert_eq!(upstream.keys().len(), IN_FLIGHT);
    assert!(upstream.keys().values().all(|executions| *executions == 1));
}

/// What was connected before the listener closed is reset unread; then connections are refused.
async fn assert_refuses(address: SocketAddr) {
    for _ in 0..1_000 {
        let error = client::send(address, &request(0)).await.unwrap_err();
        assert_eq!(error.received(), 0);
        if error.kind() == Kind::Refused {
            return;
        }
    }
    panic!("the gateway goes on accepting");
}

/// Clients that never pause: what was not answered was not read, or is not free.
#[tokio::test]
async fn under_full_load_whoever_got_no_answer_was_not_executed() {
    const LANES: usize = 64;
    let upstream = Upstream::counting().await;
    let mut gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let address = gateway.address;
    let mut lanes = JoinSet::new();
    for lane in 0..LANES {
        lanes.spawn(async move {
            let mut connection = Connection::open(address).await.unwrap();
            let mut answered = Vec::new();
            for n in 0.. {
                let key = format!("k-{lane}-{n}");
                match connection.send(&transfer(&key)).await {
                    Ok(answer) => {
                        let last = answer.header("connection").is_some_and(|value| value.contains("close"));
                        answered.push((key, answer));
                        if last {
                            break;
                        }
                    }
                    Err(error) => {
                        assert_eq!(error.received(), 0, "no answer is cut off");
                        return (answered, Some(key));
                    }
                }
            }
            (answered, None)
        });
    }
    upstream.executed(2_000).await;
    gateway.process.sigterm().unwrap();
    let ended = lanes.join_all().await;
    assert_eq!(gateway.process.wait().await.code(), Some(0));
    gateway.restart().await;
    for (answered, unanswered) in ended {
        for (key, answer) in answered {
            assert_eq!((answer.status, upstream.executions(&key)), (201, 1));
        }
        if let Some(key) = unanswered {
            assert_eq!(upstream.executions(&key), 0, "{key} was executed, and nobody was told");
            assert_executed(&send(gateway.address, &transfer(&key)).await, 201);
        }
    }
}

#[tokio::test]
async fn what_is_idle_or_half_sent_does_not_hold_the_drain() {
    let upstream = Upstream::counting().await;
    let setup = Setup::anonymous().top("drain = \"60s\"");
    let mut gateway = Gateway::start(&upstream.url(), setup).await;
    let mut idle = Vec::new();
    for n in 0..50 {
        let mut connection = Connection::open(gateway.address).await.unwrap();
        if n % 2 == 0 {
            assert_executed(&connection.send(&transfer(&format!("k-{n}"))).await.unwrap(), 201);
        }
        idle.push(connection);
    }
    let begun = Instant::now();
    gateway.process.sigterm().unwrap();
    for connection in &mut idle {
        assert_eq!(connection.ended(SLACK).await.unwrap(), Close::Fin);
    }
    assert_eq!(gateway.process.wait_for(SLACK).await.unwrap().code(), Some(0));
    assert!(begun.elapsed() < SLACK);
}

/// Half a request is nothing that was read: it is not executed, and its caller may send it again elsewhere.
#[tokio::test]
async fn half_a_request_holds_the_drain_to_its_limit_and_is_not_executed() {
    let upstream = Upstream::counting().await;
    let mut gateway = Gateway::start(&upstream.url(), Setup::anonymous().top("drain = \"1s\"")).await;
    let mut halves = Vec::new();
    for n in [10, 60, usize::MAX] {
        let bytes = transfer(&format!("k-{n}")).to_bytes(gateway.address);
        let mut connection = Connection::open(gateway.address).await.unwrap();
        connection.write(&bytes[..n.min(bytes.len() - 1)]).await.unwrap();
        halves.push(connection);
    }
    abandon(gateway.address, &transfer("gone"), Point::MidBody, Close::Reset).await.unwrap();
    gateway.process.sigterm().unwrap();
    assert_eq!(gateway.process.wait_for(SLACK).await.unwrap().code(), Some(0));
    for mut half in halves {
        assert!(half.ended(SLACK).await.is_ok(), "closed without a byte of an answer");
    }
    assert_eq!(upstream.total(), 0);
}

/// A caller who is gone leaves his attempt behind, and the drain waits for it as for any other.
#[tokio::test]
async fn the_drain_awaits_attempts_whose_callers_are_gone() {
    let (quick, slow) = (Gate::closed(), Gate::closed());
    let upstream = upstream(&quick, &slow).await;
    let mut gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let left = request(1);
    let mut connection = Connection::open(gateway.address).await.unwrap();
    connection.start(&left).await.unwrap();
    quick.arrived(1).await;
    connection.close(Close::Reset);
    gateway.process.sigterm().unwrap();
    // bounded: that nothing happens cannot be waited for
    let ended = gateway.process.wait_for(Duration::from_millis(500)).await;
    assert_eq!(ended, None, "an attempt is running, though nobody waits for its answer");
    quick.open();
    assert_eq!(gateway.process.wait_for(SLACK).await.unwrap().code(), Some(0));
    gateway.restart().await;
    assert_eq!(said(&send(gateway.address, &left).await), Some("replayed"));
    assert_eq!(upstream.executions("k-1"), 1);
}

/// Those who wait for somebody else's answer get it, too.
#[tokio::test]
async fn the_drain_answers_those_who_wait_for_another() {
    let (quick, slow) = (Gate::closed(), Gate::closed());
    let upstream = upstream(&quick, &slow).await;
    let mut gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let first = begin(gateway.address, &request(1));
    quick.arrived(1).await;
    let waiting = begin(gateway.address, &request(1));
    gateway.until("onlyonce_waiters", 1).await;
    gateway.process.sigterm().unwrap();
    gateway.process.ready("stopping").await;
    quick.open();
    assert_replays(&waiting.await.unwrap(), &first.await.unwrap());
    assert_eq!(gateway.process.wait().await.code(), Some(0));
}

#[tokio::test]
async fn an_interrupt_drains_like_a_termination() {
    let upstream = Upstream::counting().await;
    let mut gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    assert_executed(&send(gateway.address, &transfer("k")).await, 201);
    gateway.process.sigint().unwrap();
    assert_eq!(gateway.process.wait_for(SLACK).await.unwrap().code(), Some(0));
}
