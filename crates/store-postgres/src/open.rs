//! Opening: everything that can be checked is checked before anything is served.
//!
//! In this order: whether the URL can be used, whether the server lets us in, whether it is one that can be written to and
//! new enough, whether the schema fits this version, whether we may use it; then what its settings may lose.

use std::fmt;

use onlyonce_core::Timestamp;
use onlyonce_ledger::clock::{Asked, RemoteClock};
use sqlx::{Row as _, postgres::PgRow};

use crate::{
    OpenError, OpenErrorKind,
    address::Address,
    connection::Connection,
    durability::{Found, Settings, Watch},
    error::Cause,
    migrate,
    sql::Sql,
    store::timestamp,
    warnings::Warnings,
};

/// The oldest server, as it numbers itself: PostgreSQL 14.
const OLDEST: i32 = 140_000;

/// Where a ledger is, and what its operator accepts.
#[derive(Clone)]
pub struct Options {
    /// `postgres://…`, with `?schema=` (default `onlyonce`) and `?pooler=transaction` where they are wanted.
    pub url: String,
    /// Whether it opens although the server may lose what it has acknowledged.
    pub accept_loss: bool,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("accept_loss", &self.accept_loss).finish_non_exhaustive()
    }
}

/// What opening has found.
pub(crate) struct Opened {
    pub(crate) address: Address,
    pub(crate) connection: Connection,
    pub(crate) clock: RemoteClock,
    pub(crate) warnings: Warnings,
    pub(crate) watch: Watch,
    pub(crate) sentences: Vec<String>,
}

pub(crate) async fn open(options: &Options) -> Result<Opened, OpenError> {
    let address = Address { accept_loss: options.accept_loss, ..Address::parse(&options.url)? };
    let mut connection = connect(&address).await?;
    let server = ask_server(&mut connection, &address).await?;
    check_server(&server, &address)?;
    check_schema(&server, &address)?;
    migrate::check(&mut connection, &address, &server.role).await?;
    check_privileges(&mut connection, &server, &address).await?;
    let found = server.settings.found();
    let Found { losses, mut sentences } = found.clone();
    if !losses.is_empty() && !options.accept_loss {
        let losses = losses.join("; ");
        let detail = format!(
            "the ledger in {address} may lose what it has acknowledged. {losses}; or set `accept_loss = true`"
        );
        return Err(OpenError::new(OpenErrorKind::Loss, detail));
    }
    sentences.splice(0..0, losses);
    let warnings = Warnings::new();
    let heard = try_warnings(&mut connection, &warnings).await;
    // Where no standby is waited for today, one may be tomorrow.
    let hears_warnings = matches!(heard, Ok(true));
    if server.settings.waits_for_standby() {
        heard.map_err(|cause| failed(&address, cause))?.then_some(()).ok_or_else(|| deaf(&address))?;
    }
    let watch = Watch::new(options.accept_loss, hears_warnings, found);
    let clock = RemoteClock::start(server.asked, server.time);
    Ok(Opened { address, connection, clock, warnings, watch, sentences })
}

pub(crate) async fn connect(address: &Address) -> Result<Connection, OpenError> {
    Connection::open(address).await.map_err(|cause| failed(address, cause))
}

/// What the server says of itself.
pub(crate) struct Server {
    asked: Asked,
    time: Timestamp,
    version: i32,
    standby: bool,
    read_only: bool,
    schema_exists: bool,
    schema_usable: bool,
    role: String,
    settings: Settings,
}

impl Server {
    fn read(row: &PgRow, asked: Asked) -> Result<Self, sqlx::Error> {
        Ok(Self {
            asked,
            time: timestamp(row.try_get("server_ms")?),
            version: row.try_get("version")?,
            standby: row.try_get("standby")?,
            read_only: row.try_get::<String, _>("read_only")? == "on",
            schema_exists: row.try_get("schema_exists")?,
            schema_usable: row.try_get("schema_usable")?,
            role: row.try_get("role")?,
            settings: Settings::read(row)?,
        })
    }
}

pub(crate) async fn ask_server(connection: &mut Connection, address: &Address) -> Result<Server, OpenError> {
    let sql = Sql::of(include_str!("../sql/server.sql"), &address.schema);
    let asked = RemoteClock::ask();
    let rows = connection.ask(sqlx::query(&sql).bind(address.schema.name())).await;
    let rows = rows.map_err(|error| failed(address, error.cause))?;
    let row = rows.first().ok_or_else(|| failed(address, Cause::Driver("no row".to_owned())))?;
    Server::read(row, asked).map_err(|error| failed(address, error.into()))
}

