//! The store on PostgreSQL keeps every rule of the seam, with a server of its own or one that is given.

mod place;

use onlyonce_store_conformance::check;
use onlyonce_testbed::servers;
use place::Schema;

#[tokio::test(flavor = "multi_thread")]
async fn the_store_on_postgres_passes_every_case() {
    let url = servers::postgres().await;
    check(&|| Schema::of(&url)).await.assert_passed(&[]);
}
