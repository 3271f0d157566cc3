//! JSON by value as another parser and another arithmetic see it: `serde_json` for the structure, big integers for the
//! numbers. Slow and plain, and nothing in it is ours.

use std::{cmp::Ordering, collections::BTreeMap};

use num_bigint::BigInt;
use serde_json::value::RawValue;

/// A document whose equality is equality by value.
#[derive(Debug, PartialEq)]
pub(super) enum Exact {
    Null,
    Bool(bool),
    Number(Decimal),
    String(String),
    Array(Vec<Exact>),
    Object(BTreeMap<String, Exact>),
}

/// An integer times a power of ten.
#[derive(Debug)]
pub(super) struct Decimal {
    integer: BigInt,
    exponent: i64,
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        let scaled = |by: &Self, exponent: i64| {
            let zeros = u32::try_from(by.exponent - exponent).expect("the other exponent is lower");
            &by.integer * BigInt::from(10).pow(zeros)
        };
        let lower = self.exponent.min(other.exponent);
        scaled(self, lower).cmp(&scaled(other, lower)) == Ordering::Equal
    }
}

pub(super) fn exact(text: &str) -> Exact {
    let raw: &RawValue = serde_json::from_str(text).expect("only JSON is asked about");
    let text = raw.get().trim();
    match text.chars().next() {
        Some('n') => Exact::Null,
        Some('t' | 'f') => Exact::Bool(text == "true"),
        Some('"') => Exact::String(serde_json::from_str(text).expect("it begins like one")),
        Some('[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text).expect("it begins like one");
            Exact::Array(items.into_iter().map(|item| exact(item.get())).collect())
        }
        Some('{') => {
            let members: BTreeMap<String, &RawValue> =
                serde_json::from_str(text).expect("it begins like one");
            Exact::Object(members.into_iter().map(|(name, value)| (name, exact(value.get()))).collect())
        }
        _ => Exact::Number(decimal(text)),
    }
}

fn decimal(text: &str) -> Decimal {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i64 = exponent.parse().expect("the strategies keep exponents small");
    Decimal {
        integer: format!("{whole}{fraction}").parse().expect("only digits are left"),
        exponent: exponent - i64::try_from(fraction.len()).expect("a short text"),
    }
}
