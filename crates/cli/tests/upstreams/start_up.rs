//! Starts that are refused: the exit code says what kind of mistake it is, the text what to do.

use onlyonce_testbed::{effects::Upstream, process::Server};

use crate::{
    gateway::{Gateway, Setup},
    transfer::{assert_executed, assert_replays, send, transfer},
};

/// Exit codes, as documented.
const CONFIG: i32 = 3;
const LISTEN: i32 = 4;
pub(crate) const LEDGER: i32 = 5;

/// Starts a gateway that cannot start.
async fn refused(arguments: &[&str]) -> (i32, String) {
    let quiet = [("ONLYONCE_LOG", "off")];
    let arguments = ["gateway"].iter().chain(arguments);
    let mut process = Server::spawn(env!("CARGO_BIN_EXE_onlyonce"), arguments, quiet);
    let ended = process.wait().await;
    assert!(process.stdout().is_empty(), "stdout is for data: {}", process.output());
    (ended.code().expect("it ends by itself"), process.stderr().join("\n"))
}

/// Starts a gateway on a ledger that does not open.
pub(crate) async fn refused_on(upstream: &str, ledger: &str) -> (i32, String) {
    let any = "127.0.0.1:0";
    let arguments = ["--listen", any, "--admin", "off", "--upstream", upstream, "--ledger", ledger];
    refused(&arguments).await
}

/// Starts a gateway with this configuration file.
async fn refused_with(text: &str, arguments: &[&str]) -> (i32, String) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    refused(&[&["--config", file.path().to_str().unwrap()], arguments].concat()).await
}

#[tokio::test]
async fn two_gateways_never_share_an_embedded_ledger() {
    let upstream = Upstream::counting().await;
    let mut gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let first = send(gateway.address, &transfer("k")).await;
    assert_executed(&first, 201);
    let directory = gateway.directory.path().join("ledger");
    let ledger = format!("embedded:{}", directory.display());
    let (code, text) = refused_on(&upstream.url(), &ledger).await;
    assert_eq!(code, LEDGER, "{text}");
    assert!(text.contains(directory.to_str().unwrap()), "{text}");
    assert!(text.contains("another process has it open: stop that one first"), "{text}");
    assert_replays(&send(gateway.address, &transfer("k")).await, &first);
    // A process that was killed leaves no lock.
    gateway.crash_and_restart().await;
    assert_replays(&send(gateway.address, &transfer("k")).await, &first);
}

#[tokio::test]
async fn an_address_in_use_is_told_with_a_way_out() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let directory = tempfile::tempdir().unwrap();
    let ledger = format!("embedded:{}", directory.path().join("ledger").display());
    for (flag, other) in [("--listen", "--admin"), ("--admin", "--listen")] {
        let arguments = [flag, &address, other, "127.0.0.1:0", "--ledger", &ledger];
        let (code, text) = refused(&arguments).await;
        assert_eq!(code, LISTEN, "{text}");
        assert!(text.contains(&address) && text.contains("another process listens there"), "{text}");
        assert!(text.contains(&format!("\n\nhint: choose another with {flag}")), "{text}");
    }
    assert!(!directory.path().join("ledger").exists(), "nothing was made");
}

#[tokio::test]
async fn an_address_of_another_machine_is_told() {
    let (code, text) =
        refused(&["--listen", "192.0.2.1:8080", "--admin", "off", "--ledger", "memory:"]).await;
    assert_eq!(code, LISTEN, "{text}");
    assert!(text.contains("this machine does not have that address"), "{text}");
}

