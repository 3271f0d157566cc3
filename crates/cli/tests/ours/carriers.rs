//! The gateway where a key may stand in several places.

use std::sync::Arc;

use onlyonce_verify::{Plan, plan::Upstream, run::Selection, upstream::Application};

use crate::{
    killable::Killable,
    report::{assert_nothing_failed, of_these, verified},
};

const CONFIGURATION: &str = r#"
[[route]]
match = "POST /transfers/{id}"
create = true
carriers = ["path:id", "header:idempotency-key"]

[[route]]
match = "POST /transfers"
carriers = ["header:idempotency-key", "header:x-request-key", "body:/request_id", "form:request_id"]
"#;

const JSON: &str = r#"
[key]
carrier = "header:idempotency-key"
also = ["header:x-request-key", "body:/request_id"]

[operations.create]
request = "POST /transfers"
json = '{"to":"{{fresh}}","amount":100}'
"#;

const FORM: &str = r#"
[key]
carrier = "form:request_id"
also = ["header:idempotency-key"]

[operations.create]
request = "POST /transfers"
body = 'to={{fresh}}&amount=100'
changed = 'to={{fresh}}&amount=200'
headers = { content-type = "application/x-www-form-urlencoded" }
"#;

const PATH: &str = r#"
[key]
carrier = "path:id"

[operations.create]
request = "POST /transfers/{id}"
json = '{"to":"{{fresh}}","amount":100}'
"#;

const CALLER: &str = r#"
[credentials.first]
authorization = "Bearer of-the-first-caller"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_fails_where_the_gateway_looks_for_keys_in_several_places() {
    let application = Arc::new(Application::listen("127.0.0.1:0".parse().unwrap()).await.unwrap());
    let gateway = Killable::start(&format!("http://{}", application.address()), CONFIGURATION).await;
    let apart = ["key/carriers-disagree", "key/carriers-apart"];
    // A key in a header goes before the one of a path, and is another key than it.
    for (text, places) in [(JSON, &apart[..]), (FORM, &apart), (PATH, &[])] {
        let plan = Plan::parse(&format!("target = \"{}\"\n{text}{CALLER}", gateway.url())).unwrap();
        let upstream = Some(Upstream { listen: application.address(), credentials: true });
        let plan = Plan { upstream, ..plan };
        let subjects = Selection(["key", "replay", "mismatch", "apart"].map(str::to_owned).to_vec());
        let report = verified(&plan, Some(Arc::clone(&application)), subjects).await;
        assert_nothing_failed(&report);
        of_these(&report, &["replay/runs-again", "mismatch/body-ignored"]);
        of_these(&report, places);
    }
}
