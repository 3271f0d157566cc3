//! Carries out the checks, one after another.

use std::{fmt, future::pending, pin::pin, sync::Arc, time::Instant};

use tokio::sync::watch;

use crate::{
    call::Lost,
    check::{Check, Need},
    checks, commands,
    counter::Counter,
    plan::Plan,
    preflight::{self, Obstacle},
    profile::Profile,
    rehearsal,
    report::{Finding, Hidden, Report},
    sink::{Calls, Sink},
    trial::{Learnt, Trial},
    upstream::Application,
    verdict::{Stop, Verdict},
};

/// Which checks.
#[derive(Clone, Debug, Default)]
pub struct Selection(pub Vec<String>);

/// Checks that can be carried out.
#[derive(Debug)]
pub struct Run<'a> {
    plan: &'a Plan,
    profile: &'static Profile,
    checks: Vec<&'static Check>,
    /// Requests sent so far.
    learnt: Learnt,
    /// What is behind the API, in the upstream view.
    application: Option<Arc<Application>>,
    /// Calls that come back, where they count.
    calls: Option<Arc<Calls>>,
}

/// Whoever wants to know how it goes.
pub trait Observer: Send {
    /// A check begins; there are so many of them.
    fn begins(&mut self, check: &'static Check, number: usize, of: usize);
    /// It has ended.
    fn ended(&mut self, finding: &Finding);
    /// One of the plan's commands has failed, in a line: which, and why. The same failure is told once in a run.
    fn command_failed(&mut self, line: &str) {
        let _ = line;
    }
}

/// Why a run did not begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunError(String);

impl Selection {
    /// The checks that it names by id or subject; all of them if it names none.
    ///
    /// # Errors
    /// If a name fits none.
    pub fn checks(&self) -> Result<Vec<&'static Check>, RunError> {
        let fits = |check: &Check, name: &str| check.id == name || check.subject() == name;
        for name in &self.0 {
            if !checks::all().any(|check| fits(check, name)) {
                let known: Vec<&str> = checks::all().flat_map(|check| [check.id, check.subject()]).collect();
                return Err(RunError(format!("there is no check {name:?}{}", nearest(name, &known))));
            }
        }
        let chosen = |check: &&Check| self.0.is_empty() || self.0.iter().any(|name| fits(check, name));
        Ok(checks::all().filter(chosen).collect())
    }
}

/// Carries out `selection` of the checks on what the plan names. In the upstream view it is the application behind that
/// while it does.
///
/// # Errors
/// If the plan's profile or one of the checks does not exist, or the application cannot listen. What the API does is
/// never an error.
pub async fn run(
    plan: &Plan,
    selection: &Selection,
    observer: &mut dyn Observer,
) -> Result<Report, RunError> {
    Ok(Run::new(plan, selection)?.listening().await?.carry_out(observer, pending()).await)
}

impl<'a> Run<'a> {
    /// A run of these checks on what the plan names. Nothing is sent yet.
    ///
    /// # Errors
    /// If the plan's profile or one of the checks does not exist.
    pub fn new(plan: &'a Plan, selection: &Selection) -> Result<Self, RunError> {
        let profile = Profile::named(&plan.profile).ok_or_else(|| {
            let known: Vec<&str> = Profile::ALL.iter().map(|profile| profile.name).collect();
            RunError(format!("there is no profile {:?}{}", plan.profile, nearest(&plan.profile, &known)))
        })?;
        let (checks, learnt) = (selection.checks()?, Learnt::new(plan.bounds.at_once));
        Ok(Self { plan, profile, checks, learnt, application: None, calls: None })
    }

    /// From here on the application behind what is verified listens, in the upstream view, and whoever counts calls, where
    /// they count; otherwise this changes nothing.
    ///
    /// # Errors
    /// If one of them cannot listen where the plan says.
    pub async fn listening(mut self) -> Result<Self, RunError> {
        if let (Some(sink), None) = (sink(self.plan), &self.calls) {
            let listening = Calls::listen(sink.clone()).await;
            let failed =
                |error| RunError(format!("counter.listen: failed to listen on {}: {error}", sink.listen));
            self.calls = Some(Arc::new(listening.map_err(failed)?));
        }
        let (Some(upstream), None) = (self.plan.upstream, &self.application) else { return Ok(self) };
        let listen = upstream.listen;
        let application = Application::listen(listen).await;
        let application = application
            .map_err(|error| RunError(format!("upstream.listen: failed to listen on {listen}: {error}")))?;
        Ok(self.before(Arc::new(application)))
    }

    /// With an application that listens already, wherever that is.
    #[must_use]
    pub fn before(mut self, application: Arc<Application>) -> Self {
        if self.plan.upstream.is_none_or(|upstream| upstream.credentials) {
            application.demand(&self.plan.credentials.first);
        }
        self.application = Some(application);
        self
    }

    /// With somebody who counts calls already, wherever that is.
    #[must_use]
    pub fn hearing(mut self, calls: Arc<Calls>) -> Self {
        self.calls = Some(calls);
        self
    }

