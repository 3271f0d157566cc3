//! A file over what is built in, and each route over the defaults: tables key by key, before anything is read into types.
//!
//! So a key needs no word here, and an error points at the line it stands in.

use std::ops::Range;

use onlyonce_http::rules::Unkept;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{explain::OPEN, mistake::Mistake};

/// All keys with their defaults, as they are printed for people.
pub(super) const BUILT_IN: &str = include_str!("default.toml");

/// Lists of the defaults that a route adds to. What was to be hidden, dropped or told apart everywhere, no route shows,
/// keeps or confuses by naming one more.
pub(super) const ADDED: [&str; 3] = ["redact", "headers.drop", "fingerprint.headers"];

/// How long a key is remembered.
const RETENTION: &str = "retain_key";

/// The whole configuration: the file over what is built in, routes over the defaults.
pub(super) fn layered(mut file: DeTable<'_>) -> Result<DeTable<'_>, Mistake> {
    let routes = file.remove("route");
    let mut says_retention = false;
    if let Some(DeValue::Table(defaults)) = file.get_mut("defaults").map(Spanned::get_mut) {
        lift(defaults)?;
        says_retention = defaults.contains_key(RETENTION);
    }
    check_idle(&file)?;
    let mut whole = built_in();
    lay("", file, &mut whole);
    if let Some(DeValue::Table(defaults)) = whole.get("defaults").map(Spanned::get_ref) {
        check_derived(defaults, says_retention)?;
    }
    let Some((mut routes, defaults)) = routes.zip(whole.get("defaults").cloned()) else { return Ok(whole) };
    match routes.get_mut() {
        DeValue::Array(routes) => {
            for route in routes.iter_mut() {
                if let DeValue::Table(table) = route.get_mut() {
                    lay_route(table, defaults.clone(), says_retention)?;
                }
            }
        }
        _ => return Err(Mistake::new(routes.span(), "each route begins with [[route]], in double brackets")),
    }
    whole.insert(spanned("route"), routes);
    Ok(whole)
}

pub(super) fn built_in() -> DeTable<'static> {
    DeTable::parse(BUILT_IN).expect("the built-in configuration is TOML, as tests see").into_inner()
}

/// What is set and would do nothing is refused; a default that is written out is not.
fn check_idle(file: &DeTable<'_>) -> Result<(), Mistake> {
    let built_in = built_in();
    let by_header = said(file, ["principal", "from"]).and_then(|(_, from)| from.as_str()) == Some("header");
    let default = said(&built_in, ["principal", "header"]).and_then(|(_, header)| header.as_str());
    let header = said(file, ["principal", "header"]).filter(|(_, header)| header.as_str() != default);
    let trusted = said(file, ["principal", "trusted"]).filter(|(_, list)| holds_something(list));
    if let (Some((at, _)), false) = (header.or(trusted), by_header) {
        return Err(Mistake::new(at, "it does nothing without from = \"header\""));
    }
    let has_pages = said(file, ["cors", "origins"]).is_some_and(|(_, list)| holds_something(list));
    let credentials = said(file, ["cors", "credentials"]).filter(|(_, on)| on.as_bool() == Some(true));
    match credentials {
        Some((at, _)) if !has_pages => Err(Mistake::new(
            at,
            "it does nothing without `origins`: list the pages that may ask, such as [\"https://shop.example\"]",
        )),
        _ => Ok(()),
    }
}

/// What the file says there, and where the key stands.
fn said<'a, 'text>(
    file: &'a DeTable<'text>,
    [table, key]: [&str; 2],
) -> Option<(Range<usize>, &'a DeValue<'text>)> {
    let (key, value) = file.get(table)?.get_ref().as_table()?.get_key_value(key)?;
    Some((key.span(), value.get_ref()))
}

fn holds_something(list: &DeValue<'_>) -> bool {
    list.as_array().is_none_or(|list| !list.is_empty())
}

/// The built-in file with what stands behind a `#` brought to life: all keys, also those without a default.
pub(super) fn everything() -> String {
    let live = |line: &'static str| {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        let key = bare.split_once(" = ").map(|(key, _)| key.trim());
        let is_toml = bare.starts_with('[') || key.is_some_and(|key| !key.contains(' '));
        if is_toml { bare } else { line }
    };
    BUILT_IN.lines().map(live).collect::<Vec<_>>().join("\n")
}

/// The dotted names of what a route can say, in the order of the built-in file.
pub(super) fn keys_of_a_route() -> Vec<String> {
    keys_of("defaults", "")
}

/// Those of the ledger.
pub(super) fn keys_of_the_ledger() -> Vec<String> {
    keys_of("ledger", "ledger")
}