/// It is told before anything else is tried: the address is in use, and the ledger's directory is not made.
#[tokio::test]
async fn a_configuration_that_is_wrong_names_the_key_and_what_would_be_valid() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, directory) = (taken.local_addr().unwrap().to_string(), tempfile::tempdir().unwrap());
    let ledger = directory.path().join("ledger");
    let elsewhere = format!("embedded:{}", ledger.display());
    let usual = ["--listen", &address, "--admin", "off", "--ledger", &elsewhere];
    for (text, arguments, names) in [
        ("[defaults]\nkeyy = \"required\"", &usual[..], &["line 2", "`keyy`", "did you mean `key`?"][..]),
        ("[defaults]\nkey = \"always\"", &usual, &["always", "required, optional or off"]),
        ("[defaults]\ndeadline = \"soon\"", &usual, &["deadline", "soon"]),
        ("[defaults]\non_unknown = \"rerun\"", &usual, &["settle_after", "rerun"]),
        ("[defaults]\non_mismatch = 418", &usual, &["on_mismatch", "422, 409 or 400"]),
        (
            "[[route]]\nmatch = \"POST /x\"\nretain_key = \"1h\"",
            &usual,
            &["POST /x", "retain_key", "retain_result"],
        ),
        ("[principal]\nfrom = \"jwt\"", &usual, &["jwt", "credential, header or anonymous"]),
        ("upstream = \"ftp://127.0.0.1\"", &usual, &["ftp://127.0.0.1", "http://127.0.0.1:3000"]),
        ("upstream = \"http://127.0.0.1:3000/api\"", &usual, &["must not have a path"]),
        ("ledger = 3", &usual, &["ledger"]),
        ("not toml", &usual, &[]),
        ("listen = \"nowhere\"", &usual[2..], &["listen", "nowhere"]),
        ("[ledger]\nurl = \"floppy:a\"", &usual[..4], &["floppy:a", "embedded:PATH"]),
        ("admin = \"0.0.0.0:0\"", &["--listen", &address], &["0.0.0.0:0", "ONLYONCE_ADMIN_TOKEN"]),
    ] {
        let (code, told) = refused_with(text, arguments).await;
        assert_eq!(code, CONFIG, "{text}: {told}");
        assert!(told.starts_with("error: "), "{told}");
        for name in names {
            assert!(told.contains(name), "`{text}` should be told with {name}: {told}");
        }
    }
    assert!(!ledger.exists());
}

#[tokio::test]
async fn a_configuration_that_is_not_there_is_told() {
    let (code, text) = refused(&["--config", "/nowhere/onlyonce.toml"]).await;
    assert_eq!(code, CONFIG, "{text}");
    assert!(text.contains("/nowhere/onlyonce.toml"), "{text}");
}

#[tokio::test]
async fn a_ledger_that_must_exist_and_does_not_is_not_made() {
    let directory = tempfile::tempdir().unwrap();
    // The second is a mount point without its volume.
    let (absent, empty) = (directory.path().join("ledger"), directory.path().join("empty"));
    std::fs::create_dir(&empty).unwrap();
    for ledger in [&absent, &empty] {
        let text = format!("[ledger]\nurl = \"embedded:{}\"\nmust_exist = true\n", ledger.display());
        let (code, told) = refused_with(&text, &["--listen", "127.0.0.1:0", "--admin", "off"]).await;
        assert_eq!(code, LEDGER, "{told}");
        assert!(told.contains(ledger.to_str().unwrap()) && told.contains("is the volume mounted?"), "{told}");
    }
    assert!(!absent.exists());
    assert_eq!(std::fs::read_dir(&empty).unwrap().count(), 0, "nothing is made in it");
}

/// Taken for unset, it would be replaced by a secret that nobody chose.
#[tokio::test]
async fn a_secret_that_is_not_text_is_told_and_not_taken_for_none() {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_onlyonce"));
    command.args(["gateway", "--listen", "127.0.0.1:0", "--admin", "off", "--ledger", "memory:"]);
    command
        .env("ONLYONCE_SECRET", <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(&[0xff; 32]));
    let mut process = Server::spawn_command(command);
    assert_eq!(process.wait().await.code(), Some(CONFIG), "{}", process.output());
    assert!(process.output().contains("ONLYONCE_SECRET is not text"), "{}", process.output());
}

/// A log level that nobody understands is no reason not to serve.
#[tokio::test]
async fn a_log_level_that_means_nothing_is_told_and_passed_over() {
    let upstream = Upstream::counting().await;
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_onlyonce"));
    let any = "127.0.0.1:0";
    command.args(["gateway", "--listen", any, "--admin", "off", "--ledger", "memory:"]);
    command.args(["--upstream", &upstream.url()]).env("ONLYONCE_LOG", "onlyonce=loud");
    let process = Server::spawn_command(command);
    process.ready("listening on http://").await;
    assert!(process.output().contains("ONLYONCE_LOG is not used"), "{}", process.output());
}
