//! The report for people, as text.
//!
//! What does not hold comes first, each with the requests that show it; then what is done otherwise by design, what holds,
//! and what cannot be told, with its cure. Colour repeats what a word says, and never says it alone.

use std::io::{self, Write};

use super::{
    Finding, Report,
    hidden::Hidden,
    sequence::{AT_A_GLANCE, Sequence},
};
use crate::{
    check::Level,
    verdict::{Verdict, bound_95},
};

/// How it is written.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Whether colours are used.
    pub color: bool,
    /// How many characters stand in a line of prose. Commands are never broken.
    pub width: usize,
}

/// A colour, as an SGR sequence has it (ECMA-48, section 8.3.117).
#[derive(Clone, Copy)]
enum Ink {
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
}

/// Writes lines.
struct Page<'a> {
    report: &'a Report,
    hidden: Hidden,
    style: Style,
    out: &'a mut dyn Write,
}

impl Report {
    /// Writes it for people.
    ///
    /// # Errors
    /// If `out` takes no more.
    pub fn write(&self, style: Style, out: &mut dyn Write) -> io::Result<()> {
        let mut page = Page { report: self, hidden: Hidden::new(&self.credentials), style, out };
        page.head()?;
        page.failed()?;
        page.deviating()?;
        page.passed()?;
        page.not_observable()?;
        page.summary()?;
        page.out.flush()
    }

    fn that<'a>(&'a self, is: impl Fn(&Finding) -> bool + 'a) -> impl Iterator<Item = &'a Finding> {
        self.findings.iter().filter(move |finding| is(finding))
    }
}

