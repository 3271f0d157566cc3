//! The commands against a gateway in this process, whose upstream hangs up on every request.

use std::io::Read;

use clap::Parser;
use onlyonce_gateway::{
    Config, Gateway, Running,
    config::{Admin, PrincipalFrom, Route, Settings, Span},
    gateway::Secrets,
};
use onlyonce_testbed::{
    client::{self, Request},
    hostile::{Behaviour, Hostile},
};
use serde_json::Value;

use super::*;

const FREE: &str = "POST /free";
const HELD: &str = "POST /held";
const UNSAID: &str = "POST /unsaid";

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    arguments: Arguments,
}

struct Told {
    exit: Exit,
    out: String,
    err: String,
}

struct Desk {
    gateway: Running,
    _upstream: Hostile,
    token: Option<String>,
    user: Option<String>,
}

impl Desk {
    async fn open() -> Self {
        Self::guarded(None).await
    }

    async fn guarded(token: Option<&str>) -> Self {
        let upstream = Hostile::start(Behaviour::ClosesUnanswered).await;
        let any_port = "127.0.0.1:0".parse().unwrap();
        let route = |pattern: &str, settle_after: Option<&str>| Route {
            pattern: pattern.to_owned(),
            settings: Settings {
                settle_after: settle_after.map(|text| Span::parse(text).unwrap()),
                ..Settings::default()
            },
        };
        let mut config = Config {
            listen: any_port,
            upstream: upstream.url(),
            admin: Admin::At(any_port),
            route: vec![route(FREE, Some("0s")), route(HELD, Some("1h")), route(UNSAID, None)],
            ..Config::default()
        };
        config.ledger.url = "memory:".to_owned();
        config.principal.from = PrincipalFrom::Anonymous;
        let secrets = Secrets { admin: token.map(str::to_owned), ..Secrets::default() };
        let gateway = Gateway::start(config, secrets).await.unwrap();
        Self { gateway, _upstream: upstream, token: token.map(str::to_owned), user: Some("ana".to_owned()) }
    }

    /// An operation of this route whose outcome is unknown.
    async fn unknown(&self, route: &str, key: &str) -> String {
        let path = route.split(' ').nth(1).unwrap();
        let answer = client::send(self.gateway.address(), &Request::post(path).key(key)).await.unwrap();
        assert_eq!(answer.header("idempotency-status"), Some("unknown"), "{}", answer.text());
        answer.json()["operation_ref"].as_str().unwrap().to_owned()
    }

    async fn keys(&self, line: &str) -> Told {
        self.asked(line, None).await
    }

    /// Words are split at spaces; `~` is a space within one.
    async fn asked(&self, line: &str, ask: Option<Box<dyn BufRead + '_>>) -> Told {
        let admin = self.gateway.admin().unwrap();
        let words = line.split(' ').map(|word| word.replace('~', " "));
        let all =
            ["keys".to_owned(), "--admin".to_owned(), format!("http://{admin}")].into_iter().chain(words);
        let arguments = match Line::try_parse_from(all) {
            Ok(line) => line.arguments,
            Err(error) => return Told { exit: Exit::Usage, out: String::new(), err: error.to_string() },
        };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let exit = match arguments.client(self.token.clone()) {
            Ok(client) => {
                let user = self.user.clone();
                run_in(Session { client, user, out: &mut out, err: &mut err, ask }, &arguments.command).await
            }
            Err(failure) => failure.tell(&mut err),
        };
        Told { exit, out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap() }
    }

    async fn operation(&self, reference: &str) -> Value {
        serde_json::from_str(&self.keys(&format!("show {reference} --json")).await.out).unwrap()
    }

    async fn state(&self, reference: &str) -> String {
        self.operation(reference).await["state"].as_str().unwrap().to_owned()
    }

    async fn audit(&self) -> Vec<Value> {
        let answer =
            client::send(self.gateway.admin().unwrap(), &Request::get("/api/v1/audit")).await.unwrap();
        answer.json()["entries"].as_array().unwrap().clone()
    }
}

