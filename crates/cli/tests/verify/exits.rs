//! How a run ends.

use onlyonce_verify::fixture::Defect;

use crate::command::{asked, verify, verify_and};

#[tokio::test]
async fn an_api_that_acts_once_ends_with_0_and_a_summary() {
    let (_fixture, arguments) = asked(None).await;
    let ended = verify_and(&arguments, &[]).await;
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("replay/runs-again"), "{}", ended.stdout);
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
async fn what_only_should_hold_ends_with_0_and_strictly_with_7() {
    let (_fixture, arguments) = asked(Some(Defect::HeadersForgotten)).await;
    let lenient = verify_and(&arguments, &[]).await;
    assert_eq!(lenient.code, 0, "{}{}", lenient.stdout, lenient.stderr);
    assert!(lenient.stdout.contains("FAIL  replay/headers-differ"), "{}", lenient.stdout);
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
