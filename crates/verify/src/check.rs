//! What a check is.

use std::pin::Pin;

use crate::{
    fixture::Defect,
    plan::Plan,
    trial::Trial,
    verdict::{Stop, Verdict},
};

/// One thing that has to hold.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Subject and fault, such as `replay/body-differs`. Stable: people put it into their configurations.
    pub id: &'static str,
    /// How bad it is if it does not hold.
    pub level: Level,
    /// What has to hold, as a sentence.
    pub requirement: &'static str,
    /// Who says so: the section of a specification, or a documented practice.
    pub source: &'static str,
    /// What it cannot do without.
    pub needs: &'static [Need],
    /// The shipped broken APIs that must fail it.
    pub controls: &'static [Defect],
    /// Tries it.
    pub run: for<'a> fn(&'a mut Trial<'_>) -> Running<'a>,
}

/// A check at work.
pub type Running<'a> = Pin<Box<dyn Future<Output = Result<Verdict, Stop>> + Send + 'a>>;

/// How bad it is if a check fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// An effect happens twice or not at all, an answer is lost, or somebody else gets it.
    Must,
    /// Whoever retries is worse off than he could be.
    Should,
}

/// Something that a plan has to offer before a check can be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A way to count effects.
    Counter,
    /// More than one place where the API looks for a key.
    Carriers,
    /// Two callers who are told apart.
    TwoCredentials,
    /// An operation that takes long.
    Slow,
    /// One that has its effect and is then answered with an error of the server.
    Fails,
    /// One that is refused and has no effect.
    Refused,
    /// One whose answer is large.
    Large,
    /// Something that is read, replaced and removed by its path.
    Resource,
    /// Requests that only read.
    Reads,
    /// How long results are kept.
    Retention,
    /// Commands that kill the API and start it again.
    Kill,
    /// Commands that stop the API for a while.
    Pause,
    /// The verifier itself is the application behind what is verified.
    UpstreamView,
}

impl Check {
    /// What comes before the slash of its id.
    #[must_use]
    pub fn subject(&self) -> &'static str {
        self.id.split_once('/').map_or(self.id, |(subject, _)| subject)
    }
}

impl Level {
    /// As it is written in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Must => "must",
            Self::Should => "should",
        }
    }
}

impl Need {
    /// In a few words, for lists.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "a counter of effects",
            Self::Carriers => "two carriers of keys",
            Self::TwoCredentials => "two credentials",
            Self::Slow => "a slow operation",
            Self::Fails => "an operation that fails after its effect",
            Self::Refused => "an operation that is refused",
            Self::Large => "an operation with a large answer",
            Self::Resource => "a resource",
            Self::Reads => "requests that only read",
            Self::Retention => "a known retention",
            Self::Kill => "commands to kill and restart",
            Self::Pause => "commands to pause and resume",
            Self::UpstreamView => "the upstream view",
        }
    }

    /// `Err`: what the plan lacks, and how to add it.
    pub(crate) fn met_by(self, plan: &Plan) -> Result<(), &'static str> {
        let operations = &plan.operations;
        let (met, lack) = match self {
            Self::Counter => (
                plan.counter.is_some() || plan.upstream.is_some(),
                "nothing counts effects: add `--count 'GET /path length'`, or a [counter] to the plan",
            ),
            Self::Carriers => (
                !plan.key.also.is_empty(),
                "keys are looked for in one place only: name others by `--key-carrier` again, or by `also` under [key] in the plan",
            ),
            Self::TwoCredentials => (
                plan.credentials.second.is_some(),
                "there is one caller only: add `--second-credential 'Authorization: …'`, or [credentials.second] to the plan",
            ),
            Self::Slow => {
                (operations.slow.is_some(), "no operation takes long: add [operations.slow] to the plan")
            }
            Self::Fails => (
                operations.fails.is_some(),
                "no operation fails after its effect: add [operations.fails] to the plan",
            ),
            Self::Refused => (
                operations.refused.is_some(),
                "no operation is refused: add [operations.refused] to the plan",
            ),
            Self::Large => (
                operations.large.is_some(),
                "no operation has a large answer: add [operations.large] to the plan",
            ),
            Self::Resource => {
                (plan.resource.is_some(), "nothing is replaced by its path: add a [resource] to the plan")
            }
            Self::Reads => {
                (!operations.reads.is_empty(), "nothing is only read: add `reads` to [operations]")
            }
            Self::Retention => (
                plan.retention.is_some(),
                "how long results are kept is not known: add `retention` to the plan",
            ),
            Self::Kill => (
                plan.commands.kill.is_some() && plan.commands.restart.is_some(),
                "it cannot be killed: add `kill` and `restart` to [commands] of the plan",
            ),
            Self::Pause => (
                plan.commands.pause.is_some() && plan.commands.resume.is_some(),
                "it cannot be paused: add `pause` and `resume` to [commands] of the plan",
            ),
            Self::UpstreamView => (
                plan.upstream.is_some(),
                "the verifier is not the application behind it: add [upstream] to the plan, and let the system forward there",
            ),
        };
        if met { Ok(()) } else { Err(lack) }
    }
}
