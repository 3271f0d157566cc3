//! APIs that others could write: what is permitted is not called a fault, and what is a fault does not pass.

mod behind;
mod bodies;
mod bounds;
mod carriers;
mod credentials;
mod down;
mod natural;
mod permitted;
mod reads;
mod retention;
mod scripts;
mod served;
mod versions;
mod waiting;

use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
    time::Duration,
};

use onlyonce_verify::{
    Check, Plan, Run, Verdict,
    plan::OneLine,
    report::Finding,
    run::{Observer, Selection},
    upstream::Application,
};
use served::{Answer, Api, Served};
use tokio::task::yield_now;

struct Silent;

impl Observer for Silent {
    fn begins(&mut self, _: &'static Check, _: usize, _: usize) {}
    fn ended(&mut self, _: &Finding) {}
}

fn plan(served: &Served, count: &str) -> Plan {
    let asked = OneLine {
        request: format!("POST http://{}/transfers", served.address()),
        json: Some(r#"{"amount":1}"#.to_owned()),
        count: Some(count.to_owned()),
        ..OneLine::default()
    };
    asked.plan().expect("it is a request")
}

/// Verdicts of these checks, in their order, after a preflight that went well.
async fn verdicts(plan: &Plan, checks: &[&str]) -> Vec<(&'static str, Verdict)> {
    let selection = Selection(checks.iter().map(|check| (*check).to_owned()).collect());
    let run = Run::new(plan, &selection).expect("the checks exist");
    run.preflight().await.expect("it is taken");
    let report = run.carry_out(&mut Silent, pending()).await;
    report.findings.into_iter().map(|finding| (finding.check.id, finding.verdict)).collect()
}

async fn verdict(plan: &Plan, check: &str) -> Verdict {
    verdicts(plan, &[check]).await.remove(0).1
}

/// An account that ran empty in the middle of a run made a fault of every refusal.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_empty_is_no_fault() {
    // One for the preflight, and one of the two that come at once.
    const ROOM: u32 = 2;
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let served = Served::start(|asked, api| match asked.method.as_str() {
        "GET" => api.list(),
        _ if TAKEN.fetch_add(1, Ordering::Relaxed) >= ROOM => Answer::new(409, r#"{"error":"it is empty"}"#),
        _ => api.each_time(201),
    });
    let mut plan = plan(&served, "GET /transfers length");
    // So that the preflight asks once.
    plan.operations.create = plan.operations.create.with_json(r#"{"amount":1,"to":"{{fresh}}"}"#);
    let verdict = verdict(&plan, "race/keys-wait-for-each-other").await;
    let why = format!("{verdict:?}");
    assert!(why.contains("a fresh operation is refused by now: 409"), "{why}");
}

/// What was seen twice stays seen, though nothing is carried out any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_effect_is_a_fault_although_everything_is_refused_from_then_on() {
    // One for the preflight, and a request with its repeat.
    const ROOM: u32 = 3;
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let served = Served::start(|asked, api| match asked.method.as_str() {
        "GET" => api.list(),
        _ if TAKEN.fetch_add(1, Ordering::Relaxed) >= ROOM => Answer::new(403, r#"{"error":"it is closed"}"#),
        _ => api.each_time(201),
    });
    let mut plan = plan(&served, "GET /transfers length");
    plan.operations.create = plan.operations.create.with_json(r#"{"amount":1,"to":"{{fresh}}"}"#);
    let verdict = verdict(&plan, "replay/runs-again").await;
    assert!(matches!(&verdict, Verdict::Fail { actual, .. } if actual.contains("2 effects")), "{verdict:?}");
}

/// Two answers under one key are two, and no refusal has made them so.
#[tokio::test(flavor = "multi_thread")]
async fn two_answers_are_a_fault_although_everything_is_refused_from_then_on() {
    const ROOM: u32 = 3;
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let served = Served::start(|asked, api| match asked.method.as_str() {
        "GET" => api.list(),
        _ => match TAKEN.fetch_add(1, Ordering::Relaxed) {
            taken if taken >= ROOM => Answer::new(403, r#"{"error":"it is closed"}"#),
            taken => {
                api.once_for_each_key(asked, 201);
                Answer::new(201, &format!(r#"{{"answer":{taken}}}"#))
            }
        },
    });
    let mut plan = plan(&served, "GET /transfers length");
    plan.operations.create = plan.operations.create.with_json(r#"{"amount":1,"to":"{{fresh}}"}"#);
    let verdict = verdict(&plan, "replay/body-differs").await;
    assert!(matches!(verdict, Verdict::Fail { .. }), "{verdict:?}");
}

/// An effect that is counted after its answer is its own check's, and not the next one's.
#[tokio::test(flavor = "multi_thread")]
async fn effects_that_come_late_are_nobody_elses() {
    const LATE: Duration = Duration::from_millis(200);
    let served = Served::start(|asked, api| match asked.method.as_str() {
        "GET" => api.list_of_what_is_older_than(LATE),
        _ => api.once_for_each_key(asked, 202),
    });
    let checks = ["replay/status-differs", "replay/body-differs", "replay/later-differs", "replay/forgotten"];
    for (check, verdict) in verdicts(&plan(&served, "GET /transfers length"), &checks).await {
        assert!(matches!(verdict, Verdict::Pass { .. }), "{check}: {verdict:?}");
    }
}

/// A second effect that is counted after the answers does not slip through.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_effect_that_comes_late_is_seen() {
    const APART: Duration = Duration::from_millis(150);
    // Its worker takes one at a time.
    let served = Served::start(|asked, api| match asked.method.as_str() {
        "GET" => api.list_of_one_in_each(APART),
        _ => api.each_time(201),
    });
    let verdict = verdict(&plan(&served, "GET /transfers length"), "replay/runs-again").await;
    assert!(matches!(verdict, Verdict::Fail { .. }), "{verdict:?}");
}

/// Without an effect and without an answer a request is lost; that the counter stands still is no excuse.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_refused_for_ever_after_a_hang_up_is_lost() {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let served = Served::start(|asked, api| match asked.method.as_str() {
        "GET" => api.list(),
        // The preflight is served; later keys are locked by whoever comes first, and never freed.
        _ if TAKEN.fetch_add(1, Ordering::Relaxed) < 2 => api.each_time(201),
        _ => Answer::new(409, r#"{"title":"still running"}"#),
    });
    let mut plan = plan(&served, "GET /transfers length");
    plan.bounds.patience = Duration::from_millis(300);
    plan.bounds.settle = Duration::from_millis(300);
    let verdict = verdict(&plan, "hangup/runs-again").await;
    assert!(matches!(verdict, Verdict::Fail { .. }), "{verdict:?}");
}

/// What forgets its effects in a crash has not shown that it has none twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_count_that_a_crash_sets_back_proves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let killed = directory.path().join("killed");
    let kill = format!("touch {}", killed.display());
    let served = Served::start(move |asked, api| match asked.method.as_str() {
        "GET" => api.forgetful(&killed, Duration::ZERO, Api::list),
        _ => api.forgetful(&killed, Duration::from_millis(300), |api| api.each_time(201)),
    });
    let mut plan = plan(&served, "GET /transfers length");
    plan.commands.kill = Some(kill);
    plan.commands.restart = Some("true".to_owned());
    let verdict = verdict(&plan, "crash/runs-again").await;
    assert!(matches!(verdict, Verdict::NotObservable { .. }), "{verdict:?}");
}

/// Whoever answers all that he takes with 202 does not say that it still runs.
#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_accepts_everything_is_not_stuck() {
    let served = Served::start(|asked, api| match asked.method.as_str() {
        "GET" => api.list(),
        _ => api.once_for_each_key(asked, 202),
    });
    let mut plan = plan(&served, "GET /transfers length");
    plan.profile = "lenient".to_owned();
    plan.bounds.patience = Duration::from_millis(500);
    let verdict = verdict(&plan, "race/stuck-in-progress").await;
    assert!(matches!(verdict, Verdict::Pass { .. }), "{verdict:?}");
}

/// An order's number is taken once, under whatever key: that is another rule than that of keys.
#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_knows_an_order_by_its_number_is_not_at_fault() {
    let served = Served::start(|asked, api| match (asked.method.as_str(), asked.key.as_str()) {
        ("GET", _) => api.list(),
        (_, "") => Answer::new(400, r#"{"title":"a key is required"}"#),
        _ => api.once_for_each_key_and_each_body(asked),
    });
    let mut plan = plan(&served, "GET /transfers length");
    plan.operations.create = plan.operations.create.with_json(r#"{"order":"{{uuid}}"}"#);
    let verdict = verdict(&plan, "apart/collapsed").await;
    assert!(matches!(verdict, Verdict::NotObservable { .. }), "{verdict:?}");
}

/// Whoever refuses a body for what it says has not shown that it belongs to its key.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_refused_anyway_tells_nothing_of_keys() {
    let served = Served::start(|asked, api| match (asked.method.as_str(), asked.body.as_str()) {
        ("GET", _) => api.list(),
        (_, r#"{"amount":1}"#) => api.once_for_each_key(asked, 201),
        _ => Answer::new(422, r#"{"title":"no such amount"}"#),
    });
    let verdict = verdict(&plan(&served, "GET /transfers length"), "mismatch/body-ignored").await;
    assert!(matches!(verdict, Verdict::NotObservable { .. }), "{verdict:?}");
}

/// A balance that is read as a count moves by the whole of a large amount.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_amount_is_one_effect_on_a_balance() {
    static BALANCE: AtomicI64 = AtomicI64::new(0);
    let served = Served::start(|asked, api| match asked.method.as_str() {
        "GET" => Answer::new(200, &format!("{{\"balance\":{}}}", BALANCE.load(Ordering::Relaxed))),
        _ => api.once_for_each_key_and_body(asked, || {
            let amount = asked.body.split(':').next_back().unwrap().trim_end_matches('}').parse().unwrap();
            BALANCE.fetch_sub(amount, Ordering::Relaxed);
        }),
    });
    let verdict = verdict(&plan(&served, "GET /account /balance -1"), "sameness/large-integers-folded").await;
    assert!(matches!(verdict, Verdict::Pass { .. }), "{verdict:?}");
}

/// What it says first is read on a terminal, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_first_refusal_speaks_to_no_terminal_and_tells_no_credential() {
    let served = Served::start(|_, _| Answer::new(401, "\u{1b}]0;owned\u{7} you are s3cret-of-mine"));
    let mut plan = plan(&served, "GET /transfers length");
    plan.credentials.first =
        onlyonce_verify::plan::credential("Authorization: Bearer s3cret-of-mine").unwrap();
    let run = Run::new(&plan, &Selection::default()).unwrap();
    let seen = run.preflight().await.unwrap_err().seen;
    assert!(!seen.contains('\u{1b}') && !seen.contains("s3cret-of-mine"), "{seen:?}");
}

/// Without this, Ctrl-C in the wrong second left somebody's API dead.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_killed_is_started_when_its_check_is_interrupted() {
    let served = Served::start(|asked, api| match asked.method.as_str() {
        "GET" => api.list(),
        _ => api.each_time(201),
    });
    let directory = tempfile::tempdir().unwrap();
    let (killed, started) = (directory.path().join("killed"), directory.path().join("started"));
    let mut plan = plan(&served, "GET /transfers length");
    plan.commands.kill = Some(format!("touch {}; tail -f /dev/null", killed.display()));
    plan.commands.restart = Some(format!("touch {}", started.display()));
    let run = Run::new(&plan, &Selection(vec!["crash/runs-again".to_owned()])).unwrap();
    // Bounded by the check, which kills early.
    let interrupted = async {
        while !killed.exists() {
            yield_now().await;
        }
    };
    run.carry_out(&mut Silent, interrupted).await;
    assert!(started.exists());
}

/// A report that ends well has asked to the end.
#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_goes_away_is_told() {
    let served = Served::start(|asked, api| match asked.method.as_str() {
        "GET" => api.list(),
        _ => api.once_for_each_key(asked, 201),
    });
    let plan = plan(&served, "GET /transfers length");
    let run = Run::new(&plan, &Selection(vec!["replay/runs-again".to_owned()])).unwrap();
    run.preflight().await.unwrap();
    drop(served);
    let report = run.carry_out(&mut Silent, pending()).await;
    assert_eq!(report.unreached, 1);
}

/// A list that ends at a page hides what comes after it: neither is the missing effect a fault, nor is the second one
/// that nobody sees a pass.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_ends_at_a_page_proves_nothing() {
    // The preflight adds two.
    const PAGE: usize = 3;
    let correct = Served::start(|asked, api| match asked.method.as_str() {
        "GET" => api.page(PAGE),
        _ => api.once_for_each_key(asked, 201),
    });
    let naive = Served::start(|asked, api| match asked.method.as_str() {
        "GET" => api.page(PAGE),
        _ => api.each_time(201),
    });
    let checks = ["race/two-run", "apart/collapsed", "hangup/runs-again", "lost/dropped-answer-runs-again"];
    for served in [correct, naive] {
        let mut plan = plan(&served, "GET /transfers length");
        plan.bounds.settle = Duration::from_millis(200);
        let found = verdicts(&plan, &checks).await;
        for (check, verdict) in &found {
            let fair = matches!(verdict, Verdict::NotObservable { why } if why.contains("does its list end at a page?"));
            assert!(fair, "{check}: {verdict:?}");
        }
    }
}