fn keys_of(table: &str, path: &str) -> Vec<String> {
    let everything = everything();
    let tree = DeTable::parse(&everything).expect("the built-in configuration is TOML, as tests see");
    let table = tree.get_ref().get(table).and_then(|table| table.get_ref().as_table());
    let mut keys = Vec::new();
    collect(path, table.expect("the built-in configuration has its tables"), &mut keys);
    keys.sort_unstable();
    keys.into_iter().map(|(_, key)| key).collect()
}

fn collect(path: &str, table: &DeTable<'_>, keys: &mut Vec<(usize, String)>) {
    for (name, value) in table {
        let key = dotted(path, name.get_ref());
        match value.get_ref() {
            DeValue::Table(table) if !OPEN.contains(&key.as_str()) => collect(&key, table, keys),
            _ => keys.push((name.span().start, key)),
        }
    }
}

fn dotted(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Leaves `match` and `settings` in the table: all of them.
fn lay_route<'a>(
    table: &mut DeTable<'a>,
    mut settings: Spanned<DeValue<'a>>,
    says_retention: bool,
) -> Result<(), Mistake> {
    lift(table)?;
    let says_retention = says_retention || table.contains_key(RETENTION);
    let probe = table.get_key_value("probe").map(|(key, _)| key.span());
    let pattern = table.remove_entry("match");
    let mut own = std::mem::take(table);
    let method = pattern.as_ref().and_then(|(_, pattern)| method(pattern));
    if let Some(method) = method
        && !own.contains_key("methods")
    {
        // A route that names its method means it.
        own.insert(spanned("methods"), method);
    }
    if let DeValue::Table(settings) = settings.get_mut() {
        lay("", own, settings);
        check_derived(settings, says_retention)?;
        let probes = settings.get("on_unknown").and_then(|value| value.get_ref().as_str()) == Some("probe");
        if let (Some(at), false) = (probe, probes) {
            return Err(Mistake::new(at, "it does nothing without on_unknown = \"probe\""));
        }
    }
    table.extend(pattern);
    table.insert(spanned("settings"), settings);
    Ok(())
}

/// `settle_after` may stand in the probe, which needs it; it counts for the route.
fn lift(table: &mut DeTable<'_>) -> Result<(), Mistake> {
    let Some(DeValue::Table(probe)) = table.get_mut("probe").map(Spanned::get_mut) else { return Ok(()) };
    match probe.remove_entry("settle_after") {
        Some((key, _)) if table.contains_key("settle_after") => {
            Err(Mistake::new(key.span(), "it is there twice; write it once, in the route or in its probe"))
        }
        Some((key, value)) => {
            table.insert(key, value);
            Ok(())
        }
        None => Ok(()),
    }
}

/// For how long a derived key is one has to be said.
fn check_derived(settings: &DeTable<'_>, says_retention: bool) -> Result<(), Mistake> {
    let Some((carriers, DeValue::Array(list))) =
        settings.get("carriers").map(|value| (value, value.get_ref()))
    else {
        return Ok(());
    };
    let mut names = list.iter().filter_map(|carrier| carrier.get_ref().as_str());
    if says_retention || !names.any(|name| name.starts_with("derive:")) {
        return Ok(());
    }
    Err(Mistake::new(carriers.span(), Unkept::retention_unsaid().to_string()))
}

/// Lays a table over another, whose place is `path`.
fn lay<'a>(path: &str, above: DeTable<'a>, below: &mut DeTable<'a>) {
    for (key, value) in above {
        let path =
            if path.is_empty() { key.get_ref().to_string() } else { format!("{path}.{}", key.get_ref()) };
        let (span, under) = (value.span(), below.remove(key.get_ref().as_ref()));
        let value = match (value.into_inner(), under.map(Spanned::into_inner)) {
            (DeValue::Table(ours), Some(DeValue::Table(mut theirs))) => {
                lay(&path, ours, &mut theirs);
                DeValue::Table(theirs)
            }
            (DeValue::Array(ours), Some(DeValue::Array(theirs))) if ADDED.contains(&path.as_str()) => {
                DeValue::Array(theirs.into_iter().chain(ours).collect())
            }
            (ours, _) => ours,
        };
        below.insert(key, Spanned::new(span, value));
    }
}

/// `["POST"]` of `POST /transfers`, in its place.
fn method<'a>(pattern: &Spanned<DeValue<'a>>) -> Option<Spanned<DeValue<'a>>> {
    let (method, _) = pattern.get_ref().as_str()?.split_once(' ')?;
    let method = Spanned::new(pattern.span(), DeValue::String(method.to_owned().into()));
    Some(Spanned::new(pattern.span(), DeValue::Array([method].into_iter().collect())))
}

fn spanned<'a>(name: &'static str) -> Spanned<std::borrow::Cow<'a, str>> {
    Spanned::new(0..0, name.into())
}
