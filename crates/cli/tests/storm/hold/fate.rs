//! What became of a key, judged by its repeat after the crash. Everything that the contract does not allow is a panic.

use onlyonce_testbed::client::Response;

use crate::answer::{Essence, problem};

/// What became of a key.
pub(crate) enum Fate {
    /// It has a result.
    Kept(Essence),
    /// Nobody knows.
    Unknown,
    /// It was free, and the repeat ran: this is the result.
    Ran(Essence),
}

impl Fate {
    /// What a repeat's answer says.
    pub(crate) fn of(key: &str, repeat: &Response) -> Self {
        let status = repeat.header("idempotency-status");
        match (repeat.status, status, repeat.header("idempotent-replayed")) {
            (201, Some("replayed"), Some("true")) => Self::Kept(Essence::of(repeat)),
            (201, Some("executed"), None) => Self::Ran(Essence::of(repeat)),
            (409, Some("unknown"), None) if problem(repeat).as_deref() == Some("outcome-unknown") => {
                Self::Unknown
            }
            _ => panic!("{key}: a repeat was answered {} {status:?}: {}", repeat.status, repeat.text()),
        }
    }
}

/// What is known of a key beside its repeat.
pub(crate) struct Case<'a> {
    pub(crate) key: &'a str,
    /// The answer that a client received completely before the crash.
    pub(crate) told: Option<&'a Essence>,
    /// Its effects before the repeat.
    pub(crate) before: usize,
    /// Its effects after all, by their ids.
    pub(crate) effects: &'a [String],
}

impl Case<'_> {
    /// What the repeat says, if that may be so.
    pub(crate) fn judged_by(&self, repeat: &Response) -> Fate {
        let Self { key, told, before, effects } = self;
        assert!(effects.len() <= 1, "{key}: {} effects", effects.len());
        let fate = Fate::of(key, repeat);
        match (&fate, told) {
            (Fate::Kept(kept), Some(told)) => {
                assert!(kept == *told, "{key}: not what was acknowledged:\n{told:?}\n{kept:?}");
            }
            (Fate::Kept(_), None) | (Fate::Unknown, None) => {}
            (Fate::Ran(_), None) => assert_eq!(*before, 0, "{key}: ran although it had an effect"),
            (Fate::Unknown | Fate::Ran(_), Some(_)) => {
                panic!("{key}: was acknowledged, and is now answered {} {}", repeat.status, repeat.text());
            }
        }
        if let Fate::Kept(essence) | Fate::Ran(essence) = &fate {
            let effect = effects.first().unwrap_or_else(|| panic!("{key}: has a result and no effect"));
            assert!(essence.body.starts_with(effect.as_bytes()), "{key}: the result is not its own");
        }
        fate
    }
}
