//! Starts the two banks, the caller's gateway and the page, in that order, and keeps them running.
//!
//! Invariant: when [`Demo::start`] returns, every address it names answers. Dropping the [`Demo`] ends the
//! banks and the page; the gateway belongs to the caller.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::{error, io};

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::bank::Bank;
use crate::error::Error;
use crate::instructions::Instructions;
use crate::page::{self, Side, Sides};

/// The port that the page takes where the caller names none and it is free: an open tab survives a restart.
pub const PAGE_PORT: u16 = 4111;

/// How the demo is set up.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where the page listens. `None`: [`PAGE_PORT`] on loopback, or any free port if that one is taken.
    pub page: Option<SocketAddr>,
}

/// Where the parts of a running demo listen.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// The page to open in a browser.
    pub page: SocketAddr,
    /// The gateway that the caller started.
    pub gateway: SocketAddr,
    /// The bank behind the gateway.
    pub bank: SocketAddr,
    /// The bank that the page calls without a gateway: the naive twin.
    pub twin: SocketAddr,
}

/// A running demo; ends when dropped.
#[derive(Debug)]
pub struct Demo {
    addresses: Addresses,
    servers: JoinSet<io::Result<()>>,
}

/// Starts the demo, prints its addresses and `curl` lines to standard output, and serves until it is dropped.
///
/// `start_gateway` as in [`Demo::start`].
///
/// # Errors
/// When a part cannot be started, the instructions cannot be printed, or a server ends by itself.
pub async fn run<G, F, E>(options: Options, start_gateway: G) -> Result<(), Error>
where
    G: FnOnce(SocketAddr) -> F,
    F: Future<Output = Result<SocketAddr, E>>,
    E: Into<Box<dyn error::Error + Send + Sync>>,
{
    let demo = Demo::start(options, start_gateway).await?;
    write!(io::stdout(), "{}", demo.instructions()).map_err(Error::print)?;
    demo.serve().await
}

impl Demo {
    /// Starts both banks, then the gateway, then the page.
    ///
    /// `start_gateway` gets the bank's address and returns its own, already listening. The page sends it the
    /// principals `ana` and `luis` in `x-principal` from a loopback address, which it must trust, and expects
    /// it to require an `Idempotency-Key` on `POST /transfers`.
    ///
    /// # Errors
    /// When a listener cannot be opened or the gateway does not start; what had started is stopped.
    pub async fn start<G, F, E>(options: Options, start_gateway: G) -> Result<Self, Error>
    where
        G: FnOnce(SocketAddr) -> F,
        F: Future<Output = Result<SocketAddr, E>>,
        E: Into<Box<dyn error::Error + Send + Sync>>,
    {
        let mut servers = JoinSet::new();
        let (behind_gateway, bare) = (Bank::default(), Bank::default());
        let bank = serve(&mut servers, listen_anywhere().await?, behind_gateway.router())?;
        let twin = serve(&mut servers, listen_anywhere().await?, bare.router())?;
        let gateway = start_gateway(bank).await.map_err(Error::gateway)?;
        let listener = listen_for_page(options.page).await?;
        let page = listener.local_addr().map_err(Error::listen)?;
        let addresses = Addresses { page, gateway, bank, twin };
        let sides = Sides { guarded: Side::new(gateway, behind_gateway), naive: Side::new(twin, bare) };
        serve(&mut servers, listener, page::router(addresses, sides))?;
        Ok(Self { addresses, servers })
    }

    /// Where everything listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// What a person needs to know: the page, the addresses, and `curl` lines that tell the same story.
    pub fn instructions(&self) -> String {
        Instructions(self.addresses).to_string()
    }

    /// Serves until a server ends by itself, which none does in good health.
    ///
    /// # Errors
    /// Always ends in one: the reason why a server ended.
    pub async fn serve(mut self) -> Result<(), Error> {
        match self.servers.join_next().await {
            Some(Ok(Err(ended))) => Err(Error::serve(ended)),
            Some(Err(panicked)) => Err(Error::serve(panicked)),
            Some(Ok(Ok(()))) | None => Err(Error::serve("a server of the demo ended")),
        }
    }
}

fn serve(
    servers: &mut JoinSet<io::Result<()>>,
    listener: TcpListener,
    router: Router,
) -> Result<SocketAddr, Error> {
    let address = listener.local_addr().map_err(Error::listen)?;
    servers.spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

async fn listen_for_page(wanted: Option<SocketAddr>) -> Result<TcpListener, Error> {
    if let Some(address) = wanted {
        return TcpListener::bind(address).await.map_err(Error::listen);
    }
    match TcpListener::bind((Ipv4Addr::LOCALHOST, PAGE_PORT)).await {
        Ok(listener) => Ok(listener),
        Err(_taken) => listen_anywhere().await,
    }
}

async fn listen_anywhere() -> Result<TcpListener, Error> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(Error::listen)
}
