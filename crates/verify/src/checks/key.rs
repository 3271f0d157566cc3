//! What a key is, and what is none.

mod carriers;
mod distinct;
mod malformed;
mod needed;

use malformed::Malformed;

use crate::{
    check::{Check, Level, Need},
    fixture::Defect,
};

const SYNTAX: &str = "draft-ietf-httpapi-idempotency-key-header-07, section 2.1; RFC 9651, section 3.3.3";
const FAILS: &str = "draft-ietf-httpapi-idempotency-key-header-07, section 2.1; RFC 9651, section 4.2: what is no Item fails to parse";
const ONE: &str = "draft-ietf-httpapi-idempotency-key-header-07, section 2.1: not more than one field";
const UNIQUE: &str = "draft-ietf-httpapi-idempotency-key-header-07, section 2.2; RFC 9651, section 3.3.3: strings are compared as they are";
const VALIDATE: &str = "draft-ietf-httpapi-idempotency-key-header-07, \"Security Considerations\": always validate the key before processing";
const ONE_REQUEST: &str =
    "draft-ietf-httpapi-idempotency-key-header-07, section 2.2: a key stands for one request";
const MISSING: &str = "draft-ietf-httpapi-idempotency-key-header-07, section 2.7";

/// Both take for a key what is none: one passes it over, the other takes any text.
const TAKES_ANYTHING: &[Defect] = &[Defect::MalformedIgnored, Defect::AnyKey];

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "key/form-refused",
        level: Level::Should,
        requirement: "A key as the profile writes it, where the plan carries it, is accepted and known again.",
        source: SYNTAX,
        needs: &[],
        controls: &[Defect::QuotedRefused],
        run: |trial| Box::pin(needed::form(trial)),
    },
    Check {
        id: "key/missing-accepted",
        level: Level::Should,
        requirement: "Where a key is required, a request without one is refused.",
        source: MISSING,
        needs: &[],
        controls: &[Defect::KeyNotDemanded],
        run: |trial| Box::pin(needed::missing(trial)),
    },
    Check {
        id: "key/malformed-ignored",
        level: Level::Must,
        requirement: "What is no key is refused or taken as it is, and never passed over: the same again has no second effect.",
        source: VALIDATE,
        needs: &[Need::Counter],
        controls: &[Defect::MalformedIgnored],
        run: |trial| Box::pin(malformed::ignored(trial)),
    },
    Check {
        id: "key/case-folded",
        level: Level::Must,
        requirement: "Keys that differ in the case of letters are two operations.",
        source: UNIQUE,
        needs: &[Need::Counter],
        controls: &[Defect::KeysFolded],
        run: |trial| Box::pin(distinct::case(trial)),
    },
    Check {
        id: "key/cut",
        level: Level::Must,
        requirement: "Keys that differ after 255 characters are two operations, or refused; they are not cut.",
        source: UNIQUE,
        needs: &[Need::Counter],
        controls: &[Defect::KeysCut],
        run: |trial| Box::pin(distinct::cut(trial)),
    },
    Check {
        id: "key/empty-accepted",
        level: Level::Should,
        requirement: "An empty key is refused: all who forget to fill one in would share it.",
        source: FAILS,
        needs: &[],
        controls: TAKES_ANYTHING,
        run: |trial| Box::pin(malformed::accepted(trial, Malformed::Empty)),
    },
    Check {
        id: "key/two-accepted",
        level: Level::Should,
        requirement: "A request with two keys is refused.",
        source: ONE,
        needs: &[],
        controls: TAKES_ANYTHING,
        run: |trial| Box::pin(malformed::accepted(trial, Malformed::Two)),
    },
    Check {
        id: "key/non-ascii-accepted",
        level: Level::Should,
        requirement: "A key with bytes outside of ASCII is refused.",
        source: FAILS,
        needs: &[],
        controls: TAKES_ANYTHING,
        run: |trial| Box::pin(malformed::accepted(trial, Malformed::NotAscii)),
    },
    Check {
        id: "key/unterminated-accepted",
        level: Level::Should,
        requirement: "A key whose quotes are not closed is refused.",
        source: FAILS,
        needs: &[],
        controls: TAKES_ANYTHING,
        run: |trial| Box::pin(malformed::accepted(trial, Malformed::Unterminated)),
    },
    Check {
        id: "key/other-type-accepted",
        level: Level::Should,
        requirement: "A key that is something else than a string is refused.",
        source: SYNTAX,
        needs: &[],
        controls: TAKES_ANYTHING,
        run: |trial| Box::pin(malformed::accepted(trial, Malformed::OtherType)),
    },
    Check {
        id: "key/carriers-disagree",
        level: Level::Must,
        requirement: "A request with two keys that differ, in two places where the API looks for one, is refused and has no effect.",
        source: ONE_REQUEST,
        needs: &[Need::Counter, Need::Carriers],
        controls: &[Defect::FirstCarrierWins],
        run: |trial| Box::pin(carriers::disagree(trial)),
    },
    Check {
        id: "key/carriers-apart",
        level: Level::Must,
        requirement: "A key is the same wherever the API looks for it: in another place, or in two, it has no second effect.",
        source: ONE_REQUEST,
        needs: &[Need::Counter, Need::Carriers],
        controls: &[Defect::CarriersApart],
        run: |trial| Box::pin(carriers::apart(trial)),
    },
];
