//! How a run ends.

use std::process::Stdio;

use onlyonce_verify::fixture::Defect;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

use crate::command::{asked, verify, verify_and};

#[tokio::test]
async fn an_api_that_acts_once_ends_with_0_and_a_summary() {
    let (_fixture, arguments) = asked(None).await;
    let ended = verify_and(&arguments, &[]).await;
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("replay/runs-again"), "{}", ended.stdout);
    let one = verify_and(arguments.get(..7).unwrap(), &["--check", "replay/runs-again"]).await;
    assert!(one.stderr.contains("1 of 1 check on POST"), "{}", one.stderr);
    assert!(ended.stderr.contains("at most 10000 requests, 100 at once"), "{}", ended.stderr);
    assert!(!ended.stdout.contains('\u{1b}'), "colours are for terminals: {:?}", ended.stdout);
}

#[tokio::test]
async fn a_second_effect_ends_with_7_and_the_requests_that_show_it_without_credentials() {
    let (_fixture, arguments) = asked(Some(Defect::NoDeduplication)).await;
    let ended = verify_and(&arguments, &[]).await;
    assert_eq!(ended.code, 7, "{}{}", ended.stdout, ended.stderr);
    for part in
        ["FAIL  replay/runs-again", "expected", "actual", "curl -sS -i -X POST", "$FIRST_AUTHORIZATION"]
    {
        assert!(ended.stdout.contains(part), "{part}: {}", ended.stdout);
    }
    assert!(
        !ended.stdout.contains("of-the-first-caller") && !ended.stderr.contains("of-the-first-caller"),
        "{}",
        ended.stdout
    );
}

