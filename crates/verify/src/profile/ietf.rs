//! The IETF's draft: *The Idempotency-Key HTTP Header Field*, draft-ietf-httpapi-idempotency-key-header-07.

use super::{Expect, Profile};
use crate::plan::Form;

pub(super) const PROFILE: Profile = Profile {
    name: "ietf",
    about: "draft-ietf-httpapi-idempotency-key-header-07: 400 without a key, 422 for another request, 409 while it runs",
    form: Form::Quoted,
    missing: Expect {
        statuses: &[400],
        source: "draft-ietf-httpapi-idempotency-key-header-07, section 2.7",
        elsewhere: &[(428, "RFC 6585, section 3: a precondition is required")],
    },
    invalid: Expect {
        statuses: &[400],
        source: "draft-ietf-httpapi-idempotency-key-header-07, sections 2.1 and 2.7",
        elsewhere: &[(422, "services that validate headers as they do bodies")],
    },
    mismatch: Expect {
        statuses: &[422],
        source: "draft-ietf-httpapi-idempotency-key-header-07, section 2.7",
        elsewhere: &[(400, "Stripe, Square, AWS"), (409, "Increase, rocket-rides-atomic")],
    },
    in_progress: Expect {
        statuses: &[409],
        source: "draft-ietf-httpapi-idempotency-key-header-07, section 2.7",
        elsewhere: &[
            (425, "RFC 8470: try again later"),
            (429, "services that count it as too fast a retry"),
            (503, "services that ask for patience"),
        ],
    },
    marker: None,
    problem_documents: Some("draft-ietf-httpapi-idempotency-key-header-07, section 2.7; RFC 9457"),
    retry_after: Some("RFC 9110, section 10.2.3: how long a client ought to wait"),
};
