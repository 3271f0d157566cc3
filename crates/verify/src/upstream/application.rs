//! The server.

use std::{fmt, io, net::SocketAddr, sync::Arc};

use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::{Mutex, Semaphore},
    task::{JoinHandle, JoinSet},
};

use super::{Arrival, Script, Stage, answer, book::Book, pieces::Pieces};
use crate::plan::Part;

/// An application that the verifier sees through.
#[derive(Debug)]
pub struct Application {
    address: SocketAddr,
    book: Arc<Book>,
    serving: Mutex<Serving>,
}

#[derive(Debug)]
enum Serving {
    Up(JoinHandle<()>),
    /// Holds its address, and does not listen.
    Down(TcpSocket),
}

/// Largest request that is read.
const REQUEST_MAX: usize = 64 * 1024 * 1024;
/// Most connections at once.
const CONNECTIONS_MAX: usize = 1_024;
/// Connections that wait to be accepted.
const BACKLOG: u32 = 1_024;

impl Application {
    /// Listens there.
    ///
    /// # Errors
    /// If it cannot.
    pub async fn listen(address: SocketAddr) -> io::Result<Self> {
        let listener = bind(address)?.listen(BACKLOG)?;
        let (address, book) = (listener.local_addr()?, Arc::<Book>::default());
        let serving = Mutex::new(Serving::Up(tokio::spawn(accept(listener, Arc::clone(&book)))));
        Ok(Self { address, book, serving })
    }

    /// Where.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends all connections, and refuses new ones.
    ///
    /// # Errors
    /// If somebody else took the address in the meantime.
    pub async fn down(&self) -> io::Result<()> {
        let mut serving = self.serving.lock().await;
        if let Serving::Up(task) = &mut *serving {
            task.abort();
            // However it ended, it is gone.
            let _ = task.await;
            *serving = Serving::Down(bind(self.address)?);
        }
        Ok(())
    }

    /// Listens again.
    ///
    /// # Errors
    /// If it cannot.
    pub async fn up(&self) -> io::Result<()> {
        let mut serving = self.serving.lock().await;
        if let Serving::Down(socket) = &mut *serving {
            let socket = std::mem::replace(socket, TcpSocket::new_v4()?);
            let listener = socket.listen(BACKLOG)?;
            *serving = Serving::Up(tokio::spawn(accept(listener, Arc::clone(&self.book))));
        }
        Ok(())
    }

    /// The operation with this fresh value follows a script from its next arrival on.
    pub fn follow(&self, token: &str, script: Script) {
        self.book.follow(token, script);
    }

    /// Effects of all operations.
    #[must_use]
    pub fn effects(&self) -> u64 {
        self.book.effects()
    }

    /// Effects of the operation with this fresh value.
    #[must_use]
    pub fn effects_of(&self, token: &str) -> usize {
        self.book.effects_of(token)
    }

    /// What arrived of the operation with this fresh value, in order.
    #[must_use]
    pub fn arrivals_of(&self, token: &str) -> Vec<Arrival> {
        self.book.arrivals_of(token)
    }

    /// Whoever asks has to bring one of the headers that show who he is.
    pub(crate) fn demand(&self, credentials: &HeaderMap) {
        self.book.demand(credentials.keys().cloned().collect());
    }

    /// Whoever brings one of these is nobody who was given it, until the check has ended.
    pub(crate) fn refuse(&self, credentials: &HeaderMap) {
        let shown = credentials.iter().map(|(name, value)| (name.clone(), value.clone()));
        self.book.refuse(shown.collect());
    }

    /// A request with this value is an operation of that part.
    pub(crate) fn expect(&self, token: &str, part: Part) {
        self.book.expect(token, part);
    }

    /// A check has ended: what it held goes on, and its operations count no more.
    pub(crate) fn turn(&self, check: &'static str) {
        self.book.turn(check);
    }

    /// Operations that took effect once more after their check had ended, each in a line.
    pub(crate) fn late(&self) -> Vec<String> {
        self.book.late()
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        self.book.turn("");
        if let Serving::Up(task) = self.serving.get_mut() {
            task.abort();
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Its connections end with it.
async fn accept(listener: TcpListener, book: Arc<Book>) {
    let (mut connections, places) = (JoinSet::new(), Arc::new(Semaphore::new(CONNECTIONS_MAX)));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        let book = Arc::clone(&book);
        connections.spawn(async move {
            let service = service_fn(move |request| serve(Arc::clone(&book), request));
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service);
            // A caller that hangs up is no fault here, nor is what was broken off on purpose.
            drop(connection.await);
            drop(place);
        });
    }
}

/// The connection ends without an answer.
#[derive(Debug)]
struct NoAnswer;

async fn serve(book: Arc<Book>, request: Request<Incoming>) -> Result<Response<Pieces>, NoAnswer> {
    let (parts, body) = request.into_parts();
    // What did not arrive whole is no request.
    let body = Limited::new(body, REQUEST_MAX).collect().await.map_err(|_| NoAnswer)?.to_bytes();
    let arrival = Arrival::new(parts, body);
    // Detached: a caller that goes away ends nothing here.
    tokio::spawn(async move { carry_out(&book, arrival).await }).await.map_err(|_| NoAnswer)?
}

async fn carry_out(book: &Book, arrival: Arrival) -> Result<Response<Pieces>, NoAnswer> {
    let (arrival, act) = book.arrive(arrival);
    if !act.pass(Stage::BeforeEffect).await {
        return Err(NoAnswer);
    }
    tokio::time::sleep(act.works).await;
    let effect = act.takes_effect.then(|| book.take_effect(arrival.token.as_deref()));
    if !act.pass(Stage::AfterEffect).await {
        return Err(NoAnswer);
    }
    tokio::time::sleep(act.lingers).await;
    Ok(answer::response(&act, effect))
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no answer")
    }
}

impl std::error::Error for NoAnswer {}
