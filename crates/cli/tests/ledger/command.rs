//! The command, and how it ended.

use onlyonce_testbed::{process::Server, servers};

/// It did what was asked.
pub(crate) const DONE: i32 = 0;
/// It failed, or was refused.
pub(crate) const FAILURE: i32 = 1;
/// The command line is not valid.
pub(crate) const USAGE: i32 = 2;
/// The configuration is not valid.
pub(crate) const CONFIG: i32 = 3;
/// The ledger did not open.
pub(crate) const LEDGER: i32 = 5;

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    /// Its stderr.
    pub(crate) told: String,
    /// Its stdout.
    pub(crate) data: String,
}

impl Ended {
    /// It ended so, and told all of this.
    #[track_caller]
    pub(crate) fn assert(&self, code: i32, told: &[&str]) {
        assert_eq!(self.code, code, "{}", self.told);
        for words in told {
            assert!(self.told.contains(words), "`{words}` is not in: {}", self.told);
        }
    }
}

/// Runs `onlyonce` to its end, with these variables in its environment.
pub(crate) async fn onlyonce(arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_onlyonce"));
    command.args(arguments).env_remove("ONLYONCE_SECRET").env("ONLYONCE_LOG", "off");
    command.envs(environment.iter().copied());
    let mut process = Server::spawn_command(command);
    let code = process.wait().await.code().expect("it ends by itself");
    Ended { code, told: process.stderr().join("\n"), data: process.stdout().join("\n") }
}

/// Starts a gateway on a ledger that does not open.
pub(crate) async fn refused_on(ledger: &str, environment: &[(&str, &str)]) -> Ended {
    let any = "127.0.0.1:0";
    let arguments = ["gateway", "--listen", any, "--admin", "off", "--ledger", ledger];
    onlyonce(&arguments, environment).await
}

/// A schema of the shared PostgreSQL, with its tables.
pub(crate) async fn migrated() -> String {
    let ledger = format!("{}?schema={}", servers::postgres().await, servers::name());
    onlyonce(&["ledger", "migrate", "--ledger", &ledger], &[]).await.assert(DONE, &[]);
    ledger
}
