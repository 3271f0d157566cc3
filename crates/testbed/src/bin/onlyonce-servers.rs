//! The three servers that tests share, for as long as standard input stays open.
//!
//! Prints one line for each, ready for a shell: `export NAME=URL`. However it ends, the servers end with it.

use std::io::{Write, copy, sink, stdin, stdout};

use onlyonce_testbed::servers::{Cluster, POSTGRES, Postgres, REDIS, REDIS_CLUSTER, Redis};

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let (postgres, redis, cluster) = tokio::join!(Postgres::start(), Redis::start(), Cluster::start());
    let mut out = stdout();
    for (name, url) in [(POSTGRES, postgres.url()), (REDIS, redis.url()), (REDIS_CLUSTER, cluster.url())] {
        writeln!(out, "export {name}={url}")?;
    }
    out.flush()?;
    copy(&mut stdin(), &mut sink())?;
    Ok(())
}
