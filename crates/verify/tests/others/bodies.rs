//! What a refusal, or a success, of another body tells of keys.

use onlyonce_verify::{Plan, Verdict};

use crate::{
    plan,
    served::{Answer, Served},
    verdict,
};

/// Who compares what it knows of a body, and passes over the rest, has not folded two large integers into one; and no
/// account was drained to see that.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_is_passed_over_tells_nothing_of_large_integers() {
    let served = Served::start(|asked, api| match asked.method.as_str() {
        "GET" => api.list(),
        _ => {
            let mut known = asked.clone();
            let (body, _) = asked.body.split_once(r#","verify""#).unwrap_or((&asked.body, ""));
            known.body = body.trim_end_matches('}').to_owned();
            api.once_for_each_key_and_body(&known, || {})
        }
    });
    let verdict = verdict(&plan(&served, "GET /transfers length"), "sameness/large-integers-folded").await;
    assert!(matches!(verdict, Verdict::Pass { .. }), "{verdict:?}");
}

/// A refusal of what the plan itself calls another body tells nothing, if it is refused anyway.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_body_of_the_plan_that_is_refused_anyway_tells_nothing_of_keys() {
    let served = Served::start(|asked, api| match asked.method.as_str() {
        "GET" => api.list(),
        _ if asked.body.contains("nobody") => Answer::new(422, "{}"),
        _ => api.once_for_each_key(asked, 201),
    });
    let text = format!(
        "target = \"http://{}\"\n[operations.create]\nrequest = \"POST /transfers\"\n\
         json = '{{\"to\":\"{{{{fresh}}}}\"}}'\nchanged = '{{\"to\":\"nobody\"}}'\n\
         [counter]\nrequest = \"GET /transfers\"\nlength = \"\"\n",
        served.address()
    );
    let verdict = verdict(&Plan::parse(&text).unwrap(), "mismatch/body-ignored").await;
    assert!(matches!(verdict, Verdict::NotObservable { .. }), "{verdict:?}");
}
