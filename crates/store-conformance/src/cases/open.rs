//! The pages of records: the open ones, which start-up converts and an operator settles, and all of them, by which a
//! ledger is moved.

use bytes::Bytes;
use onlyonce_core::{RecordId, codec};
use onlyonce_ledger::store::{Reply, Row};

use super::{Ending, write};
use crate::{
    place::Subject,
    report::{Stop, ensure},
    rows::{completed, id, in_progress, insert, later, unknown, update, version},
};

pub(super) async fn open_rows_come_once_each_in_order_page_by_page(subject: &mut Subject) -> Ending {
    let store = subject.store();
    let mut expected = Vec::new();
    // Written from the last to the first, one in three of them closed.
    for number in (0..30).rev() {
        let record = match number % 3 {
            0 => in_progress(version(1, 1)),
            1 => unknown(version(1, 1)),
            _ => completed(version(1, 1), later(store.now(), 3600)),
        };
        let id = id(number * 999);
        write(&*store, insert(id, &record)).await?;
        if record.is_open() {
            expected.insert(0, (id, codec::encode(&record)));
        }
    }
    pages_hold(&expected, |after, size| store.open(after, size)).await
}

pub(super) async fn rows_of_every_kind_come_once_each_in_order_page_by_page(subject: &mut Subject) -> Ending {
    let mut expected = Vec::new();
    for (number, row) in [(20, Bytes::from_static(&[0; 64])), (0, Bytes::from_static(b"short"))] {
        subject.plant(id(number * 999), row.clone()).await;
        expected.insert(0, (id(number * 999), row));
    }
    let store = subject.store();
    for number in (0..30).rev().filter(|number| number % 20 != 0) {
        let record = match number % 3 {
            0 => in_progress(version(1, 1)),
            1 => unknown(version(1, 1)),
            _ => completed(version(1, 1), later(store.now(), 3600)),
        };
        let id = id(number * 999);
        write(&*store, insert(id, &record)).await?;
        expected.push((id, codec::encode(&record)));
    }
    expected.sort_by_key(|(id, _)| *id);
    pages_hold(&expected, |after, size| store.rows(after, size)).await
}

/// Fails unless pages of any size hold these rows.
async fn pages_hold<'a>(
    expected: &[Row],
    page: impl Fn(Option<RecordId>, usize) -> Reply<'a, Vec<Row>>,
) -> Ending {
    for size in [1, 7, 20, 64] {
        let rows = all(&page, size).await?;
        ensure!(rows == expected, "pages of {size} hold {} of {} rows", rows.len(), expected.len());
    }
    Ok(())
}

async fn all<'a>(
    page: impl Fn(Option<RecordId>, usize) -> Reply<'a, Vec<Row>>,
    size: usize,
) -> Result<Vec<Row>, Stop> {
    let mut rows: Vec<Row> = Vec::new();
    // A store that gives the same page for ever ends here.
    while rows.len() <= 64 {
        let page = page(rows.last().map(|(id, _)| *id), size).await?;
        ensure!(page.len() <= size, "a page of {size} holds {}", page.len());
        if page.is_empty() {
            break;
        }
        rows.extend(page);
    }
    Ok(rows)
}

pub(super) async fn a_row_is_listed_as_open_exactly_while_it_is(subject: &mut Subject) -> Ending {
    let store = subject.store();
    let until = later(store.now(), 3600);
    write(&*store, insert(id(1), &in_progress(version(1, 1)))).await?;
    ensure!(store.open(None, 8).await?.len() == 1, "a claimed row is not listed");
    write(&*store, update(id(1), version(1, 1), &completed(version(1, 2), until))).await?;
    ensure!(store.open(None, 8).await?.is_empty(), "a completed row is listed");
    let claimed = in_progress(version(2, 3));
    write(&*store, update(id(1), version(1, 2), &claimed)).await?;
    let open = store.open(None, 8).await?;
    ensure!(open == [(id(1), codec::encode(&claimed))], "a row that is claimed again is listed as {open:?}");
    Ok(())
}

pub(super) async fn a_store_is_empty_only_without_any_row(subject: &mut Subject) -> Ending {
    let store = subject.store();
    ensure!(store.is_empty().await?, "a new store has rows");
    let until = later(store.now(), 3600);
    write(&*store, insert(id(1), &in_progress(version(1, 1)))).await?;
    ensure!(!store.is_empty().await?, "with an open row it is empty");
    write(&*store, update(id(1), version(1, 1), &completed(version(1, 2), until))).await?;
    ensure!(!store.is_empty().await?, "with a completed row it is empty");
    Ok(())
}
