//! As a page.

use crate::{expected, fixed};

/// The page without its style, which is a file of its own.
fn page() -> String {
    let page = fixed::report().html();
    let (before, rest) = page.split_once("<style>").unwrap();
    let (_, after) = rest.split_once("</style>").unwrap();
    // A line for each element, so that a difference can be read.
    format!("{before}{after}\n").replace("><", ">\n<")
}

#[test]
fn the_page_is_as_before() {
    expected::is_as_before("fixed.html", &page().replace(env!("CARGO_PKG_VERSION"), "VERSION"));
}

#[test]
fn what_the_api_answers_never_becomes_markup() {
    let page = page();
    for markup in ["<script", "<i>", "<b>token", "</code><script>"] {
        assert!(!page.contains(markup), "{markup}");
    }
    assert!(page.contains("&lt;script&gt;alert(1)"), "it is shown, as text");
    assert!(page.contains("default-src 'none'"), "and a browser is told to run nothing");
}

#[test]
fn the_page_needs_nothing_else() {
    let page = fixed::report().html();
    for asks in ["src=", "<link", "@import", "url(", "<form", "<iframe", "<object"] {
        assert!(!page.contains(asks), "{asks}");
    }
}

#[test]
fn no_credential_is_on_the_page() {
    let page = page();
    assert!(!page.contains("token-of") && !page.contains("session=of-ana"), "{page}");
}

#[test]
fn every_check_has_its_anchor_and_is_linked() {
    let page = page();
    for finding in fixed::report().findings {
        let id = finding.check.id;
        assert_eq!(page.matches(&format!("id=\"{id}\"")).count(), 1, "{id}");
        assert!(page.contains(&format!("href=\"#{id}\"")), "{id}");
    }
}
