//! The embedded store keeps every rule of the seam.

mod place;

use onlyonce_store_conformance::check;
use place::Directory;

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_store_passes_every_case() {
    check(&Directory::fresh).await.assert_passed(&["a_shared_clock_is_known_as_it_was_heard"]);
}
