//! Everything that we link may be used, changed and sold by whoever uses us.

use super::Finding;
use super::repository::Repository;
use super::spdx;

/// Where a finding points: the line that brings the package in.
const LOCK: &str = "Cargo.lock";

/// Licences that ask for no more than their notice.
const ACCEPTED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Packages without a licence that we accept.
pub(super) fn check(repository: &Repository) -> Vec<Finding> {
    let refused = repository.packages().iter().filter_map(|package| {
        let what = match package.license.as_deref() {
            Some(license) if spdx::satisfied(license, ACCEPTED) => return None,
            Some(license) => format!("{} {} is under {license}", package.name, package.version),
            None => format!("{} {} states no licence", package.name, package.version),
        };
        Some((package, what))
    });
    refused
        .map(|(package, what)| {
            let line = repository.line_of(LOCK, &format!("name = \"{}\"", package.name));
            let cure = "take another crate, or add the licence to xtask/src/tidy/licences.rs if it asks for no more \
                        than its notice";
            Finding::new(LOCK, line, format!("{what}: {cure}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_under_another_licence_or_none_is_found() {
        let lock = "[[package]]\nname = \"good\"\n[[package]]\nname = \"bad\"\n";
        let repository = Repository::of(&[(LOCK, lock)]).with_packages(&[
            ("good", Some("MIT OR Apache-2.0")),
            ("bad", Some("MIT AND GPL-3.0-only")),
            ("silent", None),
        ]);
        let found: Vec<_> = check(&repository).iter().map(Finding::to_string).collect();
        assert_eq!(found.len(), 2);
        assert!(found[0].starts_with("Cargo.lock:4: bad 1.0.0 is under MIT AND GPL-3.0-only"), "{found:?}");
        assert!(found[1].contains("silent 1.0.0 states no licence"), "{found:?}");
    }
}
