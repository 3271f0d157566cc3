//! Operations as a table.

use std::io::{self, Write};

use super::operation::{Operation, age};
use crate::table;

const HEAD: [&str; 7] = ["OPERATION", "STATE", "AGE", "CAUSE", "FENCE", "ROUTE", "SETTLES AS"];

/// Writes operations as a table.
pub(super) fn operations(out: &mut dyn Write, operations: &[Operation]) -> io::Result<()> {
    let rows = operations.iter().map(|operation| {
        [
            operation.operation_ref.clone(),
            operation.state.clone(),
            age(operation.age_seconds),
            operation.cause.clone().unwrap_or_else(|| "-".to_owned()),
            operation.fence.to_string(),
            operation.route.clone(),
            operation.settles_as(),
        ]
    });
    let all: Vec<_> = std::iter::once(HEAD.map(str::to_owned)).chain(rows).collect();
    table::write(out, &all)
}