    fn trial(&self) -> Trial<'_> {
        let trial = Trial::new(self.plan, self.profile, &self.learnt);
        trial.before(self.application.as_deref()).hearing(self.calls.as_deref())
    }

    /// What is expected.
    #[must_use]
    pub const fn profile(&self) -> &'static Profile {
        self.profile
    }

    /// Its checks, each with what the plan lacks for it.
    pub fn checks(&self) -> impl Iterator<Item = (&'static Check, Result<(), &'static str>)> {
        self.checks.iter().map(|check| (*check, lacks(check, self.plan)))
    }

    /// Where calls come that count.
    #[must_use]
    pub fn sink(&self) -> Option<&Sink> {
        sink(self.plan)
    }

    /// The plan's requests, as lines for a shell, each with what it is for. Nothing is sent.
    #[must_use]
    pub fn rehearsed(&self) -> Vec<(&'static str, String)> {
        rehearsal::lines(self.plan, &self.trial())
    }

    /// Tries the plan's first operation once.
    ///
    /// # Errors
    /// If no check could say anything for it.
    pub async fn preflight(&self) -> Result<(), Obstacle> {
        preflight::try_once(self.trial()).await
    }

    /// Carries them out, one after another, until all are done or `interrupted` is: then the report has those that were.
    pub async fn carry_out(
        self,
        observer: &mut dyn Observer,
        interrupted: impl Future<Output = ()>,
    ) -> Report {
        let started = Instant::now();
        let mut report = Report::new(self.plan, self.profile);
        let mut interrupted = pin!(interrupted);
        let mut failures = Failures::of(self.plan, &self.learnt);
        for (number, check) in self.checks.iter().enumerate() {
            observer.begins(check, number + 1, self.checks.len());
            let found = tokio::select! {
                biased;
                () = &mut interrupted => None,
                finding = failures.told_during(carry_out(check, self.trial()), observer) => Some(finding),
            };
            let Some(finding) = found else {
                self.leave_alive(check).await;
                failures.tell(observer);
                break;
            };
            observer.ended(&finding);
            report.findings.push(finding);
        }
        report.unreached = report.findings.iter().filter(|finding| finding.unreached).count();
        report.spent = report.findings.iter().filter(|finding| finding.spent).count();
        report.not_tried = self.checks.len() - report.findings.len();
        report.requests = self.learnt.spent();
        report.took = started.elapsed();
        report
    }

    /// Whoever interrupts a check that has stopped the API, or killed it, finds it running: to let it go on does no harm
    /// where it does.
    async fn leave_alive(&self, check: &Check) {
        let plan = &self.plan.commands;
        let resume = plan.resume.as_ref().filter(|_| check.needs.contains(&Need::Pause));
        let is_dead = check.needs.contains(&Need::Kill) && self.learnt.why_down().is_some();
        let restart = plan.restart.as_ref().filter(|_| is_dead);
        for command in resume.into_iter().chain(restart) {
            if let Err(why) = commands::run(command).await {
                self.learnt.saw_failure(format!("{command}: {why}"));
            }
        }
    }
}

/// Commands that failed, told as they do.
struct Failures {
    all: watch::Receiver<Vec<String>>,
    told: usize,
    hidden: Hidden,
}

impl Failures {
    fn of(plan: &Plan, learnt: &Learnt) -> Self {
        Self { all: learnt.failures(), told: 0, hidden: Hidden::new(&plan.secrets()) }
    }

    async fn told_during<T>(&mut self, working: impl Future<Output = T>, observer: &mut dyn Observer) -> T {
        let mut working = pin!(working);
        loop {
            tokio::select! {
                biased;
                done = &mut working => {
                    self.tell(observer);
                    return done;
                }
                Ok(()) = self.all.changed() => self.tell(observer),
            }
        }
    }

    fn tell(&mut self, observer: &mut dyn Observer) {
        let all = self.all.borrow_and_update();
        for line in all.iter().skip(self.told) {
            let line = self.hidden.text(line).split_whitespace().collect::<Vec<_>>().join(" ");
            observer.command_failed(&line);
        }
        self.told = all.len();
    }
}

/// Where calls come that count; in the upstream view the application counts.
fn sink(plan: &Plan) -> Option<&Sink> {
    plan.counter.as_ref().and_then(Counter::sink).filter(|_| plan.upstream.is_none())
}

fn lacks(check: &Check, plan: &Plan) -> Result<(), &'static str> {
    check.needs.iter().try_for_each(|need| need.met_by(plan))
}

async fn tried(check: &Check, trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    trial.is_alive().await?;
    trial.look_for_late_effects().await?;
    if check.needs.contains(&Need::Counter) {
        trial.counter_moves()?;
        trial.at_rest().await?;
    }
    let found = (check.run)(trial).await;
    trial.is_quiet().await;
    let believed = trial.believed(found).await;
    trial.leaves(check.id);
    believed
}

async fn carry_out(check: &'static Check, mut trial: Trial<'_>) -> Finding {
    let started = Instant::now();
    let seen = match lacks(check, trial.plan()) {
        Err(lack) => Err(Stop::not_observable(lack)),
        Ok(()) => {
            let found = tried(check, &mut trial).await;
            trial.unless_spent(found)
        }
    };
    let unreached = matches!(seen, Err(Stop::Lost { lost: Lost::NotReached(_), .. }));
    let verdict = seen.unwrap_or_else(Stop::into_verdict);
    let untold = matches!(verdict, Verdict::NotObservable { .. });
    let spent = untold && trial.is_spent() && lacks(check, trial.plan()).is_ok();
    trial.turn(check.id).await;
    Finding { check, verdict, unreached, spent, steps: trial.into_steps(), took: started.elapsed() }
}

/// The name that may have been meant.
fn nearest(name: &str, known: &[&str]) -> String {
    let name = name.to_ascii_lowercase();
    let likeness = |other: &&&str| (strsim::jaro_winkler(&name, other) * 1e6).round();
    match known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b))) {
        Some(other) => format!("; did you mean {other:?}?"),
        None => String::new(),
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RunError {}
