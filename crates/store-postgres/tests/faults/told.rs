//! What the log says of a server that is away, to whoever has to find out why requests are refused.

use onlyonce_ledger::store::Store;
use onlyonce_testbed::servers::Postgres;

use crate::{
    begun::Place,
    log::{self, until},
    rows::{apply, id, in_progress, insert, version},
};

/// Nobody asks for anything; and then each kind of call would say it, again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_is_told_once_and_so_is_its_return() {
    let log = log::listen();
    let mut server = Postgres::start().await;
    let place = Place::on(&server.url()).await;
    let store = place.store().await;
    let claim = |number| insert(id(number), &in_progress(version(1, 1)));
    let told = |what| log.lines(&[&place.schema, what]).len();
    server.stop().await;
    until("it is told", || told("cannot be reached") > 0).await;
    for number in 0..6 {
        assert!(store.apply(vec![claim(number)]).await.is_err());
        assert!(store.heads(&[id(number)]).await.is_err());
        assert!(store.audit(None, 1).await.is_err());
    }
    server.restart().await;
    until("its return is told", || told("can be reached again") > 0).await;
    apply(&store, claim(7)).await;
    assert!(store.heads(&[id(7)]).await.unwrap()[0].is_some());
    store.audit(None, 1).await.unwrap();
    assert_eq!((told("cannot be reached"), told("can be reached again")), (1, 1));
    let lines = log.lines(&[&place.schema, "cannot be reached"]);
    assert!(lines[0].contains("WARN") && lines[0].contains("error="), "{lines:?}");
}

/// A warning that the server gives by itself is logged by the driver.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_server_says_by_itself_is_told_with_who_says_it() {
    let log = log::listen();
    let server = Postgres::start().await;
    let place = Place::on(&server.url()).await;
    let schema = &place.schema;
    server
        .ask(&format!(
            "create function {schema}.says() returns bytea language plpgsql as
             $$ begin raise warning 'something about {schema}'; return '\\x00'; end $$"
        ))
        .await;
    server.ask(&format!("alter table {schema}.audit rename to kept")).await;
    server
        .ask(&format!("create view {schema}.audit as select 1::bigint as number, {schema}.says() as entry"))
        .await;
    let _page = place.store().await.audit(None, 1).await;
    let said = log.lines(&[&format!("something about {schema}")]);
    assert!(!said.is_empty() && said.iter().all(|line| line.contains("the ledger's PostgreSQL")), "{said:?}");
}
