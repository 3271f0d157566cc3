//! `ledger migrate`: tables that this version can use.

use super::{Failure, Which};
use crate::exit::tell;

pub(super) async fn run(which: &Which) -> Result<(), Failure> {
    let place = which.place()?;
    match place.migrate().await? {
        Some(done) => tell(&format!("{place}: {done}")),
        None => {
            tell(&format!("{place}: there is nothing to do; a gateway makes such a ledger when it starts"))
        }
    }
    Ok(())
}
