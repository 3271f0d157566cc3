//! Stripe's API v1, as its reference describes idempotent requests.

use super::{Expect, Marker, Profile};
use crate::plan::Form;

pub(super) const PROFILE: Profile = Profile {
    name: "stripe",
    about: "Stripe's API v1: bare keys, 400 for other parameters, 409 while it runs, replays are marked",
    form: Form::Bare,
    missing: Expect {
        statuses: &[400],
        source: "Stripe, API reference, Errors: 400 for a missing parameter",
        elsewhere: &[],
    },
    invalid: Expect {
        statuses: &[400],
        source: "Stripe, API reference, Idempotent requests: keys of up to 255 characters",
        elsewhere: &[],
    },
    mismatch: Expect {
        statuses: &[400],
        source: "Stripe, API reference, Idempotent requests and Errors (idempotency_error)",
        elsewhere: &[
            (422, "draft-ietf-httpapi-idempotency-key-header-07"),
            (409, "Increase, rocket-rides-atomic"),
        ],
    },
    in_progress: Expect {
        statuses: &[409],
        source: "Stripe, API reference, Errors: 409, perhaps for the same idempotent key",
        elsewhere: &[(429, "services that count it as too fast a retry")],
    },
    marker: Some(Marker::USUAL),
    problem_documents: None,
    retry_after: None,
};
