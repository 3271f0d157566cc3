//! `onlyonce verify`: what holds of an API, seen from outside.
//!
//! What is checked and judged is in `onlyonce-verify`; here it is asked for, asked about, watched and printed. The report
//! goes to stdout, everything else to stderr.

mod asked;
mod consent;
mod fixture;
mod init;
mod list;
mod progress;
mod rehearsal;
mod reports;
mod waiting;

use std::io::{self, IsTerminal};

use clap::{Args, Subcommand};
use onlyonce_verify::{
    Run,
    report::{Report, Style},
    run::Selection,
};

use crate::{
    environment,
    exit::{Exit, complain, tell},
    gateway::stop_signal,
    verify::{asked::Asked, progress::Progress, reports::Destination},
};

/// How many characters stand in a line, and how few are made of a narrow terminal's.
const WIDTH: usize = 100;
const WIDTH_MIN: usize = 40;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    asked: Asked,
    /// Only this check, or all of this subject; may be given more than once
    #[arg(long = "check", value_name = "ID|SUBJECT")]
    checks: Vec<String>,
    /// List all checks: level, what has to hold, who says so, what it needs
    #[arg(
        long,
        value_name = "FORMAT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "text"
    )]
    list: Option<list::Format>,
    /// Say what would be sent, and which checks could not be tried; send nothing
    #[arg(long)]
    dry_run: bool,
    /// End with 7 also where something only should hold and does not
    #[arg(long)]
    strict: bool,
    /// A host besides this machine that may be asked, with real effects, or an address that others reach on which calls are
    /// counted or requests carried out; may be given more than once
    #[arg(long = "allow-host", value_name = "HOST")]
    allowed: Vec<String>,
    /// Write the report to a file too: text=FILE, json=FILE, html=FILE; `-` is stdout, in place of the usual report
    #[arg(long = "report", value_name = "FORMAT=FILE", value_parser = reports::destination)]
    reports: Vec<Destination>,
    /// No colours; NO_COLOR in the environment does the same
    #[arg(long)]
    no_color: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Write a plan with every key and a word on each, to a file or to stdout
    Init(init::Arguments),
    /// Serve one of the verifier's own fixtures
    #[command(hide = true)]
    Fixture(fixture::Arguments),
}

/// Why nothing was verified.
enum Failure {
    /// How it ends, and what was wrong.
    Told(Exit, String),
    Output(io::Error),
}

pub(crate) async fn run(arguments: Arguments) -> Exit {
    let ended = match &arguments.command {
        Some(Command::Init(arguments)) => init::run(arguments),
        Some(Command::Fixture(arguments)) => fixture::run(arguments).await,
        None => verify(&arguments).await,
    };
    match ended {
        Ok(exit) => exit,
        Err(Failure::Told(exit, text)) => {
            complain(&text);
            exit
        }
        // `onlyonce verify --list | head` has seen enough.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
        Err(Failure::Output(error)) => {
            complain(&format!("failed to write: {error}"));
            Exit::Failure
        }
    }
}

async fn verify(arguments: &Arguments) -> Result<Exit, Failure> {
    let selection = Selection(arguments.checks.clone());
    if let Some(format) = arguments.list {
        let checks = selection.checks().map_err(|error| Failure::usage(error.to_string()))?;
        list::write(format, &checks, &mut io::stdout().lock())?;
        return Ok(Exit::Done);
    }
    let plan = arguments.asked.plan()?;
    let run = Run::new(&plan, &selection).map_err(|error| Failure::usage(error.to_string()))?;
    if arguments.dry_run {
        rehearsal::write(&plan, &run, &mut io::stdout().lock())?;
        return Ok(Exit::Done);
    }
    // Before anything is sent: a report that cannot be written is not worth the effects.
    let reports = reports::open(&arguments.reports)?;
    consent::obtain(&plan, &run, &arguments.allowed)?;
    let run = run.listening().await.map_err(|error| Failure::usage(error.to_string()))?;
    if let Some(sink) = run.sink() {
        tell(&format!("calls that come back count as effects: {sink}"));
    }
    waiting::until_it_listens(&plan.target).await;
    run.preflight().await.map_err(|obstacle| {
        Failure::Told(Exit::Unverified, format!("{}\n\nhint: {}", obstacle.seen, obstacle.cure))
    })?;
    let report = run.carry_out(&mut Progress::new(), stop_signal()).await;
    if report.not_tried > 0 {
        tell("interrupted: this is the report so far");
    }
    if report.unreached > 0 {
        let checks = checks(report.unreached);
        tell(&format!(
            "the API went away: {checks} could not be tried, and what it has not been asked is not proven"
        ));
    }
    if report.spent > 0 {
        let (checks, most) = (checks(report.spent), plan.bounds.requests);
        tell(&format!(
            "the {most} requests of this run are spent: {checks} could not be tried to their end; set bounds.requests in \
             the plan to more, or choose checks with --check"
        ));
    }
    arguments.publish(&report, reports)?;
    Ok(arguments.judged(&report))
}

impl Arguments {
    fn publish(&self, report: &Report, reports: Vec<reports::Open>) -> Result<(), Failure> {
        let (stdout, files): (Vec<_>, Vec<_>) = reports.into_iter().partition(reports::Open::is_stdout);
        // Files first: whoever reads stdout may have seen enough.
        files.into_iter().try_for_each(|open| open.write(report))?;
        let shown = match stdout.into_iter().next() {
            Some(open) => open.write(report),
            None => self.show(report),
        };
        match shown {
            // How it ended is told by the exit code all the same.
            Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            shown => shown,
        }
    }

    fn show(&self, report: &Report) -> Result<(), Failure> {
        let style = Style { color: self.is_colored()?, width: width() };
        Ok(report.write(style, &mut io::stdout().lock())?)
    }

    /// Whether colours are wanted, and seen (<https://no-color.org>).
    fn is_colored(&self) -> Result<bool, Failure> {
        let unwanted = environment("NO_COLOR").map_err(Failure::usage)?.is_some();
        Ok(!self.no_color && !unwanted && io::stdout().is_terminal())
    }

    fn judged(&self, report: &Report) -> Exit {
        let summary = report.summary();
        match () {
            () if summary.failed > 0 || self.strict && summary.failed_should > 0 => Exit::Faulty,
            () if report.not_tried > 0 => Exit::Failure,
            () if report.unreached + report.spent > 0 => Exit::Unverified,
            () if summary.passed + summary.deviating + summary.failed_should == 0 => Exit::Unverified,
            () => Exit::Done,
        }
    }
}

/// As wide as the terminal, and no wider than what reads well.
fn width() -> usize {
    let columns = rustix::termios::tcgetwinsize(io::stdout()).map_or(0, |size| usize::from(size.ws_col));
    // A terminal that does not know its width says 0.
    if columns == 0 { WIDTH } else { columns.clamp(WIDTH_MIN, WIDTH) }
}

/// "1 check", "2 checks".
fn checks(many: usize) -> String {
    if many == 1 { "1 check".to_owned() } else { format!("{many} checks") }
}

impl Failure {
    fn usage(text: impl Into<String>) -> Self {
        Self::Told(Exit::Usage, text.into())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}
