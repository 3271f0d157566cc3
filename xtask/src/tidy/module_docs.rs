//! Every source file opens with what it is for.

use super::Finding;
use super::repository::Repository;

/// Source files that do not start with `//!`.
pub(super) fn check(repository: &Repository) -> Vec<Finding> {
    let bare = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.starts_with("//!"));
    let sources = repository.files().iter().filter(|file| file.is_source() && bare(&file.text));
    let what = "open the file with `//!`: its purpose, the invariant it keeps, what it does not do";
    sources.map(|file| Finding::new(&file.path, 1, what)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_file_without_a_purpose_is_found() {
        let repository = Repository::of(&[
            ("crates/core/src/good.rs", "//! Good.\n"),
            ("crates/core/src/bad.rs", "// Bad.\nfn f() {}\n"),
            ("xtask/src/empty.rs", ""),
            ("crates/core/tests/free.rs", "fn f() {}\n"),
        ]);
        let paths: Vec<_> = check(&repository).into_iter().map(|finding| finding.path).collect();
        assert_eq!(paths, ["crates/core/src/bad.rs", "xtask/src/empty.rs"]);
    }
}
