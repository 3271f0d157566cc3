//! A mistake in the file, told with its line, its key and what would be valid.
//!
//! Invariant: what may be a credential is not told. Such are the values below `probe` and `headers`, the ledger's URL, and any
//! URL with a user in it; where the text is no TOML, whatever may belong to them.

use std::{borrow::Cow, fmt::Write, ops::Range, path::Path};

use toml::{
    Spanned,
    de::{DeTable, DeValue, Error},
};

use crate::start_error::{StartError, StartErrorKind};

/// Names that are less alike than this are no slip of the pen (Jaro-Winkler; one is the same).
const ALIKE: f64 = 0.8;

/// The tables that hold credentials.
const SECRET: [&str; 2] = ["probe", "headers"];
/// The URL that may hold a password.
const LEDGER: [&str; 2] = ["ledger", "url"];
/// What the URLs of servers that hold ledgers begin with.
const SHARED: [&str; 2] = ["postgres", "redis"];
/// What stands for a value that is not told.
const HIDDEN: &str = "\"…\"";

/// What is wrong, and where in the text.
#[derive(Clone, Debug)]
pub(super) struct Mistake {
    at: Range<usize>,
    what: What,
    /// What it is compared with, and where that stands.
    beside: Option<(String, Range<usize>)>,
}

#[derive(Clone, Debug)]
enum What {
    /// About this key, or the text as a whole.
    Wrong(String),
    /// There is no such key, but there are these.
    NoSuchKey { name: String, valid: Vec<String> },
}

impl Mistake {
    pub(super) fn new(at: Range<usize>, what: impl Into<String>) -> Self {
        Self { at, what: What::Wrong(what.into()), beside: None }
    }

    /// Compared with something that stands elsewhere.
    pub(super) fn beside(self, what: String, at: Range<usize>) -> Self {
        Self { beside: Some((what, at)), ..self }
    }

    pub(super) fn told(self, name: &Path, text: &str) -> StartError {
        let tree = DeTable::parse(text);
        let place =
            tree.as_ref().map_or_else(|_| Place::default(), |tree| Place::of(tree.get_ref(), &self.at));
        let line = Line::of(text, &self.at);
        let secret =
            place.is_secret() || line.may_be_secret() || tree.is_err() && is_below_secret(text, &self.at);
        let beside = self.beside.map(|(what, at)| (what, Line::of(text, &at).without_secret()));
        let what = match self.what {
            What::NoSuchKey { name, valid } => {
                format!("{}: there is no key `{name}`{}", place.table(), nearest(&name, &valid))
            }
            What::Wrong(what) if secret => format!("{}: {}", place.key(), without_value(&what)),
            What::Wrong(what) => format!("{}: {what}", place.key()),
        };
        let line = if secret { line.masked() } else { line };
        let (name, number) = (name.display(), line.number);
        let detail = match beside {
            None => format!("{name}, line {number}{what}\n\n{}", line.shown()),
            Some((other, beside)) => format!(
                "{name}, line {number}{what}; {other} stands in {name}, line {}\n\n{}\n{}",
                beside.number,
                line.shown(),
                beside.shown()
            ),
        };
        StartError::new(StartErrorKind::Config, detail)
    }
}

impl From<Error> for Mistake {
    /// What a parser or a deserializer found wrong. A deserializer names what it does not know and what it does, each
    /// between backticks.
    fn from(error: Error) -> Self {
        let message = error.message();
        let mut quoted = message.split('`').skip(1).step_by(2).map(ToOwned::to_owned);
        let what = if message.starts_with("unknown field") {
            What::NoSuchKey { name: quoted.next().unwrap_or_default(), valid: quoted.collect() }
        } else if message == "missing field `match`" {
            What::Wrong("a route needs `match`, such as match = \"POST /transfers\"".to_owned())
        } else {
            What::Wrong(message.to_owned())
        };
        Self { at: error.span().unwrap_or_default(), what, beside: None }
    }
}

/// What serde says of a value, without the value.
fn without_value(what: &str) -> Cow<'_, str> {
    let found = what.strip_prefix("invalid type: ").or_else(|| what.strip_prefix("invalid value: "));
    match found.and_then(|found| found.rsplit_once(", expected ")) {
        Some((_, valid)) => format!("it is not valid; write {valid}").into(),
        None => what.into(),
    }
}

/// Whether the table of this place, or what was written in it so far, names one that holds credentials.
fn is_below_secret(text: &str, at: &Range<usize>) -> bool {
    let before = text.get(..at.start).unwrap_or(text);
    let table = before.rfind("\n[").or_else(|| before.starts_with('[').then_some(0));
    names_secret(before.get(table.unwrap_or(0)..).unwrap_or_default())
}

fn names_secret(text: &str) -> bool {
    SECRET.iter().any(|name| text.contains(name))
}

