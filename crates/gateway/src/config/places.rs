//! Where the settings of a route are written: for a mistake that shows only once they are read.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{explain, layers, mistake::Mistake};
use crate::routes::Unrouted;

/// A route that cannot be kept, told where its setting stands, and where the one stands that it is compared with.
pub(super) fn mistake(file: &DeTable<'_>, refused: Unrouted) -> Mistake {
    let Unrouted { route, unkept, rival, .. } = refused;
    let (key, why) = (unkept.setting(), unkept.why());
    let other = unkept.compared_with().map(|other| (other, written(file, rival.or(route), other)));
    match (written(file, route, key), other) {
        (Some(place), Some((other, Some(beside)))) => {
            let other =
                if rival.is_some() { format!("`{other}` of the other route") } else { format!("`{other}`") };
            Mistake::new(place, format!("it {why}")).beside(other, beside)
        }
        (Some(place), Some((other, None))) => Mistake::new(place, format!("it {why}{}", built_in(other))),
        (Some(place), None) => Mistake::new(place, format!("it {why}")),
        (None, Some((_, Some(place)))) => Mistake::new(place, format!("{unkept}{}", built_in(key))),
        (None, _) => Mistake::new(whole(file, route), unkept.to_string()),
    }
}

/// Where the file says it: in the route, or else in `[defaults]`.
fn written(file: &DeTable<'_>, route: Option<usize>, key: &str) -> Option<Range<usize>> {
    let route = route.and_then(|number| nth(file, number)).and_then(table);
    let defaults = file.get("defaults").and_then(table);
    let found = |tree| at(tree, key).or_else(|| at(tree, &format!("probe.{key}")));
    route.and_then(found).or_else(|| defaults.and_then(found)).map(Spanned::span)
}

/// What there is to say of a setting that the file does not have.
fn built_in(key: &str) -> String {
    let built_in = layers::built_in();
    match at(&built_in, &format!("defaults.{key}")) {
        Some(value) => {
            format!("; `{key}` is not written: {} is built in", explain::shown(key, value.get_ref()))
        }
        None => String::new(),
    }
}

fn whole(file: &DeTable<'_>, route: Option<usize>) -> Range<usize> {
    let place = route.map_or_else(|| file.get("defaults"), |number| nth(file, number));
    place.map(Spanned::span).unwrap_or_default()
}

/// What stands at a dotted key.
pub(super) fn at<'t, 'i>(tree: &'t DeTable<'i>, key: &str) -> Option<&'t Spanned<DeValue<'i>>> {
    match key.split_once('.') {
        None => tree.get(key),
        Some((name, rest)) => at(table(tree.get(name)?)?, rest),
    }
}

pub(super) fn table<'t, 'i>(value: &'t Spanned<DeValue<'i>>) -> Option<&'t DeTable<'i>> {
    value.get_ref().as_table()
}

/// The route with this number.
pub(super) fn nth<'t, 'i>(tree: &'t DeTable<'i>, number: usize) -> Option<&'t Spanned<DeValue<'i>>> {
    tree.get("route")?.get_ref().as_array()?.get(number)
}
