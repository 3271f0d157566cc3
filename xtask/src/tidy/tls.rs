//! At most one TLS stack, on one provider of cryptography, in one version.
//!
//! Two of them mean two sets of roots, two sets of faults to patch and longer builds; it happens by one
//! careless default feature.

use super::Finding;
use super::repository::Repository;

const LOCK: &str = "Cargo.lock";

/// Crates of which at most one may be there, by what they are.
const KINDS: &[(&str, &[&str])] = &[
    (
        "TLS stack",
        // `schannel` alone is none: on Windows the system's roots are read through it. As a stack it comes with
        // `native-tls`.
        &["rustls", "openssl", "native-tls", "boring", "s2n-tls", "mbedtls", "wolfssl"],
    ),
    (
        "provider of cryptography for TLS",
        &["ring", "aws-lc-rs", "openssl-sys", "boring-sys", "rustls-symcrypt"],
    ),
];

/// Every TLS crate beyond the first of its kind; two versions of one crate are two.
pub(super) fn check(repository: &Repository) -> Vec<Finding> {
    KINDS.iter().flat_map(|(kind, names)| check_kind(repository, kind, names)).collect()
}

fn check_kind(repository: &Repository, kind: &str, names: &[&str]) -> Vec<Finding> {
    let mut present = repository.packages().iter().filter(|package| names.contains(&package.name.as_str()));
    let Some(first) = present.next() else { return Vec::new() };
    present
        .map(|package| {
            let line = repository.line_of(LOCK, &format!("name = \"{}\"", package.name));
            let (other, version, name) = (&package.name, &package.version, &first.name);
            let what = format!(
                "{other} {version} is a second {kind} beside {name} {}: switch off the default feature that \
                 brings it (`cargo tree --invert {other}@{version}` names it)",
                first.version
            );
            Finding::new(LOCK, line, what)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(names: &[&str]) -> usize {
        let packages: Vec<_> = names.iter().map(|name| (*name, Some("MIT"))).collect();
        check(&Repository::of(&[]).with_packages(&packages)).len()
    }

    #[test]
    fn a_second_stack_provider_or_version_is_found() {
        assert_eq!(found(&["rustls", "openssl"]), 1);
        assert_eq!(found(&["rustls", "ring", "aws-lc-rs"]), 1);
        assert_eq!(found(&["rustls", "rustls"]), 1);
        assert_eq!(found(&["native-tls", "openssl", "openssl-sys", "ring"]), 2);
    }

    #[test]
    fn one_stack_or_none_is_fine() {
        assert_eq!(found(&[]), 0);
        assert_eq!(found(&["rustls", "ring", "rustls-pki-types", "tokio-rustls"]), 0);
        assert_eq!(found(&["rustls", "ring", "rustls-native-certs", "schannel"]), 0);
    }
}
