//! `onlyonce config`, as a person types it.

use std::{
    path::Path,
    process::{Command, Output},
};

/// The configuration is not valid.
const CONFIG: i32 = 3;

fn config(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onlyonce"));
    command.arg("config").args(arguments).env_remove("ONLYONCE_SECRET").env_remove("ONLYONCE_ADMIN_TOKEN");
    command.output().expect("the program starts")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("it says text")
}

fn write(directory: &Path, text: &str) -> String {
    let file = directory.join("onlyonce.toml");
    std::fs::write(&file, text).expect("there is room for a file");
    file.to_str().expect("a plain path").to_owned()
}

#[test]
fn the_default_configuration_is_a_file_that_is_right() {
    let directory = tempfile::tempdir().unwrap();
    let printed = config(&["default"]);
    assert!(printed.status.success() && printed.stderr.is_empty());
    let file = write(directory.path(), text(&printed.stdout));
    let checked = config(&["check", &file]);
    assert!(checked.status.success(), "{}", text(&checked.stderr));
    assert!(text(&checked.stdout).starts_with("OK: "), "{}", text(&checked.stdout));
    assert!(text(&checked.stderr).contains("warning: ledger.must_exist is off"), "{}", text(&checked.stderr));
    assert!(!text(&checked.stdout).contains("warning"), "warnings are no data");
}

#[test]
fn a_file_that_is_wrong_ends_with_its_own_exit_code_and_says_nothing_on_stdout() {
    let directory = tempfile::tempdir().unwrap();
    for (wrong, named) in [
        (
            "[[route]]\nmatch = \"POST /a\"\nleese = \"1s\"",
            "line 3, route `POST /a`: there is no key `leese`; did you mean `lease`?",
        ),
        ("upstream = \"ftp://a\"", "upstream `ftp://a`"),
        ("[principal]\nfrom = \"header\"", "[principal] from = \"header\" needs `trusted`"),
        ("[ledger]\nurl = \"floppy:a\"", "floppy:a"),
        ("admin = \"0.0.0.0:9180\"", "ONLYONCE_ADMIN_TOKEN"),
        (
            "[[route]]\nmatch = \"POST /a\"\non_unknown = \"probe\"\nsettle_after = \"1m\"\n[route.probe]\n\
             url = \"/{operation_ref}\"\nheaders = { authorization = \"env:ONLYONCE_TEST_UNSET\" }",
            "route `POST /a`: `probe.headers.authorization`: the environment variable ONLYONCE_TEST_UNSET is not set",
        ),
    ] {
        let checked = config(&["check", &write(directory.path(), wrong)]);
        assert_eq!(checked.status.code(), Some(CONFIG), "{wrong}");
        assert!(text(&checked.stderr).contains(named), "{wrong}: {}", text(&checked.stderr));
        assert!(checked.stdout.is_empty(), "{wrong}: {}", text(&checked.stdout));
    }
    assert!(!directory.path().join("onlyonce-data").exists(), "nothing is made");
}

#[test]
fn a_request_is_explained_in_columns() {
    let directory = tempfile::tempdir().unwrap();
    let file = write(
        directory.path(),
        "[defaults]\nwait = \"2s\"\n\n[[route]]\nmatch = \"POST /transfers\"\nkey = \"required\"\n",
    );
    let told = config(&["explain", "POST /transfers?x=1", "--config", &file]);
    assert!(told.status.success(), "{}", text(&told.stderr));
    let told = text(&told.stdout);
    let head =
        format!("POST /transfers falls under the route `POST /transfers` ({file}, line 4).\n\nSETTING ");
    assert!(told.starts_with(&head), "{told}");
    let columns: Vec<Vec<_>> = told.lines().map(|line| line.split_whitespace().collect()).collect();
    for row in
        [["key", "\"required\"", "route"], ["wait", "\"2s\"", "defaults"], ["lease", "\"60s\"", "built-in"]]
    {
        assert!(columns.iter().any(|columns| columns[..] == row), "{row:?}: {told}");
    }
    let elsewhere = config(&["explain", "GET /", "--config", &file]);
    let told = format!("GET / falls under no route of {file}: the defaults hold.\n");
    assert!(text(&elsewhere.stdout).starts_with(&told), "{}", text(&elsewhere.stdout));
}

/// It said of such a request that it passes, while the gateway refused it.
#[test]
fn a_request_that_is_refused_for_its_path_is_not_said_to_pass() {
    let directory = tempfile::tempdir().unwrap();
    let routes = "[defaults]\nkey = \"required\"\n\n[[route]]\nmatch = \"POST /{any}\"\nkey = \"off\"\n";
    let file = write(directory.path(), routes);
    let second = |request: &str| {
        let told = config(&["explain", request, "--config", &file]);
        text(&told.stdout).lines().nth(2).unwrap().to_owned()
    };
    let refused = "It is refused (request-ambiguous): its path can be read in more than one way.";
    for request in ["POST /a;b", "POST /%61", "POST /a//b"] {
        assert_eq!(second(request), refused, "{request}");
    }
    for request in ["POST /a", "GET /a;b"] {
        assert_eq!(second(request), "It may not have a key here, and passes as it is.", "{request}");
    }
}

/// Who forgot to name his file would take the built-in answers for his own.
#[test]
fn without_a_file_the_first_line_says_that_what_is_built_in_is_explained() {
    let told = config(&["explain", "POST /transfers"]);
    let first =
        "POST /transfers falls under what is built in: no file was named; --config FILE explains yours.\n";
    assert!(text(&told.stdout).starts_with(first), "{}", text(&told.stdout));
}

#[test]
fn a_check_shows_which_routes_bind_and_how_long_an_attempt_may_take() {
    let directory = tempfile::tempdir().unwrap();
    let said = "[[route]]\nmatch = \"POST /a\"\nmode = \"observe\"\ndeadline = \"30s\"\n";
    let checked = config(&["check", &write(directory.path(), said)]);
    let told = text(&checked.stdout);
    let columns: Vec<Vec<_>> = told.lines().map(|line| line.split_whitespace().collect()).collect();
    for row in [["ROUTE", "MODE", "KEY"], ["POST", "/a", "observe"]] {
        assert!(columns.iter().any(|columns| columns.starts_with(&row)), "{row:?}: {told}");
    }
    assert!(columns.iter().any(|columns| columns.contains(&"DEADLINE")), "{told}");
    assert!(columns.iter().any(|columns| columns.contains(&"observe") && columns.contains(&"30s")), "{told}");
}
