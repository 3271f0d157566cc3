//! Runs the command and reads what it said.

use std::process::{Output, Stdio};

use onlyonce_verify::fixture::{Defect, Fixture};
use tokio::process::Command;

/// How a run ended.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// `onlyonce verify` with these arguments and nobody at the keyboard.
pub(crate) async fn verify(arguments: &[&str]) -> Ended {
    verify_with("NO_COLOR", "", arguments).await
}

/// The same with a variable in its environment.
pub(crate) async fn verify_with(name: &str, value: &str, arguments: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onlyonce"));
    command.arg("verify").args(arguments).env(name, value).stdin(Stdio::null());
    let Output { status, stdout, stderr } = command.output().await.unwrap();
    Ended {
        code: status.code().unwrap(),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

/// A fixture, and the arguments of one line that ask it.
pub(crate) async fn asked(defect: Option<Defect>) -> (Fixture, Vec<String>) {
    let fixture = Fixture::start(defect).await.unwrap();
    let request = format!("POST {}/transfers", fixture.plan().target);
    let arguments = [
        request.as_str(),
        "--json",
        r#"{"to":"{{fresh}}","amount":100}"#,
        "--count",
        "GET /transfers length",
        "--credential",
        "Authorization: Bearer of-the-first-caller",
        "--check",
        "replay",
    ];
    (fixture, arguments.map(str::to_owned).to_vec())
}

/// The same with more arguments.
pub(crate) async fn verify_and(arguments: &[String], more: &[&str]) -> Ended {
    let all: Vec<&str> = arguments.iter().map(String::as_str).chain(more.iter().copied()).collect();
    verify(&all).await
}