/// The likeliest of the valid names, or all of them.
fn nearest(name: &str, valid: &[String]) -> String {
    let likeness = |other: &String| strsim::jaro_winkler(name, other);
    let best = valid.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match best.filter(|best| likeness(best) >= ALIKE) {
        Some(best) => format!("; did you mean `{best}`?"),
        None => format!("; there are {}", valid.join(", ")),
    }
}

/// Where something stands: the route, if it is in one, and the keys that lead to it.
#[derive(Debug, Default)]
struct Place {
    route: Option<String>,
    keys: Vec<String>,
}

impl Place {
    fn of(tree: &DeTable<'_>, at: &Range<usize>) -> Self {
        let mut keys = Vec::new();
        if let Some(DeValue::Array(routes)) = tree.get("route").map(Spanned::get_ref) {
            for route in routes.iter() {
                if let DeValue::Table(table) = route.get_ref()
                    && leads(table, at, &mut keys)
                {
                    let pattern = table.get("match").and_then(|pattern| pattern.get_ref().as_str());
                    return Self { route: Some(pattern.unwrap_or("?").to_owned()), keys };
                }
            }
        }
        leads(tree, at, &mut keys);
        Self { route: None, keys }
    }

    fn is_secret(&self) -> bool {
        self.keys == LEDGER || self.keys.iter().any(|key| SECRET.contains(&key.as_str()))
    }

    /// The table that the last key stands in.
    fn table(&self) -> String {
        let tables = self.keys.split_last().map_or(&[][..], |(_, tables)| tables);
        let route = self.route.iter().map(|route| format!(", route `{route}`"));
        let table = Some(tables.join(".")).filter(|path| !path.is_empty()).map(|path| format!(", [{path}]"));
        route.chain(table).collect()
    }

    /// The key itself.
    fn key(&self) -> String {
        let route = self.route.iter().map(|route| format!(", route `{route}`"));
        let key = Some(self.keys.join(".")).filter(|path| !path.is_empty()).map(|path| format!(", `{path}`"));
        route.chain(key).collect()
    }
}

/// Whether the keys of a table lead to this place, and which do.
fn leads(table: &DeTable<'_>, at: &Range<usize>, keys: &mut Vec<String>) -> bool {
    table.iter().any(|(key, value)| {
        keys.push(key.get_ref().to_string());
        let inside = value.span().start <= at.start && at.end <= value.span().end;
        let found = match value.get_ref() {
            DeValue::Table(table) => leads(table, at, keys) || value.span() == *at,
            _ => inside,
        };
        let found = found || key.span() == *at;
        if !found {
            keys.pop();
        }
        found
    })
}

/// The line that something begins in.
struct Line<'a> {
    number: usize,
    text: Cow<'a, str>,
    /// What is marked of it, in characters.
    from: usize,
    marked: usize,
}

impl<'a> Line<'a> {
    fn of(text: &'a str, at: &Range<usize>) -> Self {
        let (before, after) = text.split_at_checked(at.start).unwrap_or((text, ""));
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = text.get(start..).unwrap_or_default().lines().next().unwrap_or_default();
        let marked = text.get(at.clone()).and_then(|marked| marked.lines().next()).unwrap_or_default();
        Self {
            number: before.matches('\n').count() + 1,
            text: line.into(),
            from: before.get(start..).unwrap_or_default().chars().count(),
            marked: marked.chars().count().max(usize::from(!after.is_empty())),
        }
    }

    fn may_be_secret(&self) -> bool {
        let ledger = || SHARED.iter().any(|scheme| self.text.contains(scheme));
        names_secret(&self.text) || self.text.contains("://") && (self.text.contains('@') || ledger())
    }

    fn without_secret(self) -> Self {
        if self.may_be_secret() { self.masked() } else { self }
    }

    /// The same without the value. A line that has no key, or the head of a table, is shown only if it holds no value.
    fn masked(self) -> Self {
        let is_name = |character: char| character.is_ascii_alphanumeric() || "_-. []".contains(character);
        if self.text.starts_with('[') && self.text.chars().all(is_name) {
            return self;
        }
        // Base64 ends in signs of equality, too.
        let is_value = |value: &str| !value.trim().is_empty() && !value.starts_with('=');
        let is_key = |key: &str| !key.trim().contains(' ') && key.chars().all(is_name);
        let key = self.text.split_once('=').filter(|(key, value)| is_key(key) && is_value(value));
        let text = key.map_or_else(|| HIDDEN.to_owned(), |(key, _)| format!("{key}= {HIDDEN}"));
        let value = text.chars().count() - HIDDEN.chars().count();
        let (from, marked) = match self.from + self.marked < value {
            true => (self.from, self.marked),
            false => (value, HIDDEN.chars().count()),
        };
        Self { text: text.into(), from, marked, ..self }
    }

    fn shown(&self) -> String {
        let number = self.number.to_string();
        let margin = " ".repeat(number.len());
        let mut shown = format!("{margin} |\n{number} | {}\n{margin} | ", self.text);
        let _ = write!(shown, "{}{}", " ".repeat(self.from), "^".repeat(self.marked.max(1)));
        shown
    }
}
