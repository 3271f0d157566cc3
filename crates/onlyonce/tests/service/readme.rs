//! What the front page shows is what the crate's own page compiles.

const FRONT: &str = include_str!("../../../../README.md");
const CRATE: &str = include_str!("../../README.md");

#[test]
fn the_front_page_shows_lines_that_compile() {
    let section = FRONT.split("## In a Rust service").nth(1).and_then(|rest| rest.split("\n## ").next());
    let block = section.and_then(|section| section.split("```").nth(1)).unwrap();
    let shown: Vec<_> = block.lines().skip(1).map(str::trim).filter(|line| !line.is_empty()).collect();
    assert!(shown.len() > 10, "{shown:?}");
    let compiled: Vec<_> = CRATE.lines().map(str::trim).collect();
    for line in shown {
        assert!(compiled.contains(&line), "`{line}` is not in crates/onlyonce/README.md");
    }
}
