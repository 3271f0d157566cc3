//! An API that acts once, and the same with one defect each.
//!
//! They keep the verifier honest: every check passes on the correct one, and fails on one of the others at least. They
//! are written for nothing else, and nothing is fast. What they do is in memory, or on disk for those that are killed.
//!
//! Invariant: a defect changes one thing. What a fixture does without it is what the correct one does.

mod bank;
mod fingerprint;
mod front;
mod journal;
mod key;
mod layer;
mod records;
mod serving;
mod shelf;

use std::{io, net::SocketAddr, path::Path, time::Duration};

use tokio::{net::TcpListener, task::JoinHandle};

use crate::{call::Origin, plan::Plan};
use layer::Layer;
use serving::{bind, serve_on};

/// What is wrong with a fixture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Defect {
    /// Keys are not looked at.
    NoDeduplication,
    /// It looks whether the key is known, works, and then writes it down: requests at once all find nothing.
    CheckThenAct,
    /// A key is known by itself: not by path, method or caller.
    KeyAlone,
    /// Whatever comes under a known key gets the first answer.
    BodyIgnored,
    /// The query of a request does not count.
    QueryIgnored,
    /// The content type of a request does not count.
    ContentTypeIgnored,
    /// What a request asks is part of its key: another body under a known key runs.
    FingerprintInKey,
    /// Numbers in bodies are compared as binary floating point: large ones that differ are taken for one.
    LargeIntegersFolded,
    /// A known key with another body is refused as forbidden.
    MismatchForbidden,
    /// The refusal of another body takes the place of the first answer.
    MismatchKept,
    /// Requests are known by their bodies, whatever their keys are.
    BodyAlone,
    /// What is no key is passed over, and the request runs as if it had none.
    MalformedIgnored,
    /// Any text is a key, an empty one as well.
    AnyKey,
    /// Of keys in several places the first counts, and nobody looks at the others.
    FirstCarrierWins,
    /// A key is another one where it stands in another place.
    CarriersApart,
    /// Keys are compared without regard to case.
    KeysFolded,
    /// Of long keys the first 255 characters count.
    KeysCut,
    /// Keys in quotes are refused.
    QuotedRefused,
    /// A request without a key runs where one is required.
    KeyNotDemanded,
    /// Requests without a key are known by their bodies: the same again gets the first answer.
    UnkeyedCollapsed,
    /// Repeats are answered with 200, whatever the first answer was.
    ReplaysOk,
    /// Repeats get status and body alone.
    HeadersForgotten,
    /// A header of repeats is another one each time.
    VolatileHeader,
    /// Repeats are equal at first, and later are not.
    LaterDiffers,
    /// A few operations later a key is forgotten.
    SmallMemory,
    /// A hundred keys later it is.
    HundredKeys,
    /// What a request with a repeat has done is done once more a while later.
    SecondEffectLater,
    /// Repeats are not marked.
    MarkerForgotten,
    /// All answers are marked as repeats.
    MarkerAlways,
    /// A repeat while the first runs is refused, and so are all that come later, for ever.
    StuckInProgress,
    /// A repeat that has waited for the first frees the key when it leaves.
    WaiterFrees,
    /// Requests at once with one key are all told to wait for another one, and so are all that come later.
    BothRefused,
    /// The lock on a key ends before the work does.
    ShortLock,
    /// The work ends with its client: the effect stands, the result is gone, and a repeat runs again.
    LostOnHangUp,
    /// Large answers are not kept, so a repeat runs again.
    LargeRunsAgain,
    /// A repeat with another body while the first runs is told to wait, and not that it is another request.
    InProgressFirst,
    /// A key is known without its caller: somebody else gets the first caller's answer.
    CrossPrincipal,
    /// A key that another caller uses is his from then on.
    LastCallerWins,
    /// A known key is answered before it is looked at who asks.
    KeyBeforeCredential,
    /// With a key, nobody is asked who he is.
    KeyedUnauthenticated,
    /// Refusals tell who used the key first: by his credential.
    CredentialEchoed,
    /// Refusals are plain text.
    PlainErrors,
    /// Refusals say another status in their bodies than they have.
    ProblemDisagrees,
    /// Refusals may be kept by caches.
    CacheableErrors,
    /// Who is to come again is told when in words.
    RetryAfterInWords,
    /// Repeats get the cookie that was set for the first caller.
    CookieReplayed,
    /// An error after the effect frees the key, so a repeat has the effect again.
    FailureFrees,
    /// What was done is on record only after it was answered: a crash in between forgets it.
    ForgottenAtCrash,
    /// What it has done stands on disk, and what it has answered in memory alone.
    KeptInMemory,
    /// Repeats of a finished request take turns: at once with another one, one is refused.
    ReplaysTakeTurns,
    /// While a request runs all others are refused, whatever their keys are.
    OneAtATime,
    /// The first piece of a body is taken for the whole.
    FirstPieceOnly,
    /// A key is taken before its request has arrived whole; one that is not carried out leaves it taken.
    TakenBeforeBody,
    /// Large requests are passed on without a look at their keys.
    LargeUnkeyed,
    /// Of large bodies the beginning counts.
    BodyBeginning,
    /// Long keys are not looked at.
    LongKeysIgnored,
    /// Results are kept for a quarter of the time that is promised.
    ForgottenEarly,
    /// After its time a key is known, and its answer is not: repeats are told of success, and nothing else.
    HalfExpired,
    /// Who repeats a request that a crash has interrupted waits for ever.
    HungAfterCrash,
    /// Who repeats a request that a crash has interrupted is told to wait, for ever.
    LockedAfterCrash,
    /// Answers are written down with their keys, and what was done only with what is done next.
    EffectLostInCrash,
    /// What a crash has interrupted is locked for a while, and then a repeat runs it again.
    FreedAfterCrash,
    /// That the application was not reached is kept as its answer.
    UnreachedKept,
    /// What came of an answer that broke off is taken for the whole.
    HalfKept,
    /// The application gets another body than was sent, though one that means the same.
    BodyRewritten,
    /// Headers of the client's connection are handed on.
    HopByHopForwarded,
    /// The application does not get the key.
    KeyNotForwarded,
    /// Requests without a key are given one.
    UnkeyedTouched,
    /// Stored answers are kept as text.
    KeptAsText,
    /// A refusal leaves the key in progress.
    RefusalsStick,
    /// An error of the server leaves the key in progress.
    FailuresStick,
    /// Refusals of the application are told as its own.
    RefusalsHidden,
    /// Numbers that are put are added to those that are there.
    PutAdds,
    /// What a PUT leaves out stays.
    PutMerges,
    /// Removing what is gone is a failure.
    DeleteFails,
    /// What is removed is still there.
    DeleteKeeps,
    /// `If-Match` is not looked at.
    IfMatchIgnored,
    /// Reading has an effect.
    GetActs,
    /// Reading uses up what writing is limited by.
    GetEatsQuota,
}

