//! What a check sent, as a person would send it again: a script for a shell, with what came back as comments.

use std::fmt::Write;

use super::{Finding, Report, hidden::Hidden};
use crate::{
    call::{Answer, Names, Outcome, Request, Together, Who, curl, shell_word, variable},
    trial::{Ran, Step},
};

/// Most steps that a report has of a fault: more than any check takes, so that its script shows the fault again.
pub(super) const OF_A_FAULT: usize = 1_000;
/// Most steps where a glance is enough.
pub(super) const AT_A_GLANCE: usize = 8;
/// Most different requests or answers of one step that a script lists.
const LISTED_MAX: usize = 20;
/// Most different answers of one step where a glance is enough.
const GLANCED_MAX: usize = 3;
/// How often a script looks whether something has changed.
const LOOKS_MAX: usize = 1_000;
/// Most of a body that is shown, in characters.
const BODY_SHOWN: usize = 2_000;
/// Most of a body that a comment shows.
const COMMENT_SHOWN: usize = 160;

/// What a script says first that is not whole.
pub(super) const IN_PARTS: &str = "# Not the whole: steps are left out, and without them it may not show the fault. The whole stands in\n\
                                   # the report as JSON, and on the page: --report json=FILE, --report html=FILE\n";

/// What no command stands for.
const UPSTREAM: &str = "# In the upstream view: `onlyonce verify` was the application behind it, and did there what the comments say. \
                        Another application has to do the same.";

/// The steps of one finding; of more than can be shown, how it began and how it ended.
#[derive(Clone, Debug)]
pub(super) struct Sequence {
    pub(super) left_out: usize,
    /// What a shell is told before all of it: a comment on what it needs, and fresh values.
    pub(super) before: String,
    pub(super) steps: Vec<Shown>,
}

/// A step: what was sent at one time.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    /// Counted from one.
    pub(super) number: usize,
    pub(super) what: String,
    pub(super) together: Together,
    pub(super) requests: Vec<Sent>,
    /// What was done to the API itself, for a shell.
    command: Option<String>,
}

/// A request, and how often it was sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    /// With the values that it was sent with.
    pub(super) curl: String,
    /// With fresh ones, as variables that the sequence sets.
    anew: String,
    pub(super) times: usize,
    pub(super) answers: Vec<Came>,
}

/// An answer, and how often it came.
#[derive(Clone, Debug)]
pub(super) struct Came {
    pub(super) times: usize,
    pub(super) answer: Result<Read, String>,
}

/// An answer as a report shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
    pub(super) body_bytes: usize,
}

impl Sequence {
    pub(super) fn of(finding: &Finding, report: &Report, most: usize) -> Self {
        let hidden = Hidden::new(&report.credentials);
        let left_out = finding.steps.len().saturating_sub(most);
        // The end decided it, so the beginning gets the smaller part.
        let beginning = most / 3;
        let is_shown = |at: &usize| *at < beginning || *at >= beginning + left_out;
        let shown: Vec<_> = (0..).zip(&finding.steps).filter(|(at, _)| is_shown(at)).collect();
        let requests: Vec<_> = shown.iter().flat_map(|(_, step)| listed(step)).collect();
        let names = Names::of(requests.iter().copied());
        let mut before = needed(&requests, report);
        before.extend(names.lines());
        let before = hidden.text(&before.join("\n"));
        let steps = shown.into_iter().map(|(at, step)| Shown::of(at + 1, step, report, &names, &hidden));
        Self { left_out, before, steps: steps.collect() }
    }

    /// The steps, each with how many before it are left out.
    pub(super) fn gaps(&self) -> impl Iterator<Item = (usize, &Shown)> {
        let before = std::iter::once(0).chain(self.steps.iter().map(|step| step.number));
        before.zip(&self.steps).map(|(before, step)| (step.number - before - 1, step))
    }

    /// The script for a terminal, with a few of the answers that came at once.
    pub(super) fn at_a_glance(&self) -> String {
        self.script_with(GLANCED_MAX)
    }

    /// The script.
    pub(super) fn script(&self) -> String {
        self.script_with(LISTED_MAX)
    }

