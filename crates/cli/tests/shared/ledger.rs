//! Ledgers of these stories: a schema or namespace of its own on each of the servers that all tests share.

use onlyonce_testbed::servers;

use crate::gateway::Setup;

/// What opens the ledgers of these stories.
const SECRET: &str = "a secret that all gateways on a ledger have";

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
        let url = format!("{server}?schema={}", servers::name());
        let mut migrate = tokio::process::Command::new(env!("CARGO_BIN_EXE_onlyonce"));
        let ended = migrate.args(["ledger", "migrate", "--ledger", &url]).output().await.unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        Self { url, may_lose: false }
    }

    /// A new one on this Redis.
    pub(crate) fn in_namespace_of(server: &str) -> Self {
        Self { url: format!("{server}?namespace={}", servers::name()), may_lose: false }
    }

    /// How a gateway on it is started, with these lines in `[defaults]`.
    pub(crate) fn setup(&self, defaults: &str) -> Setup {
        let accepted = if self.may_lose { "[ledger]\naccept_loss = true" } else { "" };
        let setup = Setup::anonymous().defaults(defaults).table(accepted);
        setup.ledger(&self.url).environment("ONLYONCE_SECRET", SECRET)
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
