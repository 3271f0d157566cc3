//! A key that stands in the path of a request, on a route that creates what its path names.
//!
//! Invariant: whatever else of the path names the thing counts with it, and two spellings of one path are one key. So what
//! a customer's request claimed is found again by its path alone.

use onlyonce_core::{
    Key, RecordId, path,
    scope::{CarrierKind, Principal, Scopes},
};

use crate::rules::Rules;

/// A key of the path, and what stands beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathKey {
    /// The segment that is the key, in its normal form.
    pub(crate) key: Key,
    /// What else the path says, in order ([`Pattern::others`](crate::Pattern::others)).
    pub(crate) others: Box<[String]>,
}

impl PathKey {
    /// The key that a request to `path` has under these rules; `None` where they take none from a path.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn of(rules: &Rules, path: &str) -> Result<Option<Self>, String> {
        let (Some(name), Some(pattern)) = (rules.carriers.path(), &rules.pattern) else { return Ok(None) };
        // A router may have chosen a path that was rewritten since; then nobody knows what is its key.
        let found = pattern.parameter(name, path).filter(|_| pattern.matches(path));
        let Some(segment) = found else { return Ok(None) };
        let others = pattern.others(name, path).into_boxed_slice();
        if !others.iter().chain([&segment]).all(|part| path::is_text(part)) {
            return Err("the path holds what is not UTF-8, or a control character".to_owned());
        }
        match Key::literal(&segment) {
            Ok(key) => Ok(Some(Self { key, others })),
            Err(wrong) => Err(format!("{name} in the path: {wrong}")),
        }
    }

    /// The id of its record.
    pub fn record_id(&self, scopes: &Scopes, rules: &Rules, principal: &Principal) -> RecordId {
        let carrier = CarrierKind::Path { route: &rules.name, others: &self.others };
        scopes.record_id(principal, carrier, &self.key)
    }
}
