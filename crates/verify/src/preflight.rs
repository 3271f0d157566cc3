//! The first request, before any check: what is wrong with the plan shows here, once, and not in every check.
//!
//! It has its effect like any other.

use std::fmt;

use http::StatusCode;

use crate::{
    call::{Answer, Lost, NO_ADDRESS, Request},
    counter::Counter,
    plan::{Carrier, Form},
    random,
    report::Hidden,
    trial::{Count, Trial},
    verdict::{Stop, Verdict},
};

/// Why no check could say anything, and what to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// What was seen.
    pub seen: String,
    /// What to change.
    pub cure: String,
}

/// Sends the plan's first operation under a fresh key, and once more under another, and counts its effect where effects are counted.
///
/// What it tells is read on a terminal: the API's words go there as they go into reports.
pub(crate) async fn try_once(trial: Trial<'_>) -> Result<(), Obstacle> {
    let hidden = Hidden::new(&trial.plan().secrets());
    tried(trial).await.map_err(|Obstacle { seen, cure }| Obstacle { seen: hidden.told(&seen), cure })
}

async fn tried(mut trial: Trial<'_>) -> Result<(), Obstacle> {
    let plan = trial.plan();
    let counts = plan.counter.is_some() || plan.upstream.is_some();
    let before = match counts {
        true => Some(counted(&mut trial).await?),
        false => None,
    };
    let request = trial.operation().map_err(|stop| told(&trial, stop))?;
    let answer = trial.send(&plan.operations.create.to_string(), &request).await;
    let answer = answer.map_err(|stop| told(&trial, stop))?;
    if !answer.is_success() {
        return Err(match bare_is_taken(&mut trial).await {
            true => quotes(&answer),
            false => nothing_arrived(&trial, &request, &answer).unwrap_or_else(|| refused(&trial, &answer)),
        });
    }
    if let Some(obstacle) = nothing_arrived(&trial, &request, &answer) {
        return Err(obstacle);
    }
    trial.saw_usual(answer.status);
    trial.is_first_of_the_run(&request, &answer);
    if let Some(before) = before {
        one_effect(&mut trial, before, &answer).await?;
    }
    again(&mut trial, &request).await
}

/// The same under another key. What has to be unique, and is the same in each request, is taken once: every check would
/// be told that it was taken before.
async fn again(trial: &mut Trial<'_>, first: &Request) -> Result<(), Obstacle> {
    let second = trial.operation().map_err(|stop| told(trial, stop))?;
    let bare = |request: &Request| {
        let request = trial.without_key(request);
        (request.path, request.body)
    };
    if bare(&second) != bare(first) {
        return Ok(());
    }
    let answer = trial.send("the same under another key", &second).await.map_err(|stop| told(trial, stop))?;
    if answer.is_success() {
        return Ok(());
    }
    let create = &trial.plan().operations.create;
    Err(Obstacle {
        seen: format!("{create} was carried out once; the same under another key was answered with {answer}"),
        cure: "let each request differ in what has to be unique: `{{fresh}}`, `{{uuid}}` and `{{number}}` in its body or \
               path are another value each time"
            .into(),
    })
}

/// The count before the first request, which also shows whether the counter can be read.
async fn counted(trial: &mut Trial<'_>) -> Result<Count, Obstacle> {
    if let Some(operation) = trial.plan().counter.as_ref().and_then(Counter::question) {
        let question = trial.unkeyed(operation);
        let answer = trial.send("count the effects", &question).await.map_err(|stop| told(trial, stop))?;
        if !answer.status.is_success() {
            return Err(Obstacle {
                seen: format!("the counter, {}, was answered with {answer}", operation),
                cure: match answer.status {
                    StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => CREDENTIAL.into(),
                    _ => COUNTER.into(),
                },
            });
        }
    }
    trial.count().await.map_err(|stop| Obstacle { cure: COUNTER.into(), ..told(trial, stop) })
}

/// Whether the same, with a key that is written bare, is a success.
async fn bare_is_taken(trial: &mut Trial<'_>) -> bool {
    let rule = &trial.plan().key;
    let quoted = rule.form.unwrap_or(trial.profile().form) == Form::Quoted;
    if !quoted || !matches!(rule.carrier, Carrier::Header(_)) {
        return false;
    }
    let request = trial.unkeyed(&trial.plan().operations.create);
    let Ok(request) = trial.keyed_as(request, &random::uuid(), Form::Bare) else { return false };
    trial.send("with a bare key", &request).await.is_ok_and(|answer| answer.is_success())
}

async fn one_effect(trial: &mut Trial<'_>, before: Count, answer: &Answer) -> Result<(), Obstacle> {
    match trial.movement_since(before, 1).await.map_err(|stop| told(trial, stop))? {
        1 => Ok(()),
        0 if let Some(sink) = trial.plan().counter.as_ref().and_then(Counter::sink) => Err(Obstacle {
            seen: format!("the first request was answered with {answer}, but no call has come that counts: {sink}"),
            cure: "let the API, or what stands behind it, call there once for each effect, or give it more time: bounds.settle in \
                   a plan"
                .into(),
        }),
        0 => Err(Obstacle {
            seen: format!("the first request was answered with {answer}, but what counts effects did not move"),
            cure: "count what this request changes (a list that ends at a page stops counting when that is full), or give \
                   the effect more time: bounds.settle in a plan"
                .into(),
        }),
        _ => Err(another_step(trial, before).await?),
    }
}

