//! The operation that an operator names, and what he may have meant who typed a name that nothing has.
//!
//! The latter is a hint only: a gateway that does not answer by then is not complained about.

use std::collections::BTreeMap;

use serde::{Deserialize, de::DeserializeOwned};

use super::{
    Session,
    client::{CallError, Client},
    failure::Failure,
    list::Filter,
    operation::{One, Operation, path},
};

/// Most names that are shown.
const SHOWN: usize = 3;
/// So many characters may be mistyped.
const SLIPS: usize = 4;

#[derive(Deserialize)]
struct Page {
    operations: Vec<Operation>,
}

/// The operation of this name. The failure tells the names that there are, if that is why.
pub(super) async fn found<T: DeserializeOwned>(wanted: &str, client: &Client) -> Result<T, Failure> {
    let error = match client.get::<One<T>>(&path(wanted)).await {
        Ok(One { operation }) => return Ok(operation),
        Err(error) => error,
    };
    let hint = match &error {
        CallError::Refused(problem) if problem.name() == "not-found" => operations(wanted, client).await,
        CallError::Refused(_) | CallError::Failed(_) => None,
    };
    let failure = Failure::from(error);
    Err(match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    })
}

/// The operation that was meant, or some that are open.
pub(super) async fn operations(wanted: &str, client: &Client) -> Option<String> {
    let mut names: Vec<_> =
        open(client).await?.into_iter().map(|operation| operation.operation_ref).collect();
    names.sort_by_key(|name| slips(name, wanted));
    Some(match names.as_slice() {
        [] => "nothing is open; of what has ended only its exact name tells".to_owned(),
        [first, ..] if slips(first, wanted) <= SLIPS => format!("did you mean {first}?"),
        names => format!("open are {}", some_of(names)),
    })
}

/// Where a route of this name has nothing: those that have.
pub(super) async fn tell_routes(filter: &Filter, session: &mut Session<'_>) -> Result<(), Failure> {
    let Some(route) = &filter.route else { return Ok(()) };
    if let Some(hint) = routes(route, &session.client).await {
        writeln!(session.err, "\nhint: {hint}")?;
    }
    Ok(())
}

async fn routes(wanted: &str, client: &Client) -> Option<String> {
    let mut routes = BTreeMap::<String, usize>::new();
    for operation in open(client).await? {
        *routes.entry(operation.route).or_default() += 1;
    }
    if routes.is_empty() || routes.contains_key(wanted) {
        return None;
    }
    let counted: Vec<_> = routes.iter().map(|(route, count)| format!("`{route}` ({count})")).collect();
    Some(format!("nothing of `{wanted}` is open; of {} there is", some_of(&counted)))
}

/// A page of what is open.
async fn open(client: &Client) -> Option<Vec<Operation>> {
    let page = client.get::<Page>("/api/v1/records?limit=1000").await.ok()?;
    Some(page.operations)
}

/// In how many places two names of the same length differ.
fn slips(one: &str, other: &str) -> usize {
    one.chars().zip(other.chars()).filter(|(one, other)| one != other).count()
}

fn some_of(names: &[String]) -> String {
    let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more (`onlyonce keys list` shows all)"),
    }
}
