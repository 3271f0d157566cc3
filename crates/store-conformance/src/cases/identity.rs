//! The identity row: written once, and later only over what was read.

use std::sync::Arc;

use bytes::Bytes;

use super::Ending;
use crate::{place::Subject, report::ensure};

pub(super) async fn the_identity_is_replaced_only_if_it_stands(subject: &mut Subject) -> Ending {
    let store = subject.store();
    let (first, second) = (Bytes::from_static(b"first"), Bytes::from_static(b"second"));
    ensure!(store.identity().await?.is_none(), "an empty store has an identity");
    ensure!(!store.set_identity(Some(b"other"), first.clone()).await?, "it replaced what does not stand");
    ensure!(store.set_identity(None, first.clone()).await?, "a first identity was refused");
    ensure!(!store.set_identity(None, second.clone()).await?, "a second identity replaced the first");
    ensure!(!store.set_identity(Some(b"other"), second.clone()).await?, "it replaced another than expected");
    ensure!(store.identity().await? == Some(first.clone()), "the first identity does not stand");
    ensure!(store.set_identity(Some(&first), second.clone()).await?, "the identity was not replaced");
    ensure!(store.identity().await? == Some(second), "the new identity does not stand");
    Ok(())
}

/// Two processes that start on an empty ledger must agree on its key.
pub(super) async fn of_16_concurrent_identities_one_stands(subject: &mut Subject) -> Ending {
    let store = subject.store();
    let tries: Vec<_> = (0..16_u8)
        .map(|number| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.set_identity(None, Bytes::from(vec![number; 90])).await })
        })
        .collect();
    let mut won = Vec::new();
    for (number, task) in (0..16_u8).zip(tries) {
        if task.await.expect("writing the identity does not panic")? {
            won.push(Bytes::from(vec![number; 90]));
        }
    }
    ensure!(won.len() == 1, "{} identities were accepted", won.len());
    ensure!(store.identity().await?.as_ref() == won.first(), "another identity than the accepted one stands");
    Ok(())
}
