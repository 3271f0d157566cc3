//! The three servers that tests share, for as long as standard input stays open.
//!
//! Prints one line for each, ready for a shell: `export NAME=URL`. One that the environment gives is not started. However
//! this ends, the servers end with it.

use std::{
    future::Future,
    io::{Write, copy, sink, stdin, stdout},
};

use onlyonce_testbed::servers::{Cluster, POSTGRES, Postgres, REDIS, REDIS_CLUSTER, Redis, given};

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let (postgres, redis, cluster) = tokio::join!(
        unless_given(POSTGRES, Postgres::start(), Postgres::url),
        unless_given(REDIS, Redis::start(), Redis::url),
        unless_given(REDIS_CLUSTER, Cluster::start(), Cluster::url),
    );
    let mut out = stdout();
    for (name, url) in [(POSTGRES, &postgres.url), (REDIS, &redis.url), (REDIS_CLUSTER, &cluster.url)] {
        writeln!(out, "export {name}={url}")?;
    }
    out.flush()?;
    copy(&mut stdin(), &mut sink())?;
    Ok(())
}

/// A server and where it is; given, it is somebody else's.
struct Running<S> {
    url: String,
    _own: Option<S>,
}

async fn unless_given<S>(name: &str, start: impl Future<Output = S>, url: fn(&S) -> String) -> Running<S> {
    match given(name) {
        Some(url) => Running { url, _own: None },
        None => {
            let own = start.await;
            Running { url: url(&own), _own: Some(own) }
        }
    }
}
