//! Reads SPDX licence expressions: may this be used under licences that we accept?
//!
//! It knows `OR`, `AND`, `WITH`, brackets and the `/` of old manifests, which means `OR`.

/// Whether the expression can be satisfied by accepted licences alone.
///
/// An expression that cannot be read satisfies nothing.
pub(super) fn satisfied(expression: &str, accepted: &[&str]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader { words: words.iter().copied().peekable(), accepted };
    let value = reader.any();
    value == Some(true) && reader.words.next().is_none()
}

struct Reader<'a, W: Iterator<Item = &'a str>> {
    words: std::iter::Peekable<W>,
    accepted: &'a [&'a str],
}

impl<'a, W: Iterator<Item = &'a str>> Reader<'a, W> {
    /// `all OR all OR …`
    fn any(&mut self) -> Option<bool> {
        let mut value = self.all()?;
        while self.words.next_if_eq(&"OR").is_some() {
            // Not `||`: both sides must be read.
            value |= self.all()?;
        }
        Some(value)
    }

    /// `one AND one AND …`
    fn all(&mut self) -> Option<bool> {
        let mut value = self.one()?;
        while self.words.next_if_eq(&"AND").is_some() {
            value &= self.one()?;
        }
        Some(value)
    }

    /// A licence, with or without an exception, or an expression in brackets.
    fn one(&mut self) -> Option<bool> {
        match self.words.next()? {
            "(" => {
                let value = self.any()?;
                self.words.next_if_eq(&")").map(|_| value)
            }
            "AND" | "OR" | "WITH" | ")" => None,
            licence => {
                let exception = self.words.next_if_eq(&"WITH").map(|_| self.words.next());
                let name = match exception {
                    None => licence.to_owned(),
                    Some(exception) => format!("{licence} WITH {}", exception?),
                };
                Some(self.accepted.contains(&name.as_str()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_mean_what_spdx_says() {
        let accepted = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"];
        for good in [
            "MIT",
            "MIT OR GPL-3.0",
            "GPL-3.0/MIT",
            "MIT AND Apache-2.0",
            "(GPL-3.0 OR MIT) AND Apache-2.0",
            "Apache-2.0 WITH LLVM-exception",
            "GPL-3.0 AND GPL-2.0 OR MIT",
        ] {
            assert!(satisfied(good, &accepted), "{good}");
        }
        for bad in [
            "",
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "(MIT OR Apache-2.0) AND GPL-3.0",
            "MIT WITH GPL-exception",
            "MIT OR",
            "MIT WITH",
            "(MIT",
            "MIT)",
            "MIT Apache-2.0",
        ] {
            assert!(!satisfied(bad, &accepted), "{bad}");
        }
    }
}
