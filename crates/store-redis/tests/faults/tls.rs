//! A Cluster that is reached with TLS.

use onlyonce_store_redis::{OpenErrorKind, Options, RedisStore};
use onlyonce_testbed::{servers::Cluster, tls::Authority};

use crate::begun::{CREATED, begin_with, options, request};

/// Each server is connected to by the address that the Cluster names, and must prove it.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_with_tls_is_one_whose_servers_are_all_trusted() {
    let authority = Authority::new();
    let cluster = Cluster::start_tls(&authority, &["127.0.0.1"]).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    std::fs::write(&file, authority.pem()).unwrap();
    let accepted = |url: &str| Options { accept_loss: true, ..options(url) };
    let url = cluster.url();
    assert!(url.starts_with("rediss-cluster://"));

    let error = RedisStore::open(accepted(&url)).await.map(drop).expect_err("nobody trusts it");
    assert_eq!(error.kind(), OpenErrorKind::Unreachable);
    assert!(error.to_string().to_lowercase().contains("certificate"), "{error}");

    let trusting = format!("{url}?ca={}", file.display());
    let (one, two) = (begin_with(accepted(&trusting)).await, begin_with(accepted(&trusting)).await);
    // On all three masters.
    for key in 0..64 {
        one.run(&request(key)).await.complete(CREATED, "paid".into()).await.unwrap();
        assert_eq!(two.replay(&request(key)).await, "paid");
    }

    let misnamed = trusting.replace("127.0.0.1", "localhost");
    let error = RedisStore::open(accepted(&misnamed)).await.map(drop).expect_err("it proves another name");
    assert!(error.to_string().to_lowercase().contains("certificate"), "{error}");
}