/// One effect moved it by something else than the plan says.
async fn another_step(trial: &mut Trial<'_>, before: Count) -> Result<Obstacle, Obstacle> {
    let after = trial.count().await.map_err(|stop| told(trial, stop))?;
    let (before, after) = (before.0, after.0);
    let number =
        trial.plan().counter.as_ref().and_then(|counter| counter.stepping(after.checked_sub(before)?));
    let (said, cure) = match number {
        Some((said, step)) => (
            format!(", and the plan says by {said} for each effect"),
            format!("; if one effect moves it so, say by how much: `--count '{step}'`, or step in a plan"),
        ),
        None => Default::default(),
    };
    Ok(Obstacle {
        seen: format!("one request moved what counts effects from {before} to {after}{said}"),
        cure: format!("let nothing else change it while the verifier runs{cure}"),
    })
}

const COUNTER: &str = "count with a GET that is answered with 200 and JSON: `--count 'GET /path length'` for a list, \
                       `'GET /path /items length'` for a list in it, `'GET /path /balance -100'` for a number; in a plan, length or number under [counter]";
/// How a handshake ends with somebody who speaks HTTP without TLS.
const NO_TLS: [&str; 3] = ["corrupt message", "handshake eof", "reset"];
const CREDENTIAL: &str =
    "say who asks: `--credential 'Authorization: Bearer …'`, or [credentials.first] in a plan";

fn quotes(answer: &Answer) -> Obstacle {
    Obstacle {
        seen: format!(
            "with its key in quotes, the first request was answered with {answer}; with a bare key it is taken"
        ),
        cure: "send bare keys: `--key-form bare`, or form = \"bare\" under [key] in a plan".into(),
    }
}

/// In the upstream view: the answer is not the verifier's own.
fn nothing_arrived(trial: &Trial<'_>, request: &Request, answer: &Answer) -> Option<Obstacle> {
    let application = trial.application().ok().filter(|it| it.arrivals_of(&request.token).is_empty())?;
    let (address, target) = (application.address(), &trial.plan().target);
    Some(Obstacle {
        seen: format!(
            "the first request was answered with {answer}, and did not arrive at {address}, where the verifier listens"
        ),
        cure: format!(
            "let {target} forward to {address}; if it refuses by itself, give it what it asks for in the plan"
        ),
    })
}

fn refused(trial: &Trial<'_>, answer: &Answer) -> Obstacle {
    let create = &trial.plan().operations.create;
    let cure = match answer.status.as_u16() {
        401 | 403 => CREDENTIAL.into(),
        404 => format!("is the path right? {create} was asked"),
        405 => format!("is the method right? {create} was asked"),
        415 => "say what the body is: `--json '{…}'`, or `--header 'Content-Type: …'`".into(),
        400 | 409 | 422 => "change the request so that it succeeds each time it is asked: \
                            its body may use {{fresh}}, {{uuid}} and {{number}} for values that have to differ"
            .into(),
        429 => "lift the limit of requests for the verifier's caller".into(),
        _ => "the verifier needs a request that succeeds each time it is asked".into(),
    };
    Obstacle { seen: format!("{create} was answered with {answer}"), cure }
}

/// What a check would have ended with.
fn told(trial: &Trial<'_>, stop: Stop) -> Obstacle {
    let target = &trial.plan().target;
    match stop {
        Stop::Lost { lost: Lost::NotReached(why), .. } => Obstacle {
            seen: format!("{target} was not reached: {why}"),
            cure: match () {
                () if target.tls && NO_TLS.iter().any(|sign| why.contains(sign)) => {
                    "does it speak TLS there? Otherwise write http:// and not https://".into()
                }
                () if why.starts_with(NO_ADDRESS) => {
                    "is the name right, and known on this machine? An address does as well".into()
                }
                () => "start the API, or say where it listens".into(),
            },
        },
        Stop::Lost { step, lost: lost @ Lost::TimedOut(_) } => Obstacle {
            seen: format!("{step}: {lost}"),
            cure: "if it may take longer, write so in a plan: bounds.patience".into(),
        },
        Stop::Lost { step, lost } => {
            Obstacle { seen: format!("{step}: {lost}"), cure: format!("does {target} speak HTTP/1.1?") }
        }
        Stop::Verdict(verdict) => Obstacle {
            seen: match verdict {
                Verdict::NotObservable { why } => why,
                Verdict::Fail { actual, .. } | Verdict::Deviates { actual, .. } => actual,
                Verdict::Pass { seen, .. } => seen,
            },
            cure: "change the plan".into(),
        },
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.seen)
    }
}

impl std::error::Error for Obstacle {}
