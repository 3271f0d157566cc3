//! The Python example as a process that can be killed: a bank with one unique column.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use onlyonce_testbed::{
    client::{self, Request},
    process::{Port, Server},
};
use tempfile::TempDir;

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/python/transfers.py");
/// What a bank's end leaves for the next one to recover, if it is killed in the middle of a commit.
const DATABASE: &str = "transfers.db";

/// The bank; its port and its database outlive its processes.
pub(crate) struct Bank {
    process: Server,
    port: Port,
    directory: TempDir,
}

impl Bank {
    /// Opens a bank without transfers.
    pub(crate) async fn open() -> Self {
        let (port, directory) =
            (Port::reserve(), tempfile::tempdir().expect("there is room for a directory"));
        let process = run(&port, directory.path().join(DATABASE)).await;
        Self { process, port, directory }
    }

    /// Kills it and opens it again on what it left.
    pub(crate) async fn crash(&mut self) {
        self.process.kill9().await;
        self.process = run(&self.port, self.directory.path().join(DATABASE)).await;
    }

    /// Where it is reached, also after a crash.
    pub(crate) fn url(&self) -> String {
        self.port.url()
    }

    /// The ids of all transfers by payer, asked for past the gateway.
    pub(crate) async fn transfers(&self) -> BTreeMap<String, Vec<u64>> {
        let address: SocketAddr = self.port.addr();
        let answer = client::send(address, &Request::get("/transfers")).await.expect("the bank answers");
        let rows = answer.json();
        let mut by_payer: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for row in rows.as_array().expect("a list of transfers") {
            let payer = row["from_account"].as_str().expect("a transfer has a payer");
            by_payer
                .entry(payer.to_owned())
                .or_default()
                .push(row["id"].as_u64().expect("an id is a number"));
        }
        by_payer
    }
}

async fn run(port: &Port, database: PathBuf) -> Server {
    let number = port.number().to_string();
    let database = database.to_str().expect("temporary paths are text");
    let arguments = [PROGRAM, "--port", &number, "--database", database];
    let process = Server::spawn("python3", arguments, [("PYTHONUNBUFFERED", "1")]);
    process.ready("listening on").await;
    process
}
