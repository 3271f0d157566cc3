//! Faults between a client and the API: a proxy on the loopback, for one request and its answer.
//!
//! It speaks HTTP, or it could not tell an answer that was produced and lost from one that was never produced. What it
//! takes from the client it keeps for the report: [`Lost::Withheld`].
//!
//! Invariant: it is bounded as what it carries is. It takes one connection, reads one request and one answer, each no
//! larger than without it, and ends with the exchange.

mod cut;

use std::{convert::Infallible, io, time::Duration};

use bytes::Bytes;
use http::{HeaderName, Response, header};
use http_body_util::{BodyExt, Either, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::sleep,
};

use crate::call::{Answer, Fault, Lost, Manner, Origin, Outcome, Place, Request, Way, exchange};
use cut::Cut;

/// Sends a request, with the fault that it is to meet; directly if there is none. It has its place until what the API
/// does for it is over.
pub(crate) async fn carry(way: &Way, request: &Request, place: Place) -> Outcome {
    let outcome = match request.fault {
        Fault::None => exchange(way, request).await,
        _ => through(way, request, place.clone()).await,
    };
    drop(place);
    outcome
}

async fn through(way: &Way, request: &Request, place: Place) -> Outcome {
    let none = |error: io::Error| Lost::NotReached(format!("the proxy that makes faults: {error}"));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(none)?;
    let here =
        Origin { tls: false, host: "127.0.0.1".into(), port: listener.local_addr().map_err(none)?.port() };
    let (tell, mut told) = mpsc::channel(1);
    let between = Between { way: way.clone(), request: request.clone(), place, tell };
    let serving = tokio::spawn(async move {
        // One connection: nobody else is served.
        if let Ok((stream, _)) = listener.accept().await {
            drop(listener);
            between.serve(stream).await;
        }
    });
    let here = Way { origin: here, patience: way.patience + delay(request.fault), ..way.clone() };
    let seen = exchange(&here, request).await;
    // What it still carries to the API runs on by itself; nobody waits at the proxy any more.
    serving.abort();
    // However it ended, it is gone.
    let _ = serving.await;
    match (seen, told.try_recv()) {
        (Err(Lost::BrokeOff(_)), Ok(Ok(answer))) => Err(Lost::Withheld(Box::new(answer))),
        // The API's own failure, and not ours.
        (Err(Lost::BrokeOff(_)), Ok(Err(lost))) => Err(lost),
        (seen, _) => seen,
    }
}

/// By how much a fault delays.
const fn delay(fault: Fault) -> Duration {
    match fault {
        Fault::AnswerLate(delay) | Fault::RequestLate(delay) => delay,
        Fault::None | Fault::AnswerDropped | Fault::AnswerCut | Fault::Duplicated => Duration::ZERO,
    }
}

/// One request between a client and the API.
struct Between {
    way: Way,
    request: Request,
    place: Place,
    /// What the API has answered.
    tell: mpsc::Sender<Outcome>,
}

impl Between {
    async fn serve(&self, stream: TcpStream) {
        let service = service_fn(async |arriving: http::Request<Incoming>| self.answer(arriving).await);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), service);
        // It breaks off whenever that is the fault.
        drop(connection.await);
    }

    /// `Err`: the connection ends here and now.
    async fn answer(&self, arriving: http::Request<Incoming>) -> io::Result<Response<Either<Whole, Cut>>> {
        // What has not arrived whole goes nowhere, as without the proxy it would not have arrived either.
        arriving.into_body().collect().await.map_err(io::Error::other)?;
        let outcome = self.carried().await;
        // Of an answer that found no room only the beginning is here.
        let told = outcome.clone().and_then(|answer| match answer.body.whole() {
            Some(_) => Ok(answer),
            None => Err(Lost::TooLarge),
        });
        // A client that has gone does not ask.
        let _ = self.tell.try_send(told);
        let Answer { status, headers, body, .. } = outcome.map_err(|_| io::ErrorKind::ConnectionAborted)?;
        let body = body.whole().cloned().ok_or(io::ErrorKind::ConnectionAborted)?;
        let body = match self.request.fault {
            Fault::AnswerDropped => return Err(io::ErrorKind::ConnectionAborted.into()),
            // Half of nothing is nothing.
            Fault::AnswerCut if body.len() < 2 => return Err(io::ErrorKind::ConnectionAborted.into()),
            Fault::AnswerCut => Either::Right(Cut::in_the_middle(&body)),
            Fault::None | Fault::AnswerLate(_) | Fault::RequestLate(_) | Fault::Duplicated => {
                Either::Left(Full::new(body).map_err(never as fn(Infallible) -> io::Error))
            }
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        for name in &OF_THE_CONNECTION {
            response.headers_mut().remove(name);
        }
        Ok(response)
    }

    /// What the API answers, in a task of its own: a client that hangs up here does not hang up there.
    async fn carried(&self) -> Outcome {
        let (way, place, fault) = (self.way.clone(), self.place.clone(), self.request.fault);
        let request = Request { manner: Manner::Whole, fault: Fault::None, ..self.request.clone() };
        let carrying = tokio::spawn(async move {
            let _place = place;
            match fault {
                Fault::RequestLate(late) => sleep(late).await,
                Fault::Duplicated => return twice(&way, &request).await,
                Fault::None | Fault::AnswerDropped | Fault::AnswerCut | Fault::AnswerLate(_) => {}
            }
            let outcome = exchange(&way, &request).await;
            if let Fault::AnswerLate(late) = fault {
                sleep(late).await;
            }
            outcome
        });
        carrying.await.expect("an exchange does not panic")
    }
}

