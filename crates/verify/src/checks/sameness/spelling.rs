//! One JSON document in several spellings.

use serde_json::Value;

/// With the members of all objects in reverse order.
pub(super) fn reversed(body: &Value, _: &[String]) -> Option<String> {
    Some(turned(body.clone()).to_string())
}

fn turned(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(turned).collect(),
        Value::Object(members) => {
            members.into_iter().rev().map(|(name, member)| (name, turned(member))).collect()
        }
        leaf => leaf,
    }
}

/// On several lines.
pub(super) fn spaced(body: &Value, _: &[String]) -> Option<String> {
    serde_json::to_string_pretty(body).ok()
}

/// With `1.0` for the first whole number `1`.
pub(super) fn fractional(body: &Value, leaves: &[String]) -> Option<String> {
    let whole = |value: &Value| value.as_i64().filter(|whole| whole.unsigned_abs() < 1 << 53);
    let (leaf, whole) = leaves.iter().find_map(|leaf| Some((leaf, whole(body.pointer(leaf)?)?)))?;
    let mut body = body.clone();
    *body.pointer_mut(leaf)? = serde_json::from_str(&format!("{whole}.0")).ok()?;
    Some(body.to_string())
}

/// With escapes for all characters of the first string.
pub(super) fn escaped(body: &Value, leaves: &[String]) -> Option<String> {
    /// Stands for the string; nothing else is like it.
    const PLACE: &str = "onlyonce-escaped-string";
    let mut body = body.clone();
    let string = leaves.iter().find_map(|leaf| Some((leaf, body.pointer(leaf)?.as_str()?.to_owned())));
    let (leaf, string) = string.filter(|(_, string)| !string.is_empty())?;
    *body.pointer_mut(leaf)? = PLACE.into();
    let escapes: String = string.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    Some(body.to_string().replacen(PLACE, &escapes, 1))
}

/// With a number in place of the first one.
pub(super) fn in_number(body: &Value, leaves: &[String], number: u64) -> Option<String> {
    let leaf = leaves.iter().find(|leaf| body.pointer(leaf).is_some_and(Value::is_number))?;
    let mut body = body.clone();
    *body.pointer_mut(leaf)? = number.into();
    Some(body.to_string())
}

/// With a number in a member that the document did not have.
pub(super) fn in_member(body: &Value, _: &[String], number: u64) -> Option<String> {
    let mut body = body.clone();
    body.as_object_mut()?.insert("verify".into(), number.into());
    Some(body.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_differ_and_mean_the_same() {
        let body: Value = serde_json::from_str(r#"{"to":"aé","list":[{"b":1,"a":2}],"n":100}"#).unwrap();
        let leaves = ["/to", "/list/0/b", "/n"].map(str::to_owned);
        assert_eq!(reversed(&body, &leaves).unwrap(), r#"{"n":100,"list":[{"a":2,"b":1}],"to":"aé"}"#);
        assert_eq!(fractional(&body, &leaves).unwrap(), r#"{"to":"aé","list":[{"b":1.0,"a":2}],"n":100}"#);
        let escaped = escaped(&body, &leaves).unwrap();
        assert!(escaped.contains(r#""to":"\u0061\u00e9""#), "{escaped}");
        for spelling in [reversed(&body, &leaves).unwrap(), spaced(&body, &leaves).unwrap(), escaped] {
            assert_eq!(serde_json::from_str::<Value>(&spelling).unwrap(), body);
        }
    }

    #[test]
    fn a_large_number_keeps_all_its_digits() {
        let body: Value = serde_json::from_str(r#"{"n":1}"#).unwrap();
        let placed = in_number(&body, &["/n".into()], 9_007_199_254_740_993).unwrap();
        assert_eq!(placed, r#"{"n":9007199254740993}"#);
        let added = in_member(&body, &[], 9_007_199_254_740_993).unwrap();
        assert_eq!(added, r#"{"n":1,"verify":9007199254740993}"#);
    }
}
