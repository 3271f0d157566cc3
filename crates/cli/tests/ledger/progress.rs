//! How a transfer shows where it is: a bar on a terminal, which is gone at the end, and lines elsewhere.

use std::{
    fs::File,
    io::{Read, Write},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use onlyonce_core::{Fingerprint, Owner, Policy, RecordId, event::Completion, fingerprint::Recipe};
use onlyonce_ledger::{
    Ledger, Options,
    begin::{Claimed, Look, Request},
    identity::Secret,
    memory::MemoryStore,
    store::Store,
    transfer::{Export, export},
};
use rustix::{
    fs::{Mode, OFlags, open},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
};

use crate::command::{DONE, onlyonce};

/// Enough that a bar moves.
const RECORDS: u32 = 3_000;
/// As wide as a terminal may be taken to be.
const COLUMNS: usize = 80;

/// An export of a ledger with so many completed operations.
async fn file(path: &Path) {
    let store = Arc::<MemoryStore>::default() as Arc<dyn Store>;
    let secret = Secret::new([7; 32]).unwrap();
    let (ledger, _) = Ledger::open(Arc::clone(&store), &secret, Options::default()).await.unwrap();
    for number in 0..RECORDS {
        let mut id = [0; 16];
        // Spread over all ids, as hashes are.
        id[..4].copy_from_slice(&number.wrapping_mul(2_654_435_761).to_be_bytes());
        let request = Request {
            id: RecordId(id),
            recipe: Recipe::V1,
            fingerprint: Fingerprint([1; 32]),
            owner: Owner([1; 16]),
            one_of_many: false,
            route: "POST /transfers".to_owned(),
            policy: Policy::default(),
            parameters: bytes::Bytes::new(),
        };
        let Ok(Look::Free(leader)) = ledger.look_up(&request, Duration::ZERO).await else {
            panic!("it is free");
        };
        let Ok(Claimed::Attempt(attempt)) = leader.claim().await else { panic!("it is granted") };
        attempt.complete(Completion::Kept { status: 201 }, bytes::Bytes::from_static(b"paid")).await.unwrap();
    }
    let mut out = File::create(path).unwrap();
    export(store, Export::Copy, &mut out, &mut |_| {}).await.unwrap();
}

/// Runs `onlyonce ledger` at a terminal where somebody says yes when he is asked, and gives all that the terminal was sent.
fn at_a_terminal(arguments: &[&str]) -> String {
    let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&screen).unwrap();
    unlockpt(&screen).unwrap();
    let name = ptsname(&screen, Vec::new()).unwrap();
    let terminal = || open(&name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_onlyonce"));
    command.arg("ledger").args(arguments).env_remove("ONLYONCE_SECRET").env_remove("ONLYONCE_LOG");
    command.stdin(Stdio::from(terminal())).stdout(Stdio::null()).stderr(Stdio::from(terminal()));
    let mut running = command.spawn().unwrap();
    // It is the last to have the terminal, so that its end is that of what is read here.
    drop(command);
    let mut screen = File::from(screen);
    let mut sent = Vec::new();
    let mut some = [0; 4_096];
    while let Ok(read @ 1..) = screen.read(&mut some) {
        sent.extend_from_slice(&some[..read]);
        if sent.ends_with(b"[y/N] ") {
            screen.write_all(b"y\n").unwrap();
        }
    }
    assert_eq!(running.wait().unwrap().code(), Some(DONE), "{}", String::from_utf8_lossy(&sent));
    String::from_utf8(sent).unwrap()
}

/// The lines that are left on a terminal that was sent this.
///
/// Panics if a line was written over that did not fit: the terminal has broken it, and its beginning stays.
fn left(sent: &str) -> Vec<String> {
    let mut lines = vec![Vec::new()];
    let (mut column, mut rest) = (0, sent);
    while let Some(next) = rest.chars().next() {
        let line: &mut Vec<char> = lines.last_mut().unwrap();
        if let Some(after) = rest.strip_prefix("\u{1b}[K") {
            assert!(
                line.len() <= COLUMNS,
                "too long to be written over: {}",
                line.iter().collect::<String>()
            );
            line.truncate(column);
            rest = after;
            continue;
        }
        match next {
            '\r' => column = 0,
            '\n' => lines.push(Vec::new()),
            other => {
                line.truncate(line.len().max(column));
                if column < line.len() {
                    line[column] = other
                } else {
                    line.push(other)
                }
                column += 1;
            }
        }
        rest = &rest[next.len_utf8()..];
    }
    lines.into_iter().map(|line| line.into_iter().collect()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bar_is_shown_on_a_terminal_and_is_gone_at_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    file(&directory.path().join("file")).await;
    let ledger = format!("embedded:{}", at("ledger"));

    let sent = at_a_terminal(&["import", "--ledger", &ledger, &at("file")]);
    assert!(sent.contains("[###############---------------] 5"), "half of it: {sent:?}");
    let lines = left(&sent);
    let first =
        format!("{ledger}: {RECORDS} records, {RECORDS} results and 0 entries of the audit were written");
    assert_eq!(lines[0], first);
    assert!(lines[2].starts_with("next: start gateways on it"), "{lines:?}");

    let sent = at_a_terminal(&["export", "--ledger", &ledger, &at("again")]);
    assert!(sent.contains("[###############---------------] 5"), "half of it: {sent:?}");
    let lines = left(&sent);
    assert!(lines.iter().any(|line| line.contains("Go on? [y/N]")), "{lines:?}");
    let first =
        format!("{ledger}: {RECORDS} records, {RECORDS} results and 0 entries of the audit were written");
    assert!(lines.contains(&first), "{lines:?}");
    assert!(
        !lines.iter().any(|line| line.contains("##") || line.contains('%')),
        "the bar is gone: {lines:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn elsewhere_there_is_no_bar_and_nothing_is_written_over() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    file(&directory.path().join("file")).await;
    let ledger = format!("embedded:{}", at("ledger"));
    for arguments in [
        ["ledger", "import", "--ledger", &ledger, &at("file")].as_slice(),
        &["ledger", "export", "--yes", "--ledger", &ledger, &at("again")],
    ] {
        let ended = onlyonce(arguments, &[]).await;
        ended.assert(DONE, &[" %: 1024 records\n", &format!("{RECORDS} records, {RECORDS} results")]);
        assert!(!ended.told.contains(['\r', '\u{1b}', '#']), "{}", ended.told);
        assert!(ended.told.lines().count() < 40, "a line now and then: {}", ended.told);
    }
}
