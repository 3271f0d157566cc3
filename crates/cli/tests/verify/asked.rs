//! Another host is asked after a word from whoever sits at the terminal.
//!
//! The address of any interface stands for the other host: what is asked there is this machine, which the command cannot
//! know.

use std::{
    fs::File,
    io::{Read, Write},
    process::{Command, Stdio},
};

use onlyonce_verify::fixture::Fixture;
use rustix::{
    fs::{Mode, OFlags, open},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
};

use crate::{command::Ended, refusals::transfers};

/// What a line ends with where nobody types any more (POSIX, General Terminal Interface: EOF).
const END_OF_INPUT: &str = "\u{4}";

/// `onlyonce verify` on a host that is not loopback, with somebody at a terminal who types this when asked.
async fn typed(fixture: &Fixture, typed: &'static str) -> Ended {
    let port = fixture.plan().target.port;
    let mut command = Command::new(env!("CARGO_BIN_EXE_onlyonce"));
    command.args([
        "verify",
        &format!("POST http://0.0.0.0:{port}/transfers"),
        "--json",
        r#"{"to":"{{fresh}}","amount":1}"#,
    ]);
    command.args([
        "--credential",
        "Authorization: Bearer of-the-first-caller",
        "--check",
        "replay/status-differs",
    ]);
    tokio::task::spawn_blocking(move || at_a_terminal(command, typed)).await.unwrap()
}

fn at_a_terminal(mut command: Command, typed: &str) -> Ended {
    let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&keyboard).unwrap();
    unlockpt(&keyboard).unwrap();
    let name = ptsname(&keyboard, Vec::new()).unwrap();
    let terminal = open(&name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
    command.stdin(Stdio::from(terminal)).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().unwrap();
    let mut said = running.stderr.take().unwrap();
    let mut stderr = Vec::new();
    // Nobody answers before he is asked.
    while !stderr.ends_with(b"[y/N] ") {
        let mut byte = [0];
        assert_eq!(said.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&stderr));
        stderr.extend(byte);
    }
    let mut keyboard = File::from(keyboard);
    keyboard.write_all(typed.as_bytes()).unwrap();
    said.read_to_end(&mut stderr).unwrap();
    let ended = running.wait_with_output().unwrap();
    Ended {
        code: ended.status.code().unwrap(),
        stdout: String::from_utf8(ended.stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_says_yes_is_obeyed() {
    let fixture = Fixture::start(None).await.unwrap();
    let ended = typed(&fixture, "y\n").await;
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stderr.contains("0.0.0.0 is not this machine. Go on? [y/N] "), "{}", ended.stderr);
    assert!(ended.stdout.contains("replay/status-differs"), "{}", ended.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_yes_nothing_is_sent() {
    let fixture = Fixture::start(None).await.unwrap();
    let target = fixture.plan().target.to_string();
    let before = transfers(&target).await;
    for answer in ["n\n", "no\n", "\n", "yes please\n", END_OF_INPUT] {
        let ended = typed(&fixture, answer).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{answer:?}: {}", ended.stderr);
        assert!(ended.stderr.contains("error: nothing was sent"), "{answer:?}: {}", ended.stderr);
    }
    assert_eq!(transfers(&target).await, before);
}
