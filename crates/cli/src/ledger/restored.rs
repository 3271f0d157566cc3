//! `ledger restored`: what was done before may be missing, and is not taken for new.

use std::time::{Duration, UNIX_EPOCH};

use clap::Args;
use onlyonce_backends::{Noted, Place};
use onlyonce_core::{
    Timestamp,
    time::{CLOCKS_APART, duration_ms},
};

use super::{
    Failure, Which,
    consent::{self, Question},
};
use crate::exit::tell;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// When it was restored, such as 2026-11-23T10:12:07Z: keys made before that, and not on record, are refused. Now, if it is
    /// left out
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,
    /// Do not ask before keys are refused
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let place = arguments.which.place()?;
    if !arguments.yes {
        consent::obtain(&Question {
            does: &format!("has the gateways of {place} refuse keys that they would take"),
            asks: &format!(
                "From now on the gateways of {place} refuse keys that nothing is on record for: those that were made before it \
                 was restored, and where a route needs a key also those that do not tell when they were made. It cannot be \
                 taken back."
            ),
            hint: "",
        })?;
    }
    tell(&told(&place, &place.restored(arguments.since).await?));
    Ok(())
}

fn told(place: &Place, noted: &Noted) -> String {
    let before = noted.before;
    // To the second, and not too early.
    let new = before.plus(CLOCKS_APART + Duration::from_millis(999));
    let until_then = match noted.until_then {
        Some(time) if time == before => {
            return format!(
                "{place}: nothing has changed: that it was restored is noted for {before} already, and the latest time counts. \
                 Keys that tell when they were made are new from {new} on"
            );
        }
        Some(time) => format!(" (until now it was {time})"),
        None => String::new(),
    };
    format!(
        "{place}: keys from before {before}{until_then} that nothing is on record for are refused from now on, for as long as \
         their route remembers keys. As clocks are not alike, those that tell when they were made are new from {new} on. Refused \
         are also keys that do not tell when they were made, where a route needs a key or says `after_restore = \"refuse\"`\n\n\
         next: let its gateways serve, from {new} on: before that, fresh keys that tell when they were made are refused, too, \
         and their clients told to stop. Gateways that run have seen it within seconds. It cannot be taken back; a route that \
         says `after_restore = \"new\"` takes keys that do not tell when they were made for new, and what was forgotten of \
         them may run twice"
    )
}

fn time(text: &str) -> Result<Timestamp, String> {
    let wrong = || format!("`{text}` is no time: write it in UTC, such as 2026-11-23T10:12:07Z");
    let time = humantime::parse_rfc3339_weak(text).map_err(|_| wrong())?;
    let since = time.duration_since(UNIX_EPOCH).map_err(|_| wrong())?;
    Ok(Timestamp::from_ms(duration_ms(since)))
}
