//! What opening says of a server that may lose what it has acknowledged.

use onlyonce_store_postgres::{OpenErrorKind, Options, PostgresStore};
use onlyonce_testbed::servers::{Postgres, postgres};

use crate::begun::Place;

#[tokio::test]
async fn a_server_that_loses_what_it_acknowledges_is_refused_unless_that_is_accepted() {
    let settings = ["fsync", "full_page_writes", "synchronous_commit"].map(|name| (name, "off".to_owned()));
    let server =
        Postgres::start_with(postgres::Options { settings: settings.into(), ..Default::default() }).await;
    let place = Place::on(&server.url()).await;
    let refused = PostgresStore::open(place.options()).await.unwrap_err();
    assert_eq!(refused.kind(), OpenErrorKind::Loss);
    let accepted = Options { accept_loss: true, ..place.options() };
    let (_store, sentences) = PostgresStore::open(accepted).await.unwrap();
    for name in ["`fsync = off`", "`full_page_writes = off`", "`synchronous_commit = off`"] {
        assert!(refused.to_string().contains(name), "{refused}");
        assert!(sentences.iter().any(|sentence| sentence.contains(name)), "{sentences:?}");
    }
}

#[tokio::test]
async fn a_sound_server_is_told_what_a_fail_over_means() {
    let (_store, sentences) = PostgresStore::open(Place::new().await.options()).await.unwrap();
    assert_eq!(sentences.len(), 1, "{sentences:?}");
    assert!(sentences[0].contains("synchronous_standby_names"), "{sentences:?}");
}