impl Page<'_> {
    fn head(&mut self) -> io::Result<()> {
        let Report { asked, target, profile, upstream_view, .. } = self.report;
        let view = if *upstream_view { "upstream view" } else { "client view" };
        let asked = self.hidden.text(asked);
        let line = format!("{asked} at {target}, by the profile {}, {view}", profile.name);
        let line = self.inked(Ink::Bold, &line);
        writeln!(self.out, "{line}")?;
        match self.report.cause() {
            Some(cause) => {
                let line = format!(
                    "A repeat is carried out again, and most of what does not hold follows from that: mend {cause} first."
                );
                writeln!(self.out)?;
                self.hanging("", 0, &line, self.style.width)
            }
            None => Ok(()),
        }
    }

    /// Musts before shoulds, each in the order of the checks.
    fn failed(&mut self) -> io::Result<()> {
        for level in [Level::Must, Level::Should] {
            let title = match level {
                Level::Must => "Does not hold, and must",
                Level::Should => "Does not hold, and should",
            };
            let failed: Vec<_> = self.report.that(|finding| finding.fails(level)).collect();
            self.title(title, &failed)?;
            for finding in failed {
                if let Verdict::Fail { expected, actual } = &finding.verdict {
                    self.checked(finding, Ink::Red, "FAIL")?;
                    self.field("expected", expected)?;
                    self.field("actual", actual)?;
                    self.field("source", finding.check.source)?;
                    self.script(finding)?;
                }
            }
        }
        Ok(())
    }

    fn deviating(&mut self) -> io::Result<()> {
        let deviating: Vec<_> =
            self.report.that(|finding| matches!(finding.verdict, Verdict::Deviates { .. })).collect();
        self.title("Done otherwise by design: nothing is lost, and nothing done twice", &deviating)?;
        for finding in deviating {
            if let Verdict::Deviates { expected, actual, like } = &finding.verdict {
                self.checked(finding, Ink::Yellow, "OTHER")?;
                self.field("expected", expected)?;
                self.field("actual", actual)?;
                self.field("like", like)?;
            }
        }
        Ok(())
    }

    fn passed(&mut self) -> io::Result<()> {
        let passed: Vec<_> =
            self.report.that(|finding| matches!(finding.verdict, Verdict::Pass { .. })).collect();
        self.title("Holds", &passed)?;
        let widest = passed.iter().map(|finding| finding.check.id.len()).max().unwrap_or_default();
        for finding in passed {
            let Verdict::Pass { seen, tries } = &finding.verdict else { continue };
            let mark = self.inked(Ink::Green, "ok");
            let mut seen = self.hidden.told(seen);
            if let Some(tries) = tries {
                seen.push_str(&format!("; {}", bound(*tries)));
            }
            let before = format!("  {mark}  {:widest$}  ", finding.check.id);
            let room = self.style.width.saturating_sub(widest + 8);
            self.hanging(&before, widest + 8, &seen, room)?;
        }
        Ok(())
    }

    /// By what would make them observable: one cure often is that of many.
    fn not_observable(&mut self) -> io::Result<()> {
        let mut cures: Vec<(&str, Vec<&str>)> = Vec::new();
        let all: Vec<_> =
            self.report.that(|finding| matches!(finding.verdict, Verdict::NotObservable { .. })).collect();
        for finding in &all {
            let Verdict::NotObservable { why } = &finding.verdict else { continue };
            match cures.iter_mut().find(|(known, _)| known == why) {
                Some((_, ids)) => ids.push(finding.check.id),
                None => cures.push((why, vec![finding.check.id])),
            }
        }
        self.title("Cannot be told from here: no fault", &all)?;
        for (why, ids) in cures {
            let why = self.hidden.told(why);
            self.hanging("  ?   ", 6, &why, self.style.width.saturating_sub(6))?;
            let ids = ids.join(", ");
            for line in wrapped(&ids, self.style.width.saturating_sub(6)) {
                let line = self.inked(Ink::Dim, &line);
                writeln!(self.out, "      {line}")?;
            }
        }
        Ok(())
    }

    fn summary(&mut self) -> io::Result<()> {
        let line = self.report.summary_line();
        let ink = match self.report.summary() {
            summary if summary.failed > 0 => Ink::Red,
            summary if summary.failed_should > 0 => Ink::Yellow,
            _ => Ink::Green,
        };
        writeln!(self.out)?;
        // Broken between its parts, each of which stays whole.
        let parts = line.replace(", ", ",\n").replace(". ", ".\n");
        for line in filled(parts.lines(), self.style.width) {
            let line = self.inked(ink, &line);
            writeln!(self.out, "{line}")?;
        }
        // What stands at the top of a long report has scrolled away.
        for (level, label) in [(Level::Must, "Failed: "), (Level::Should, "Could be better: ")] {
            let failed: Vec<_> =
                self.report.that(|finding| finding.fails(level)).map(|finding| finding.check.id).collect();
            if !failed.is_empty() {
                let room = self.style.width.saturating_sub(label.len());
                self.hanging(label, label.len(), &failed.join(", "), room)?;
            }
        }
        Ok(())
    }

    fn title(&mut self, title: &str, findings: &[&Finding]) -> io::Result<()> {
        if findings.is_empty() {
            return Ok(());
        }
        let title = self.inked(Ink::Bold, &format!("{title} ({})", findings.len()));
        writeln!(self.out, "\n{title}")
    }

    fn checked(&mut self, finding: &Finding, ink: Ink, word: &str) -> io::Result<()> {
        let mark = self.inked(ink, word);
        let id = self.inked(Ink::Bold, finding.check.id);
        writeln!(self.out, "\n  {mark}  {id}")?;
        self.hanging("    ", 4, finding.check.requirement, self.style.width.saturating_sub(4))
    }

    fn field(&mut self, name: &str, text: &str) -> io::Result<()> {
        let text = self.hidden.told(text);
        let label = self.inked(Ink::Dim, &format!("{name:8}"));
        self.hanging(&format!("    {label}  "), 14, &text, self.style.width.saturating_sub(14))
    }

    fn script(&mut self, finding: &Finding) -> io::Result<()> {
        writeln!(self.out)?;
        for line in Sequence::of(finding, self.report, AT_A_GLANCE).at_a_glance().lines() {
            let line = if line.starts_with('#') { self.inked(Ink::Dim, line) } else { line.to_owned() };
            writeln!(self.out, "    {line}")?;
        }
        Ok(())
    }

    /// A paragraph whose first line stands behind `before`, and the others below it, `indent` characters in.
    fn hanging(&mut self, before: &str, indent: usize, text: &str, room: usize) -> io::Result<()> {
        let mut before = before.to_owned();
        for line in wrapped(text, room) {
            writeln!(self.out, "{}", format!("{before}{line}").trim_end())?;
            before = " ".repeat(indent);
        }
        Ok(())
    }

    fn inked(&self, ink: Ink, text: &str) -> String {
        if !self.style.color {
            return text.to_owned();
        }
        let code = match ink {
            Ink::Bold => 1,
            Ink::Dim => 2,
            Ink::Red => 31,
            Ink::Green => 32,
            Ink::Yellow => 33,
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// What so many tries without a fault say.
pub(super) fn bound(tries: u32) -> String {
    let most = bound_95(tries) * 100.0;
    format!("{tries} tries, so wrong in less than {most:.1} % of cases (95 % confidence)")
}

/// Lines of at most `room` characters, broken between words; a longer word has a line of its own. At least one line.
fn wrapped(text: &str, room: usize) -> Vec<String> {
    filled(text.split_whitespace(), room)
}

/// Lines of such pieces.
fn filled<'a>(pieces: impl Iterator<Item = &'a str>, room: usize) -> Vec<String> {
    const NARROWEST: usize = 24;
    let room = room.max(NARROWEST);
    let mut lines = vec![String::new()];
    for word in pieces {
        let line = lines.last_mut().expect("there is one");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= room {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_is_broken_between_words_and_a_long_word_stands_alone() {
        let long = "x".repeat(40);
        let lines = wrapped(&format!("one two three four five six {long} seven"), 24);
        assert_eq!(lines, ["one two three four five", "six", &long, "seven"]);
        assert_eq!(wrapped("", 80), [""]);
    }
}
