//! How often something has taken effect.

use serde_json::Value;

use crate::{
    plan::{Operation, PlanError},
    sink::Sink,
};

/// What counts.
#[derive(Clone, Debug)]
pub enum Counter {
    /// The answer to a question.
    Asked {
        /// What is asked.
        operation: Operation,
        /// Where in the answer the count stands.
        reading: Reading,
    },
    /// Calls that come back, one for each effect.
    Called(Sink),
}

/// Where the count stands in the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It is the length of the list at this pointer (RFC 6901); empty: of the whole answer.
    Length(String),
    /// It is the number at this pointer, which each effect changes by so much.
    Number {
        /// Where.
        pointer: String,
        /// By how much; not zero.
        step: i64,
    },
}

impl Counter {
    /// Asks `operation`, and reads its answer so.
    ///
    /// # Errors
    /// If the step is zero.
    pub fn new(operation: Operation, reading: Reading) -> Result<Self, PlanError> {
        let (Reading::Length(pointer) | Reading::Number { pointer, .. }) = &reading;
        if !pointer.is_empty() && !pointer.starts_with('/') {
            return Err(PlanError::new(format!("counter: {pointer:?} is no pointer; write \"/{pointer}\"")));
        }
        match reading {
            Reading::Number { step: 0, .. } => Err(PlanError::new(
                "counter: with a step of 0 nothing would be counted; write what one effect adds",
            )),
            _ => Ok(Self::Asked { operation, reading }),
        }
    }

    /// Reads `GET /transfers length`, `GET /transfers /items length`, `GET /account /balance [-100]`, or `calls` and where they
    /// come: `calls 127.0.0.1:4000 [POST /done [/pointer value]]`.
    ///
    /// # Errors
    /// If it is none of these.
    pub fn parse(text: &str) -> Result<Self, PlanError> {
        let wrong = || {
            PlanError::new(format!(
                "{text:?} counts nothing: write 'GET /path length', 'GET /path /items length', 'GET /path /balance -100' (a \
                 pointer to a number, and by how much one effect changes it), or 'calls 127.0.0.1:4000 POST /path' for calls \
                 that the API makes"
            ))
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        let (method, path, reading) = match words.as_slice() {
            ["calls", sink @ ..] => return Sink::parse(sink).map(Self::Called),
            [method, path, "length"] => (method, path, Reading::Length(String::new())),
            [method, path, pointer, "length"] => (method, path, Reading::Length((*pointer).to_owned())),
            [method, path, pointer] => {
                (method, path, Reading::Number { pointer: (*pointer).to_owned(), step: 1 })
            }
            [method, path, pointer, step] => {
                let step = step.parse().map_err(|_| wrong())?;
                (method, path, Reading::Number { pointer: (*pointer).to_owned(), step })
            }
            _ => return Err(wrong()),
        };
        match &reading {
            Reading::Length(pointer) | Reading::Number { pointer, .. }
                if !pointer.is_empty() && !pointer.starts_with('/') =>
            {
                return Err(wrong());
            }
            _ => {}
        }
        Self::new(Operation::parse(&format!("{method} {path}"))?, reading)
    }

    /// What is asked for the count; `None`: nothing, calls are counted.
    #[must_use]
    pub const fn question(&self) -> Option<&Operation> {
        match self {
            Self::Asked { operation, .. } => Some(operation),
            Self::Called(_) => None,
        }
    }

    /// Where calls come that are counted; `None`: it is asked.
    #[must_use]
    pub const fn sink(&self) -> Option<&Sink> {
        match self {
            Self::Asked { .. } => None,
            Self::Called(sink) => Some(sink),
        }
    }

    /// Where a number counts: by how much an effect is said to move it, and the same counter with another step.
    pub(crate) fn stepping(&self, step: i64) -> Option<(i64, String)> {
        match self {
            Self::Asked { operation, reading: Reading::Number { pointer, step: said } } => {
                Some((*said, format!("{operation} {pointer} {step}")))
            }
            Self::Asked { .. } | Self::Called(_) => None,
        }
    }

    /// How many effects lie between two counts.
    ///
    /// Part of one is one: what moved must not be lost in a division.
    pub(crate) fn between(&self, before: i64, after: i64) -> i64 {
        let step = match self {
            Self::Asked { reading: Reading::Number { step, .. }, .. } => i128::from(*step),
            Self::Asked { .. } | Self::Called(_) => 1,
        };
        // The API may say any number: in more bits nothing overflows.
        let moved = i128::from(after) - i128::from(before);
        let part = if moved % step == 0 { 0 } else { moved.signum() * step.signum() };
        let effects = moved / step + part;
        i64::try_from(effects).unwrap_or(if effects > 0 { i64::MAX } else { i64::MIN })
    }
}

impl Reading {
    /// The count in an answer; `Err`: what it says instead.
    pub(crate) fn read(&self, body: &Value) -> Result<i64, String> {
        match self {
            Self::Length(pointer) => match body.pointer(pointer) {
                Some(Value::Array(list)) => Ok(i64::try_from(list.len()).unwrap_or(i64::MAX)),
                Some(_) => Err(format!("at {pointer:?} its answer has something else than a list")),
                None => Err(format!("its answer has nothing at {pointer:?}")),
            },
            Self::Number { pointer, .. } => match body.pointer(pointer).and_then(Value::as_i64) {
                Some(number) => Ok(number),
                None => Err(format!("at {pointer:?} its answer has no whole number")),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_numbers_and_balances_count() {
        let reading = |text| match Counter::parse(text).unwrap() {
            Counter::Asked { reading, .. } => reading,
            Counter::Called(sink) => panic!("{sink}"),
        };
        let list = reading("GET /transfers length");
        assert_eq!(list.read(&json!([1, 2])), Ok(2));
        let items = reading("GET /transfers /items length");
        assert_eq!(items.read(&json!({"items": [1]})), Ok(1));
        assert!(items.read(&json!([])).is_err());
        let balance = Counter::parse("GET /account /balance -100").unwrap();
        assert_eq!(reading("GET /account /balance -100").read(&json!({"balance": 700})), Ok(700));
        assert_eq!(balance.between(1000, 700), 3);
        assert_eq!(balance.between(1000, 850), 2, "the second moved less than the first");
        assert_eq!(balance.between(850, 1000), -2);
        let calls = Counter::parse("calls 127.0.0.1:4000 POST /done").unwrap();
        assert_eq!((calls.between(1, 3), calls.question().is_none()), (2, true));
        let question = balance.question().unwrap().clone();
        let slip = Counter::new(question, Reading::Length("items".into())).unwrap_err();
        assert!(slip.to_string().contains("write \"/items\""), "{slip}");
        for wrong in [
            "",
            "GET",
            "GET /x",
            "GET /x size",
            "GET /x /a b",
            "GET x length",
            "GET /x /a 0",
            "calls",
            "calls POST /x",
        ] {
            assert!(Counter::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn between_any_two_numbers_there_is_a_count() {
        let balance = Counter::parse("GET /account /balance -1").unwrap();
        assert_eq!(balance.between(i64::MIN, i64::MAX), i64::MIN);
        assert_eq!(balance.between(0, i64::MIN), i64::MAX);
    }
}
