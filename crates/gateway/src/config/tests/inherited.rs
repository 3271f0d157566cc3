//! What a route says, what all say, and what is built in, one over the other.

use super::*;

#[test]
fn a_route_takes_from_the_defaults_what_it_does_not_say() {
    let settings = route(
        "[defaults]\nwait = \"2s\"\nmethods = [\"PUT\"]\n[defaults.fingerprint]\nauthority = false\n[defaults.outcome]\n503 = \"unknown\"\n\
         [[route]]\nmatch = \"/transfers\"\nkey = \"required\"\nlease = \"1500ms\"\n[route.fingerprint]\nbody = \"raw\"\n[route.outcome]\n429 = \"keep\"",
    );
    assert_eq!(settings.wait.0, Duration::from_secs(2));
    assert_eq!(settings.lease.0, Duration::from_millis(1500));
    assert_eq!(settings.deadline.0, Duration::from_secs(60));
    assert_eq!(settings.key, Requirement::Required);
    assert_eq!(settings.methods, ["PUT"]);
    assert!(!settings.fingerprint.authority && settings.fingerprint.body == Body::Raw);
    assert_eq!(settings.outcome.keys().collect::<Vec<_>>(), [&429, &503]);
}

#[test]
fn a_route_that_names_its_method_has_that_one() {
    assert_eq!(route("[[route]]\nmatch = \"PUT /orders/{id}\"").methods, ["PUT"]);
    assert_eq!(route("[[route]]\nmatch = \"/orders\"").methods, ["POST", "PATCH"]);
}

#[test]
fn lists_that_protect_grow_and_others_are_replaced() {
    let settings = route(
        "[defaults]\nredact = [\"ssn\"]\ncarriers = [\"header:a\"]\n[defaults.fingerprint]\nheaders = [\"x-tenant\"]\n\
         ignore = [\"/a\"]\n[defaults.headers]\ndrop = [\"x-one\"]\n\
         [[route]]\nmatch = \"/\"\nredact = [\"iban\"]\ncarriers = [\"header:b\"]\n[route.fingerprint]\nheaders = [\"x-version\"]\n\
         ignore = [\"/b\"]\n[route.headers]\ndrop = [\"x-two\"]",
    );
    assert_eq!(settings.redact, ["ssn", "iban"]);
    assert_eq!(settings.fingerprint.headers, ["x-tenant", "x-version"]);
    assert_eq!(settings.headers.drop, ["x-one", "x-two"]);
    assert_eq!(settings.carriers.len(), 1);
    assert_eq!(settings.fingerprint.ignore.len(), 1);
}

#[test]
fn settle_after_may_stand_in_the_probe_but_not_in_both_places() {
    let probe = "[[route]]\nmatch = \"POST /x\"\non_unknown = \"probe\"\n";
    let inside = "[route.probe]\nurl = \"/by/{operation_ref}\"\nsettle_after = \"2m\"";
    assert_eq!(route(&format!("{probe}{inside}")).settle_after.unwrap().0, Duration::from_secs(120));
    let error = parse(&format!("{probe}settle_after = \"1m\"\n{inside}")).unwrap_err();
    assert!(
        error.starts_with("onlyonce.toml, line 7, route `POST /x`, `probe.settle_after`: it is there twice"),
        "{error}"
    );
}
