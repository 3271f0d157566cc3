//! The first connection: an API that was started a moment ago may not listen yet, nor its name be known.

use std::{io, time::Duration};

use onlyonce_verify::call::Origin;
use tokio::{
    net::{TcpStream, lookup_host},
    time::{sleep, timeout},
};

use crate::exit::tell;

/// How long it may take until it listens.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long until it is tried again.
const AGAIN: Duration = Duration::from_millis(100);

/// What may be otherwise in a moment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Absent {
    /// A container's name is known once it runs.
    NoAddress,
    Refused,
}

/// Waits while no address is known for its name or connections are refused, but not for ever. Whether that was enough shows
/// in the preflight, as does everything else that may be wrong.
pub(super) async fn until_it_listens(target: &Origin) {
    let listening = async {
        let mut told = None;
        while let Some(absent) = absent(target).await {
            if told != Some(absent) {
                let (seen, most) = (absent.seen(target), PATIENCE.as_secs());
                tell(&format!("{seen}; it is tried again for at most {most} s"));
                told = Some(absent);
            }
            sleep(AGAIN).await;
        }
    };
    // Too late is told by the preflight.
    let _ = timeout(PATIENCE, listening).await;
}

async fn absent(target: &Origin) -> Option<Absent> {
    let Ok(found) = lookup_host((target.host.as_str(), target.port)).await else {
        return Some(Absent::NoAddress);
    };
    let connected = TcpStream::connect(&*found.collect::<Vec<_>>()).await;
    let refused = connected.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    refused.then_some(Absent::Refused)
}

impl Absent {
    fn seen(self, target: &Origin) -> String {
        match self {
            Self::NoAddress => format!("no address is known for {}", target.host),
            Self::Refused => format!("{target} refuses connections"),
        }
    }
}
