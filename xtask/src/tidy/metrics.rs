//! Every metric of the catalogue stands in the reference, and the reference promises no other.

use super::Finding;
use super::markdown;
use super::repository::Repository;

const CATALOGUE: &str = "crates/core/src/metric.rs";
const PAGE: &str = "docs/reference/metrics.md";

/// What every name begins with.
const PREFIX: &str = "onlyonce_";
/// What the text format adds to the name of a histogram.
const SUFFIXES: &[&str] = &["_bucket", "_sum", "_count"];

/// Metrics that the page does not explain, and names that nothing counts under.
pub(super) fn check(repository: &Repository) -> Vec<Finding> {
    let (Some(code), Some(page)) = (repository.text(CATALOGUE), repository.text(PAGE)) else {
        return Vec::new();
    };
    let names: Vec<_> = code.lines().flat_map(markdown::strings).filter(|name| is_metric(name)).collect();
    let promised = words(page);
    let missing = names.iter().filter(|name| !promised.iter().any(|(_, word)| word == *name));
    let missing = missing.map(|name| {
        let line = repository.line_of(CATALOGUE, name);
        Finding::new(CATALOGUE, line, format!("{PAGE} does not explain `{name}`"))
    });
    let known = |word: &str| {
        let stem = SUFFIXES.iter().find_map(|suffix| word.strip_suffix(suffix)).unwrap_or(word);
        names.iter().any(|name| *name == word || *name == stem)
    };
    let gone = promised.iter().filter(|(_, word)| !known(word));
    let gone = gone.map(|(line, word)| Finding::new(PAGE, *line, format!("nothing counts under `{word}`")));
    missing.chain(gone).collect()
}

fn is_metric(name: &str) -> bool {
    name.starts_with(PREFIX) && name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}

fn words(page: &str) -> Vec<(usize, &str)> {
    let split = |c: char| !(c.is_ascii_lowercase() || c == '_');
    let lines = (1..).zip(page.lines());
    lines
        .flat_map(|(number, line)| line.split(split).map(move |word| (number, word)))
        .filter(|(_, word)| is_metric(word))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str =
        "counter(\"onlyonce_a_total\", &[], \"x\");\nhistogram(\"onlyonce_b_seconds\", B, &[], \"x\")\n";

    fn found(page: &str) -> usize {
        check(&Repository::of(&[(CATALOGUE, CODE), (PAGE, page)])).len()
    }

    #[test]
    fn a_metric_and_a_promise_without_each_other_are_found() {
        assert_eq!(found("| `onlyonce_a_total{route}` |"), 1);
        assert_eq!(found("`onlyonce_a_total` `onlyonce_b_seconds` `rate(onlyonce_c_total[5m])`"), 1);
    }

    #[test]
    fn a_page_with_all_of_them_is_fine() {
        assert_eq!(
            found("`onlyonce_a_total`, `onlyonce_b_seconds`\nsum(rate(onlyonce_b_seconds_bucket[5m]))"),
            0
        );
    }
}
