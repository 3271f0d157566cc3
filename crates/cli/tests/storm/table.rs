//! What a storm has counted, as a table to print.

use std::fmt;

/// Rows of numbers under one heading.
pub(crate) struct Table {
    heading: String,
    columns: &'static [&'static str],
    rows: Vec<(String, Vec<usize>)>,
}

impl Table {
    pub(crate) fn new(heading: impl Into<String>, columns: &'static [&'static str]) -> Self {
        Self { heading: heading.into(), columns, rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, name: &str, counts: &[usize]) {
        assert_eq!(counts.len(), self.columns.len(), "a count for each column");
        self.rows.push((name.to_owned(), counts.to_vec()));
    }

    fn total(&self) -> Vec<usize> {
        let nothing = vec![0; self.columns.len()];
        self.rows
            .iter()
            .fold(nothing, |sum, (_, counts)| sum.iter().zip(counts).map(|(a, b)| a + b).collect())
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.heading)?;
        write!(f, "{:<20}", "window")?;
        for column in self.columns {
            write!(f, "  {column}")?;
        }
        let total = ("all".to_owned(), self.total());
        for (name, counts) in self.rows.iter().chain([&total]) {
            write!(f, "\n{name:<20}")?;
            for (column, count) in self.columns.iter().zip(counts) {
                write!(f, "  {count:>width$}", width = column.len())?;
            }
        }
        Ok(())
    }
}
