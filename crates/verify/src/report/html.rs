//! The report as one page: nothing is loaded, nothing runs, everything is in it.
//!
//! Invariant: what came from the API is hostile until it is escaped. maud escapes every text; what is not a text of the page
//! itself is never wrapped in [`PreEscaped`], and the page's policy lets no script run even so.

mod parts;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Finding, Report, hidden::Hidden};
use crate::{check::Level, verdict::Verdict};

const STYLE: &str = include_str!("html/style.css");

/// No script, no font, no picture, no form: only the page's own style.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// What a finding is, for its colour and its word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    FailedMust,
    FailedShould,
    Deviating,
    Passed,
    NotObservable,
}

/// The page of one report.
struct Page<'a> {
    report: &'a Report,
    hidden: Hidden,
}

impl Report {
    /// As a page of its own.
    #[must_use]
    pub fn html(&self) -> String {
        Page { report: self, hidden: Hidden::new(&self.credentials) }.whole().into_string()
    }
}

impl Page<'_> {
    fn whole(&self) -> Markup {
        let asked = self.hidden.text(&self.report.asked);
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(POLICY);
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="referrer" content="no-referrer";
                    meta name="color-scheme" content="light dark";
                    title { (self.verdict()) ": " (asked) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    (self.head(&asked))
                    main {
                        (self.overview())
                        @for kind in Kind::ALL { (self.section(kind)) }
                    }
                    (parts::foot())
                }
            }
        }
    }

    /// In a sentence.
    fn verdict(&self) -> String {
        let summary = self.report.summary();
        let told = self.report.findings.len() - summary.not_observable;
        match (summary.failed, summary.failed_should) {
            _ if told == 0 => "Nothing could be told".to_owned(),
            (0, 0) if self.report.spent > 0 => "Not all was tried: the requests are spent".to_owned(),
            (0, 0) => "What was tried holds".to_owned(),
            (0, 1) => "What must hold does; one thing could be better".to_owned(),
            (0, should) => format!("What must hold does; {should} things could be better"),
            (1, _) => "One thing that must hold does not".to_owned(),
            (must, _) => format!("{must} things that must hold do not"),
        }
    }

    fn that_are(&self, kind: Kind) -> impl Iterator<Item = &Finding> {
        self.report.findings.iter().filter(move |finding| Kind::of(finding) == kind)
    }
}

impl Kind {
    const ALL: [Self; 5] =
        [Self::FailedMust, Self::FailedShould, Self::Deviating, Self::Passed, Self::NotObservable];

    const fn of(finding: &Finding) -> Self {
        match (&finding.verdict, finding.check.level) {
            (Verdict::Fail { .. }, Level::Must) => Self::FailedMust,
            (Verdict::Fail { .. }, Level::Should) => Self::FailedShould,
            (Verdict::Deviates { .. }, _) => Self::Deviating,
            (Verdict::Pass { .. }, _) => Self::Passed,
            (Verdict::NotObservable { .. }, _) => Self::NotObservable,
        }
    }

    /// Its class in the style.
    const fn class(self) -> &'static str {
        match self {
            Self::FailedMust => "must",
            Self::FailedShould => "should",
            Self::Deviating => "other",
            Self::Passed => "holds",
            Self::NotObservable => "untold",
        }
    }

    /// In a sign, which stands beside a word.
    const fn sign(self) -> &'static str {
        match self {
            Self::FailedMust => "✕",
            Self::FailedShould => "!",
            Self::Deviating => "≠",
            Self::Passed => "✓",
            Self::NotObservable => "?",
        }
    }

    /// In a word or two, for one or many.
    const fn word(self) -> &'static str {
        match self {
            Self::FailedMust => "broken, must hold",
            Self::FailedShould => "broken, should hold",
            Self::Deviating => "otherwise by design",
            Self::Passed => "held",
            Self::NotObservable => "cannot be told",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::FailedMust => "Does not hold, and must",
            Self::FailedShould => "Does not hold, and should",
            Self::Deviating => "Done otherwise by design",
            Self::Passed => "Holds",
            Self::NotObservable => "Cannot be told from here",
        }
    }

    const fn about(self) -> &'static str {
        match self {
            Self::FailedMust => {
                "Something happens twice or not at all, an answer is lost, or somebody else gets it."
            }
            Self::FailedShould => "Nothing happens twice, but whoever retries is worse off than he could be.",
            Self::Deviating => {
                "Not as the profile says, but as others do it on purpose: nothing is lost and nothing done twice."
            }
            Self::Passed => {
                "As far as it was tried. For what depends on timing, the number of tries says how far that is."
            }
            Self::NotObservable => "No fault. Each says what would make it observable.",
        }
    }
}
