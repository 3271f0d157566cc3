//! `ledger migrate`: a schema that this version can use.

use onlyonce_gateway::StartError;

use super::Which;
use crate::exit::tell;

pub(super) async fn run(which: &Which) -> Result<(), StartError> {
    let place = which.place()?;
    match place.migrate().await? {
        Some(done) => tell(&format!("{place}: {done}")),
        None => {
            tell(&format!("{place}: there is nothing to do; a gateway makes such a ledger when it starts"))
        }
    }
    Ok(())
}
