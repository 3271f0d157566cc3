//! What is done to the API itself.

use std::time::Duration;

use tokio::{
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use super::{Ran, Step, Trial};
use crate::{
    call::{Lost, Together},
    commands,
    plan::Commands,
    verdict::Stop,
};

/// How long it may take to answer after it was started, and to be gone after it was killed.
const UP: Duration = Duration::from_secs(30);
const GONE: Duration = Duration::from_secs(2);
/// How long one look at what is down may take.
const GLANCE: Duration = Duration::from_secs(2);
/// How long a shell may need until a request is sent that it has begun.
const SHELL: Duration = Duration::from_millis(200);
/// How often it is looked whether it is.
const LOOK: Duration = Duration::from_millis(20);

impl Trial<'_> {
    /// Runs one of the plan's commands. That it failed is told at once, and not only by what the check has found.
    ///
    /// # Errors
    /// If there is none, or it fails: then nothing can be seen.
    async fn command(&mut self, what: &str, command: Option<&String>) -> Result<(), Stop> {
        let command = command.ok_or_else(|| Stop::not_observable(format!("no command to {what} it")))?;
        let starts = what == "start";
        let what = format!("{what} it: {command}");
        if let Err(why) = commands::run(command).await {
            let failed = format!("{what}: {why}");
            self.learnt.saw_failure(failed.clone());
            return Err(Stop::not_observable(failed));
        }
        let ran = Ran { command: command.clone(), starts };
        self.steps.push(Step { what, exchanges: Vec::new(), together: Together::Alone, command: Some(ran) });
        Ok(())
    }

    /// Kills it; from here on it counts as down, until it [answers](Trial::until_it_answers).
    ///
    /// # Errors
    /// If there is no such command, or it fails.
    pub async fn kill(&mut self, commands: &Commands) -> Result<(), Stop> {
        self.learnt.is_down("it was killed, and not started again");
        self.command("kill", commands.kill.as_ref()).await
    }

    /// Starts it again.
    ///
    /// # Errors
    /// If there is no such command, or it fails.
    pub async fn restart(&mut self, commands: &Commands) -> Result<(), Stop> {
        let started = self.command("start", commands.restart.as_ref()).await;
        self.learnt.is_down(match &started {
            Ok(()) => "it was killed, and has not answered since it was started again",
            Err(_) => "it was killed, and the plan's `restart` failed",
        });
        started
    }

    /// Kills it, and starts it again when it is gone: whatever comes of the kill, nothing is left dead.
    ///
    /// # Errors
    /// If one of the commands fails, or it does not answer afterwards.
    pub async fn crash(&mut self, commands: &Commands) -> Result<(), Stop> {
        let killed = self.kill(commands).await;
        let gone = self.until_it_is_gone().await;
        // A kill that failed may have ended nothing: then another one would only get in its way.
        let restarted = match killed.is_err() && self.looked().await.is_ok() {
            true => Ok(()),
            false => self.restart(commands).await,
        };
        killed.and(restarted).and(gone)?;
        self.until_it_answers().await
    }

    /// Stops it where it is; from here on it counts as down, until it goes on.
    ///
    /// # Errors
    /// If there is no such command, or it fails.
    pub async fn pause(&mut self, commands: &Commands) -> Result<(), Stop> {
        self.learnt.is_down("it was stopped, and did not go on");
        self.command("stop", commands.pause.as_ref()).await
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// If there is no such command, or it fails.
    pub async fn resume(&mut self, commands: &Commands) -> Result<(), Stop> {
        let resumed = self.command("resume", commands.resume.as_ref()).await;
        match &resumed {
            Ok(()) => self.learnt.is_up(),
            Err(_) => self.learnt.is_down("it was stopped, and the plan's `resume` failed"),
        }
        resumed
    }

    /// What was killed or stopped, and does not run again, is no API to judge, unless somebody has helped it since: it may
    /// take connections, and would be blamed for what it does not answer.
    ///
    /// # Errors
    /// If nobody has.
    pub(crate) async fn is_alive(&mut self) -> Result<(), Stop> {
        let Some(why) = self.learnt.why_down() else { return Ok(()) };
        match timeout(GLANCE, self.looked()).await {
            Ok(Ok(())) => {
                self.learnt.is_up();
                Ok(())
            }
            Ok(Err(_)) | Err(_) => {
                Err(Stop::Lost { step: "before the check".into(), lost: Lost::NotReached(why) })
            }
        }
    }

    /// Waits until nobody answers any more; not for long, as something may start it again by itself.
    ///
    /// # Errors
    /// If the run's requests are spent.
    pub async fn until_it_is_gone(&mut self) -> Result<(), Stop> {
        let started = Instant::now();
        while started.elapsed() < GONE {
            match self.looked().await {
                Err(Stop::Lost { lost: Lost::NotReached(_), .. }) => return Ok(()),
                Ok(()) | Err(Stop::Lost { .. }) => sleep(LOOK).await,
                Err(stop) => return Err(stop),
            }
        }
        Ok(())
    }

    /// Waits until the counter answers.
    ///
    /// # Errors
    /// If it does not within half a minute, or the run's requests are spent.
    pub async fn until_it_answers(&mut self) -> Result<(), Stop> {
        let started = Instant::now();
        loop {
            match self.looked().await {
                Ok(()) => {
                    self.learnt.is_up();
                    return Ok(());
                }
                Err(Stop::Lost { lost, .. }) if started.elapsed() > UP => {
                    let seconds = UP.as_secs();
                    let why = format!("{seconds} s after it was started it does not answer: {lost}");
                    return Err(Stop::not_observable(why));
                }
                // What starts may refuse everything until it is ready.
                Err(stop) if started.elapsed() > UP => return Err(stop),
                Err(_) => sleep(LOOK).await,
            }
        }
    }

    /// One look that stands in no report: whether it takes a connection, and its counter answers.
    async fn looked(&mut self) -> Result<(), Stop> {
        let target = &self.plan.target;
        // In the upstream view the count is ours, and says nothing about it.
        if let Err(error) = TcpStream::connect((target.host.as_str(), target.port)).await {
            return Err(Stop::Lost { step: "look for it".into(), lost: Lost::NotReached(error.to_string()) });
        }
        let steps = self.steps.len();
        // Behind it, the verifier counts for itself, whether it is there or not: so it is asked for anything at all.
        let looked = match self.application {
            Some(_) => self.send("is it there", &self.unkeyed(&self.plan.operations.look())).await.map(drop),
            None => self.count().await.map(drop),
        };
        self.steps.truncate(steps);
        looked
    }

    /// How many effects there have been since `before`; the look that sees the first of them stands in the report, as a
    /// script has to wait for it too.
    ///
    /// # Errors
    /// As for [`Trial::count`].
    pub(crate) async fn first_sight(&mut self, before: super::Count) -> Result<i64, Stop> {
        let steps = self.steps.len();
        let now = self.count().await?;
        let seen = self.between(before, now);
        match self.steps.get_mut(steps) {
            Some(look) if seen > 0 => {
                look.what = "look until its effect is counted".to_owned();
                look.together = Together::UntilAnother;
            }
            _ => self.steps.truncate(steps),
        }
        Ok(seen)
    }

    /// As [`Trial::count`], and a script remembers what [`Trial::first_sight`] compares with.
    ///
    /// # Errors
    /// As for [`Trial::count`].
    pub(crate) async fn count_to_compare(&mut self) -> Result<super::Count, Stop> {
        let steps = self.steps.len();
        let count = self.count().await?;
        if let Some(step) = self.steps.get_mut(steps) {
            step.together = Together::Remembered;
        }
        Ok(count)
    }

    /// Waits, and lets a script wait.
    pub(crate) async fn wait(&mut self, time: Duration) {
        self.waits(time);
        sleep(time).await;
    }

    /// Lets a script wait as long as was waited here.
    pub(crate) fn waits(&mut self, time: Duration) {
        // What it began before needs longer to be sent than here.
        let command = format!("sleep {:.1}", time.max(SHELL).as_secs_f32());
        let ran = Ran { command, starts: false };
        let (what, exchanges) = (format!("wait {:.2} s", time.as_secs_f32()), Vec::new());
        self.steps.push(Step { what, exchanges, together: Together::Alone, command: Some(ran) });
    }

    /// How many effects there have been since `before`, in one look that stands in no report.
    ///
    /// # Errors
    /// As for [`Trial::count`].
    pub(crate) async fn glance(&mut self, before: super::Count) -> Result<i64, Stop> {
        let steps = self.steps.len();
        let now = self.count().await;
        self.steps.truncate(steps);
        Ok(self.between(before, now?))
    }
}
