//! Clients that take their time. (The time for a body is shown where the reference page is carried out.)

use std::time::Duration;

use onlyonce_testbed::WAIT_LIMIT;

use crate::scene::{Scene, keyed};

/// Less than anybody's patience: each byte would buy another ten seconds if it could.
const BYTE_PAUSE: Duration = Duration::from_millis(250);

/// A head has ten seconds, however busily it comes: a crowd of such clients would hold all connections for ever.
#[tokio::test]
async fn a_head_that_comes_byte_by_byte_ends_with_its_time() {
    let scene = Scene::new().await;
    let mut connection = scene.connect().await;
    let head = keyed("", "");
    connection.write(&head.as_bytes()[..head.len() - 2]).await.unwrap();
    let dribbled = async {
        while connection.write(b"A").await.is_ok() {
            // bounded: by WAIT_LIMIT, below
            tokio::time::sleep(BYTE_PAUSE).await;
        }
    };
    tokio::time::timeout(WAIT_LIMIT, dribbled).await.expect("the gateway ends the connection");
    scene.assert_left_nothing().await;
}
