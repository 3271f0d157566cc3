//! What is refused before anything is sent.

use crate::command::{asked, verify, verify_and, verify_with};

#[tokio::test]
async fn another_host_is_not_asked_without_a_terminal_or_a_word_that_it_may() {
    let ended = verify(&["POST http://api.invalid/transfers"]).await;
    assert_eq!(ended.code, 2, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("hint: ") && ended.stderr.contains("--allow-host api.invalid"),
        "{}",
        ended.stderr
    );
    let other = verify(&["POST http://api.invalid/transfers", "--allow-host", "other.invalid"]).await;
    assert_eq!(other.code, 2, "{}", other.stderr);
    // Allowed, it is asked: a name that cannot be found.
    let allowed = verify(&["POST http://api.invalid/transfers", "--allow-host", "api.invalid"]).await;
    assert_eq!(allowed.code, 8, "{}", allowed.stderr);
    let waited = "no address is known for api.invalid; it is tried again for at most 5 s";
    assert_eq!(allowed.stderr.matches(waited).count(), 1, "{}", allowed.stderr);
    for part in
        ["http://api.invalid was not reached: no address is known for api.invalid", "is the name right"]
    {
        assert!(allowed.stderr.contains(part), "{part}: {}", allowed.stderr);
    }
}

#[tokio::test]
async fn a_rehearsal_sends_nothing_and_says_what_it_would() {
    let (fixture, arguments) = asked(None).await;
    let before = transfers(&fixture.plan().target.to_string()).await;
    let ended = verify_and(&arguments, &["--dry-run"]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stdout.contains("curl -sS -i -X POST") && ended.stdout.contains("Nothing was sent."));
    assert!(!ended.stdout.contains("of-the-first-caller"), "{}", ended.stdout);
    let all = verify_and(arguments.get(..7).unwrap(), &["--dry-run"]).await;
    assert_eq!(all.stdout.matches("it cannot be killed").count(), 1, "{}", all.stdout);
    assert!(all.stdout.matches("    crash/").count() > 1, "{}", all.stdout);
    assert_eq!(transfers(&fixture.plan().target.to_string()).await, before);
}

/// How many effects the fixture has had.
pub(crate) async fn transfers(target: &str) -> String {
    let address = target.strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET /transfers HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut answer).await.unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[tokio::test]
async fn mistakes_name_what_was_written_and_what_would_be_right() {
    let plan = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&plan, "target = \"http://127.0.0.1:1\"\nretantion = \"2s\"\n").unwrap();
    let path = plan.path().to_str().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let written = |name: &str, json: &str| {
        let file = directory.path().join(name);
        let operation = format!("[operations.create]\nrequest = \"POST /x\"\njson = '{json}'\n");
        std::fs::write(&file, format!("target = \"http://127.0.0.1:9\"\n{operation}")).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let (unfilled, no_json) = (written("unfilled.toml", r#"["{{fres}}"]"#), written("no-json.toml", "{"));
    let (unfilled, no_json) = (unfilled.as_str(), no_json.as_str());
    for (arguments, code, parts) in [
        (
            &["POST http://127.0.0.1:9/x", "--check", "replay/runs"][..],
            2,
            &["replay/runs", "replay/runs-again"][..],
        ),
        (&["POST http://127.0.0.1:9/x", "--profile", "itf"], 2, &["itf", "ietf"]),
        (&["POST http://127.0.0.1:9/x", "--count", "transfers"], 2, &["transfers", "GET /path length"]),
        (&["http://127.0.0.1:9/x"], 2, &["is no request", "POST http://"]),
        (&["POST http://127.0.0.1:9/x", "--check", "Replay"], 2, &["did you mean \"replay\"?"]),
        (&["POST http://127.0.0.1:9/x", "--profile", "IETF"], 2, &["did you mean \"ietf\"?"]),
        (&["post http://127.0.0.1:9/x"], 2, &["capitals, POST"]),
        (&["POST 127.0.0.1:9/x", "--json", "{}"], 2, &["127.0.0.1:9/x", "http://"]),
        (&["POST", "http://127.0.0.1:9/x", "--check", "nowhere"], 2, &["there is no check \"nowhere\""]),
        (&["POST http://127.0.0.1:9/x", "--json", "{\"item\":\"book\""], 2, &["is no JSON"]),
        (&["POST http://127.0.0.1:9/x", "--json", "{\"item\":{{fresh}}x}"], 2, &["is no JSON"]),
        (&["POST http://127.0.0.1:9/x", "--json", "@body.json"], 2, &["is no JSON", "$(cat body.json)"]),
        (
            &["POST http://127.0.0.1:9/x", "--json", "[\"{{fres}}\"]", "--dry-run"],
            0,
            &["--json: {{fres}} is sent as it stands; did you mean {{fresh}}?"],
        ),
        (&["POST http://127.0.0.1:9/x", "--at-once", "0"], 2, &["--at-once", "1.."]),
        (&["POST http://127.0.0.1:9/x", "--at-once", "7", "--dry-run"], 0, &[]),
        (&[unfilled, "--dry-run"], 0, &[unfilled, "operations.create.json: {{fres}}", "{{fresh}}?"]),
        (&[no_json], 3, &[no_json, "operations.create.json: \"{\" is no JSON"]),
        (&["no-such-plan.toml"], 3, &["no-such-plan.toml", "onlyonce verify init"]),
        (&[path], 3, &["retantion", "retention"]),
        (&[path, "--json", "{}"], 2, &["--json"]),
        (&["POST http://127.0.0.1:9/x", "--report", "xml=x"], 2, &["json=report.json"]),
        (&[], 2, &["REQUEST|PLAN"]),
    ] {
        let ended = verify(arguments).await;
        assert_eq!(ended.code, code, "{arguments:?}: {}", ended.stderr);
        for part in parts {
            assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
        }
    }
}

#[tokio::test]
async fn a_plan_is_printed_or_made_and_never_written_over() {
    let printed = verify(&["init"]).await;
    assert_eq!(printed.code, 0, "{}", printed.stderr);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("plan.toml");
    let path = file.to_str().unwrap();
    assert_eq!(verify(&["init", path]).await.code, 0);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), printed.stdout);
    std::fs::write(&file, "mine").unwrap();
    let again = verify(&["init", path]).await;
    assert_eq!(again.code, 1);
    assert!(
        again.stderr.contains("is there already") && again.stderr.contains("--dry-run"),
        "{}",
        again.stderr
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
}

#[tokio::test]
async fn a_credential_may_stand_in_the_environment() {
    let directory = tempfile::tempdir().unwrap();
    let plan = directory.path().join("plan.toml");
    let (fixture, _) = asked(None).await;
    let text = format!(
        "target = \"{}\"\n[operations.create]\nrequest = \"POST /transfers\"\njson = '{{}}'\n\
         [credentials.first]\nauthorization = \"env:ONLYONCE_TEST_CREDENTIAL\"\n",
        fixture.plan().target
    );
    std::fs::write(&plan, text).unwrap();
    let arguments = [plan.to_str().unwrap(), "--check", "replay/status-differs"];
    let unset = verify(&arguments).await;
    assert_eq!(unset.code, 3, "{}", unset.stderr);
    assert!(unset.stderr.contains("ONLYONCE_TEST_CREDENTIAL"), "{}", unset.stderr);
    let set = verify_with("ONLYONCE_TEST_CREDENTIAL", "Bearer of-the-first-caller", &arguments).await;
    assert_eq!(set.code, 0, "{}{}", set.stdout, set.stderr);
}
