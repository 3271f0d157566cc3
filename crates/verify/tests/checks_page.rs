//! The reference has every check as the code has it.

use std::{fs, path::Path};

use onlyonce_verify::checks;

#[test]
fn the_page_of_all_checks_is_what_the_code_says() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/checks.md");
    let page = fs::read_to_string(page).unwrap();
    assert!(
        page == checks::page(),
        "write it anew: cargo run -p onlyonce-cli -- verify --list=markdown > docs/reference/checks.md"
    );
}
