//! Clients that go away.

use std::net::SocketAddr;

use super::{Connection, Error, Request, request::Written};
use crate::Close;

/// Where in an exchange a client goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// After the head was written, before the body.
    AfterHead,
    /// After half of the body was written (as framed on the wire).
    MidBody,
    /// After the last byte of the request, without reading.
    AfterRequest,
    /// After exactly this many bytes of the answer were read.
    AfterAnswerBytes(usize),
}

/// Sends `request` on a fresh connection as far as `point`, then ends the connection with `close`.
///
/// To go away at a moment that the upstream decides, open a [`Connection`], [`start`](Connection::start)
/// the request, await the upstream's gate, and [`close`](Connection::close).
pub async fn abandon(
    addr: impl Into<SocketAddr>,
    request: &Request,
    point: Point,
    close: Close,
) -> Result<(), Error> {
    let mut connection = Connection::open(addr).await?;
    let Written { head, body } = request.written(connection.peer());
    connection.write(&head).await?;
    let written = match point {
        Point::AfterHead => 0,
        Point::MidBody => body.len() / 2,
        Point::AfterRequest | Point::AfterAnswerBytes(_) => body.len(),
    };
    connection.write(body.get(..written).unwrap_or_default()).await?;
    if let Point::AfterAnswerBytes(n) = point {
        connection.read(n).await?;
    }
    connection.close(close);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hostile::{Behaviour, Hostile};

    #[tokio::test]
    async fn a_client_goes_away_where_it_is_told_to() {
        let request = Request::post("/").body("0123456789");
        for close in [Close::Fin, Close::Reset] {
            for (point, whole) in [
                (Point::AfterHead, false),
                (Point::MidBody, false),
                (Point::AfterRequest, true),
                (Point::AfterAnswerBytes(12), true),
            ] {
                let hostile = Hostile::start(Behaviour::AnswersSlowly).await;
                abandon(hostile.addr(), &request, point, close).await.unwrap();
                hostile.heads_arrived(1).await;
                if whole {
                    hostile.bodies_arrived(1).await;
                }
                assert_eq!(hostile.bodies(), usize::from(whole), "{point:?} {close:?}");
            }
        }
    }

    #[tokio::test]
    async fn an_answer_shorter_than_its_point_is_an_error() {
        let hostile = Hostile::start(Behaviour::ClosesMidHead).await;
        let (request, point) = (Request::get("/"), Point::AfterAnswerBytes(4096));
        let abandoned = abandon(hostile.addr(), &request, point, Close::Fin).await;
        assert_eq!(abandoned.unwrap_err().kind(), crate::client::Kind::Truncated);
    }
}
