//! Columns that line up, with two spaces between them.

use std::io::{self, Write};

use super::operation::{Operation, age};

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
    write(out, &all)
}

fn write<const N: usize>(out: &mut dyn Write, rows: &[[String; N]]) -> io::Result<()> {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_have_no_tail() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned);
        let mut out = Vec::new();
        write(&mut out, &[row(["A", "LONG", "C"]), row(["äöü", "x", ""])]).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "A    LONG  C\näöü  x\n");
    }
}
