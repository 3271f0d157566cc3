//! A page as its reader sees it: tables whose first column names the row, and examples.

use std::{collections::BTreeMap, path::PathBuf};

/// One row of a table whose first column is called `row`: cells by the titles of their columns, without backticks.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    cells: BTreeMap<String, String>,
}

impl Row {
    /// What the cell in this column says. Panics where there is no such column.
    #[track_caller]
    pub(crate) fn cell(&self, column: &str) -> &str {
        let cell = self.cells.get(column);
        cell.unwrap_or_else(|| panic!("the table of row `{}` has no column `{column}`", self.name))
    }
}

/// The text of `docs/reference/NAME`.
pub(crate) fn read(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The rows of the table below this heading.
pub(crate) fn rows(page: &str, heading: &str) -> Vec<Row> {
    let mut lines = page.lines().skip_while(|line| *line != heading).skip(1);
    let titles =
        cells(lines.find(|line| line.starts_with('|')).unwrap_or_else(|| panic!("no table below {heading}")));
    assert_eq!(titles.first().map(String::as_str), Some("row"), "{heading}");
    let rows = lines.skip(1).take_while(|line| line.starts_with('|')).map(cells);
    rows.map(|cells| {
        assert_eq!(cells.len(), titles.len(), "a cell for each column: {cells:?}");
        Row { name: cells[0].clone(), cells: titles.iter().cloned().zip(cells).collect() }
    })
    .collect()
}

fn cells(line: &str) -> Vec<String> {
    let inner = line.trim().trim_start_matches('|').trim_end_matches('|');
    inner.split('|').map(|cell| cell.trim().replace('`', "")).collect()
}

/// The sections of a page, each the text between a heading of second order and the next one.
pub(crate) fn sections(page: &str) -> Vec<(String, String)> {
    let mut sections: Vec<(String, String)> = Vec::new();
    for line in page.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            sections.push((title.replace('`', ""), String::new()));
        } else if let Some((_, text)) = sections.last_mut() {
            text.push_str(line);
            text.push('\n');
        }
    }
    sections
}

/// The blocks of JSON in a text.
pub(crate) fn examples(text: &str) -> Vec<&str> {
    let blocks = text.split("```json\n").skip(1);
    blocks.map(|block| block.split("```").next().expect("split gives one part at least")).collect()
}

/// `200–206, 226, 300–303`: each of them.
#[track_caller]
pub(crate) fn statuses(cell: &str) -> Vec<u16> {
    let number = |text: &str| -> u16 {
        text.trim().parse().unwrap_or_else(|_| panic!("`{text}` is no status in `{cell}`"))
    };
    let ranges = cell.split(',').filter(|part| !part.trim().is_empty());
    ranges
        .flat_map(|part| match part.split_once('–') {
            Some((from, to)) => number(from)..=number(to),
            None => number(part)..=number(part),
        })
        .collect()
}
