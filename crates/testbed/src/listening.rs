//! A listener on loopback and the tasks that serve its connections; all end when it is dropped.

use std::{future::Future, io, net::SocketAddr, time::Duration};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    task::{JoinHandle, JoinSet},
    time::sleep,
};

/// Connections that wait to be accepted. With tokio's default of 128, of a larger burst the rest comes a second later.
const BACKLOG: u32 = 4096;
/// Connections served at once; beyond it accepting pauses.
const CONNECTION_LIMIT: usize = 8_192;
/// Pause after a failed `accept` (out of file descriptors), so that it does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// A bound listener with its accept loop.
#[derive(Debug)]
pub(crate) struct Listening {
    addr: SocketAddr,
    task: Option<JoinHandle<()>>,
}

impl Listening {
    /// Binds `addr` (port 0: any) and serves each connection with `serve`.
    pub(crate) async fn start<F, Fut>(addr: SocketAddr, serve: F) -> Self
    where
        F: Fn(TcpStream) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = listen(addr).expect("a test may bind its loopback address");
        let addr = listener.local_addr().expect("a bound listener has an address");
        Self { addr, task: Some(tokio::spawn(accept(listener, serve))) }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Ends the listener and every connection; the port is free when it returns.
    pub(crate) async fn stop(mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            // The only result of an aborted task is that it was aborted.
            let _ = task.await;
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

async fn accept<F, Fut>(listener: TcpListener, serve: F)
where
    F: Fn(TcpStream) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < CONNECTION_LIMIT => match accepted {
                Ok((stream, _)) => {
                    // Partial writes are the point of these instruments: none may wait for the next.
                    let _ = stream.set_nodelay(true);
                    connections.spawn(serve(stream));
                }
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}
