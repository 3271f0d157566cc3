//! A refusal tells a program what it is, and nothing to whom it does not concern.

mod problem;
mod refusals;

use crate::{
    check::{Check, Level},
    fixture::Defect,
};

const CACHING: &str = "RFC 9111, sections 3 and 5.2.2";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "errors/no-problem-document",
        level: Level::Should,
        requirement: "A refusal is a problem document, or links to what explains it.",
        source: "draft-ietf-httpapi-idempotency-key-header-07, section 2.7; RFC 9457, section 3",
        needs: &[],
        controls: &[Defect::PlainErrors],
        run: |trial| Box::pin(problem::missing(trial)),
    },
    Check {
        id: "errors/problem-disagrees",
        level: Level::Should,
        requirement: "What a problem document says agrees with the status of its answer.",
        source: "RFC 9457, sections 3.1.1 to 3.1.4 and 4.2.1",
        needs: &[],
        controls: &[Defect::ProblemDisagrees],
        run: |trial| Box::pin(problem::disagrees(trial)),
    },
    Check {
        id: "errors/cacheable",
        level: Level::Should,
        requirement: "A refusal does not ask caches to keep it.",
        source: CACHING,
        needs: &[],
        controls: &[Defect::CacheableErrors],
        run: |trial| Box::pin(refusals::cacheable(trial)),
    },
    Check {
        id: "errors/no-retry-after",
        level: Level::Should,
        requirement: "A repeat that is refused because the first request still runs is told when to come again, in seconds or by a date.",
        source: "RFC 9110, section 10.2.3",
        needs: &[],
        controls: &[Defect::RetryAfterInWords],
        run: |trial| Box::pin(refusals::retry_after(trial)),
    },
    Check {
        id: "errors/credential-echoed",
        level: Level::Must,
        requirement: "No refusal, and no answer to somebody else, contains the credential of the key's owner.",
        source: "RFC 9110, section 11; RFC 6750, section 5.3 (safeguard bearer tokens)",
        needs: &[],
        controls: &[Defect::CredentialEchoed],
        run: |trial| Box::pin(refusals::credential_echoed(trial)),
    },
];