#[tokio::test]
async fn a_run_whose_requests_are_spent_ends_with_8_and_says_so() {
    let (fixture, _) = asked(None).await;
    let directory = tempfile::tempdir().unwrap();
    let plan = directory.path().join("plan.toml");
    let written = format!(
        "target = \"{}\"\n[credentials.first]\nauthorization = \"Bearer of-the-first-caller\"\n\
         [operations.create]\nrequest = \"POST /transfers\"\njson = '{{\"to\":\"{{{{fresh}}}}\",\"amount\":100}}'\n\
         [counter]\nrequest = \"GET /transfers\"\nlength = \"\"\n[bounds]\nrequests = 60\n",
        fixture.plan().target
    );
    std::fs::write(&plan, written).unwrap();
    let ended =
        verify(&[plan.to_str().unwrap(), "--check", "replay/runs-again", "--check", "race/two-run"]).await;
    assert_eq!(ended.code, 8, "{}{}", ended.stdout, ended.stderr);
    assert!(
        ended.stderr.contains("the 60 requests of this run are spent: 1 check could not"),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn what_only_should_hold_ends_with_0_and_strictly_with_7() {
    let (_fixture, arguments) = asked(Some(Defect::HeadersForgotten)).await;
    let lenient = verify_and(&arguments, &[]).await;
    assert_eq!(lenient.code, 0, "{}{}", lenient.stdout, lenient.stderr);
    assert!(lenient.stdout.contains("FAIL  replay/headers-differ"), "{}", lenient.stdout);
    assert!(lenient.stdout.contains("Could be better: replay/headers-differ"), "{}", lenient.stdout);
    assert!(!lenient.stdout.contains("Failed:"), "{}", lenient.stdout);
    assert_eq!(verify_and(&arguments, &["--strict"]).await.code, 7);
}

#[tokio::test]
async fn an_api_that_is_not_there_ends_with_8_and_says_so_once() {
    // Port 9 (discard) is below those that tests listen on.
    let ended = verify(&["POST http://127.0.0.1:9/transfers", "--count", "GET /transfers length"]).await;
    assert_eq!(ended.code, 8, "{}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.stderr.matches("was not reached").count(), 1, "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
}

#[tokio::test]
async fn a_first_answer_that_is_no_success_ends_with_8_and_the_cure() {
    let (fixture, _) = asked(None).await;
    let target = fixture.plan().target.to_string();
    for (request, more, cure) in [
        (format!("POST {target}/transfers"), vec!["--json", "{}"], "--credential"),
        (
            format!("POST {target}/nowhere"),
            vec!["--credential", "Authorization: Bearer of-the-first-caller"],
            "is the path right?",
        ),
        (
            format!("POST {target}/transfers"),
            vec![
                "--json",
                "{}",
                "--credential",
                "Authorization: Bearer of-the-first-caller",
                "--count",
                "GET /nowhere length",
            ],
            "the counter, GET /nowhere, was answered with 404",
        ),
    ] {
        let ended = verify_and(&[request], &more).await;
        assert_eq!(ended.code, 8, "{}", ended.stderr);
        assert!(ended.stderr.contains(cure), "{cure}: {}", ended.stderr);
    }
}

#[tokio::test]
async fn interrupted_it_writes_the_report_so_far_and_ends_with_1() {
    let (_fixture, mut arguments) = asked(None).await;
    // All checks, so that there is something left to interrupt.
    arguments.truncate(arguments.len() - 2);
    let mut command = Command::new(env!("CARGO_BIN_EXE_onlyonce"));
    command.arg("verify").args(&arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().unwrap();
    let mut lines = BufReader::new(running.stderr.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.starts_with("[1/") {
            let pid = Pid::from_raw(running.id().unwrap().try_into().unwrap()).unwrap();
            kill_process(pid, Signal::INT).unwrap();
            break;
        }
    }
    // What it still says has somewhere to go.
    let said = tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    let ended = running.wait_with_output().await.unwrap();
    said.await.unwrap();
    let stdout = String::from_utf8(ended.stdout).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{stdout}");
    assert!(stdout.contains("replay/runs-again") && stdout.contains("not tried (interrupted)"), "{stdout}");
}

#[tokio::test]
async fn reports_go_where_they_are_sent_and_one_on_stdout_stands_alone() {
    let (_fixture, arguments) = asked(None).await;
    let directory = tempfile::tempdir().unwrap();
    let page = directory.path().join("report.html");
    let html = format!("html={}", page.display());
    let ended = verify_and(&arguments, &["--report", &html, "--report", "json=-"]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(std::fs::read_to_string(page).unwrap().starts_with("<!DOCTYPE html>"));
    let document: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(document.pointer("/format"), Some(&serde_json::json!(1)));
    let twice = verify_and(&arguments, &["--report", "text=-", "--report", "json=-"]).await;
    assert_eq!((twice.code, twice.stdout.as_str()), (2, ""), "{}", twice.stderr);
    assert!(twice.stderr.contains("only one report can go to stdout"), "{}", twice.stderr);
    let nowhere = format!("html={}", directory.path().join("no/such/place").display());
    let ended = verify_and(&arguments, &["--report", &nowhere]).await;
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(!ended.stderr.contains("[1/"), "nothing was sent: {}", ended.stderr);
}

#[tokio::test]
async fn whoever_has_seen_enough_takes_neither_the_files_nor_the_exit_code() {
    let (_fixture, arguments) = asked(Some(Defect::NoDeduplication)).await;
    let directory = tempfile::tempdir().unwrap();
    let page = directory.path().join("report.html");
    let html = format!("html={}", page.display());
    for on_stdout in ["text=-", "json=-"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_onlyonce"));
        command.arg("verify").args(&arguments).args(["--report", &html, "--report", on_stdout]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut running = command.spawn().unwrap();
        drop(running.stdout.take());
        assert_eq!(running.wait().await.unwrap().code(), Some(7), "{on_stdout}");
        assert!(std::fs::read_to_string(&page).unwrap().trim_end().ends_with("</html>"));
        std::fs::remove_file(&page).unwrap();
    }
}

#[tokio::test]
async fn a_run_that_tells_nothing_leaves_the_last_report_as_it_was() {
    let (fixture, _) = asked(None).await;
    let directory = tempfile::tempdir().unwrap();
    let (last, new) = (directory.path().join("last.json"), directory.path().join("new.json"));
    std::fs::write(&last, "the last one").unwrap();
    let request = format!("POST {}/nowhere", fixture.plan().target);
    let reports = [format!("json={}", last.display()), format!("json={}", new.display())];
    let ended = verify(&[&request, "--report", &reports[0], "--report", &reports[1]]).await;
    assert_eq!(ended.code, 8, "{}", ended.stderr);
    assert_eq!(std::fs::read_to_string(&last).unwrap(), "the last one");
    let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[tokio::test]
async fn an_api_that_begins_to_listen_in_a_moment_is_waited_for() {
    let listen = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_onlyonce"));
    command.args(["verify", &format!("POST http://{listen}/transfers"), "--json", "{}", "--check", "replay"]);
    command.args(["--credential", "Authorization: Bearer of-the-first-caller"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut running = command.spawn().unwrap();
    let mut lines = BufReader::new(running.stderr.take().unwrap()).lines();
    let mut said = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.contains("refuses connections") {
            let journal = tempfile::tempdir().unwrap();
            tokio::spawn(async move {
                onlyonce_verify::fixture::serve(None, None, listen, &journal.path().join("journal")).await
            });
        }
        said.push_str(&line);
    }
    assert_eq!(running.wait().await.unwrap().code(), Some(0), "{said}");
    assert!(said.contains("refuses connections"), "{said}");
}

#[tokio::test]
async fn a_command_that_fails_is_told_while_it_runs_and_no_more_are_at_once_than_were_allowed() {
    let (fixture, _) = asked(None).await;
    let directory = tempfile::tempdir().unwrap();
    let plan = directory.path().join("plan.toml");
    let text = format!(
        "target = \"{}\"\n[operations.create]\nrequest = \"POST /transfers\"\njson = '{{\"to\":\"{{{{fresh}}}}\",\"amount\":1}}'\n\
         [counter]\nrequest = \"GET /transfers\"\n[credentials.first]\nauthorization = \"Bearer of-the-first-caller\"\n\
         [commands]\nkill = \"echo no such process >&2; exit 1\"\nrestart = \"true\"\n",
        fixture.plan().target
    );
    std::fs::write(&plan, text).unwrap();
    let arguments = [plan.to_str().unwrap(), "--check", "crash", "--check", "race/two-run", "--at-once", "2"];
    let ended = verify(&arguments).await;
    let told = "a command of the plan failed: kill it: echo no such process >&2; exit 1: exit status: 1: no such process";
    assert_eq!(ended.stderr.matches(told).count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("10000 requests, 2 at once"), "{}", ended.stderr);
    assert!(ended.stdout.contains("race/two-run"), "{}", ended.stdout);
}
