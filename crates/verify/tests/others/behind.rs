//! Gateways that others could write, in front of the verifier.

#![expect(
    clippy::unwrap_used,
    reason = "a test's failed step is its panic; clippy sees only `#[test]` functions"
)]

use std::{
    collections::HashMap,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use onlyonce_verify::{Plan, Run, Verdict, run::Selection, upstream::Application};

use crate::{
    Silent, pending,
    served::{Answer, Asked, Served},
};

/// Hands a request on to the application, at this path.
fn hand_on(application: SocketAddr, asked: &Asked, path: &str) -> Option<Answer> {
    let mut stream = TcpStream::connect(application).ok()?;
    let mut head = format!("{} {path} HTTP/1.1\r\nconnection: close\r\n", asked.method);
    for (name, value) in asked.headers.iter().filter(|(name, _)| *name != "connection") {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n{}", asked.body).as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    Some(Answer::new(head.split(' ').nth(1)?.parse().ok()?, body))
}

/// Verdicts of these checks on a gateway that answers so.
async fn found(
    checks: &[&str],
    answer: impl Fn(SocketAddr, &Asked) -> Answer + Send + Sync + 'static,
) -> Vec<(&'static str, Verdict)> {
    let application = Application::listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = application.address();
    let served = Served::start(move |asked, _| answer(address, asked));
    let plan = Plan::upstream(&format!("http://{}", served.address()).parse().unwrap(), address);
    let checks = Selection(checks.iter().map(|check| (*check).to_owned()).collect());
    let run = Run::new(&plan, &checks).unwrap().before(Arc::new(application));
    let report = run.carry_out(&mut Silent, pending()).await;
    report.findings.into_iter().map(|finding| (finding.check.id, finding.verdict)).collect()
}

/// Two requests that are the same to the application are not two.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_gateway_keeps_to_itself_is_not_mistaken() {
    let known = Mutex::new(HashMap::<String, Answer>::new());
    let found = found(&["mismatch/query-ignored"], move |application, asked| {
        if let Some(answer) = known.lock().unwrap_or_else(PoisonError::into_inner).get(&asked.key) {
            return answer.clone();
        }
        let path = asked.path.split('?').next().unwrap_or_default();
        let answer = hand_on(application, asked, path).unwrap_or(Answer::new(502, "{}"));
        known.lock().unwrap_or_else(PoisonError::into_inner).insert(asked.key.clone(), answer.clone());
        answer
    });
    for (check, verdict) in found.await {
        let fair = matches!(&verdict, Verdict::NotObservable { why } if why.contains("is not forwarded"));
        assert!(fair, "{check}: {verdict:?}");
    }
}

/// Whoever answers before the application has is not held by it: nothing overlaps, and nothing is proved.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_answered_while_it_is_held_proves_nothing() {
    let checks = [
        "overlap/two-before-effect",
        "overlap/two-after-effect",
        "overlap/answer-withheld",
        "overlap/lock-outlived",
        "held/lost-before-effect",
        "held/lost-after-effect",
        "held/lost-mid-answer",
    ];
    let known = Mutex::new(HashMap::<String, Answer>::new());
    let found = found(&checks, move |application, asked| {
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = || {
            let asked = asked.clone();
            thread::spawn(move || {
                // bounded: by itself; the answer is to be there before the application is reached and held.
                thread::sleep(Duration::from_millis(300));
                hand_on(application, &asked, &asked.path)
            });
            Answer::new(201, r#"{"state":"taken"}"#)
        };
        known.entry(asked.key.clone()).or_insert_with(taken).clone()
    });
    for (check, verdict) in found.await {
        let fair = matches!(&verdict, Verdict::NotObservable { why } if why.contains("could not be held"));
        assert!(fair, "{check}: {verdict:?}");
    }
}
