//! The clients of `examples/clients`, through a network that loses answers.

use std::{
    path::PathBuf,
    process::{Command, Output},
};

use onlyonce_testbed::{
    effects::Upstream,
    proxy::{Fault, Proxy},
};
use tempfile::TempDir;

use crate::gateway::{Gateway, Setup};

const ORDER: &str = r#"{"from_account":"ana","to_account":"luis","amount":100}"#;

/// How the two are called: they take the same arguments.
const CLIENTS: [&[&str]; 2] = [&["python3", "pay.py"], &["sh", "pay.sh"]];

async fn run(client: &[&str], directory: &TempDir, arguments: &[&str]) -> Output {
    let [program, script] = client else { panic!("a program and a script") };
    let scripts = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/clients");
    let mut command = Command::new(program);
    command.arg(scripts.join(script)).args(arguments).current_dir(directory.path());
    tokio::task::spawn_blocking(move || command.output().expect("the client runs")).await.unwrap()
}

/// What the client wrote down.
fn written(directory: &TempDir) -> PathBuf {
    let mut files = std::fs::read_dir(directory.path()).unwrap();
    files.next().expect("the intent is written down").unwrap().path()
}

#[tokio::test]
async fn the_example_clients_act_once_through_a_network_that_loses_answers() {
    for client in CLIENTS {
        let upstream = Upstream::counting().await;
        let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
        let network = Proxy::start(gateway.address).await;
        network.next(Fault::drop_answer());
        network.next(Fault::cut_down(40));
        let directory = tempfile::tempdir().unwrap();
        let url = format!("http://{}/transfers", network.addr());
        let ended = run(client, &directory, &[&url, ORDER]).await;
        assert_eq!(ended.status.code(), Some(0), "{client:?}: {}", String::from_utf8_lossy(&ended.stderr));
        assert!(!ended.stdout.is_empty());
        assert_eq!((upstream.total(), upstream.arrivals()), (1, 1), "{client:?}");
    }
}

/// Interrupted before it knows, the client goes on with the same key and the same bytes.
#[tokio::test]
async fn an_interrupted_example_client_goes_on_with_its_key() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let network = Proxy::start(gateway.address).await;
    network.next(Fault::drop_answer());
    let directory = tempfile::tempdir().unwrap();
    let url = format!("http://{}/transfers", network.addr());
    let ended = run(CLIENTS[0], &directory, &[&url, ORDER, "--patience", "0"]).await;
    let told = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(3), "{told}");
    assert!(told.contains("--resume"), "{told}");
    let file = written(&directory);
    let ended = run(CLIENTS[0], &directory, &["--resume", file.to_str().unwrap()]).await;
    assert_eq!(ended.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("replayed"));
    assert_eq!(upstream.total(), 1);
}

/// A key that stands for something else is nobody's to replace.
#[tokio::test]
async fn an_example_client_never_makes_a_new_key_because_of_an_answer() {
    for client in CLIENTS {
        let upstream = Upstream::counting().await;
        let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
        let directory = tempfile::tempdir().unwrap();
        let url = format!("http://{}/transfers", gateway.address);
        let python = client[0] == "python3";
        let file = directory.path().join("intent");
        let intent = |amount: u32| {
            let body = format!(r#"{{"amount":{amount}}}"#);
            match python {
                true => serde_json::json!({ "url": url, "key": "k", "body": body }).to_string(),
                false => format!("{url}\nk\n{body}\n"),
            }
        };
        for (amount, code) in [(1, 0), (2, 1)] {
            std::fs::write(&file, intent(amount)).unwrap();
            let ended = run(client, &directory, &["--resume", file.to_str().unwrap()]).await;
            let told = String::from_utf8_lossy(&ended.stderr);
            assert_eq!(ended.status.code(), Some(code), "{client:?}: {told}");
        }
        assert_eq!(upstream.executions("k"), 1, "{client:?}");
        assert_eq!(upstream.arrivals(), 1, "{client:?}");
    }
}
