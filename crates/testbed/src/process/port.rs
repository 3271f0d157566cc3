//! A port for a server that is started later.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

/// A port on 127.0.0.1, kept as long as this lives.
///
/// It is bound and does not listen: connections are refused, the kernel gives the port to nobody else, and
/// a server that binds with `SO_REUSEADDR` (tokio, Python's `http.server`, most others) can listen on it, be
/// killed, and listen on it again. There is no moment at which somebody else could take it.
#[derive(Debug)]
pub struct Port {
    _socket: TcpSocket,
    addr: SocketAddr,
}

impl Port {
    /// Reserves a free port.
    pub fn reserve() -> Self {
        Self::reserve_number(0).expect("loopback has a free port")
    }

    /// Reserves the port of this number, unless somebody has it.
    pub fn reserve_number(number: u16) -> Option<Self> {
        let socket = TcpSocket::new_v4().expect("a process may have one more socket");
        socket.set_reuseaddr(true).expect("a fresh socket takes options");
        socket.bind((Ipv4Addr::LOCALHOST, number).into()).ok()?;
        let addr = socket.local_addr().expect("a bound socket has an address");
        Some(Self { _socket: socket, addr })
    }

    /// Its address.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.addr.port()
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        client::{Kind, Request, send},
        effects::Upstream,
    };

    #[tokio::test]
    async fn a_reserved_port_refuses_until_a_server_listens_there_again_and_again() {
        let port = Port::reserve();
        for _ in 0..3 {
            let refused = send(port.addr(), &Request::get("/")).await.unwrap_err();
            assert_eq!(refused.kind(), Kind::Refused);
            let upstream =
                Upstream::start_on(port.addr(), |_| async { crate::effects::Answer::new(204) }).await;
            assert_eq!(send(port.addr(), &Request::get("/")).await.unwrap().status, 204);
            upstream.stop().await;
        }
        assert_ne!(Port::reserve().number(), port.number());
    }
}