/// What has to be unique, and is not fresh, is the plan's mistake and not the API's.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_taken_only_once_is_told_before_any_check() {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let served = Served::start(|asked, api| match asked.method.as_str() {
        "GET" => api.list(),
        _ if TAKEN.fetch_add(1, Ordering::Relaxed) < 1 => api.each_time(201),
        _ => Answer::new(409, r#"{"title":"taken"}"#),
    });
    let plan = plan(&served, "GET /transfers length");
    let obstacle = Run::new(&plan, &Selection::default()).unwrap().preflight().await.unwrap_err();
    assert!(obstacle.cure.contains("{{fresh}}"), "{obstacle:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_with_the_wrong_sign_is_told_with_the_right_one() {
    let served = Served::start(|asked, api| match asked.method.as_str() {
        "GET" => api.total(),
        _ => api.each_time(201),
    });
    let plan = plan(&served, "GET /orders /total -1");
    let obstacle = Run::new(&plan, &Selection::default()).unwrap().preflight().await.unwrap_err();
    assert!(obstacle.seen.contains("from 0 to 1, and the plan says by -1"), "{obstacle:?}");
    assert!(obstacle.cure.contains("'GET /orders /total 1'"), "{obstacle:?}");
}

/// Whatever repeats of a naive API are tried with, they run because all of them do.
#[tokio::test(flavor = "multi_thread")]
async fn what_rests_on_repeats_is_no_fault_of_its_own_where_none_is_recognised() {
    let served = Served::start(|asked, api| match asked.method.as_str() {
        "GET" => api.list(),
        _ => api.each_time(201),
    });
    let checks = [
        "hangup/half-body-counts",
        "hangup/slow-body-fails",
        "limits/large-request-runs-again",
        "limits/large-request-beginning-counts",
        "limits/long-key-ignored",
    ];
    for (check, verdict) in verdicts(&plan(&served, "GET /transfers length"), &checks).await {
        let fair =
            matches!(&verdict, Verdict::NotObservable { why } if why.contains("see replay/runs-again"));
        assert!(fair, "{check}: {verdict:?}");
    }
}

