//! The store on Redis and on a Cluster keeps every rule of the seam.

mod place;

use onlyonce_store_conformance::check;
use onlyonce_testbed::servers;
use place::Namespace;

#[tokio::test(flavor = "multi_thread")]
async fn the_store_on_redis_passes_every_case() {
    let url = servers::redis().await;
    check(&|| Namespace::of(&url)).await.assert_passed(&[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_on_a_cluster_passes_every_case() {
    let url = servers::redis_cluster().await;
    check(&|| Namespace::of(&url)).await.assert_passed(&[]);
}
