//! What changes what clients are told is asked before it is done.

use std::io::{self, BufRead, IsTerminal, Write};

use super::Failure;

/// What is to be done, and may not be meant.
pub(super) struct Question<'a> {
    /// What it does, in few words.
    pub(super) does: &'a str,
    /// The same to somebody who sits there, with what follows from it.
    pub(super) asks: &'a str,
    /// What to write where nobody does.
    pub(super) hint: &'a str,
}

/// `Err` where nobody says yes.
pub(super) fn obtain(question: &Question<'_>) -> Result<(), Failure> {
    let Question { does, hint, .. } = question;
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Err(Failure::usage(format!(
            "this {does}, and there is no terminal to ask on\n\nhint: if that is meant: --yes{hint}"
        )));
    }
    match agreed(question, &mut stdin.lock(), &mut io::stderr())? {
        true => Ok(()),
        false => Err(Failure::new("nothing was done")),
    }
}

fn agreed(question: &Question<'_>, ask: &mut dyn BufRead, err: &mut dyn Write) -> io::Result<bool> {
    write!(err, "{} Go on? [y/N] ", question.asks)?;
    err.flush()?;
    let mut typed = String::new();
    ask.read_line(&mut typed)?;
    Ok(matches!(typed.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_a_yes() {
        let question = Question { does: "closes it", asks: "It closes.", hint: "" };
        let answers = |typed: &str| agreed(&question, &mut typed.as_bytes(), &mut Vec::new()).unwrap();
        assert!(answers("y\n") && answers("YES\n"));
        for typed in ["", "\n", "n\n", "yo\n"] {
            assert!(!answers(typed), "{typed:?}");
        }
    }
}
