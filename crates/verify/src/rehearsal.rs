//! What a plan's requests look like, without sending them.

use crate::{
    call::{Names, Request, Together, curl},
    checks::sameness::{Place, with_large_integers},
    counter::Counter,
    plan::{Operation, Plan, Resource, Template},
    trial::Trial,
};

/// Each of the plan's requests with what it is for, as a line for a shell.
pub(crate) fn lines(plan: &Plan, trial: &Trial<'_>) -> Vec<(&'static str, String)> {
    let operations = &plan.operations;
    let mut lines = Vec::new();
    let mut tell = |what, request: &Request| {
        let secret = |name: &str| plan.credentials.is_secret(name);
        lines.push((what, curl(&plan.target, request, secret, Together::Alone, &Names::default())));
    };
    let keyed = |operation: &Operation| {
        let request = trial.unkeyed(operation);
        trial.keyed_anew(&request).unwrap_or(request)
    };
    let create = keyed(&operations.create);
    tell(
        "the operation that is to act once for each key; repeated, also at once, hung up on, with other keys",
        &create,
    );
    if let Ok(changed) = trial.changed(&create) {
        tell("another request under the same key", &changed);
    }
    for (place, large) in with_large_integers(trial, &create) {
        tell(
            match place {
                Place::Added => "with an integer of 2^53 in a member of its own",
                Place::First => {
                    "with 2^53 in place of its first number, where that member is refused or not compared"
                }
            },
            &large,
        );
    }
    let others = [
        ("takes long", &operations.slow),
        ("fails after its effect", &operations.fails),
        ("is refused", &operations.refused),
        ("has a large answer", &operations.large),
    ];
    for (what, operation) in others {
        if let Some(operation) = operation {
            tell(what, &keyed(operation));
        }
    }
    for read in &operations.reads {
        tell("only reads", &trial.unkeyed(read));
    }
    for (what, operation) in plan.resource.iter().flat_map(of_a_resource) {
        tell(what, &trial.unkeyed(&operation));
    }
    if let Some(question) = plan.counter.as_ref().and_then(Counter::question) {
        tell("counts effects, again and again", &trial.unkeyed(question));
    }
    lines
}

/// How a resource is read, replaced and removed.
fn of_a_resource(resource: &Resource) -> Vec<(&'static str, Operation)> {
    let path = resource.path.as_str();
    let operation = |method: &str| Operation::parse(&format!("{method} {path}")).ok();
    let put = |json: &Template| operation("PUT").map(|put| put.with_json(json.as_str()));
    let all = [
        ("replaces a resource", put(&resource.json)),
        ("replaces it by another", put(&resource.changed)),
        ("replaces it without one of its members", resource.part.as_ref().and_then(put)),
        ("reads it", operation("GET")),
        ("removes it", operation("DELETE").filter(|_| resource.removable)),
    ];
    all.into_iter().filter_map(|(what, operation)| Some((what, operation?))).collect()
}