/// Sends a request twice at once, and waits for both: only then is it over what they did.
async fn twice(way: &Way, request: &Request) -> Outcome {
    let (one, other) = tokio::join!(exchange(way, request), exchange(way, request));
    match (one, other) {
        (Ok(one), Ok(other)) => Ok(if other.took < one.took { other } else { one }),
        (Ok(answer), Err(_)) | (Err(_), Ok(answer)) => Ok(answer),
        (Err(lost), Err(_)) => Err(lost),
    }
}

fn never(never: Infallible) -> io::Error {
    match never {}
}

/// A body that goes out whole.
type Whole = http_body_util::combinators::MapErr<Full<Bytes>, fn(Infallible) -> io::Error>;

/// Those that speak of one connection, and not of the answer (RFC 9110, section 7.6.1), and the length, which is told
/// anew.
const OF_THE_CONNECTION: [HeaderName; 5] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::CONTENT_LENGTH,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        call::{Places, Room},
        fixture::Fixture,
        plan::Plan,
    };

    fn way(origin: Origin) -> Way {
        Way { origin, patience: Duration::from_secs(5), room: Room::default() }
    }

    fn place() -> Place {
        Places::of(2).take(&[2]).unwrap().remove(0)
    }

    /// What the client sees of a request that meets `fault`, and how many effects it has had.
    async fn meets(fault: Fault) -> (Outcome, usize) {
        let fixture = Fixture::start(None).await.unwrap();
        let plan: Plan = fixture.plan();
        let mut request = plan.operations.create.request().meeting(fault);
        request.headers.extend(plan.credentials.first.clone());
        let way = way(plan.target.clone());
        let seen = carry(&way, &request, place()).await;
        let mut count = plan.counter.as_ref().unwrap().question().unwrap().request();
        count.headers.extend(plan.credentials.first.clone());
        let counted = exchange(&way, &count).await.unwrap();
        (seen, counted.json().unwrap().as_array().unwrap().len())
    }

    #[tokio::test]
    async fn an_answer_that_is_lost_was_given() {
        for fault in [Fault::AnswerDropped, Fault::AnswerCut] {
            match meets(fault).await {
                (Err(Lost::Withheld(answer)), 1) => assert_eq!(answer.status, 201),
                other => panic!("{fault:?}: {other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn what_is_late_arrives_and_what_is_doubled_arrives_twice() {
        let late = Duration::from_millis(50);
        for (fault, expected) in
            [(Fault::AnswerLate(late), 1), (Fault::RequestLate(late), 1), (Fault::Duplicated, 2)]
        {
            let (seen, effects) = meets(fault).await;
            assert_eq!(seen.unwrap().status, 201, "{fault:?}");
            assert_eq!(effects, expected, "{fault:?}");
        }
    }

    #[tokio::test]
    async fn an_api_that_is_not_there_is_no_fault_of_the_way() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let nowhere = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        drop(listener);
        let fixture = Fixture::start(None).await.unwrap();
        let request = fixture.plan().operations.create.request().meeting(Fault::AnswerDropped);
        let seen = carry(&way(nowhere), &request, place()).await;
        assert!(matches!(seen, Err(Lost::NotReached(_))), "{seen:?}");
    }
}
