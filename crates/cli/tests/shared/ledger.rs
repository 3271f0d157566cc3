//! Ledgers of these stories: a schema or namespace of its own on each of the servers that all tests share.

use std::process::Output;

use onlyonce_testbed::{WAIT_LIMIT, servers};

use crate::gateway::Setup;

/// What opens the ledgers of these stories.
pub(crate) const SECRET: &str = "a secret that all gateways on a ledger have";
/// How a gateway ends whose ledger does not open.
const NO_LEDGER: i32 = 5;

/// A ledger that gateways can share.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    pub(crate) url: String,
    /// Whether opening it needs a word for what a fail-over may lose.
    may_lose: bool,
}

impl Ledger {
    /// A new one on PostgreSQL.
    pub(crate) async fn postgres() -> Self {
        Self::in_schema_of(&servers::postgres().await).await
    }

    /// A new one on Redis.
    pub(crate) async fn redis() -> Self {
        Self::in_namespace_of(&servers::redis().await)
    }

    /// A new one on a Redis Cluster.
    pub(crate) async fn redis_cluster() -> Self {
        Self { may_lose: true, ..Self::in_namespace_of(&servers::redis_cluster().await) }
    }

    /// A new one on this PostgreSQL.
    pub(crate) async fn in_schema_of(server: &str) -> Self {
        let ledger = Self { url: format!("{server}?schema={}", servers::name()), may_lose: false };
        let ended = ledger.command(&["migrate"], &[]).await;
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        ledger
    }

    /// A new one on this Redis.
    pub(crate) fn in_namespace_of(server: &str) -> Self {
        Self { url: format!("{server}?namespace={}", servers::name()), may_lose: false }
    }

    /// The same for another role of a PostgreSQL.
    pub(crate) fn as_role(&self, role: &str) -> Self {
        Self {
            url: self.url.replacen("postgres://postgres@", &format!("postgres://{role}@"), 1),
            ..self.clone()
        }
    }

    /// How a gateway on it is started, with these lines in `[defaults]`.
    pub(crate) fn setup(&self, defaults: &str) -> Setup {
        let setup = Setup::anonymous().defaults(defaults).table(self.accepted());
        setup.ledger(&self.url).environment("ONLYONCE_SECRET", SECRET)
    }

    /// Runs `onlyonce ledger` with this command on it to its end.
    pub(crate) async fn command(&self, words: &[&str], environment: &[(&str, &str)]) -> Output {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_onlyonce"));
        command.arg("ledger").args(words).args(["--ledger", &self.url]).envs(environment.iter().copied());
        command.output().await.unwrap()
    }

    /// What a gateway on it that does not start with this secret says.
    pub(crate) async fn refusal(&self, secret: &str) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), self.accepted()).unwrap();
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_onlyonce"));
        command.args(["gateway", "--listen", "127.0.0.1:0", "--admin", "off", "--ledger", &self.url]);
        command.arg("--config").arg(file.path()).env("ONLYONCE_SECRET", secret).kill_on_drop(true);
        let ended = tokio::time::timeout(WAIT_LIMIT, command.output()).await;
        let ended = ended.expect("it does not start").unwrap();
        let told = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(NO_LEDGER), "{told}");
        told
    }

    fn accepted(&self) -> &'static str {
        if self.may_lose { "[ledger]\naccept_loss = true" } else { "" }
    }
}

/// A test for each backend of stories that take a ledger; what a story is called is the claim.
macro_rules! on_each_backend {
    ($($story:ident),*) => {
        $(
            mod $story {
                use super::{super::ledger::Ledger, $story};

                #[tokio::test(flavor = "multi_thread")]
                async fn on_postgres() {
                    $story(&Ledger::postgres().await).await;
                }

                #[tokio::test(flavor = "multi_thread")]
                async fn on_redis() {
                    $story(&Ledger::redis().await).await;
                }

                #[tokio::test(flavor = "multi_thread")]
                async fn on_redis_cluster() {
                    $story(&Ledger::redis_cluster().await).await;
                }
            }
        )*
    };
}

pub(crate) use on_each_backend;
