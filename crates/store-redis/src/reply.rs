//! What a server's answers say. An answer of another shape than was asked for is a failure, never a *no*.

use bytes::Bytes;
use onlyonce_core::{RecordId, Timestamp};
use redis::Value;

use crate::error::Failure;

/// What became of one request.
pub(crate) type Answer = Result<Value, Failure>;

/// Bytes, or nothing.
pub(crate) fn bytes(value: Value) -> Result<Option<Bytes>, Failure> {
    match value {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => Ok(Some(bytes.into())),
        _ => Err(Failure::shape()),
    }
}

pub(crate) fn number(value: &Value) -> Result<u64, Failure> {
    let number = match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        Value::BulkString(digits) => std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()),
        _ => None,
    };
    number.ok_or_else(Failure::shape)
}

/// How many, or which.
pub(crate) fn count(value: &Value) -> Result<usize, Failure> {
    usize::try_from(number(value)?).map_err(|_| Failure::shape())
}

pub(crate) fn array(value: Value) -> Result<Vec<Value>, Failure> {
    match value {
        Value::Array(values) => Ok(values),
        _ => Err(Failure::shape()),
    }
}

/// The two parts of an answer that has two.
pub(crate) fn pair(value: Value) -> Result<(Value, Value), Failure> {
    <[Value; 2]>::try_from(array(value)?).map(Into::into).map_err(|_| Failure::shape())
}

/// Ids, as the indexes name them.
pub(crate) fn ids(value: Value) -> Result<Vec<RecordId>, Failure> {
    array(value)?.into_iter().map(id).collect()
}

/// Ids, each followed by its score, as it is to be asked for again.
pub(crate) fn scored(value: Value) -> Result<Vec<(RecordId, Bytes)>, Failure> {
    let mut values = array(value)?.into_iter();
    let mut page = Vec::with_capacity(values.len() / 2);
    while let Some(member) = values.next() {
        let score = bytes(values.next().ok_or_else(Failure::shape)?)?.ok_or_else(Failure::shape)?;
        page.push((id(member)?, score));
    }
    Ok(page)
}

pub(crate) fn id(value: Value) -> Result<RecordId, Failure> {
    let Value::BulkString(bytes) = value else { return Err(Failure::shape()) };
    bytes.try_into().map(RecordId).map_err(|_| Failure::shape())
}

/// What `TIME` says, in whole milliseconds.
pub(crate) fn time(value: Value) -> Result<Timestamp, Failure> {
    let (seconds, micros) = pair(value)?;
    let ms =
        number(&seconds)?.checked_mul(1_000).and_then(|ms| ms.checked_add(number(&micros).ok()? / 1_000));
    ms.map(Timestamp::from_ms).ok_or_else(Failure::shape)
}

/// Text, such as that of `INFO`.
pub(crate) fn text(value: Value) -> Result<String, Failure> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes).map_err(|_| Failure::shape()),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Ok(text),
        Value::Okay => Ok("OK".to_owned()),
        _ => Err(Failure::shape()),
    }
}
