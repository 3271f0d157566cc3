//! `ledger reopen`: an export is taken back.

use super::{Failure, Which};
use crate::exit::tell;

pub(super) async fn run(which: &Which) -> Result<(), Failure> {
    let place = which.place()?;
    tell(&match place.reopen().await? {
        true => format!(
            "{place}: it takes keys again\n\nnext: see to it that no gateway uses what was exported. Two ledgers that both take \
             keys act twice"
        ),
        false => format!("{place}: it is open"),
    });
    Ok(())
}
