//! Carries out the checks, one after another.

use std::{fmt, sync::atomic::AtomicU32, time::Instant};

use crate::{
    check::Check,
    checks,
    plan::Plan,
    profile::Profile,
    report::{Finding, Report},
    trial::Trial,
    verdict::{Stop, Verdict},
};

/// Which checks.
#[derive(Clone, Debug, Default)]
pub struct Selection(pub Vec<String>);

/// Whoever wants to know how it goes.
pub trait Observer: Send {
    /// A check begins; there are so many of them.
    fn begins(&mut self, check: &'static Check, number: usize, of: usize);
    /// It has ended.
    fn ended(&mut self, finding: &Finding);
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
                let known: Vec<&str> = checks::all().map(|check| check.id).collect();
                return Err(RunError(format!("there is no check {name:?}{}", nearest(name, &known))));
            }
        }
        let chosen = |check: &&Check| self.0.is_empty() || self.0.iter().any(|name| fits(check, name));
        Ok(checks::all().filter(chosen).collect())
    }
}

/// Carries out `selection` of the checks on what the plan names.
///
/// # Errors
/// If the plan's profile or one of the checks does not exist. What the API does is never an error.
pub async fn run(
    plan: &Plan,
    selection: &Selection,
    observer: &mut dyn Observer,
) -> Result<Report, RunError> {
    let profile = Profile::named(&plan.profile).ok_or_else(|| {
        let known: Vec<&str> = Profile::ALL.iter().map(|profile| profile.name).collect();
        RunError(format!("there is no profile {:?}{}", plan.profile, nearest(&plan.profile, &known)))
    })?;
    let checks = selection.checks()?;
    let spent = AtomicU32::new(0);
    let mut report = Report::new(plan, profile);
    for (number, check) in checks.iter().enumerate() {
        observer.begins(check, number + 1, checks.len());
        let finding = carry_out(check, plan, profile, &spent).await;
        observer.ended(&finding);
        report.findings.push(finding);
    }
    Ok(report)
}

async fn carry_out(
    check: &'static Check,
    plan: &Plan,
    profile: &'static Profile,
    spent: &AtomicU32,
) -> Finding {
    let started = Instant::now();
    let mut trial = Trial::new(plan, profile, spent);
    let lacks = check.needs.iter().find_map(|need| need.met_by(plan).err());
    let verdict = match lacks {
        Some(lack) => Verdict::not_observable(lack),
        None => (check.run)(&mut trial).await.unwrap_or_else(Stop::into_verdict),
    };
    Finding { check, verdict, steps: trial.into_steps(), took: started.elapsed() }
}

/// The name that may have been meant.
fn nearest(name: &str, known: &[&str]) -> String {
    let likeness = |other: &&&str| (strsim::jaro_winkler(name, other) * 1e6).round();
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
