//! Reads pages just far enough to hold them against the code: headings, rows of tables, and what stands in backticks.

/// The headings of second order, without backticks, with their lines.
pub(super) fn headings(text: &str) -> impl Iterator<Item = (usize, String)> {
    let lines = (1..).zip(text.lines());
    lines.filter_map(|(number, line)| Some((number, line.strip_prefix("## ")?.replace('`', ""))))
}

/// The rows of all tables, as cells, with their lines; the titles and the dashes below them included.
pub(super) fn rows(text: &str) -> impl Iterator<Item = (usize, Vec<&str>)> {
    let lines = (1..).zip(text.lines()).filter(|(_, line)| line.starts_with('|'));
    lines.map(|(number, line)| (number, line.trim_matches('|').split('|').map(str::trim).collect()))
}

/// What stands in backticks on a line.
pub(super) fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// What stands between double quotes on a line.
pub(super) fn strings(line: &str) -> impl Iterator<Item = &str> {
    line.split('"').skip(1).step_by(2)
}