#[tokio::test]
async fn the_list_shows_what_is_open_and_as_what_it_settles() {
    let desk = Desk::open().await;
    let none = desk.keys("list").await;
    assert_eq!((none.exit, none.out.as_str(), none.err.as_str()), (Exit::Done, "", "Nothing is open.\n"));
    let free = desk.unknown(FREE, "a").await;
    let held = desk.unknown(HELD, "b").await;
    let unsaid = desk.unknown(UNSAID, "c").await;
    let told = desk.keys("list --state unknown").await;
    assert_eq!(told.exit, Exit::Done);
    let lines: Vec<_> = told.out.lines().collect();
    assert_eq!(lines.len(), 4);
    let column = lines[0].find("SETTLES AS").unwrap();
    for (reference, settles_as) in [
        (&free, "applied, not-applied"),
        (&held, "applied; not-applied from "),
        (&unsaid, "applied; not-applied with --force"),
    ] {
        let line = lines.iter().find(|line| line.starts_with(reference.as_str())).unwrap();
        assert!(line[column..].starts_with(settles_as), "{line}");
        assert!(line.contains("answer-lost"), "{line}");
    }
    assert!(told.err.contains("3 unknown, 0 in progress"), "{}", told.err);
}

#[tokio::test]
async fn the_list_is_filtered_and_comes_as_json_lines() {
    let desk = Desk::open().await;
    let free = desk.unknown(FREE, "a").await;
    desk.unknown(HELD, "b").await;
    let told = desk.keys("list --route POST~/free --cause answer-lost --json").await;
    let lines: Vec<Value> = told.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["operation_ref"], free);
    for nobody in ["list --older-than 1h", "list --cause deadline", "list --state in-progress"] {
        assert_eq!(desk.keys(nobody).await.out, "", "{nobody}");
    }
}

#[tokio::test]
async fn show_says_how_to_end_it() {
    let desk = Desk::open().await;
    let free = desk.unknown(FREE, "a").await;
    let unsaid = desk.unknown(UNSAID, "b").await;
    let told = desk.keys(&format!("show {free}")).await;
    assert!(told.out.contains("answer-lost: bytes were sent"), "{}", told.out);
    assert!(
        told.err.contains(&format!("onlyonce keys settle {free} --fence 1 --as not-applied --reason")),
        "{}",
        told.err
    );
    assert!(!told.err.contains("--force"));
    assert!(desk.keys(&format!("show {unsaid}")).await.err.contains("--as not-applied --force --reason"));
}

#[tokio::test]
async fn settling_uses_the_state_and_fence_that_it_shows() {
    let desk = Desk::open().await;
    let one = desk.unknown(FREE, "a").await;
    let other = desk.unknown(HELD, "b").await;
    let told = desk.keys(&format!("settle {one} --as not-applied --reason no~row")).await;
    assert_eq!((told.exit, told.out), (Exit::Done, format!("{one}  released settled-by-operator\n")));
    assert!(told.err.contains("unknown answer-lost, fence 1, POST /free"), "{}", told.err);
    let told = desk.keys(&format!("settle {other} --as applied --status 201 --reason row --by luis")).await;
    assert_eq!((told.exit, told.out), (Exit::Done, format!("{other}  completed 201\n")));
    let audit = desk.audit().await;
    assert_eq!((&audit[0]["who"], &audit[1]["who"]), (&"luis".into(), &"ana".into()));
    assert_eq!(audit[1]["why"], "no row");
}

/// A11 at the keyboard: the fence on the command line is the one that was looked into.
#[tokio::test]
async fn a_fence_that_does_not_stand_settles_nothing() {
    let desk = Desk::open().await;
    let reference = desk.unknown(FREE, "a").await;
    let told = desk.keys(&format!("settle {reference} --fence 2 --as not-applied --reason no~row")).await;
    assert_eq!((told.exit, told.out.as_str()), (Exit::Failure, ""));
    assert!(
        told.err.contains("record-moved") && told.err.contains("\n\nhint: onlyonce keys show"),
        "{}",
        told.err
    );
    assert_eq!(desk.state(&reference).await, "unknown");
}

