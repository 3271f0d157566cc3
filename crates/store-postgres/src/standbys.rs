//! What `synchronous_standby_names` asks for: how many of which standbys have a commit before it is acknowledged.
//!
//! The setting is `*`, a list of names, or a number and a list, with `FIRST` or `ANY` before them; a list alone means
//! `FIRST 1`. Either way no more than the number is waited for: `FIRST 1 (a, b)` waits for `b` while `a` is away, and then `a` is
//! behind. So only where the number is that of the names do all of them have what was acknowledged.

/// What a commit waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quorum {
    /// How many standbys.
    pub(crate) needed: usize,
    /// Of how many; `None`: of whichever are connected.
    pub(crate) of: Option<usize>,
}

impl Quorum {
    /// Reads the setting, which the server has found valid; `None` where no standby is waited for.
    pub(crate) fn read(setting: &str) -> Option<Self> {
        if setting.trim().is_empty() {
            return None;
        }
        let unquoted = unquoted(setting);
        let (head, list) = unquoted.split_once('(').unwrap_or(("1", &unquoted));
        let needed = head.split_whitespace().last().and_then(|number| number.parse().ok()).unwrap_or(1);
        // In quotes or not, one of them stands for every name.
        let of = (!setting.contains('*')).then(|| list.split(',').count());
        Some(Self { needed, of })
    }

    /// Whether each of the named has what was acknowledged.
    pub(crate) fn is_all(self) -> bool {
        self.of.is_some_and(|of| self.needed >= of)
    }
}

/// Without what is in quotes, where commas and brackets separate nothing.
fn unquoted(setting: &str) -> String {
    // A doubled quote within ends one part and begins the next.
    setting.split('"').step_by(2).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_and_the_names_are_read_as_the_server_does() {
        for (setting, needed, of) in [
            ("a", 1, Some(1)),
            ("a, b", 1, Some(2)),
            ("FIRST 1 (a, b)", 1, Some(2)),
            ("first 2 (a, b)", 2, Some(2)),
            ("2(a,b,c)", 2, Some(3)),
            ("ANY 1 (a, b)", 1, Some(2)),
            ("any 3 (a, \"b, (1)\", \"c\"\"d\")", 3, Some(3)),
            ("\"a,b\"", 1, Some(1)),
            ("\"a(b\", c", 1, Some(2)),
            ("*", 1, None),
            (" ANY 2 (*) ", 2, None),
            ("2 (a, \"*\")", 2, None),
        ] {
            assert_eq!(Quorum::read(setting), Some(Quorum { needed, of }), "{setting}");
        }
        assert_eq!(Quorum::read("  "), None);
    }

    #[test]
    fn all_have_it_only_where_as_many_are_needed_as_are_named() {
        for all in ["a", "2 (a, b)", "ANY 2 (a, b)", "FIRST 3 (a, b, c)"] {
            assert!(Quorum::read(all).unwrap().is_all(), "{all}");
        }
        for some in ["*", "a, b", "ANY 1 (a, b)", "FIRST 1 (a, b)", "2 (a, b, c)", "2 (*)", "2 (a, \"*\")"] {
            assert!(!Quorum::read(some).unwrap().is_all(), "{some}");
        }
    }
}
