//! The scripts, and the names under which a server keeps them.

use std::sync::LazyLock;

use redis::Cmd;

macro_rules! script {
    ($($file:literal),+) => {
        LazyLock::new(|| Script::new(concat!($(include_str!(concat!("scripts/", $file))),+)))
    };
}

pub(crate) static APPLY: LazyLock<Script> = script!("audit.lua", "apply.lua");
pub(crate) static REMOVE: LazyLock<Script> = script!("remove.lua");
pub(crate) static IDENTITY: LazyLock<Script> = script!("identity.lua");
pub(crate) static NOTE: LazyLock<Script> = script!("audit.lua", "note.lua");

/// A script.
#[derive(Debug)]
pub(crate) struct Script {
    code: &'static str,
    sha: String,
}

impl Script {
    fn new(code: &'static str) -> Self {
        Self { code, sha: redis::Script::new(code).get_hash().to_owned() }
    }

    /// Runs it, if the server has it.
    pub(crate) fn run(&self, keys: &[String]) -> Cmd {
        let mut cmd = redis::cmd("EVALSHA");
        cmd.arg(&self.sha).arg(keys.len()).arg(keys);
        cmd
    }

    /// Gives it to a server.
    pub(crate) fn load(&self) -> Cmd {
        let mut cmd = redis::cmd("SCRIPT");
        cmd.arg("LOAD").arg(self.code);
        cmd
    }
}
