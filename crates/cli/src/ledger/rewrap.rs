//! `ledger rewrap`: another secret for the same ledger.

use onlyonce_backends::NEW_SECRET;

use super::{Failure, SECRET, Which, variable};
use crate::exit::tell;

pub(super) async fn run(which: &Which) -> Result<(), Failure> {
    let place = which.place()?;
    let new = variable(NEW_SECRET)?.ok_or_else(|| {
        Failure::config(format!(
            "{NEW_SECRET} is not set: it holds the secret that the ledger gets, {SECRET} the one that it has. \
             `openssl rand -hex 32` makes one"
        ))
    })?;
    place.rewrap(variable(SECRET)?, new).await?;
    tell(&format!(
        "{place}: it opens with the new secret, and no more with the old one\n\nnext: set {SECRET} to the new secret \
         wherever a gateway of this ledger starts. Those that run go on, and need no restart"
    ));
    Ok(())
}
