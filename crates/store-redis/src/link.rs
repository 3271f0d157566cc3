//! One connection to a server, which is made again whenever it has broken.
//!
//! Nobody who asks waits for a server that is known to be gone: between two tries to reach it, every request fails at once,
//! as never sent. So one lost server of a Cluster does not hold up what concerns the others.
//!
//! Invariant: nothing is sent twice. A request that went out on a connection that then broke is unknown.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Pipeline, RedisConnectionInfo, RedisError, ServerError, Value,
    aio::{ConnectionLike, MultiplexedConnection},
};
use tokio::sync::{Notify, watch};

use crate::{
    error::Failure,
    tls::Connector,
    url::{Address, Login},
};

/// Longest that making a connection may take, login included.
pub(crate) const CONNECT_WAIT: Duration = Duration::from_secs(2);
/// Longest that a server may take over a pipeline. What has not been answered by then is unknown, and its connection is
/// closed: what comes later could not be told from answers to others.
pub(crate) const ANSWER_WAIT: Duration = Duration::from_secs(3);
/// Between two tries to reach a server.
const PAUSE_FIRST: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// Most pipelines that wait to be written to one connection; who comes then waits for room.
const PIPELINES: usize = 64;

/// How connections are made.
pub(crate) struct Setup {
    pub(crate) connector: Connector,
    pub(crate) login: Login,
    pub(crate) database: u32,
}

/// One connection.
pub(crate) struct Link {
    state: watch::Receiver<State>,
    common: Common,
}

/// What the connections to one server have in common.
#[derive(Clone, Default)]
pub(crate) struct Common(Arc<Shared>);

#[derive(Default)]
struct Shared {
    cut: Notify,
    /// How many of them cannot be made just now.
    missing: AtomicUsize,
}

impl Common {
    /// Closes all of them, so that they are made anew: the server does not answer, or is another than it was.
    pub(crate) fn cut(&self) {
        self.0.cut.notify_waiters();
    }

    /// People are told of the first that is missing, and when none is any more.
    fn misses(&self, server: &Address, why: &Failure) {
        if self.0.missing.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(%server, error = %why, "a server of the ledger cannot be reached");
        }
    }

    fn has_again(&self, server: &Address) {
        if self.0.missing.fetch_sub(1, Ordering::Relaxed) == 1 {
            tracing::info!(%server, "a server of the ledger can be reached again");
        }
    }
}

#[derive(Clone)]
enum State {
    /// For the first time, or because it has just broken.
    Connecting,
    Up(MultiplexedConnection),
    Down(Failure),
}

impl Link {
    /// Begins to connect. Must be called on the runtime that does the I/O; ends when dropped.
    pub(crate) fn new(address: Address, setup: Arc<Setup>, common: Common) -> Self {
        let (tell, state) = watch::channel(State::Connecting);
        tokio::spawn(keep(address, setup, tell, common.clone()));
        Self { state, common }
    }

    /// Sends commands as one pipeline and gives the answers in their order.
    pub(crate) async fn send(&self, pipeline: &Pipeline) -> Result<Vec<Value>, Failure> {
        self.up().await?.send(pipeline).await
    }

    /// The connection, for who has to send twice on the same.
    pub(crate) async fn up(&self) -> Result<Up, Failure> {
        let mut state = self.state.clone();
        let settled = state.wait_for(|state| !matches!(state, State::Connecting));
        match tokio::time::timeout(CONNECT_WAIT, settled).await {
            Ok(Ok(state)) => match &*state {
                State::Up(connection) => {
                    Ok(Up { connection: connection.clone(), common: self.common.clone() })
                }
                State::Down(why) => Err(why.clone()),
                State::Connecting => Err(Failure::not_sent("not connected")),
            },
            Ok(Err(_)) | Err(_) => Err(Failure::not_sent("not connected")),
        }
    }
}

/// A connection that is up, or was when it was asked for.
pub(crate) struct Up {
    connection: MultiplexedConnection,
    common: Common,
}

