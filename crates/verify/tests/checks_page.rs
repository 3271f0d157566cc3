//! The reference has every check and every profile as the code has it.

use std::{fs, path::Path};

use onlyonce_verify::{Profile, checks, plan::Form};

#[test]
fn the_page_of_all_checks_is_what_the_code_says() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/checks.md");
    let page = fs::read_to_string(page).unwrap();
    assert!(
        page == checks::page(),
        "write it anew: cargo run -p onlyonce-cli -- verify --list=markdown > docs/reference/checks.md"
    );
}

#[test]
fn the_reference_has_what_each_profile_expects() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/verify.md");
    let page = fs::read_to_string(page).unwrap();
    for profile in Profile::ALL {
        let form = match profile.form {
            Form::Quoted => "quoted",
            Form::Bare => "bare",
        };
        let marker = profile
            .marker
            .as_ref()
            .map_or_else(|| "none".to_owned(), |marker| format!("`{}: {}`", marker.header, marker.value));
        let (missing, invalid) = (profile.missing.listed(), profile.invalid.listed());
        let (mismatch, running) = (profile.mismatch.listed(), profile.in_progress.listed());
        let row = format!(
            "| `{}` | {form} | {missing} | {invalid} | {mismatch} | {running} | {marker} |",
            profile.name
        );
        assert!(page.contains(&row), "docs/reference/verify.md has no row\n{row}");
    }
}