/// A fixture that serves, until it is dropped.
#[derive(Debug)]
pub struct Fixture {
    listen: SocketAddr,
    retention: Option<Duration>,
    /// What it stands in front of.
    application: Option<SocketAddr>,
    serving: JoinHandle<()>,
}

impl Defect {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::NoDeduplication,
        Self::CheckThenAct,
        Self::KeyAlone,
        Self::BodyIgnored,
        Self::QueryIgnored,
        Self::ContentTypeIgnored,
        Self::FingerprintInKey,
        Self::LargeIntegersFolded,
        Self::MismatchForbidden,
        Self::MismatchKept,
        Self::BodyAlone,
        Self::MalformedIgnored,
        Self::AnyKey,
        Self::FirstCarrierWins,
        Self::CarriersApart,
        Self::KeysFolded,
        Self::KeysCut,
        Self::QuotedRefused,
        Self::KeyNotDemanded,
        Self::UnkeyedCollapsed,
        Self::ReplaysOk,
        Self::HeadersForgotten,
        Self::VolatileHeader,
        Self::LaterDiffers,
        Self::SmallMemory,
        Self::HundredKeys,
        Self::SecondEffectLater,
        Self::MarkerForgotten,
        Self::MarkerAlways,
        Self::StuckInProgress,
        Self::WaiterFrees,
        Self::BothRefused,
        Self::ShortLock,
        Self::LostOnHangUp,
        Self::LargeRunsAgain,
        Self::InProgressFirst,
        Self::CrossPrincipal,
        Self::LastCallerWins,
        Self::KeyBeforeCredential,
        Self::KeyedUnauthenticated,
        Self::CredentialEchoed,
        Self::PlainErrors,
        Self::ProblemDisagrees,
        Self::CacheableErrors,
        Self::RetryAfterInWords,
        Self::CookieReplayed,
        Self::FailureFrees,
        Self::ForgottenAtCrash,
        Self::KeptInMemory,
        Self::ReplaysTakeTurns,
        Self::OneAtATime,
        Self::FirstPieceOnly,
        Self::TakenBeforeBody,
        Self::LargeUnkeyed,
        Self::BodyBeginning,
        Self::LongKeysIgnored,
        Self::ForgottenEarly,
        Self::HalfExpired,
        Self::HungAfterCrash,
        Self::LockedAfterCrash,
        Self::EffectLostInCrash,
        Self::FreedAfterCrash,
        Self::UnreachedKept,
        Self::HalfKept,
        Self::BodyRewritten,
        Self::HopByHopForwarded,
        Self::KeyNotForwarded,
        Self::UnkeyedTouched,
        Self::KeptAsText,
        Self::RefusalsStick,
        Self::FailuresStick,
        Self::RefusalsHidden,
        Self::PutAdds,
        Self::PutMerges,
        Self::DeleteFails,
        Self::DeleteKeeps,
        Self::IfMatchIgnored,
        Self::GetActs,
        Self::GetEatsQuota,
    ];
}