pub(crate) fn check_server(server: &Server, address: &Address) -> Result<(), OpenError> {
    if server.version < OLDEST {
        let major = server.version / 10_000;
        let detail =
            format!("the server of {address} is PostgreSQL {major}, and 14 is the oldest that can be used");
        return Err(OpenError::new(OpenErrorKind::Server, detail));
    }
    if server.standby {
        let detail = format!("the server of {address} is a standby: give the URL of its primary");
        return Err(OpenError::new(OpenErrorKind::ReadOnly, detail));
    }
    if server.read_only {
        let detail = format!(
            "{address} is read-only (`default_transaction_read_only = on`): find out who set that, and why, and set it to \
             `off` for the role `{}`",
            server.role
        );
        return Err(OpenError::new(OpenErrorKind::ReadOnly, detail));
    }
    Ok(())
}

/// A schema that is not there has no migration; that is told by whoever looks for it.
fn check_schema(server: &Server, address: &Address) -> Result<(), OpenError> {
    if server.schema_exists && !server.schema_usable {
        return Err(forbidden(&server.role, address, "it may not use the schema"));
    }
    Ok(())
}

async fn check_privileges(
    connection: &mut Connection,
    server: &Server,
    address: &Address,
) -> Result<(), OpenError> {
    let sql = Sql::of(include_str!("../sql/privileges.sql"), &address.schema);
    let rows = connection.ask(sqlx::query(&sql).bind(address.schema.quoted())).await;
    let rows = rows.map_err(|error| failed(address, error.cause))?;
    let missing = rows.first().map(|row| row.try_get::<String, _>("missing")).transpose();
    let missing = missing.map_err(|error| failed(address, error.into()))?.unwrap_or_default();
    if missing.is_empty() {
        return Ok(());
    }
    Err(forbidden(&server.role, address, &format!("it lacks {missing}")))
}

pub(crate) fn forbidden(role: &str, address: &Address, what: &str) -> OpenError {
    let schema = address.schema.quoted();
    OpenError::new(
        OpenErrorKind::Permission,
        format!(
            "the role `{role}` may not use the ledger in {address}: {what}; as its owner say `GRANT USAGE ON SCHEMA {schema} \
             TO \"{role}\"; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO \"{role}\"`"
        ),
    )
}

/// A warning is raised; says whether it is heard, as one must be that a standby has not got a write.
async fn try_warnings(connection: &mut Connection, warnings: &Warnings) -> Result<bool, Cause> {
    let raise = sqlx::query(include_str!("../sql/raise_warning.sql"));
    let (raised, heard) = warnings.during(connection.ask(raise)).await;
    raised.map(|_| heard).map_err(|failed| failed.cause)
}

fn deaf(address: &Address) -> OpenError {
    let detail = format!(
        "the warnings of the server of {address} are not heard by this build, so that a write that no standby has would \
         count as acknowledged: build without `max_level_off` and `release_max_level_off` of `tracing`"
    );
    OpenError::new(OpenErrorKind::Store, detail)
}

/// What a failure at opening means to whoever starts a gateway.
pub(crate) fn failed(address: &Address, cause: Cause) -> OpenError {
    let user = address.server.get_username();
    let (kind, advice) = match cause.code() {
        Some("28P01" | "28000") => (
            OpenErrorKind::Denied,
            format!("it does not let the user `{user}` in: check user and password, and its `pg_hba.conf`"),
        ),
        Some("3D000") => (
            OpenErrorKind::NoDatabase,
            "there is no such database: check the URL's path, or make it with `createdb`".to_owned(),
        ),
        Some("42501") => (
            OpenErrorKind::Permission,
            format!(
                "the user `{user}` may not do that: migrate as the owner of the database or of the schema"
            ),
        ),
        Some("25006") => {
            (OpenErrorKind::ReadOnly, "it can only be read: give the URL of the primary".to_owned())
        }
        Some("53300") => (
            OpenErrorKind::Unreachable,
            "it has no connection left: raise `max_connections`, or lower what others take".to_owned(),
        ),
        Some("57P03") => (OpenErrorKind::Unreachable, "it is starting or stopping: try again".to_owned()),
        Some(_) => (OpenErrorKind::Store, "it refuses".to_owned()),
        None => (
            OpenErrorKind::Unreachable,
            "it cannot be reached: check host, port, `sslmode` and `sslrootcert`, and that it runs"
                .to_owned(),
        ),
    };
    OpenError::new(kind, format!("the ledger in {address} cannot be opened: {advice}. {cause}"))
        .because(cause)
}
