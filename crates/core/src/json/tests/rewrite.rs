//! Values apart from any parser of ours, and the many texts that mean each of them.

use std::collections::BTreeMap;

use proptest::prelude::*;

/// A value whose derived equality is equality by value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tree {
    Null,
    Bool(bool),
    /// The integer times ten to the exponent; the last digit is not zero, and zero has exponent 0.
    Number(i64, i8),
    String(String),
    Array(Vec<Tree>),
    Object(BTreeMap<String, Tree>),
}

/// Any value. Small alphabets, so that spellings meet.
pub(super) fn tree() -> impl Strategy<Value = Tree> {
    pair().prop_map(|(tree, _)| tree)
}

/// Two values of one shape that are equal but for a leaf or a name here and there, or nowhere.
pub(super) fn pair() -> impl Strategy<Value = (Tree, Tree)> {
    twins(leaf).prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| {
                let (one, other) = items.into_iter().unzip();
                (Tree::Array(one), Tree::Array(other))
            }),
            prop::collection::vec((twins(text), inner), 0..4).prop_map(|members| {
                let members = members.into_iter().map(|((a, b), (one, other))| ((a, one), (b, other)));
                let (one, other) = members.unzip();
                (Tree::Object(one), Tree::Object(other))
            }),
        ]
    })
}

/// Mostly the same thing twice.
fn twins<S: Strategy<Value: Clone>>(strategy: impl Fn() -> S) -> impl Strategy<Value = (S::Value, S::Value)> {
    prop_oneof![7 => strategy().prop_map(|same| (same.clone(), same)), 1 => (strategy(), strategy())]
}

fn leaf() -> impl Strategy<Value = Tree> {
    prop_oneof![
        Just(Tree::Null),
        any::<bool>().prop_map(Tree::Bool),
        (-12..120i64, -3..3i8).prop_map(|(digits, exponent)| number(digits, exponent)),
        (-1..=1i64, 0..2i8).prop_map(|(digits, exponent)| number(digits, exponent)),
        prop::sample::select(vec![9_007_199_254_740_992, 9_007_199_254_740_993]).prop_map(|n| number(n, 0)),
        text().prop_map(Tree::String),
    ]
}

fn text() -> impl Strategy<Value = String> {
    let character =
        prop::sample::select(vec!['a', 'b', '1', '"', '\\', '/', '\n', '\u{0}', ',', ']', 'é', '😀']);
    prop::collection::vec(character, 0..3).prop_map(String::from_iter)
}

fn number(mut digits: i64, mut exponent: i8) -> Tree {
    while digits != 0 && digits % 10 == 0 {
        digits /= 10;
        exponent += 1;
    }
    Tree::Number(digits, if digits == 0 { 0 } else { exponent })
}

/// One text for the value; the bytes choose white space, order, escapes and spellings. None: the plainest.
pub(super) fn write(tree: &Tree, style: &[u8]) -> String {
    let mut writer =
        Writer { style: style.iter().copied().cycle().take(style.len() * 8), out: String::new() };
    writer.value(tree);
    writer.out
}

struct Writer<I> {
    style: I,
    out: String,
}

impl<I: Iterator<Item = u8>> Writer<I> {
    /// One of `n` ways; 0 once the style is used up.
    fn choose(&mut self, n: u8) -> u8 {
        self.style.next().unwrap_or_default() % n
    }

    fn space(&mut self) {
        let choice = self.choose(6);
        self.out.push_str(["", "", " ", "\n", "\t", "\r\n "][usize::from(choice)]);
    }

    fn value(&mut self, tree: &Tree) {
        self.space();
        match tree {
            Tree::Null => self.out.push_str("null"),
            Tree::Bool(value) => self.out.push_str(&value.to_string()),
            Tree::Number(digits, exponent) => self.number(*digits, *exponent),
            Tree::String(text) => self.string(text),
            Tree::Array(items) => {
                self.out.push('[');
                self.space();
                for (index, item) in items.iter().enumerate() {
                    self.comma(index);
                    self.value(item);
                }
                self.out.push(']');
            }
            Tree::Object(members) => self.object(members),
        }
        self.space();
    }

    fn object(&mut self, members: &BTreeMap<String, Tree>) {
        let mut members: Vec<_> = members.iter().collect();
        for index in 1..members.len() {
            let other = usize::from(self.choose(4)).min(index);
            members.swap(index - other, index);
        }
        self.out.push('{');
        self.space();
        for (index, (name, value)) in members.into_iter().enumerate() {
            self.comma(index);
            self.space();
            self.string(name);
            self.space();
            self.out.push(':');
            self.value(value);
        }
        self.out.push('}');
    }

    fn comma(&mut self, index: usize) {
        if index > 0 {
            self.out.push(',');
        }
    }

    fn number(&mut self, digits: i64, exponent: i8) {
        let exponent = i64::from(exponent);
        let zeros = i64::from(self.choose(3));
        let shifted = digits * 10i64.pow(u32::try_from(zeros).unwrap().min(2));
        let text = match self.choose(5) {
            0 => format!("{digits}e{exponent}"),
            1 => format!("{shifted}E{:+}", exponent - zeros),
            2 => format!("{digits}.{}e{exponent:+03}", "0".repeat(1 + usize::try_from(zeros).unwrap())),
            3 => {
                let sign = if digits < 0 { "-" } else { "" };
                let whole = digits.unsigned_abs().to_string();
                format!("{sign}0.00{whole}e{}", exponent + 2 + i64::try_from(whole.len()).unwrap())
            }
            _ if exponent == 0 && digits == 0 => "-0".to_owned(),
            _ if exponent == 0 => digits.to_string(),
            _ => format!("{digits}E{exponent}"),
        };
        self.out.push_str(&text);
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        for character in text.chars() {
            let must = matches!(character, '"' | '\\' | '\0'..='\x1f');
            match self.choose(3) {
                0 if !must => self.out.push(character),
                1 if character == '/' => self.out.push_str("\\/"),
                1 if character == '\n' => self.out.push_str("\\n"),
                1 if must && character > '\x1f' => self.out.extend(['\\', character]),
                2 => self.units(character, |unit| format!("\\u{unit:04X}")),
                _ => self.units(character, |unit| format!("\\u{unit:04x}")),
            }
        }
        self.out.push('"');
    }

    fn units(&mut self, character: char, escape: impl Fn(u16) -> String) {
        let escaped: String = character.encode_utf16(&mut [0; 2]).iter().map(|unit| escape(*unit)).collect();
        self.out.push_str(&escaped);
    }
}

/// A number with a small exponent, written out: sign, and digits with eight places after the point. The plainest
/// arithmetic there is, to judge the other one by.
pub(super) fn expanded(text: &str) -> (bool, String) {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i64 = exponent.parse().unwrap();
    let zeros = usize::try_from(8 + exponent - i64::try_from(fraction.len()).unwrap()).unwrap();
    let digits = format!("{whole}{fraction}{}", "0".repeat(zeros));
    let digits = digits.trim_start_matches('0').to_owned();
    (negative && !digits.is_empty(), digits)
}
