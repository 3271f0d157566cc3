//! A run that never was, with one finding of each kind.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use onlyonce_verify::{
    Check, Level, Profile, Report, Verdict,
    call::{Answer, Fault, Lost, Manner, Minted, Outcome, Request, Together, Who},
    check::Running,
    plan::Credentials,
    report::Finding,
    trial::{Ran, Step, Trial},
};

const K_1: &str = "3cab0dad-0001-4222-8333-0123456789ab";
const K_2: &str = "3cab0dad-0002-4222-8333-0123456789ab";
const K_3: &str = "3cab0dad-0003-4222-8333-0123456789ab";
const K_4: &str = "3cab0dad-0004-4222-8333-0123456789ab";

/// What the API answers in place of a name.
pub(crate) const HOSTILE: &str = "</code><script>alert(1)</script>\u{1b}[2J\u{202e} you are token-of-ana";

const fn check(id: &'static str, level: Level, requirement: &'static str) -> Check {
    Check { id, level, requirement, source: "RFC 9110, section 9.2.2", needs: &[], controls: &[], run }
}

fn run<'a>(_: &'a mut Trial<'_>) -> Running<'a> {
    Box::pin(async { Ok(Verdict::pass("")) })
}

static AGAIN: Check = check("replay/runs-again", Level::Must, "A repeat has no second effect.");
static HEADERS: Check =
    check("replay/headers-differ", Level::Should, "A repeat has the first answer's headers.");
static STATUS: Check =
    check("mismatch/status", Level::Should, "Another request under a known key is refused with 422.");
static RACE: Check = check("race/100-callers", Level::Must, "Of a hundred at once, one has an effect.");
static SCOPE: Check = check("scope/other-caller", Level::Must, "Somebody else's key is another key.");
static CRASH: Check = check("crash/runs-again", Level::Must, "A repeat after a crash has no second effect.");

/// The report of it.
pub(crate) fn report() -> Report {
    Report {
        target: "http://127.0.0.1:8080".parse().unwrap(),
        asked: "POST /transfers".into(),
        profile: Profile::named("ietf").unwrap(),
        began: SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_766_400),
        took: Duration::from_millis(12_345),
        requests: 321,
        findings: findings(),
        unreached: 0,
        spent: 0,
        not_tried: 2,
        upstream_view: false,
        calls: Some("POST http://127.0.0.1:4000/done".into()),
        credentials: Credentials {
            first: headers("Bearer token-of-ana"),
            second: Some(headers("Bearer token-of-luis")),
            variables: vec![(Who::First, HeaderName::from_static("authorization"), "ANA".to_owned())],
        },
    }
}

fn findings() -> Vec<Finding> {
    let hostile = format!("201 {HOSTILE}");
    vec![
        found(&AGAIN, Verdict::fail("one effect", format!("2 effects: {hostile}")), again()),
        found(&HEADERS, Verdict::fail("location: /transfers/1", "location: (absent)"), many()),
        found(
            &STATUS,
            Verdict::Deviates {
                expected: "422 (the draft)".into(),
                actual: "a known key with another body was answered with 409".into(),
                like: "Increase, rocket-rides-atomic".into(),
            },
            vec![step("another body", vec![exchange(K_1, 409, "{}")])],
        ),
        found(&RACE, Verdict::pass_in(100, "one effect each time"), race()),
        found(&SCOPE, Verdict::not_observable("there is one caller only"), Vec::new()),
        found(&CRASH, Verdict::not_observable("it cannot be killed"), vec![command("start it")]),
    ]
}

fn found(check: &'static Check, verdict: Verdict, steps: Vec<Step>) -> Finding {
    Finding { check, verdict, unreached: false, spent: false, steps, took: Duration::from_millis(20) }
}

/// Something that is done to the API.
fn command(what: &str) -> Step {
    let ran = Ran { command: "echo 'it starts' &".to_owned(), starts: true };
    Step { command: Some(ran), ..step(what, Vec::new()) }
}

/// A first request, its repeat, and one without an answer.
fn again() -> Vec<Step> {
    let repeat = exchange(K_1, 201, HOSTILE);
    let (lost, _) = exchange(K_1, 201, "");
    vec![
        step("a first request", vec![exchange(K_1, 201, r#"{"number":1}"#)]),
        step("its repeat", vec![repeat]),
        step("another repeat", vec![(lost, Err(Lost::BrokeOff("<i>reset</i>\nrm -rf /".into())))]),
    ]
}

/// More steps than a report shows.
fn many() -> Vec<Step> {
    (1..=50).map(|n| step(&format!("repeat {n}"), vec![exchange(K_2, 201, &n.to_string())])).collect()
}

/// Four callers with one key, and one with another.
fn race() -> Vec<Step> {
    let mut exchanges = vec![exchange(K_3, 201, "1"); 3];
    exchanges.push(exchange(K_3, 409, "{}"));
    exchanges.push(exchange(K_4, 201, "2"));
    vec![Step { together: Together::WithOthers, ..step("the same at once", exchanges) }]
}

fn step(what: &str, exchanges: Vec<(Request, Outcome)>) -> Step {
    Step { what: what.into(), exchanges, together: Together::Alone, command: None }
}

fn exchange(key: &str, status: u16, body: &str) -> (Request, Outcome) {
    let mut asked = headers("Bearer token-of-ana");
    asked.insert("idempotency-key", HeaderValue::try_from(format!("\"{key}\"")).unwrap());
    let request = Request {
        method: Method::POST,
        path: "/transfers".into(),
        headers: asked,
        body: r#"{"to":"o'brien","amount":100}"#.into(),
        who: Who::First,
        manner: Manner::Whole,
        fault: Fault::None,
        in_path: None,
        changed: None,
        token: "t".into(),
        minted: vec![Minted::Key(key.to_owned())],
    };
    let mut answered = HeaderMap::new();
    answered.insert("x-you", HeaderValue::from_static("<b>token-of-ana</b>"));
    answered.insert("set-cookie", HeaderValue::from_static("session=of-ana"));
    let answer = Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers: answered,
        body: body.to_owned().into(),
        took: Duration::from_millis(3),
    };
    (request, Ok(answer))
}

fn headers(authorization: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(
        HeaderName::from_static("authorization"),
        HeaderValue::from_static(authorization),
    )])
}
