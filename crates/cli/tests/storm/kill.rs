//! The kill: when it falls, and what it hits.

use std::time::Duration;

use onlyonce_http::fault::Window;
use tokio::time::sleep;

use crate::{
    chance::Chance,
    gateway::{Gateway, Setup},
    traffic::{IN_FLIGHT, Traffic},
};

/// How many requests a window holds when the kill falls: this and up to as many more.
const HELD: usize = 16;
/// The most that a kill comes later than that.
const LATER: Duration = Duration::from_millis(80);
/// How long a window may take to fill.
const FILLS: Duration = Duration::from_secs(20);

/// Which window is hit, and how full it is to be.
pub(crate) struct Aim {
    window: Window,
    pub(crate) held: usize,
}

/// What a kill has hit.
pub(crate) struct Hit {
    /// Requests that were sent and had no whole answer.
    pub(crate) in_flight: usize,
    /// Those of them that were in the window.
    pub(crate) held: usize,
}

/// The same gateway, but every other request that comes to `window` stays there.
pub(crate) fn armed(setup: Setup, window: Window) -> Setup {
    setup.argument("--fault").argument(window.as_str())
}

impl Aim {
    /// At a window, somewhere between half and quite full.
    pub(crate) fn at(window: Window, chance: &mut Chance) -> Self {
        Self { window, held: HELD + chance.below(HELD + 1) }
    }

    /// Waits until the window holds `held` requests; `false` if that does not happen.
    pub(crate) async fn holds(&self, gateway: &Gateway, held: usize) -> bool {
        gateway.process.line(&format!("parked {} {held}", self.window.as_str()), FILLS).await.is_some()
    }

    /// Kills the gateway when the window is full. `None`: the kill caught too little to count.
    pub(crate) async fn kill(
        &self,
        gateway: &mut Gateway,
        traffic: Traffic,
        mut chance: Chance,
    ) -> Option<Hit> {
        let full = self.holds(gateway, self.held).await && traffic.is_dense().await;
        sleep(chance.time_below(LATER)).await; // bounded: LATER
        let in_flight = traffic.in_flight();
        gateway.process.kill9().await;
        traffic.end().await;
        let lines = gateway.process.stderr();
        let held = lines.iter().filter(|line| line.starts_with("parked ")).count();
        (full && in_flight >= IN_FLIGHT).then_some(Hit { in_flight, held })
    }
}