    fn script_with(&self, answers: usize) -> String {
        let mut script = String::new();
        if self.left_out > 0 {
            script.push_str(IN_PARTS);
        }
        let _ = writeln!(script, "{}", self.before);
        for (left_out, step) in self.gaps() {
            if left_out > 0 {
                let _ = writeln!(script, "# … {left_out} steps are left out here …");
            }
            step.write(&mut script, answers);
        }
        script
    }
}

impl Shown {
    fn of(number: usize, step: &Step, report: &Report, names: &Names, hidden: &Hidden) -> Self {
        let mut groups: Vec<(&Request, Vec<&Outcome>)> = Vec::new();
        for (request, outcome) in &step.exchanges {
            match groups.iter_mut().find(|(known, _)| is_same(known, request)) {
                Some((_, outcomes)) => outcomes.push(outcome),
                None => groups.push((request, vec![outcome])),
            }
        }
        let requests = groups.into_iter().map(|(request, outcomes)| {
            let line = |names| {
                let secret = |name: &str| report.credentials.is_secret(name);
                hidden.text(&curl(&report.target, request, secret, step.together, names))
            };
            Sent {
                curl: line(&Names::default()),
                anew: line(names),
                times: outcomes.len(),
                answers: Came::all(&outcomes, report, hidden),
            }
        });
        let command = step.command.as_ref().map(|ran| hidden.text(&again(ran, report)));
        let (what, together) = (hidden.told(&step.what), step.together);
        Self { number, what, together, requests: requests.collect(), command }
    }

    /// How many requests went out at once.
    pub(super) fn at_once(&self) -> usize {
        self.requests.iter().map(|sent| sent.times).sum()
    }

    /// What a shell is told.
    pub(super) fn commands(&self) -> String {
        let mut commands = self.command.clone().unwrap_or_default();
        if self.together == Together::WithOthers {
            // What else that shell may have begun is not waited for.
            commands.push_str("(\n");
        }
        for sent in self.requests.iter().take(LISTED_MAX) {
            let anew = &sent.anew;
            let _ = match sent.times {
                _ if self.together == Together::Remembered => {
                    writeln!(commands, "REMEMBERED=\"$({anew})\"; printf '%s\\n' \"$REMEMBERED\"")
                }
                _ if self.together == Together::UntilAnother => writeln!(
                    commands,
                    "for i in $(seq {LOOKS_MAX}); do test \"$({anew})\" = \"$REMEMBERED\" || break; sleep 0.01; done"
                ),
                1 => writeln!(commands, "{}", sent.anew),
                times => writeln!(commands, "for i in $(seq {times}); do {} done", sent.anew),
            };
        }
        if let Some(more) = self.requests.len().checked_sub(LISTED_MAX).filter(|more| *more > 0) {
            let _ = writeln!(commands, "# … and {more} more like these");
        }
        if self.together == Together::WithOthers {
            commands.push_str("wait\n)\n");
        }
        commands
    }

    fn write(&self, script: &mut String, answers: usize) {
        let how = match self.at_once() {
            0 | 1 => String::new(),
            many => format!(" ({many} at once)"),
        };
        let _ = writeln!(script, "# {}. {}{how}", self.number, one_line(&self.what));
        script.push_str(&self.commands());
        for came in self.came_at_most(answers) {
            let _ = writeln!(script, "#    {came}");
        }
    }

    /// The answers in a line each, with how often each came.
    pub(super) fn came(&self) -> Vec<String> {
        self.came_at_most(LISTED_MAX)
    }

    fn came_at_most(&self, most: usize) -> Vec<String> {
        let mut lines: Vec<(String, usize)> = Vec::new();
        for came in self.requests.iter().flat_map(|sent| &sent.answers) {
            let line = came.line();
            match lines.iter_mut().find(|(known, _)| *known == line) {
                Some((_, times)) => *times += came.times,
                None => lines.push((line, came.times)),
            }
        }
        let more = lines.len().saturating_sub(most);
        let times = |(line, times)| if times > 1 { format!("{times} × {line}") } else { line };
        let mut lines: Vec<String> = lines.into_iter().take(most).map(times).collect();
        if more > 0 {
            lines.push(format!("… and {more} other answers"));
        }
        lines
    }
}

