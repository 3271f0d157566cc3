//! The connection breaks after the server has applied a write and before its reply is there.
//!
//! Each of them is seen in the database first, by another session, so it is certain that it was applied; then the way is
//! mended, and the engine finds its own bytes.

use std::{sync::Arc, time::Duration};

use onlyonce_core::{event::Completion, record::ReleaseCause};
use onlyonce_ledger::begin::Look;
use onlyonce_testbed::{proxy::Proxy, servers};

use crate::{
    begun::{CREATED, Place, at, claim, lead, replayed, request, run, with_lease},
    rows::{Session, literal},
};

/// A ledger behind a proxy, and a session before the server itself.
struct Lossy {
    place: Place,
    proxy: Proxy,
    beside: Session,
}

impl Lossy {
    async fn new() -> Self {
        let server = servers::postgres().await;
        let place = Place::on(&server).await;
        let addr = server.split(['@', '/']).find(|part| part.contains(':') && !part.starts_with("postgres"));
        let proxy = Proxy::start(addr.unwrap().parse::<std::net::SocketAddr>().unwrap()).await;
        Self { beside: Session::open(&server).await, proxy, place }
    }

    fn behind(&self) -> Place {
        self.place.through(&at(self.proxy.addr()))
    }

    /// Loses all answers until a row is so, and mends the way once one was lost.
    async fn lose_until(&mut self, id: onlyonce_core::RecordId, so: &str) {
        let schema = &self.place.schema;
        let sql = format!("select count(*) from {schema}.records where id = {} and {so}", literal(&id.0));
        self.beside.until(&sql).await;
        self.proxy.answers_lost(1).await;
        self.proxy.lose_answers(false);
    }
}

#[tokio::test]
async fn a_claim_whose_reply_is_lost_runs_once() {
    let mut lossy = Lossy::new().await;
    let (one, two) = (lossy.behind().ledger().await, lossy.place.ledger().await);
    // The statement is known to the connection from here on, so that its next answer is that of the write.
    run(&one, &request(2)).await.complete(CREATED, "before".into()).await.unwrap();
    let leader = lead(&one, &request(1)).await;
    lossy.proxy.lose_answers(true);
    let claiming = tokio::spawn(claim(leader));
    lossy.lose_until(request(1).id, "state = 'in-progress'").await;
    let attempt = claiming.await.unwrap();
    assert!(
        matches!(two.look_up(&request(1), Duration::ZERO).await, Ok(Look::Stands(_))),
        "nobody else runs it"
    );
    attempt.start().await.unwrap();
    attempt.complete(CREATED, "paid".into()).await.unwrap();
    assert_eq!(replayed(&two, &request(1)).await, "paid");
    assert_eq!(lossy.beside.count(format!("select count(*) from {}.records", lossy.place.schema)).await, 2);
}

#[tokio::test]
async fn a_completion_whose_reply_is_lost_stands_and_is_replayed() {
    let mut lossy = Lossy::new().await;
    let (one, two) = (lossy.behind().ledger().await, lossy.place.ledger().await);
    let attempt = Arc::new(run(&one, &request(1)).await);
    lossy.proxy.lose_answers(true);
    let completing = tokio::spawn({
        let attempt = Arc::clone(&attempt);
        async move { attempt.complete(Completion::Kept { status: 201 }, "paid".into()).await }
    });
    lossy.lose_until(request(1).id, "state = 'completed'").await;
    completing.await.unwrap().unwrap();
    assert_eq!(replayed(&two, &request(1)).await, "paid");
    assert_eq!(one.late_outcomes(), 0, "it was recognised as its own");
}

#[tokio::test]
async fn a_release_whose_reply_is_lost_frees_the_key_once() {
    let mut lossy = Lossy::new().await;
    let (one, two) = (lossy.behind().ledger().await, lossy.place.ledger().await);
    let attempt = Arc::new(run(&one, &request(1)).await);
    lossy.proxy.lose_answers(true);
    let releasing = tokio::spawn({
        let attempt = Arc::clone(&attempt);
        async move { attempt.release(ReleaseCause::NotSent, None).await }
    });
    lossy.lose_until(request(1).id, "state = 'released'").await;
    releasing.await.unwrap().unwrap();
    let next = run(&two, &request(1)).await;
    assert_eq!(next.fence().0, 2);
    next.complete(CREATED, "paid".into()).await.unwrap();
    assert_eq!(replayed(&one, &request(1)).await, "paid");
}

#[tokio::test]
async fn a_renewal_whose_reply_is_lost_keeps_the_lease() {
    let mut lossy = Lossy::new().await;
    let (one, two) = (lossy.behind().ledger().await, lossy.place.ledger().await);
    // Renewed after a second; the clock is asked for only after two, and would lose all connections before.
    let attempt = run(&one, &with_lease(1, Duration::from_secs(3))).await;
    lossy.proxy.lose_answers(true);
    lossy.lose_until(request(1).id, "revision >= 2").await;
    attempt.complete(CREATED, "paid".into()).await.unwrap();
    assert_eq!(replayed(&two, &request(1)).await, "paid");
}
