//! What `onlyonce demo` prints, and what the page repeats: addresses, and the same story for a terminal.

use std::fmt;
use std::net::SocketAddr;

use crate::demo::Addresses;

/// The key of the printed story. One fixed key is enough: the demo's ledger begins empty at each start.
const KEY: &str = "ana-pays-luis-once";

/// Everything that is printed once the demo runs.
pub(crate) struct Instructions(pub(crate) Addresses);

/// The `curl` lines alone.
pub(crate) struct Terminal(pub(crate) Addresses);

impl fmt::Display for Instructions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Addresses { page, gateway, bank, twin } = self.0;
        writeln!(f, "Open this page and double-click Pay:\n")?;
        writeln!(f, "    http://{page}/\n")?;
        writeln!(
            f,
            "gateway       http://{gateway}   believes x-principal, since only this machine can reach it"
        )?;
        writeln!(f, "its bank      http://{bank}   naive: moves money each time it is asked")?;
        writeln!(f, "naive twin    http://{twin}   the same bank without a gateway\n")?;
        writeln!(f, "The same from a terminal:\n")?;
        for line in Terminal(self.0).to_string().lines() {
            writeln!(f, "    {line}")?;
        }
        writeln!(f, "\nPlay money, kept in memory. Ctrl-C ends the demo.")
    }
}

impl fmt::Display for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Addresses { gateway, twin, .. } = self.0;
        writeln!(f, "# Pay, and pay again with the same key: one payment, the same answer twice.")?;
        let keyed = Pay { amount: 100, to: gateway, key: Some(KEY) };
        writeln!(f, "{keyed}\n{keyed}\n")?;
        writeln!(f, "# The same key for another amount: 422, and nothing is paid.")?;
        writeln!(f, "{}\n", Pay { amount: 250, to: gateway, key: Some(KEY) })?;
        writeln!(f, "# The naive twin: two requests, two payments.")?;
        let bare = Pay { amount: 100, to: twin, key: None };
        writeln!(f, "{bare}\n{bare}\n")?;
        writeln!(f, "# What each bank did.")?;
        writeln!(f, "curl http://{gateway}/transfers -H 'x-principal: ana'")?;
        writeln!(f, "curl http://{twin}/transfers")
    }
}

/// One `curl` line by which Ana pays Luis.
struct Pay {
    amount: u32,
    to: SocketAddr,
    key: Option<&'static str>,
}

impl fmt::Display for Pay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "curl -i http://{}/transfers", self.to)?;
        write!(f, " --json '{{\"from\":\"ana\",\"to\":\"luis\",\"amount\":{}}}'", self.amount)?;
        match self.key {
            Some(key) => write!(f, " -H 'x-principal: ana' -H 'Idempotency-Key: \"{key}\"'"),
            None => Ok(()),
        }
    }
}
