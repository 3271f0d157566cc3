//! The page server's routes.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::middleware::map_response;
use axum::response::{Html as HtmlPage, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::answer::answer;
use super::form::{Form, KEY, PRINCIPAL, User};
use super::ledger::ledger;
use super::network::{Delivery, Network, broken_answer};
use super::side::{Lane, Sides};
use super::view::{ICON, SCRIPT, STYLE, View};
use super::{key, template};
use crate::demo::Addresses;

/// Where a script of the page says whom it acts as: `luis`, or else Ana.
const USER: HeaderName = HeaderName::from_static("demo-user");

/// More than any request of the page.
const REQUEST_LIMIT: usize = 16 << 10;

/// Nothing but what this listener serves, and no script but the page's own.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What every handler sees.
struct Site {
    addresses: Addresses,
    sides: Sides,
}

pub(crate) fn router(addresses: Addresses, sides: Sides) -> Router {
    Router::new()
        .route("/", get(new_form))
        .route("/pay/{lane}", post(pay))
        .route("/through/{lane}/transfers", post(through))
        .route("/ledger/{lane}", get(books))
        .route("/start-over", post(start_over))
        .route("/style.css", get(|| file("text/css; charset=utf-8", STYLE)))
        .route("/page.js", get(|| file("text/javascript; charset=utf-8", SCRIPT)))
        .route("/icon.svg", get(|| file("image/svg+xml", ICON)))
        .layer(DefaultBodyLimit::max(REQUEST_LIMIT))
        .layer(map_response(harden))
        .with_state(Arc::new(Site { addresses, sides }))
}

/// A fresh form is a fresh intent: it gets a key of its own.
async fn new_form(State(site): State<Arc<Site>>, Query(form): Query<Form>) -> Response {
    let view = View { key: &key::mint(), switches: form.switches(), answer: None };
    page(&site, StatusCode::OK, view)
}

/// The classic form. The answering page keeps the key, so reloading it, paying again from it or going back
/// and paying again are all the same intent.
async fn pay(
    State(site): State<Arc<Site>>,
    Path(lane): Path<Lane>,
    axum::Form(form): axum::Form<Form>,
) -> Response {
    let Ok(headers) = form.headers(lane) else {
        return (StatusCode::BAD_REQUEST, "the form's key cannot stand in a header").into_response();
    };
    let switches = form.switches();
    let delivery = switches.network.deliver(site.sides.of(lane), headers, switches.body()).await;
    let (status, html) = answer(&delivery);
    page(&site, status, View { key: &form.key, switches, answer: Some((lane, html)) })
}

/// A request of the page's script, on its way to either side.
async fn through(
    State(site): State<Arc<Site>>,
    Path(lane): Path<Lane>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let network = Network::from_headers(&headers);
    match network.deliver(site.sides.of(lane), travelling(&headers), body).await {
        Delivery::Answered(answer) => answer.map(Body::from),
        Delivery::Lost => broken_answer(),
        Delivery::Failed(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

async fn books(State(site): State<Arc<Site>>, Path(lane): Path<Lane>) -> HtmlPage<String> {
    HtmlPage(ledger(site.sides.of(lane)).0)
}

async fn start_over(State(site): State<Arc<Site>>) -> Redirect {
    site.sides.start_over();
    Redirect::to("/")
}

async fn file(content_type: &'static str, content: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, content_type)], content)
}

/// The headers that travel on: these and no others, so that a client's `x-principal`, its cookies for other
/// ports of this machine and its credentials stay behind.
fn travelling(sent: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for name in [header::CONTENT_TYPE, header::ACCEPT, KEY] {
        for value in sent.get_all(&name) {
            headers.append(&name, value.clone());
        }
    }
    let by_luis = sent.get(USER).is_some_and(|user| user == "luis");
    headers.insert(PRINCIPAL, if by_luis { User::Luis } else { User::Ana }.principal());
    headers
}

fn page(site: &Site, status: StatusCode, view: View<'_>) -> Response {
    let template::Html(html) = view.render(site.addresses, &site.sides);
    (status, HtmlPage(html)).into_response()
}

async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