#[tokio::test]
async fn one_refusal_does_not_keep_the_next_from_its_turn() {
    let desk = Desk::open().await;
    let held = desk.unknown(HELD, "a").await;
    let free = desk.unknown(FREE, "b").await;
    let told = desk.keys(&format!("settle {held} {free} --as not-applied --reason outage")).await;
    assert_eq!(told.exit, Exit::Failure);
    assert!(
        told.err.contains(&format!("error: {held}: ")) && told.err.contains("settle-too-early"),
        "{}",
        told.err
    );
    assert_eq!(
        (desk.state(&held).await, desk.state(&free).await),
        ("unknown".to_owned(), "released".to_owned())
    );
    let forced =
        desk.keys(&format!("settle {held} --as not-applied --force --reason upstream~stopped")).await;
    assert_eq!(forced.exit, Exit::Done);
    assert_eq!(desk.audit().await[0]["action"], "settle not applied, forced");
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let desk = Desk::open().await;
    let free = desk.unknown(FREE, "a").await;
    let held = desk.unknown(HELD, "b").await;
    let told = desk.keys(&format!("settle {free} {held} --as not-applied --reason x --dry-run")).await;
    assert_eq!((told.exit, told.out), (Exit::Failure, format!("{free}  would be settled as not applied\n")));
    let told = desk.keys("settle --cause answer-lost --as not-applied --reason x --dry-run").await;
    assert_eq!(told.exit, Exit::Done);
    assert!(told.out.contains(&free) && !told.out.contains(&held), "{}", told.out);
    assert!(
        told.err.contains(&format!("left alone: {held}  settle-too-early, not-applied from ")),
        "{}",
        told.err
    );
    assert!(told.err.contains("1 would be settled as not applied, 1 left alone. Nothing was changed."));
    assert_eq!((desk.state(&free).await, desk.audit().await.len()), ("unknown".to_owned(), 0));
}

#[tokio::test]
async fn a_filter_shows_what_it_would_do_and_asks() {
    let desk = Desk::open().await;
    let free = desk.unknown(FREE, "a").await;
    let line = "settle --route POST~/free --as not-applied --reason outage";
    let alone = desk.keys(line).await;
    assert_eq!(alone.exit, Exit::Usage);
    assert!(
        alone.err.contains("\n\nhint: look at them with --dry-run, then settle them with --yes"),
        "{}",
        alone.err
    );
    for typed in ["n\n", "\n", "", "yep\n"] {
        let told = desk.asked(line, Some(Box::new(typed.as_bytes()))).await;
        assert_eq!((told.exit, told.out.as_str()), (Exit::Failure, ""), "{typed}");
        assert!(told.err.contains("Settle 1 as not applied? [y/N] "), "{}", told.err);
    }
    assert_eq!(desk.state(&free).await, "unknown");
    let told = desk.asked(line, Some(Box::new("y\n".as_bytes()))).await;
    assert_eq!((told.exit, told.out), (Exit::Done, format!("{free}  released settled-by-operator\n")));
    let nothing = desk.asked(line, Some(Box::new("y\n".as_bytes()))).await;
    assert_eq!((nothing.exit, nothing.out.as_str()), (Exit::Done, ""));
    assert!(!nothing.err.contains("[y/N]"));
}

#[tokio::test]
async fn with_yes_a_filter_does_not_ask() {
    let desk = Desk::open().await;
    let mut expected = Vec::new();
    for key in ["a", "b", "c"] {
        expected.push(desk.unknown(UNSAID, key).await);
    }
    let told = desk.keys("settle --older-than 0s --as applied --status 204 --reason all~there --yes").await;
    assert_eq!(told.exit, Exit::Done);
    for reference in expected {
        assert!(told.out.contains(&format!("{reference}  completed 204\n")), "{}", told.out);
    }
    assert!(told.err.ends_with("3 of 3 settled as applied, 204.\n"), "{}", told.err);
}

