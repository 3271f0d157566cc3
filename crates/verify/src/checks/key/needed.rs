//! Keys as they should be, and none at all.

use crate::{
    trial::Trial,
    verdict::{Stop, Verdict},
};

pub(super) async fn form(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let form = trial.profile().form;
    let operation = trial.operation()?;
    let request = trial.keyed_as(operation, &crate::random::uuid(), form)?;
    let first = trial.send("a request with a key as the profile writes it", &request).await?;
    let expected = "it is carried out".to_owned();
    if !first.is_success() {
        return Ok(match trial.plan().key.form {
            Some(other) if other != form => Verdict::Deviates {
                expected,
                actual: first.to_string(),
                like: "services whose keys are written as the plan says".into(),
            },
            _ => Verdict::fail(expected, first.to_string()),
        });
    }
    let repeat = trial.send("its repeat", &request).await?;
    match first.is_same(&repeat) {
        true => Ok(Verdict::pass("accepted, and known again")),
        false => Err(Stop::not_observable("a plain repeat is not recognised: see replay/body-differs")),
    }
}

pub(super) async fn missing(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    let required = trial.plan().key.required;
    if required == Some(false) {
        return Err(Stop::not_observable("the plan says that a key is not required"));
    }
    let keyed = trial.operation()?;
    trial.carried_out("a request with a key", &keyed).await?;
    let unkeyed = trial.unkeyed(&trial.plan().operations.create);
    let answer = trial.send("a request without one", &unkeyed).await?;
    let expected = &trial.profile().missing;
    match (answer.is_success(), required) {
        (false, _) => Ok(expected.judge("a request without a key", answer.status)),
        (true, Some(true)) => Ok(Verdict::fail(expected.listed(), format!("it was carried out: {answer}"))),
        (true, _) => Err(Stop::not_observable(
            "it runs without a key, as it may: if one is required, say `--key-required`, or `required = true` under [key] in the plan",
        )),
    }
}