impl Up {
    /// Sends commands as one pipeline and gives the answers in their order.
    pub(crate) async fn send(&self, pipeline: &Pipeline) -> Result<Vec<Value>, Failure> {
        let mut connection = self.connection.clone();
        let sent = connection.req_packed_commands(pipeline, 0, pipeline.len());
        match tokio::time::timeout(ANSWER_WAIT, sent).await {
            Ok(Ok(values)) if values.len() == pipeline.len() => Ok(values),
            Ok(Ok(_)) => Err(Failure::shape()),
            Ok(Err(error)) => Err(Failure::unknown(what_broke(&error))),
            Err(_) => {
                self.common.cut();
                Err(Failure::unknown(format!("no answer within {} s", ANSWER_WAIT.as_secs())))
            }
        }
    }
}

/// Keeps the connection up until nobody wants it any more.
async fn keep(address: Address, setup: Arc<Setup>, tell: watch::Sender<State>, common: Common) {
    let (mut pause, mut missing) = (PAUSE_FIRST, false);
    let work = async {
        loop {
            let connecting = tokio::time::timeout(CONNECT_WAIT, setup.connect(&address)).await;
            let connected = connecting.unwrap_or_else(|_| Err(Failure::not_sent("connecting took too long")));
            match connected {
                Ok((connection, mut driver)) => {
                    pause = PAUSE_FIRST;
                    if std::mem::take(&mut missing) {
                        common.has_again(&address);
                    }
                    tell.send_replace(State::Up(connection));
                    tell.send_replace(tokio::select! {
                        // As a rule it can be connected to again at once; who asks waits for that.
                        () = &mut driver => State::Connecting,
                        () = common.0.cut.notified() => State::Down(Failure::not_sent("the server did not answer before")),
                    });
                }
                Err(why) => {
                    if !std::mem::replace(&mut missing, true) {
                        common.misses(&address, &why);
                    }
                    tell.send_replace(State::Down(why));
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
    };
    tokio::select! {
        () = work => {}
        () = tell.closed() => {}
    }
}

type Driver = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

impl Setup {
    async fn connect(&self, address: &Address) -> Result<(MultiplexedConnection, Driver), Failure> {
        let stream = self.connector.connect(address).await.map_err(Failure::not_sent)?;
        // What the client would say of itself needs permissions that a ledger does not; and it logs in below, where a
        // refusal can be told from another.
        let bare = RedisConnectionInfo::default().set_skip_set_lib_name();
        let config =
            AsyncConnectionConfig::new().set_response_timeout(None).set_pipeline_buffer_size(PIPELINES);
        let made = MultiplexedConnection::new_with_config(&bare, stream, config).await;
        let (connection, driver) = made.map_err(|error| Failure::not_sent(what_broke(&error)))?;
        let mut driver: Driver = Box::pin(driver);
        tokio::select! {
            done = self.log_in(connection.clone()) => done?,
            () = &mut driver => return Err(Failure::not_sent("the server closed the connection")),
        }
        Ok((connection, driver))
    }

    async fn log_in(&self, mut connection: MultiplexedConnection) -> Result<(), Failure> {
        let mut pipeline = Pipeline::new();
        if let Some(password) = &self.login.password {
            let auth = pipeline.cmd("AUTH");
            if let Some(user) = &self.login.user {
                auth.arg(user);
            }
            auth.arg(password);
        }
        if self.database != 0 {
            pipeline.cmd("SELECT").arg(self.database);
        }
        // Also where there is nothing to say: whether it answers at all.
        pipeline.cmd("PING");
        let sent = connection.req_packed_commands(&pipeline, 0, pipeline.len()).await;
        let answers = sent.map_err(|error| Failure::not_sent(what_broke(&error)))?;
        if let (Some(_), Some(error)) = (&self.login.password, answers.first().and_then(refusal)) {
            return Err(Failure::answered_to_password(error));
        }
        match answers.iter().find_map(refusal) {
            Some(error) => Err(Failure::answered(error).before_anything_was_sent()),
            None => Ok(()),
        }
    }
}

fn refusal(value: &Value) -> Option<&ServerError> {
    match value {
        Value::ServerError(error) => Some(error),
        _ => None,
    }
}

/// What the client says of a connection, without anything that was sent on it.
fn what_broke(error: &RedisError) -> String {
    if error.is_connection_dropped() || error.is_io_error() {
        "the connection broke".to_owned()
    } else {
        format!("the connection failed: {}", error.category())
    }
}