/// A keyboard at which something happens before the answer is typed.
struct Meanwhile<F>(Option<F>, &'static [u8]);

impl<F: FnOnce()> Read for Meanwhile<F> {
    fn read(&mut self, _into: &mut [u8]) -> io::Result<usize> {
        unreachable!("lines are read from the buffer")
    }
}

impl<F: FnOnce()> BufRead for Meanwhile<F> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if let Some(happens) = self.0.take() {
            happens();
        }
        Ok(self.1)
    }

    fn consume(&mut self, amount: usize) {
        self.1 = &self.1[amount..];
    }
}

/// What was shown is what is settled: neither what moved on while the question stood there, nor what came in addition.
#[tokio::test(flavor = "multi_thread")]
async fn a_filter_settles_exactly_what_it_showed() {
    let desk = Desk::open().await;
    let moved = desk.unknown(FREE, "a").await;
    let stays = desk.unknown(FREE, "b").await;
    let mut added = String::new();
    let meanwhile = || {
        let runtime = tokio::runtime::Handle::current();
        tokio::task::block_in_place(|| {
            let line = format!("settle {moved} --as applied --status 201 --reason somebody~was~faster");
            assert_eq!(runtime.block_on(desk.keys(&line)).exit, Exit::Done);
            added = runtime.block_on(desk.unknown(FREE, "c"));
        });
    };
    let line = "settle --route POST~/free --as not-applied --reason outage";
    let told = desk.asked(line, Some(Box::new(Meanwhile(Some(meanwhile), b"yes\n")))).await;
    assert_eq!((told.exit, told.out), (Exit::Done, format!("{stays}  released settled-by-operator\n")));
    assert!(told.err.contains(&format!("left alone: {moved}  nothing-to-settle")), "{}", told.err);
    assert_eq!(desk.state(&moved).await, "completed");
    assert_eq!(desk.state(&added).await, "unknown");
}

#[tokio::test]
async fn forgetting_takes_the_result_and_keeps_the_key() {
    let desk = Desk::open().await;
    let reference = desk.unknown(FREE, "a").await;
    let open = desk.keys(&format!("forget {reference} --reason erasure")).await;
    assert_eq!(open.exit, Exit::Failure);
    assert!(open.err.contains("Settle it first"), "{}", open.err);
    desk.keys(&format!("settle {reference} --as applied --status 201 --reason row")).await;
    let stale = desk.keys(&format!("forget {reference} --fence 2 --reason erasure")).await;
    assert_eq!(stale.exit, Exit::Failure);
    let told = desk.keys(&format!("forget {reference} --fence 1 --reason erasure")).await;
    assert_eq!((told.exit, told.out), (Exit::Done, format!("{reference}  tombstone forgotten\n")));
}

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
async fn what_is_no_status_and_what_finds_nothing_is_said() {
    let desk = Desk::open().await;
    let told = desk.keys("settle --route POST~/free --as applied --status 999 --reason x --yes").await;
    assert!(told.exit == Exit::Usage && told.err.contains("999 is no HTTP status"), "{}", told.err);
    for (filter, nothing) in [
        ("--route POST~/nowhere", "no unknown record on that route"),
        ("--route POST~/held --cause deadline", "no unknown record matches"),
    ] {
        let told = desk.keys(&format!("settle {filter} --as not-applied --reason x --yes")).await;
        assert_eq!((told.exit, told.err), (Exit::Done, format!("Nothing to settle: {nothing}.\n")));
    }
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
    let slip = format!("{}{}", &free[..38], if free.ends_with('a') { 'b' } else { 'a' });
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
    assert_eq!(desk.keys("list --route POST~/x").await.err, "Nothing is open.\n");
    desk.unknown(FREE, "a").await;
    for line in ["list --route POST~/x", "settle --route POST~/x --as not-applied --reason x --yes"] {
        let told = desk.keys(line).await;
        let hint = format!("\nhint: nothing of `POST /x` is open; of `{FREE}` (1) there is\n");
        assert!(told.err.ends_with(&hint), "{line}: {}", told.err);
    }
}
