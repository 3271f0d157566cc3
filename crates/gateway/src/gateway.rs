//! From a configuration to two listeners, and back down again.

use std::{
    collections::BTreeMap,
    fmt, io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use onlyonce_backends::{Opened, Options, Place};
use onlyonce_core::LedgerKey;
use onlyonce_http::{Drained, Layer, Once, Shared, layer::Starts};
use onlyonce_ledger::{Found, Ledger, Meter};
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::watch,
};

use crate::{
    admin,
    config::{Admin, Config},
    cors::Cors,
    descriptors,
    principal::Identify,
    probe::{self, Prober},
    published::Published,
    registry::Registry,
    routes::Routes,
    server::{self, Connections, Front, Times},
    start_error::{StartError, StartErrorKind},
    upstream::{Places, Pool, Proxy, Target},
    workers::{self, Workers},
};

/// Two layers in front of each other on one ledger need different namespaces; this is the gateway's.
const NAMESPACE: &str = "gateway";
/// Connections that wait to be accepted, as far as the system allows. With tokio's default of 128, of a larger burst
/// the rest comes a second later.
const BACKLOG: u32 = 4096;

/// A gateway that listens.
pub struct Gateway;

/// A gateway that runs.
pub struct Running {
    address: SocketAddr,
    admin: Option<SocketAddr>,
    place: Place,
    found: Found,
    sentences: Vec<String>,
    ledger: Ledger,
    shared: Arc<Shared>,
    accepting: Arc<AtomicBool>,
    connections: Connections,
    draining: watch::Sender<bool>,
    drain: Duration,
    /// Where connections are served.
    _workers: Workers,
}

/// What the environment gives beside the configuration.
#[derive(Clone, Default)]
pub struct Secrets {
    /// `ONLYONCE_SECRET`.
    pub ledger: Option<String>,
    /// `ONLYONCE_ADMIN_TOKEN`.
    pub admin: Option<String>,
    /// The variables that the configuration names and the environment holds ([`Config::variables`]).
    pub named: BTreeMap<String, String>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not even how long they are.
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

impl Gateway {
    /// Tells mistakes in the configuration before anything is bound or made.
    ///
    /// # Errors
    /// [`StartError`] that says what is wrong and what to do.
    pub fn check(config: &Config, secrets: &Secrets) -> Result<(), StartError> {
        config.refuse_users()?;
        Target::new(&config.upstream, config.upstream_ca.as_deref())?;
        Identify::new(&config.principal)?;
        // Which key they get makes no difference to whether the rules are valid, and the ledger's is not known yet.
        Routes::new(config, &LedgerKey::new([0; 32]))?;
        config.ledger.place(&secrets.named)?.check(&config.ledger.options(secrets.ledger.clone()))?;
        probe::questions(config, &secrets.named)?;
        match config.admin {
            Admin::At(address) if secrets.admin.is_none() && !address.ip().is_loopback() => {
                Err(StartError::new(
                    StartErrorKind::Config,
                    format!(
                        "admin = \"{address}\" can be reached from other machines and needs a token: set \
                         ONLYONCE_ADMIN_TOKEN, or listen on 127.0.0.1"
                    ),
                ))
            }
            Admin::At(_) | Admin::Off => Ok(()),
        }
    }

