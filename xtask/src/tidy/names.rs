//! A file's name says what is in it.

use super::Finding;
use super::repository::Repository;

/// Names that say nothing, so that anything ends up there.
const EMPTY: &[&str] = &["util", "utils", "common", "helper", "helpers", "types", "misc"];

/// Rust files with a name that says nothing, and every `mod.rs`.
pub(super) fn check(repository: &Repository) -> Vec<Finding> {
    let rust = repository.files().iter().filter(|file| file.is_rust());
    rust.filter_map(|file| complaint(&file.path).map(|what| Finding::new(&file.path, 1, what))).collect()
}

fn complaint(path: &str) -> Option<String> {
    let mut parts = path.trim_end_matches(".rs").split('/');
    if path.ends_with("/mod.rs") {
        return Some("no mod.rs: name it after its directory and put it beside that".to_owned());
    }
    let empty = parts.find(|part| EMPTY.contains(part))?;
    Some(format!("`{empty}` says nothing: name it after what is in it, or move that to where it is used"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_names_are_found_as_files_and_as_directories() {
        for path in [
            "crates/a/src/mod.rs",
            "crates/a/src/util.rs",
            "crates/a/src/common/x.rs",
            "crates/a/tests/helpers.rs",
        ] {
            assert_eq!(check(&Repository::of(&[(path, "")])).len(), 1, "{path}");
        }
    }

    #[test]
    fn names_that_only_contain_an_empty_one_are_fine() {
        let repository = Repository::of(&[("crates/a/src/content_types.rs", ""), ("docs/common/x.md", "")]);
        assert!(check(&repository).is_empty());
    }
}
