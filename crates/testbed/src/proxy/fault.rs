//! What happens to a connection through the proxy.

use std::time::Duration;

use crate::{Close, Gate};

/// What happens to the two directions of a connection.
#[derive(Clone, Debug)]
pub struct Fault {
    /// From the client to the server.
    pub up: Flow,
    /// From the server to the client.
    pub down: Flow,
}

/// What happens to one direction.
#[derive(Clone, Debug)]
pub enum Flow {
    /// All bytes pass.
    Pass,
    /// Exactly this many bytes pass. When the next one comes, it is dropped, and the connection ends on both
    /// sides in this way.
    CutAfter(u64, Close),
    /// Bytes are read and dropped; the connection stays.
    Swallow,
    /// Bytes pass, each read so much later.
    Delay(Duration),
    /// Once a byte has come, it and all after it wait until the gate lets this connection through.
    Hold(Gate),
}

impl Fault {
    /// All bytes pass.
    pub fn none() -> Self {
        Self { up: Flow::Pass, down: Flow::Pass }
    }

    /// RST on both sides when the client has sent more than `n` bytes; the server gets the first `n`.
    pub fn cut_up(n: u64) -> Self {
        Self { up: Flow::CutAfter(n, Close::Reset), down: Flow::Pass }
    }

    /// RST on both sides when the server has sent more than `n` bytes; the client gets the first `n`.
    pub fn cut_down(n: u64) -> Self {
        Self { up: Flow::Pass, down: Flow::CutAfter(n, Close::Reset) }
    }

    /// The server has the request and answers; the client gets FIN without a byte.
    pub fn drop_answer() -> Self {
        Self { up: Flow::Pass, down: Flow::CutAfter(0, Close::Fin) }
    }

    /// The server has the request and answers; the client waits for ever.
    pub fn swallow_answer() -> Self {
        Self { up: Flow::Pass, down: Flow::Swallow }
    }

    /// Each read takes so much longer on its way to the server.
    pub fn delay_up(by: Duration) -> Self {
        Self { up: Flow::Delay(by), down: Flow::Pass }
    }

    /// Each read takes so much longer on its way to the client.
    pub fn delay_down(by: Duration) -> Self {
        Self { up: Flow::Pass, down: Flow::Delay(by) }
    }

    /// The request waits at `gate`.
    pub fn hold_up(gate: &Gate) -> Self {
        Self { up: Flow::Hold(gate.clone()), down: Flow::Pass }
    }

    /// The answer waits at `gate`.
    pub fn hold_down(gate: &Gate) -> Self {
        Self { up: Flow::Pass, down: Flow::Hold(gate.clone()) }
    }
}