    /// Opens the ledger, binds the listeners and serves.
    ///
    /// # Errors
    /// [`StartError`] that says what is wrong and what to do.
    pub async fn start(config: Config, secrets: Secrets) -> Result<Running, StartError> {
        Self::check(&config, &secrets)?;
        let target = Target::new(&config.upstream, config.upstream_ca.as_deref())?;
        let registry = Arc::new(Registry::default());
        let meter = Meter::of(Arc::clone(&registry));
        let identify = Arc::new(Identify::new(&config.principal)?.counted(&meter));
        let questions = probe::questions(&config, &secrets.named)?;
        // Bound before the ledger is opened: a second gateway on the same machine fails here, and changes nothing.
        let listener = bind(config.listen, "listen", "--listen")?;
        let admin_listener = match config.admin {
            Admin::At(address) => Some(bind(address, "admin", "--admin ADDRESS, or --admin off")?),
            Admin::Off => None,
        };
        let workers = Workers::start(workers::count()).map_err(no_threads)?;
        // Its renewals and rounds, and the batches of one that is not durable, are done where it is opened: among the
        // connections whose attempts they are about.
        let place = config.ledger.place(&secrets.named)?;
        let opening = open(place.clone(), config.ledger.options(secrets.ledger), meter);
        let Opened { ledger, found, sentences, .. } =
            workers.first().spawn(opening).await.map_err(no_threads)??;
        let routes = Arc::new(Routes::new(&config, ledger.key())?);
        let shared = Arc::new(Shared::new(ledger.clone(), NAMESPACE));
        let layer = layer(&shared, &routes, &identify);
        let most = descriptors::connections(server::CONNECTIONS);
        let places = Places::new(most);
        let pool = Pool::new(target, config.upstream_connect.0, config.upstream_idle.0, places);
        let front = Arc::new(Front {
            service: Once::new(Proxy::new(pool), layer.clone()),
            layer,
            identify: Arc::clone(&identify),
            guards: routes.guards(),
            cors: Cors::new(&config.cors),
            published: Published::new(&config, &routes),
            routes: Arc::clone(&routes),
            problem_base: config.problem_base.as_str().into(),
        });
        let accepting = Arc::new(AtomicBool::new(true));
        let admin = match admin_listener {
            None => None,
            Some(listener) => {
                let address = local(&listener)?;
                let token = secrets.admin.map(Arc::from);
                let (shared, accepting) = (Arc::clone(&shared), Arc::clone(&accepting));
                let state = admin::State { shared, identify, routes, accepting, token, address, registry };
                tokio::spawn(server::serve_operators(listener, admin::router(state)));
                Some(address)
            }
        };
        let address = local(&listener)?;
        let connections = Connections::new(most);
        let (draining, watching) = watch::channel(false);
        let times = Times::idle(config.keep_alive.0);
        tokio::spawn(server::serve(listener, front, workers.all(), connections.clone(), times, watching));
        Prober::start(ledger.clone(), questions, draining.subscribe());
        let drain = config.drain.0;
        Ok(Running {
            address,
            admin,
            place,
            found,
            sentences,
            ledger,
            shared,
            accepting,
            connections,
            draining,
            drain,
            _workers: workers,
        })
    }
}

impl Running {
    /// Where requests are taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where operators are served.
    pub fn admin(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// Where the ledger is; its text form is a name for logs.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What operators have to know of the server that the ledger is on, a sentence each.
    pub fn sentences(&self) -> &[String] {
        &self.sentences
    }

    /// What start-up found in the ledger.
    pub fn found(&self) -> Found {
        self.found
    }

    /// The ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Resolves when the ledger is poisoned and the process has to end and be started again. In between it stops
    /// accepting, and gives those who are refused, or whose answer could not be recorded, a moment to be told.
    pub async fn poisoned(&self) {
        self.ledger.poisoned().await;
        self.stop_accepting();
        self.shared.last_words(|| self.connections.count() > 0).await;
    }

    /// Stops accepting and waits for what is running, up to the drain limit. What has not started by then is
    /// released, and the rest is unknown; its clients are told.
    pub async fn drain(self) -> Drained {
        self.stop_accepting();
        self.shared.drain(self.drain, || self.connections.count() > 0).await
    }

    /// Takes no new connections and is not ready any more; what is open is served to the end of its request.
    pub fn stop_accepting(&self) {
        self.accepting.store(false, Ordering::Relaxed);
        self.draining.send_replace(true);
    }
}

async fn open(place: Place, mut options: Options, meter: Meter) -> Result<Opened, StartError> {
    options.ledger.meter = meter;
    Ok(place.open(options).await?)
}

/// What every request goes through: its rules are its route's, and who sends it is told by the configuration.
fn layer(shared: &Arc<Shared>, routes: &Arc<Routes>, identify: &Arc<Identify>) -> Layer {
    let (routes, identify) = (Arc::clone(routes), Arc::clone(identify));
    Layer::new(
        Arc::clone(shared),
        Starts::ByService,
        Box::new(move |parts| Some(routes.of(parts))),
        Box::new(move |parts, scopes| identify.of(parts, scopes)),
    )
}

fn bind(address: SocketAddr, key: &str, flag: &str) -> Result<TcpListener, StartError> {
    listener(address).map_err(|error| {
        let why = match error.kind() {
            io::ErrorKind::AddrInUse => "another process listens there".to_owned(),
            io::ErrorKind::PermissionDenied => "ports below 1024 need privileges".to_owned(),
            io::ErrorKind::AddrNotAvailable => "this machine does not have that address".to_owned(),
            _ => error.to_string(),
        };
        let detail = format!("{key} = \"{address}\": {why}\n\nhint: choose another with {flag}");
        StartError::new(StartErrorKind::Listen, detail).because(error)
    })
}

fn no_threads(error: impl std::error::Error + Send + Sync + 'static) -> StartError {
    StartError::new(StartErrorKind::Listen, format!("failed to start threads: {error}")).because(error)
}

fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn local(listener: &TcpListener) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(|error| {
        StartError::new(StartErrorKind::Listen, "the listener has no address").because(error)
    })
}
