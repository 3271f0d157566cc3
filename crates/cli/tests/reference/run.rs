//! Carries a table out, row by row, and tells all rows that are not so.

use std::{collections::BTreeSet, future::Future, pin::Pin};

use crate::page::Row;

/// What a scenario does, begun.
pub(crate) type Scene<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Runs the scenario of each row, and judges what it saw.
///
/// # Panics
/// With every row that is not so, without scenario or without row, at the end.
pub(crate) async fn table<T: Send + 'static>(
    rows: &[Row],
    scenario: impl Fn(&Row) -> Option<Scene<T>>,
    names: impl Iterator<Item = &'static str>,
    judge: fn(&Row, &T),
) {
    let mut wrong = Vec::new();
    for row in rows {
        let Some(scene) = scenario(row) else {
            wrong.push(format!("`{}`: no scenario shows it", row.name));
            continue;
        };
        let shown = row.clone();
        // A task of its own, so that one row's panic lets the others speak.
        let judged = tokio::spawn(async move { judge(&shown, &scene.await) }).await;
        if let Err(error) = judged {
            wrong.push(format!("`{}`: {}", row.name, told(error)));
        }
    }
    let listed: BTreeSet<_> = rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(listed.len(), rows.len(), "no row is there twice");
    wrong.extend(
        names.filter(|name| !listed.contains(name)).map(|name| format!("`{name}`: a scenario without a row")),
    );
    assert!(wrong.is_empty(), "not as the page says:\n{}", wrong.join("\n"));
}

fn told(error: tokio::task::JoinError) -> String {
    let panic = error.into_panic();
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
}
