//! Whatever keeps an effect from happening twice.

use super::{Expect, Profile};
use crate::plan::Form;

pub(super) const PROFILE: Profile = Profile {
    name: "lenient",
    about: "any refusal is as good as another: only double effects, lost answers and other people's answers count",
    form: Form::Bare,
    missing: Expect { statuses: &[400, 401, 403, 409, 412, 422, 428], source: "any refusal", elsewhere: &[] },
    invalid: Expect { statuses: &[400, 409, 412, 413, 414, 422, 431], source: "any refusal", elsewhere: &[] },
    mismatch: Expect { statuses: &[400, 403, 409, 412, 417, 422], source: "any refusal", elsewhere: &[] },
    in_progress: Expect {
        statuses: &[202, 409, 423, 425, 429, 503],
        source: "any refusal that asks for patience",
        elsewhere: &[],
    },
    marker: None,
    problem_documents: None,
    retry_after: None,
};
