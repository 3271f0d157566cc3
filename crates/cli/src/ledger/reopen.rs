//! `ledger reopen`: an export is taken back, or an import given up.

use onlyonce_backends::Reopened;

use super::{Failure, Which};
use crate::exit::tell;

pub(super) async fn run(which: &Which) -> Result<(), Failure> {
    let place = which.place()?;
    tell(&match place.reopen().await? {
        Reopened::Exported => format!(
            "{place}: it takes keys again\n\nnext: see to it that no gateway uses what was exported. Two ledgers that both take \
             keys act twice"
        ),
        Reopened::Importing => format!(
            "{place}: the import is given up, and it takes keys again\n\nWhat was imported stays. What only the rest of the \
             file has is not here: its keys are new to this ledger, and run again"
        ),
        Reopened::WasOpen => format!("{place}: it is open"),
    });
    Ok(())
}
