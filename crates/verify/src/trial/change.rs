//! Another request under the same key.

use serde_json::Value;

use crate::{
    call::{Minted, Request},
    plan::Carrier,
    verdict::Stop,
};

/// The request with another value in its body: the one that the plan gives, or else the first number and one more, or
/// else the first string and one letter more. A member that carries the key is left alone.
pub(super) fn changed(request: &Request, carrier: &Carrier) -> Result<Request, Stop> {
    if let Some(changed) = &request.changed {
        return Ok(request.clone().with_body(changed.clone()));
    }
    let lacking =
        || Stop::not_observable("no other body can be made from this one: add `changed` to the operation");
    let mut body: Value = serde_json::from_slice(&request.body).map_err(|_| lacking())?;
    let leaves = leaves(&body, carrier);
    let is_number = |pointer: &&String| body.pointer(pointer).is_some_and(Value::is_number);
    let chosen = leaves.iter().find(is_number).or_else(|| leaves.first()).ok_or_else(lacking)?;
    let leaf = body.pointer_mut(chosen).ok_or_else(lacking)?;
    *leaf = another(leaf).ok_or_else(lacking)?;
    Ok(request.clone().with_body(body.to_string()))
}

/// The same with another value in a member that has no fresh one: what is fresh in the request stays.
pub(super) fn changed_beside_what_is_fresh(request: &Request, carrier: &Carrier) -> Option<Request> {
    let fresh = |text: &str| request.minted.iter().any(|minted| text.contains(minted.value()));
    let stays = |body: &[u8]| {
        let within = |body: &[u8]| {
            let body = String::from_utf8_lossy(body).into_owned();
            let is_in = |minted: &&Minted| !matches!(minted, Minted::Key(_)) && body.contains(minted.value());
            request.minted.iter().filter(is_in).count()
        };
        within(body) == within(&request.body)
    };
    if let Some(changed) = request.changed.as_ref().filter(|changed| stays(changed)) {
        return Some(request.clone().with_body(changed.clone()));
    }
    let mut body: Value = serde_json::from_slice(&request.body).ok()?;
    let free = |pointer: &&String| body.pointer(pointer).is_some_and(|leaf| !fresh(&leaf.to_string()));
    let leaves: Vec<String> = leaves(&body, carrier).iter().filter(free).cloned().collect();
    let is_number = |pointer: &&String| body.pointer(pointer).is_some_and(Value::is_number);
    let chosen = leaves.iter().find(is_number).or_else(|| leaves.first())?.clone();
    let leaf = body.pointer_mut(&chosen)?;
    *leaf = another(leaf)?;
    Some(request.clone().with_body(body.to_string()))
}

/// Pointers to all numbers and strings but the key, in their order.
pub(super) fn leaves(body: &Value, carrier: &Carrier) -> Vec<String> {
    match carrier {
        Carrier::Body(pointer) => below(body, String::new(), Some(pointer)),
        Carrier::Header(_) | Carrier::Query(_) | Carrier::Form(_) | Carrier::Path(_) => {
            below(body, String::new(), None)
        }
    }
}

fn below(value: &Value, at: String, key: Option<&str>) -> Vec<String> {
    if key == Some(at.as_str()) {
        return Vec::new();
    }
    match value {
        Value::Number(_) | Value::String(_) => vec![at],
        Value::Array(items) => {
            items.iter().enumerate().flat_map(|(n, item)| below(item, format!("{at}/{n}"), key)).collect()
        }
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, member)| {
                let name = name.replace('~', "~0").replace('/', "~1");
                below(member, format!("{at}/{name}"), key)
            })
            .collect(),
        Value::Null | Value::Bool(_) => Vec::new(),
    }
}

fn another(value: &Value) -> Option<Value> {
    match value {
        Value::Number(number) => Some(match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => whole.checked_add(1)?.into(),
            (None, number) => (number? + 1.0).into(),
        }),
        Value::String(text) => Some(format!("{text}x").into()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method};

    use super::*;
    use crate::call::{Fault, Manner, Who};

    fn request(body: &'static str) -> Request {
        Request {
            method: Method::POST,
            path: "/".into(),
            headers: HeaderMap::new(),
            body: body.into(),
            who: Who::First,
            manner: Manner::Whole,
            fault: Fault::None,
            in_path: None,
            changed: None,
            token: String::new(),
            minted: Vec::new(),
        }
    }

    #[test]
    fn a_number_is_changed_before_a_string_and_a_key_never() {
        let carrier = Carrier::Body("/key".into());
        let change = |body| changed(&request(body), &carrier).map(|request| request.body);
        assert_eq!(change(r#"{"to":"a","amount":100}"#).unwrap(), r#"{"to":"a","amount":101}"#);
        assert_eq!(change(r#"{"key":"k","to":"a"}"#).unwrap(), r#"{"key":"k","to":"ax"}"#);
        assert!(change(r#"{"key":"k"}"#).is_err());
        assert!(change("text").is_err());
    }
}
