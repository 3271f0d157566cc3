//! A ledger is listed while its server changes.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use onlyonce_core::{Record, RecordId, State, Timestamp, codec, record::Source};
use onlyonce_ledger::store::{Applied, Body, Command, Store};
use onlyonce_store_redis::RedisStore;
use onlyonce_testbed::servers::Redis;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::begun::options;

/// More than a server is asked for at once, of one shard.
const ENDED: u16 = 3_000;
/// Of these so many have one time at which they may go: also more than at once.
const TOGETHER: u16 = 1_400;

/// The index of ended rows of that shard.
const ASKED: &[u8] = b"{onlyonce:01}ended";

fn id(number: u16) -> RecordId {
    let mut id = [1; 16];
    // All of one shard, and in no order of their times.
    id[1..3].copy_from_slice(&number.wrapping_mul(40_503).to_be_bytes());
    RecordId(id)
}

fn row(number: u16) -> bytes::Bytes {
    let claimed = codec::decode(&crate::kept::row()).unwrap();
    let key_until = Timestamp::from_ms(4_000_000_000_000 + u64::from(number.max(TOGETHER)));
    let state = State::Completed {
        at: key_until,
        status: 201,
        by: Source::Attempt,
        result_until: key_until,
        key_until,
    };
    codec::encode(&Record { state, ..claimed })
}

async fn fill(server: &Redis) {
    let (store, _) = RedisStore::open(options(&server.url())).await.unwrap();
    for numbers in (0..ENDED).collect::<Vec<_>>().chunks(500) {
        let command = |number: &u16| Command {
            id: id(*number),
            expect: None,
            head: row(*number),
            body: Body::Keep,
            note: None,
        };
        let applied = store.apply(numbers.iter().map(command).collect()).await.unwrap();
        assert!(applied.iter().all(|applied| *applied == Applied::Yes));
    }
}

/// Two servers that look like one: the first is asked until a shard's ended rows have been asked for once, and from then on
/// the second, as after a fail-over behind one name. No connection breaks.
async fn taken_over(one: &Redis, other: &Redis) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (addr, servers) = (listener.local_addr().unwrap(), [one.addr(), other.addr()]);
    let asked = Arc::new(AtomicUsize::new(0));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(pass(client, servers, Arc::clone(&asked)));
        }
    });
    addr
}

#[expect(clippy::indexing_slicing, reason = "as much of a buffer as was read is within it")]
async fn pass(
    mut client: TcpStream,
    servers: [SocketAddr; 2],
    asked: Arc<AtomicUsize>,
) -> std::io::Result<()> {
    let mut first = TcpStream::connect(servers[0]).await?;
    let mut second = TcpStream::connect(servers[1]).await?;
    let [mut request, mut answer, mut other] = [(); 3].map(|()| vec![0; 1 << 20]);
    loop {
        tokio::select! {
            read = client.read(&mut request) => {
                let request = &request[..read?];
                if request.is_empty() {
                    return Ok(());
                }
                let asks = request.windows(ASKED.len()).any(|bytes| bytes == ASKED);
                let before = if asks { asked.fetch_add(1, Ordering::SeqCst) } else { asked.load(Ordering::SeqCst) };
                if before == 0 { first.write_all(request).await? } else { second.write_all(request).await? }
            }
            read = first.read(&mut answer) => client.write_all(&answer[..read?]).await?,
            read = second.read(&mut other) => client.write_all(&other[..read?]).await?,
        }
    }
}

/// A cursor of the server that was there before made the next one skip what it liked: after the move those keys were new.
#[tokio::test(flavor = "multi_thread")]
async fn no_row_is_missing_though_another_server_takes_over_half_way() {
    let (one, other) = (Redis::start().await, Redis::start().await);
    fill(&one).await;
    fill(&other).await;
    let addr = taken_over(&one, &other).await;
    let (store, _) = RedisStore::open(options(&format!("redis://{addr}"))).await.unwrap();
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = store.rows(after, 512).await.unwrap();
        let Some((last, _)) = page.last() else { break };
        after = Some(*last);
        listed.extend(page.into_iter().map(|(id, _)| id));
    }
    let mut expected: Vec<_> = (0..ENDED).map(id).collect();
    expected.sort_unstable();
    assert_eq!(listed.len(), expected.len());
    assert_eq!(listed, expected);
    let stats = other.ask("INFO commandstats").await;
    assert!(stats.contains("cmdstat_zrangebyscore"), "the second one was asked, too");
}
