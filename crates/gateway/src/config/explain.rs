//! Which route a request falls under, and where each of its settings comes from.

use std::{fmt, path::Path};

use http::Method;
use onlyonce_core::LedgerKey;
use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};

use super::{
    Config, layers,
    ledger::Url,
    mistake::Mistake,
    places::{at, nth, table},
};
use crate::{routes::Routes, start_error::StartError};

/// Tables whose keys are not fixed: they are shown as one value.
pub(super) const OPEN: [&str; 3] = ["outcome", "probe.headers", "probe.final"];

/// What is shown without what authenticates.
const LEDGER_URL: &str = "ledger.url";

/// What holds for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The route; `None` if only the defaults hold.
    pub route: Named,
    /// Whether a request of this method may have a key here.
    pub keyed: bool,
    /// Whether it is refused whatever the route says, because its path can be read in more than one way.
    pub ambiguous: bool,
    /// Everything that holds, in the order of the built-in file.
    pub settings: Vec<Setting>,
    /// Where it is recorded: the keys of `[ledger]`, in that order too.
    pub ledger: Vec<Setting>,
}

/// A route's `match`, and the line that it begins in.
pub type Named = Option<(String, usize)>;

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name below the route: `fingerprint.body`.
    pub key: String,
    /// Its value, as it would be written; `None` if there is none.
    pub value: Option<String>,
    /// Where it is written.
    pub from: Source,
}

/// Where a setting is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nowhere: it is built in.
    BuiltIn,
    /// In a table of the file that is for the whole process.
    File,
    /// In `[defaults]` of the file.
    Defaults,
    /// In the route.
    Route,
    /// In the route and in `[defaults]`, and both count.
    Both,
    /// In the method of the route's `match`.
    Match,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BuiltIn => "built-in",
            Self::File => "file",
            Self::Defaults => "defaults",
            Self::Route => "route",
            Self::Both => "defaults and route",
            Self::Match => "match",
        })
    }
}

impl Config {
    /// What holds for a request of `method` to `path` under the file `text`.
    ///
    /// # Errors
    /// Those of [`Config::parse`], and those that name a route whose rules cannot be kept.
    pub fn explain(text: &str, name: &Path, method: &Method, path: &str) -> Result<Explained, StartError> {
        let config = Self::parse(text, name)?;
        // Keys change how parameters are hidden, and nothing that is shown here.
        let routes = Routes::new(&config, &LedgerKey::new([0; 32]))?;
        let found = routes.find(method, path);
        let keyed = routes.rules(found).covers(method);
        let told = |mistake: Mistake| mistake.told(name, text);
        let (route, settings) = show(text, found).map_err(told)?;
        let ledger = of_ledger(text).map_err(told)?;
        Ok(Explained { route, keyed, ambiguous: routes.refuses_path(method, path), settings, ledger })
    }
}

fn show(text: &str, found: Option<usize>) -> Result<(Named, Vec<Setting>), Mistake> {
    let file = DeTable::parse(text)?.into_inner();
    let whole = layers::layered(file.clone())?;
    let (own, holds) = match found {
        None => (None, at(&whole, "defaults")),
        Some(number) => {
            (nth(&file, number), nth(&whole, number).and_then(|route| at(table(route)?, "settings")))
        }
    };
    let written = Written { defaults: at(&file, "defaults").and_then(table), route: own.and_then(table) };
    let setting = |key: String| {
        let value =
            holds.and_then(table).and_then(|holds| at(holds, &key)).map(|value| shown(&key, value.get_ref()));
        Setting { from: written.source(&key), value, key }
    };
    let named = own.and_then(|own| {
        let pattern = at(table(own)?, "match")?.get_ref().as_str()?.to_owned();
        Some((pattern, text.get(..own.span().start)?.matches('\n').count() + 1))
    });
    Ok((named, layers::keys_of_a_route().into_iter().map(setting).collect()))
}

fn of_ledger(text: &str) -> Result<Vec<Setting>, Mistake> {
    let file = DeTable::parse(text)?.into_inner();
    let whole = layers::layered(file.clone())?;
    let setting = |key: String| {
        let from = if at(&file, &key).is_some() { Source::File } else { Source::BuiltIn };
        Setting { from, value: at(&whole, &key).map(|value| shown(&key, value.get_ref())), key }
    };
    Ok(layers::keys_of_the_ledger().into_iter().map(setting).collect())
}

/// What the file says, as it is written.
struct Written<'a> {
    defaults: Option<&'a DeTable<'a>>,
    route: Option<&'a DeTable<'a>>,
}

impl Written<'_> {
    fn source(&self, key: &str) -> Source {
        let said = |table: Option<&DeTable<'_>>| {
            let in_probe = key == "settle_after" && says(table, "probe.settle_after");
            in_probe || says(table, key)
        };
        match (said(self.defaults), said(self.route)) {
            (true, true) if layers::ADDED.contains(&key) || OPEN.contains(&key) => Source::Both,
            (_, true) => Source::Route,
            (_, false) if key == "methods" && self.names_its_method() => Source::Match,
            (true, false) => Source::Defaults,
            (false, false) => Source::BuiltIn,
        }
    }

    fn names_its_method(&self) -> bool {
        let pattern = self.route.and_then(|route| at(route, "match")?.get_ref().as_str());
        pattern.is_some_and(|pattern| pattern.contains(' '))
    }
}

fn says(written: Option<&DeTable<'_>>, key: &str) -> bool {
    written.is_some_and(|written| at(written, key).is_some())
}

/// As it would be written, but for what may be a credential.
pub(super) fn shown(key: &str, value: &DeValue<'_>) -> String {
    let list = |items: Vec<String>, [open, close]: [&str; 2]| match items.as_slice() {
        [] => format!("{}{}", open.trim(), close.trim()),
        items => format!("{open}{}{close}", items.join(", ")),
    };
    match value {
        DeValue::String(text) if key.starts_with("probe.headers.") && !text.starts_with("env:") => {
            "\"…\"".to_owned()
        }
        // One that says nothing is not shown either: it may be a password.
        DeValue::String(text) if key == LEDGER_URL => {
            format!("{:?}", text.parse::<Url>().map_or_else(|_| "…".to_owned(), |url| url.to_string()))
        }
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(items) => {
            list(items.iter().map(|item| shown(key, item.get_ref())).collect(), ["[", "]"])
        }
        DeValue::Table(entries) => {
            let entry = |(name, value): (&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>)| {
                let name = name.get_ref();
                format!("{name} = {}", shown(&format!("{key}.{name}"), value.get_ref()))
            };
            list(entries.iter().map(entry).collect(), ["{ ", " }"])
        }
    }
}