impl Defect {
    /// The one of that name, written as here or in small letters with hyphens.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let plain = name.replace('-', "").to_ascii_lowercase();
        Self::ALL.iter().find(|defect| format!("{defect:?}").to_ascii_lowercase() == plain).copied()
    }
}

impl Fixture {
    /// Starts one on a free port of the loopback; `None`: the correct one.
    ///
    /// # Errors
    /// If it cannot listen.
    pub async fn start(defect: Option<Defect>) -> io::Result<Self> {
        Self::started(Layer::new(defect, None), None, None).await
    }

    /// One that does nothing itself, and stands in front of an application: the verifier's own, in the upstream view.
    ///
    /// # Errors
    /// If it cannot listen.
    pub async fn in_front_of(application: SocketAddr, defect: Option<Defect>) -> io::Result<Self> {
        let layer = Layer::new(defect, None).in_front_of(application);
        Self::started(layer, None, Some(application)).await
    }

    /// One that keeps its results so long, and not for ever.
    ///
    /// # Errors
    /// If it cannot listen.
    pub async fn start_keeping(defect: Option<Defect>, retention: Duration) -> io::Result<Self> {
        Self::started(Layer::new(defect, Some(retention)), Some(retention), None).await
    }

    /// One that calls back there after each effect, with the list that it added to: `{"type":"added","list":"/transfers"}`.
    ///
    /// # Errors
    /// If it cannot listen.
    pub async fn start_calling(defect: Option<Defect>, calls: SocketAddr) -> io::Result<Self> {
        Self::started(Layer::new(defect, None).calling(calls), None, None).await
    }

    async fn started(
        layer: Layer,
        retention: Option<Duration>,
        application: Option<SocketAddr>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let listen = listener.local_addr()?;
        Ok(Self { listen, retention, application, serving: tokio::spawn(serve_on(listener, layer)) })
    }

    /// A plan that asks it everything.
    ///
    /// # Panics
    /// Never: the plan is written here.
    #[must_use]
    pub fn plan(&self) -> Plan {
        self.read(PLAN)
    }

    /// The plan of the upstream view; `None`: it stands in front of nothing.
    #[must_use]
    pub fn upstream_plan(&self) -> Option<Plan> {
        let target = Origin { tls: false, host: self.listen.ip().to_string(), port: self.listen.port() };
        let mut plan = Plan::upstream(&target, self.application?);
        plan.key.lease = Some(LEASE);
        Some(plan)
    }

    /// The same plan first, then those for what it leaves open: one API cannot both demand keys and do without.
    ///
    /// # Panics
    /// Never: the plans are written here.
    pub fn plans(&self) -> impl Iterator<Item = Plan> {
        [PLAN, PLAN_REQUIRED, PLAN_BODY, PLAN_CARRIERS].into_iter().map(|text| self.read(text))
    }

    fn read(&self, plan: &str) -> Plan {
        Plan { retention: self.retention, ..read(plan, self.listen) }
    }
}

/// Serves as a process of its own, which may be killed: what it has done and answered stands in the file `journal`, and
/// the next one on that file goes on from there. It keeps its results so long; `None`: for ever.
///
/// # Errors
/// If it cannot listen there, or the journal cannot be opened.
pub async fn serve(
    defect: Option<Defect>,
    retention: Option<Duration>,
    listen: SocketAddr,
    journal: &Path,
) -> io::Result<()> {
    let layer = Layer::on(defect, retention, journal)?;
    serve_on(bind(listen).await?, layer).await;
    Ok(())
}

/// The same in front of an application: in `journal` stands what it has begun and what it was answered.
///
/// # Errors
/// As for [`serve`].
pub async fn serve_in_front_of(
    application: SocketAddr,
    defect: Option<Defect>,
    listen: SocketAddr,
    journal: &Path,
) -> io::Result<()> {
    let layer = Layer::on(defect, None, journal)?.in_front_of(application);
    serve_on(bind(listen).await?, layer).await;
    Ok(())
}

/// A plan that asks everything of a fixture that listens there; it has no commands.
///
/// # Panics
/// Never: the plan is written here.
#[must_use]
pub fn plan(listen: SocketAddr) -> Plan {
    read(PLAN, listen)
}

fn read(plan: &str, listen: SocketAddr) -> Plan {
    let text = plan.replace("{port}", &listen.port().to_string());
    Plan::parse(&text).expect("the fixture's plan is valid")
}

/// How long a lock is said to last in front of an application: none of those that end does so later.
const LEASE: Duration = Duration::from_millis(400);
/// What a fixture can be asked.
const PLAN: &str = include_str!("fixture/plan.toml");
/// Where it demands a key; by another profile, in which repeats are marked.
const PLAN_REQUIRED: &str = include_str!("fixture/required.toml");
/// Where keys stand in bodies.
const PLAN_BODY: &str = include_str!("fixture/body.toml");
/// Where keys stand in several places.
const PLAN_CARRIERS: &str = include_str!("fixture/carriers.toml");

impl Drop for Fixture {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