impl Came {
    fn all(outcomes: &[&Outcome], report: &Report, hidden: &Hidden) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for outcome in outcomes {
            let answer = match outcome {
                Ok(answer) => Ok(Read::of(answer, report, hidden)),
                Err(lost) => Err(hidden.told(&lost.to_string())),
            };
            match all.iter_mut().find(|came| came.answer == answer) {
                Some(came) => came.times += 1,
                None => all.push(Self { times: 1, answer }),
            }
        }
        all
    }

    fn line(&self) -> String {
        match &self.answer {
            Ok(read) => read.line(),
            Err(lost) => one_line(lost),
        }
    }
}

impl Read {
    fn of(answer: &Answer, report: &Report, hidden: &Hidden) -> Self {
        let value =
            |name: &str, value: &[u8]| match name == "set-cookie" || report.credentials.is_secret(name) {
                true => "•••".to_owned(),
                false => hidden.text(&String::from_utf8_lossy(value)),
            };
        let headers = answer.headers.iter();
        Self {
            status: answer.status.as_u16(),
            headers: headers
                .map(|(name, text)| (name.as_str().to_owned(), value(name.as_str(), text.as_bytes())))
                .collect(),
            body: shortened(&hidden.text(&beginning(answer)), BODY_SHOWN),
            body_bytes: answer.body.len(),
        }
    }

    fn line(&self) -> String {
        format!("{} {}", self.status, shortened(&one_line(&self.body), COMMENT_SHOWN)).trim_end().to_owned()
    }
}

/// As much of a body as is kept.
fn beginning(answer: &Answer) -> String {
    let mut text = String::from_utf8_lossy(&answer.body).into_owned();
    if answer.body.whole().is_none() {
        text.push('…');
    }
    text
}

/// The requests of a step that a script lists.
fn listed(step: &Step) -> Vec<&Request> {
    let mut listed: Vec<&Request> = Vec::new();
    for (request, _) in &step.exchanges {
        if listed.len() < LISTED_MAX && !listed.iter().any(|known| is_same(known, request)) {
            listed.push(request);
        }
    }
    listed
}

/// What whoever runs it has to know: comments.
fn needed(requests: &[&Request], report: &Report) -> Vec<String> {
    let mut lines = vec!["# For bash: each time with fresh keys.".to_owned()];
    if report.upstream_view {
        lines.push(UPSTREAM.to_owned());
    } else if let Some(calls) = &report.calls {
        lines.push(format!(
            "# An effect is a call that comes back: {calls}. Listen there to see how many come."
        ));
    }
    for request in requests {
        for name in request.headers.keys().filter(|name| report.credentials.is_secret(name.as_str())) {
            let whose = match request.who {
                Who::First | Who::Nobody => "of the first caller",
                Who::Second => "of the other caller",
                Who::Stranger => "that nobody was given",
            };
            let variable = variable(request.who, name.as_str());
            let taken = report.credentials.variables.iter().find(|(who, taken, environment)| {
                *who == request.who && taken == name && is_name(environment)
            });
            let line = match taken {
                Some((_, _, environment)) => format!("{variable}=\"${environment}\""),
                None => format!("# Set {variable} before: the value of a header `{name}` {whose}."),
            };
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    lines
}

/// Whether a shell takes it for the name of a variable.
fn is_name(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit())
        && !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The command of the plan, as the verifier ran it.
fn again(ran: &Ran, report: &Report) -> String {
    let mut lines = format!("sh -c {}\n", shell_word(ran.command.as_bytes()));
    if ran.starts {
        let root = shell_word(format!("{}/", report.target).as_bytes());
        let _ = writeln!(lines, "until curl -s -o /dev/null {root}; do sleep 0.2; done");
    }
    lines
}

fn is_same(one: &Request, other: &Request) -> bool {
    let of = |request: &Request| (request.who, request.manner, request.fault);
    one.method == other.method
        && one.path == other.path
        && one.headers == other.headers
        && one.body == other.body
        && of(one) == of(other)
}

/// What stands in a comment must not end it: the next line would be a command.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