/// In front of somebody else, what the API says is not about the verifier's credentials.
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_forward_to_the_verifier_is_told_so() {
    let served = Served::start(|_, _| Answer::new(401, "{}"));
    let application = Application::listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let text = format!(
        "target = \"http://{}\"\n[upstream]\nlisten = \"{}\"\n[operations.create]\nrequest = \"POST /transfers/{{{{fresh}}}}\"\n",
        served.address(),
        application.address()
    );
    let plan = Plan::parse(&text).unwrap();
    let run = Run::new(&plan, &Selection::default()).unwrap().before(Arc::new(application));
    let obstacle = run.preflight().await.unwrap_err();
    assert!(obstacle.seen.contains("did not arrive at 127.0.0.1:"), "{obstacle:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_that_is_none_and_a_scheme_that_is_wrong_are_told_with_what_was_seen() {
    let served = Served::start(|_, api| api.total());
    let mut plan = plan(&served, "GET /transfers length");
    let seen = Run::new(&plan, &Selection::default()).unwrap().preflight().await.unwrap_err().seen;
    assert!(seen.contains("total"), "{seen}");
    plan.target.tls = true;
    let cure = Run::new(&plan, &Selection::default()).unwrap().preflight().await.unwrap_err().cure;
    assert!(cure.contains("http:// and not https://"), "{cure}");
}

/// Ends the API with the check in which it could not be started again.
struct Ends<'a>(&'a Mutex<Option<Served>>);
impl Observer for Ends<'_> {
    fn begins(&mut self, _: &'static Check, _: usize, _: usize) {}
    fn ended(&mut self, finding: &Finding) {
        if finding.check.id == "crash/runs-again" {
            drop(self.0.lock().expect("nobody panics").take());
        }
    }
}

/// An API that could not be started again has no faults.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_dead_after_a_restart_that_failed_is_not_judged() {
    let served = Served::start(|asked, api| match asked.method.as_str() {
        "GET" => api.list(),
        _ => api.each_time(201),
    });
    let served = Mutex::new(Some(served));
    let mut plan = plan(served.lock().unwrap().as_ref().unwrap(), "GET /transfers length");
    plan.commands.kill = Some("true".to_owned());
    plan.commands.restart = Some("echo broken >&2; exit 1".to_owned());
    let checks =
        Selection(["crash/runs-again", "crash/wedged", "replay/runs-again"].map(str::to_owned).to_vec());
    let run = Run::new(&plan, &checks).unwrap();
    let report = run.carry_out(&mut Ends(&served), pending()).await;
    let after = report.findings.iter().skip_while(|finding| finding.check.id != "crash/runs-again").skip(1);
    assert_eq!(report.findings.last().unwrap().check.id, "crash/wedged");
    for finding in after {
        let why = format!("{:?}", finding.verdict);
        assert!(finding.unreached && why.contains("the plan's `restart` failed"), "{why}");
    }
}
