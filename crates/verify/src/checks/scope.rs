//! A key is its caller's: it tells nobody else anything.

mod others;

use crate::{
    check::{Check, Level, Need},
    fixture::Defect,
};

const DRAFT: &str = "draft-ietf-httpapi-idempotency-key-header-07, \"Security Considerations\"";
const CREDENTIALS: &str = "RFC 9110, section 11: access is by credentials; a key is none";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "scope/answer-leaked",
        level: Level::Must,
        requirement: "Another caller who uses the same key does not get the first caller's answer.",
        source: DRAFT,
        needs: &[Need::TwoCredentials],
        controls: &[Defect::CrossPrincipal, Defect::KeyAlone],
        run: |trial| Box::pin(others::second(trial)),
    },
    Check {
        id: "scope/answer-without-credential",
        level: Level::Must,
        requirement: "Whoever shows no credential does not get the answer of a caller whose key he knows.",
        source: CREDENTIALS,
        needs: &[],
        controls: &[Defect::KeyBeforeCredential],
        run: |trial| Box::pin(others::nobody(trial)),
    },
    Check {
        id: "scope/answer-to-wrong-credential",
        level: Level::Must,
        requirement: "Whoever shows a wrong credential does not get the answer of a caller whose key he knows.",
        source: CREDENTIALS,
        needs: &[],
        controls: &[Defect::KeyBeforeCredential],
        run: |trial| Box::pin(others::stranger(trial)),
    },
    Check {
        id: "scope/unauthenticated-runs",
        level: Level::Must,
        requirement: "A key does not stand in for a credential: without one a request is refused, keyed or not.",
        source: CREDENTIALS,
        needs: &[Need::Counter],
        controls: &[Defect::KeyedUnauthenticated],
        run: |trial| Box::pin(others::unauthenticated(trial)),
    },
    Check {
        id: "scope/taken-over",
        level: Level::Must,
        requirement: "A caller still gets his answer after another caller has used the same key.",
        source: DRAFT,
        needs: &[Need::TwoCredentials],
        controls: &[Defect::LastCallerWins],
        run: |trial| Box::pin(others::taken_over(trial)),
    },
    Check {
        id: "scope/key-blocked",
        level: Level::Should,
        requirement: "A key that another caller has used is new to a caller: he is not refused, and not told that it exists.",
        source: DRAFT,
        needs: &[Need::TwoCredentials],
        controls: &[Defect::CrossPrincipal],
        run: |trial| Box::pin(others::blocked(trial)),
    },
    Check {
        id: "scope/known-key-told",
        level: Level::Should,
        requirement: "Without a credential nobody can tell a key that is in use from one that is not.",
        source: CREDENTIALS,
        needs: &[],
        controls: &[Defect::KeyBeforeCredential],
        run: |trial| Box::pin(others::told(trial)),
    },
];
