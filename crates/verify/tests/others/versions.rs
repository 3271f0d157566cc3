//! Documents with versions.

#![expect(
    clippy::unwrap_used,
    reason = "a test's failed step is its panic; clippy sees only `#[test]` functions"
)]

use std::sync::{Mutex, PoisonError};

use onlyonce_verify::{Plan, Run, Verdict, run::Selection};

use crate::{
    Silent, pending,
    served::{Answer, Asked, Served},
};

/// The document, and how often it was put and read.
#[derive(Default)]
struct Shelf(Mutex<(String, u32, u32)>);

impl Shelf {
    fn read(&self) -> Answer {
        let (document, version, read) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *read += 1;
        // How often it was read is no change of it.
        let body = document.replacen('{', &format!("{{\"read\":{read},"), 1);
        Answer::new(200, &body).with("etag", &format!("\"{version}\""))
    }

    /// `stale`: what becomes of a version that is not the last one.
    fn put(&self, asked: &Asked, stale: &Answer) -> Answer {
        let mut document = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let current = format!("\"{}\"", document.1);
        if asked.headers.get("if-match").is_some_and(|wanted| *wanted != current) {
            return stale.clone();
        }
        *document = (asked.body.clone(), document.1 + 1, document.2);
        Answer::new(200, &asked.body)
    }
}

async fn found(stale: Answer) -> Verdict {
    let shelf = Shelf::default();
    let served = Served::start(move |asked, _| match asked.method.as_str() {
        "GET" => shelf.read(),
        _ => shelf.put(asked, &stale),
    });
    let text = format!(
        "target = \"http://{}\"\n[operations.create]\nrequest = \"POST /x\"\n[resource]\npath = \"/documents/one\"\n\
         json = '{{\"name\":\"first\"}}'\nchanged = '{{\"name\":\"second\"}}'\n",
        served.address()
    );
    let plan = Plan::parse(&text).unwrap();
    let run = Run::new(&plan, &Selection(vec!["etag/lost-update".to_owned()])).unwrap();
    let report = run.carry_out(&mut Silent, pending()).await;
    report.findings.into_iter().next().expect("one was tried").verdict
}

/// The first change stands: nothing is lost, whatever the second is told.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_written_over_is_not_lost() {
    for stale in [Answer::new(409, "{}"), Answer::new(428, "{}"), Answer::new(200, "{}")] {
        let verdict = found(stale).await;
        assert!(matches!(verdict, Verdict::Deviates { .. }), "{verdict:?}");
    }
    let verdict = found(Answer::new(412, "{}")).await;
    assert!(matches!(verdict, Verdict::Pass { .. }), "{verdict:?}");
}
