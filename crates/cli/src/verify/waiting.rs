//! The first connection: an API that was started a moment ago may not listen yet.

use std::{io, time::Duration};

use onlyonce_verify::call::Origin;
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::exit::tell;

/// How long it may take until it listens.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long until it is tried again.
const AGAIN: Duration = Duration::from_millis(100);

/// Waits while connections are refused, but not for ever. Whether that was enough shows in the preflight, as does
/// everything else that may be wrong.
pub(super) async fn until_it_listens(target: &Origin) {
    let listening = async {
        if is_refused(target).await {
            let most = PATIENCE.as_secs();
            tell(&format!("{target} refuses connections; it is tried again for at most {most} s"));
            while is_refused(target).await {
                sleep(AGAIN).await;
            }
        }
    };
    // Too late is told by the preflight.
    let _ = timeout(PATIENCE, listening).await;
}

async fn is_refused(target: &Origin) -> bool {
    let connected = TcpStream::connect((target.host.as_str(), target.port)).await;
    connected.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}
