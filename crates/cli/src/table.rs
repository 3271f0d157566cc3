//! Columns that line up, with two spaces between them.

use std::io::{self, Write};

/// Writes rows, each cell as wide as the widest of its column.
pub(crate) fn write<const N: usize>(out: &mut dyn Write, rows: &[[String; N]]) -> io::Result<()> {
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
