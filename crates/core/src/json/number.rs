//! Numbers as exact decimals: digits and an exponent, compared without ever being expanded or rounded.

use std::fmt;

/// The largest exponent, either way, of a number's normal form. Beyond it a text counts as raw bytes.
pub const MAX_EXPONENT: i64 = 1_000_000;

/// A number as it was written: well formed, with its exponent in bounds. Equality is by value.
#[derive(Clone, Copy)]
pub struct Number<'a> {
    text: &'a str,
}

/// The normal form: the digits of `head` then `tail`, times ten to the `exponent`.
///
/// Invariant: neither the first nor the last digit is zero; zero itself has no digits, no sign and exponent 0.
/// So two numbers are equal exactly if their normal forms are.
struct Decimal<'a> {
    negative: bool,
    head: &'a str,
    tail: &'a str,
    exponent: i64,
}

/// A number cut at its sign, point and exponent mark.
struct Parts<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    exponent: i64,
}

impl<'a> Number<'a> {
    /// Reads a number at the start of a text; gives it and the rest.
    pub(super) fn read(text: &'a str) -> Option<(Self, &'a str)> {
        let (parts, rest) = Parts::read(text)?;
        let in_bounds = parts.normal().exponent.unsigned_abs() <= MAX_EXPONENT.unsigned_abs();
        let text = text.get(..text.len() - rest.len())?;
        in_bounds.then_some((Self { text }, rest))
    }

    /// The number as it was written.
    pub const fn as_written(self) -> &'a str {
        self.text
    }

    fn normal(self) -> Decimal<'a> {
        let (parts, _) = Parts::read(self.text).expect("a Number was read from a well-formed text");
        parts.normal()
    }
}

impl fmt::Display for Number<'_> {
    /// The normal form, as JSON: `-125e-2`, `1`, `0`. Equal numbers have equal texts, and only they.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Decimal { negative, head, tail, exponent } = self.normal();
        match (head, tail) {
            ("", "") => f.write_str("0"),
            _ => {
                f.write_str(if negative { "-" } else { "" })?;
                f.write_str(head)?;
                f.write_str(tail)?;
                if exponent == 0 { Ok(()) } else { write!(f, "e{exponent}") }
            }
        }
    }
}

impl PartialEq for Number<'_> {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (self.normal(), other.normal());
        a.negative == b.negative && a.exponent == b.exponent && a.digits().eq(b.digits())
    }
}

impl Decimal<'_> {
    fn digits(&self) -> impl Iterator<Item = u8> {
        self.head.bytes().chain(self.tail.bytes())
    }
}

impl<'a> Parts<'a> {
    /// The grammar of RFC 8259, section 6.
    fn read(text: &'a str) -> Option<(Self, &'a str)> {
        let (negative, rest) = strip(text, ['-']);
        let (whole, rest) = digits(rest)?;
        if whole.len() > 1 && whole.starts_with('0') {
            return None;
        }
        let (fraction, rest) = match strip(rest, ['.']) {
            (true, rest) => digits(rest)?,
            (false, rest) => ("", rest),
        };
        let (exponent, rest) = match strip(rest, ['e', 'E']) {
            (true, rest) => read_exponent(rest)?,
            (false, rest) => (0, rest),
        };
        Some((Self { negative, whole, fraction, exponent }, rest))
    }

    fn normal(self) -> Decimal<'a> {
        // A length is far below 2^62, and an absurd exponent saturates: out of bounds either way.
        let shift = |digits: usize| i64::try_from(digits).unwrap_or(i64::MAX);
        let whole = self.whole.trim_start_matches('0');
        let tail = self.fraction.trim_end_matches('0');
        let (head, tail, exponent) = match (whole, tail) {
            ("", "") => return Decimal { negative: false, head: "", tail: "", exponent: 0 },
            ("", tail) => ("", tail.trim_start_matches('0'), self.exponent.saturating_sub(shift(tail.len()))),
            (whole, "") => {
                let head = whole.trim_end_matches('0');
                (head, "", self.exponent.saturating_add(shift(whole.len() - head.len())))
            }
            (whole, tail) => (whole, tail, self.exponent.saturating_sub(shift(tail.len()))),
        };
        Decimal { negative: self.negative, head, tail, exponent }
    }
}

/// Whether one of the characters came first, and what follows.
fn strip<const N: usize>(text: &str, first: [char; N]) -> (bool, &str) {
    text.strip_prefix(first).map_or((false, text), |rest| (true, rest))
}

/// One digit or more, and the rest.
fn digits(text: &str) -> Option<(&str, &str)> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    if end == 0 { None } else { text.split_at_checked(end) }
}

/// The exponent after its mark; one that no integer holds becomes the largest of its sign.
fn read_exponent(text: &str) -> Option<(i64, &str)> {
    let (negative, rest) = strip(text, ['-']);
    let (_, rest) = if negative { (false, rest) } else { strip(rest, ['+']) };
    let (digits, rest) = digits(rest)?;
    let magnitude = digits.parse::<i64>().unwrap_or(i64::MAX);
    Some((if negative { -magnitude } else { magnitude }, rest))
}
