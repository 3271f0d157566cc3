//! Every relative link in the documentation leads to a file of the repository.
//!
//! Links to other hosts are not followed: this check asks nobody.

use super::Finding;
use super::repository::{File, Repository};

/// Relative links that lead nowhere.
pub(super) fn check(repository: &Repository) -> Vec<Finding> {
    let pages = repository.files().iter().filter(|file| file.path.ends_with(".md"));
    pages.flat_map(|file| check_page(repository, file)).collect()
}

fn check_page(repository: &Repository, page: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut in_code = false;
    for (number, line) in page.lines() {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        if in_code || fence {
            continue;
        }
        for target in targets(&without_code(line)) {
            if leads_nowhere(repository, &page.path, &target) {
                let what = format!("{target} leads to no file: correct the link or write the page");
                findings.push(Finding::new(&page.path, number, what));
            }
        }
    }
    findings
}

/// The line without its `code`, in which brackets are no links.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join(" ")
}

/// The targets of `[text](target "title")`, `![text](target)`, `[name]: target` and `src="target"`.
fn targets(line: &str) -> Vec<String> {
    let inline = line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
    let defined =
        line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")).map(|(_, target)| target.trim());
    let embedded = line.split("src=\"").skip(1).chain(line.split("href=\"").skip(1));
    let embedded = embedded.filter_map(|rest| rest.split('"').next());
    inline.chain(defined).chain(embedded).map(|target| target.trim_matches(['<', '>']).to_owned()).collect()
}

fn leads_nowhere(repository: &Repository, page: &str, target: &str) -> bool {
    let path = target.split('#').next().unwrap_or_default();
    let elsewhere = path.is_empty() || path.contains(':');
    !elsewhere && !resolve(page, path).is_some_and(|path| repository.has(&path))
}

/// The path from the root; `None` where the link leaves the repository.
fn resolve(page: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    if target.starts_with('/') {
        parts.clear();
    }
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> usize {
        let page = format!("# Title\n{line}\n");
        check(&Repository::of(&[("docs/guides/a.md", &page), ("docs/b.md", ""), ("README.md", "")])).len()
    }

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        for line in [
            "[b](b.md)",
            "![b](../b.png)",
            "[up](../../../README.md)",
            "[ref]: c.md",
            "<img src=\"x.png\">",
            "[good](../b.md) and [bad](bad.md \"title\")",
        ] {
            assert_eq!(found(line), 1, "{line}");
        }
    }

    #[test]
    fn links_that_lead_somewhere_are_fine() {
        for line in [
            "[b](../b.md#part) [here](#part) [dir](../guides/) [root](/README.md)",
            "[out](https://example.com/x) <mailto:a@example.com>",
            "`[code](x.md)`",
            "[ref]: ../b.md",
        ] {
            assert_eq!(found(line), 0, "{line}");
        }
    }

    #[test]
    fn code_blocks_hold_no_links() {
        assert_eq!(found("```\n[a](x.md)\n```\n[b](y.md)"), 1);
    }
}
