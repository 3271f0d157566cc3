//! How a gateway is asked: where, by whom, with which words.

use super::*;

#[tokio::test]
async fn the_token_is_sent_and_its_absence_explained() {
    let mut desk = Desk::guarded(Some("secret")).await;
    assert_eq!(desk.keys("list").await.exit, Exit::Done);
    for token in [None, Some("wrong".to_owned())] {
        desk.token = token;
        let told = desk.keys("list").await;
        assert_eq!(told.exit, Exit::Failure);
        assert!(told.err.contains("hint: set ONLYONCE_ADMIN_TOKEN, or name the variable"), "{}", told.err);
        assert!(!told.err.contains("wrong"));
    }
    desk.token = None;
    let told = desk.keys("list --token-env NO_SUCH_VARIABLE").await;
    assert_eq!(told.exit, Exit::Usage);
    assert!(told.err.contains("NO_SUCH_VARIABLE is not set"), "{}", told.err);
}

#[tokio::test]
async fn a_command_line_that_makes_no_sense_is_a_usage_error() {
    let desk = Desk::open().await;
    let reference = desk.unknown(FREE, "a").await;
    for line in [
        "settle --as applied --status 201 --reason x".to_owned(),
        format!("settle {reference} --as applied --reason x"),
        format!("settle {reference} --as applied --status 503 --reason x"),
        format!("settle {reference} --as applied --status 999 --reason x"),
        format!("settle {reference} --as applied --status 201 --force --reason x"),
        format!("settle {reference} --as not-applied --status 201 --reason x"),
        format!("settle {reference} --as not-applied"),
        format!("settle {reference} --as not-applied --reason ~"),
        format!("settle {reference} --as done --reason x"),
        format!("settle {reference} --route POST~/free --as not-applied --reason x"),
        format!("settle {reference} {reference} --fence 1 --as not-applied --reason x"),
        "settle --route POST~/free --fence 1 --as not-applied --reason x --yes".to_owned(),
        "settle --older-than soon --as not-applied --reason x --yes".to_owned(),
        "show op_x/../lookup".to_owned(),
        "list --state completed".to_owned(),
        "list --cause weather".to_owned(),
        "forget --reason x".to_owned(),
    ] {
        let told = desk.keys(&line).await;
        assert_eq!((told.exit, told.out.as_str()), (Exit::Usage, ""), "{line}: {}", told.err);
        assert!(told.err.contains("error: "), "{line}: {}", told.err);
    }
    assert_eq!(desk.state(&reference).await, "unknown");
}

#[tokio::test]
async fn who_decides_is_asked_of_changes_alone() {
    let mut desk = Desk::open().await;
    desk.user = None;
    let reference = desk.unknown(FREE, "a").await;
    for what in [reference.as_str(), "--route POST~/free --yes"] {
        let line = format!("settle {what} --as not-applied --reason x");
        let told = desk.keys(&line).await;
        let why = "error: USER is not set, so the audit would not know who decides: add --by NAME\n";
        assert_eq!((told.exit, told.err.as_str()), (Exit::Usage, why));
        let told = desk.keys(&format!("{line} --dry-run")).await;
        assert_eq!(told.exit, Exit::Done, "{}", told.err);
    }
    let told = desk.keys(&format!("forget {reference} --reason x")).await;
    assert!(told.exit == Exit::Usage && told.err.contains("add --by NAME"), "{}", told.err);
    let told = desk.keys(&format!("settle {reference} --as not-applied --reason x --by eva")).await;
    assert_eq!(told.exit, Exit::Done, "{}", told.err);
    assert_eq!(desk.audit().await[0]["who"], "eva");
}

/// The name becomes a part of a path.
#[test]
fn an_operations_name_holds_nothing_but_its_digits() {
    let name = format!("op_{}", "a2".repeat(18));
    assert_eq!(operation_ref(&name).as_ref(), Ok(&name));
    let slashes = format!("op_{}", "/..".repeat(12));
    for other in [&name[..38], &format!("{name}a"), &slashes, &name.to_uppercase(), &name[3..], ""] {
        assert!(operation_ref(other).is_err(), "{other}");
    }
}

#[tokio::test]
async fn what_is_no_gateway_is_said_plainly() {
    let told = |admin: &str| {
        let arguments = Line::try_parse_from(["keys", "--admin", admin, "list"]).unwrap().arguments;
        async move {
            let mut err = Vec::new();
            let exit = match arguments.client(None) {
                Err(failure) => failure.tell(&mut err),
                Ok(client) => {
                    let session =
                        Session { client, user: None, out: &mut io::sink(), err: &mut err, ask: None };
                    run_in(session, &arguments.command).await
                }
            };
            (exit, String::from_utf8(err).unwrap())
        }
    };
    let (exit, text) = told("http://127.0.0.1:1").await;
    assert_eq!(exit, Exit::Failure);
    assert!(
        text.contains("no gateway can be reached at http://127.0.0.1:1") && text.contains("\n\nhint: "),
        "{text}"
    );
    for url in ["https://127.0.0.1:9180", "127.0.0.1:9180", "http://127.0.0.1:9180/admin", "nonsense"] {
        let (exit, text) = told(url).await;
        assert_eq!(exit, Exit::Usage, "{url}");
        assert!(text.contains("http://127.0.0.1:9180"), "{text}");
    }
    let upstream = Hostile::start(Behaviour::AnswersGarbage).await;
    let (exit, text) = told(&upstream.url()).await;
    assert_eq!(exit, Exit::Failure);
    assert!(text.contains("breaks off"), "{text}");
    let other = Hostile::start(Behaviour::Answers).await;
    let (exit, text) = told(&other.url()).await;
    assert_eq!(exit, Exit::Failure);
    assert!(text.contains("no JSON that is known here"), "{text}");
}

#[tokio::test]
async fn who_mistypes_a_name_is_told_which_there_are() {
    let desk = Desk::open().await;
    let free = desk.unknown(FREE, "a").await;
    // Not the last character, of which only some can be one.
    let other = if &free[20..21] == "a" { "b" } else { "a" };
    let slip = format!("{}{other}{}", &free[..20], &free[21..]);
    let foreign = format!("op_{}", "a".repeat(36));
    for line in ["show", "settle --as~applied", "forget --reason~x"] {
        let line = line
            .replace("--as~applied", "--as applied --status 201 --reason x")
            .replace("--reason~x", "--reason x");
        let told = desk.keys(&format!("{line} {slip}")).await;
        assert_eq!(told.exit, Exit::Failure, "{line}");
        assert!(told.err.ends_with(&format!("\nhint: did you mean {free}?\n")), "{line}: {}", told.err);
        let told = desk.keys(&format!("{line} {foreign}")).await;
        assert!(told.err.ends_with(&format!("\nhint: open are {free}\n")), "{line}: {}", told.err);
    }
    let key = desk.keys("show a-clients-key").await;
    assert!(key.err.contains("POST /api/v1/lookup"), "{}", key.err);
}

#[tokio::test]
async fn who_mistypes_a_route_is_told_which_have_something_open() {
    let desk = Desk::open().await;
    assert_eq!(desk.keys("list --route POST~/x").await.err, "Nothing that matches is open.\n");
    desk.unknown(FREE, "a").await;
    for line in ["list --route POST~/x", "settle --route POST~/x --as not-applied --reason x --yes"] {
        let told = desk.keys(line).await;
        let hint = format!("\nhint: nothing of `POST /x` is open; of `{FREE}` (1) there is\n");
        assert!(told.err.ends_with(&hint), "{line}: {}", told.err);
    }
}
