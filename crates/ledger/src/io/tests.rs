//! Who asks waits on his own runtime; what was asked is done on the store's.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

use super::*;

fn bare() -> runtime::Runtime {
    runtime::Builder::new_current_thread().build().unwrap()
}

/// The writer's runtime has no I/O, and that of a request may be gone before the connection is used again.
#[test]
fn a_socket_is_used_by_whoever_asks_and_outlives_him() {
    let io = Io::start().unwrap();
    let echo = async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut peer, _) = listener.accept().await.unwrap();
            let (mut read, mut write) = peer.split();
            tokio::io::copy(&mut read, &mut write).await.unwrap();
        });
        Ok(TcpStream::connect(address).await.unwrap())
    };
    let mut socket = bare().block_on(io.run(echo)).unwrap();
    for word in [*b"one", *b"two"] {
        let said = io.run(async move {
            let mut heard = [0; 3];
            socket.write_all(&word).await.unwrap();
            socket.read_exact(&mut heard).await.unwrap();
            Ok((socket, heard))
        });
        let heard;
        (socket, heard) = bare().block_on(said).unwrap();
        assert_eq!(heard, word);
    }
}

#[test]
fn what_was_begun_goes_on_without_the_one_who_asked() {
    let io = Io::start().unwrap();
    let (go, done) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (gone, ended) = (Arc::clone(&go), Arc::clone(&done));
    let asked = io.run(async move {
        gone.notified().await;
        ended.notify_one();
        Ok(())
    });
    drop(asked);
    go.notify_one();
    bare().block_on(done.notified());
}

#[test]
fn a_panic_says_unknown_and_ends_nothing_else() {
    let io = Io::start().unwrap();
    let error = bare().block_on(io.run::<(), _>(async { panic!("a bug") })).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown);
    assert_eq!(bare().block_on(io.run(async { Ok(7) })).unwrap(), 7);
}

#[test]
fn it_ends_after_the_jobs_that_it_has_and_breaks_off_what_it_keeps() {
    let io = Io::start().unwrap();
    let ended = Arc::new(AtomicBool::new(false));
    let kept = Arc::new(());
    let (end, held) = (Arc::clone(&ended), Arc::clone(&kept));
    io.keep(async move {
        std::future::pending::<()>().await;
        drop(held);
    });
    let job = io.run(async move {
        tokio::task::yield_now().await;
        end.store(true, Ordering::SeqCst);
        Ok(())
    });
    drop(io);
    assert!(ended.load(Ordering::SeqCst), "the drop has waited for the job");
    assert_eq!(Arc::strong_count(&kept), 1, "and what was kept is gone");
    bare().block_on(job).unwrap();
}

#[test]
fn a_job_that_hangs_is_given_up_and_says_unknown() {
    let io = Io::start().unwrap();
    let hangs = io.run::<(), _>(std::future::pending());
    drop(io);
    assert_eq!(bare().block_on(hangs).unwrap_err().kind(), ErrorKind::Unknown);
}

#[test]
fn a_job_that_owns_it_does_not_wait_for_itself() {
    let io = Arc::new(Io::start().unwrap());
    let owned = Arc::clone(&io);
    let job = io.run(async move {
        drop(owned);
        Ok(())
    });
    drop(io);
    bare().block_on(job).unwrap();
}
