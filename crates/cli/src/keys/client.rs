//! HTTP to the admin listener: one small request per connection, bounded in time and size.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::{net::TcpStream, time::timeout};

use super::failure::Failure;

const CONNECT_TIME: Duration = Duration::from_secs(3);
/// A page of settlements may have to wait for many syncs.
const ANSWER_TIME: Duration = Duration::from_secs(60);
const ANSWER_MAX: usize = 16 * 1024 * 1024;

/// The way to one admin listener.
pub(super) struct Client {
    address: String,
    host: HeaderValue,
    authorization: Option<HeaderValue>,
}

/// How a call did not succeed.
#[derive(Debug)]
pub(super) enum CallError {
    /// The gateway understood it and said no.
    Refused(Problem),
    /// There is no answer to go by.
    Failed(Failure),
}

/// What a refusal says.
#[derive(Debug, Deserialize)]
pub(super) struct Problem {
    #[serde(rename = "type")]
    kind: String,
    title: String,
    status: u16,
    detail: String,
}

impl Client {
    pub(super) fn new(url: &str, token: Option<String>) -> Result<Self, Failure> {
        let wrong = |why: &str| {
            Failure::usage(format!("--admin `{url}`: {why}")).hint("write it like http://127.0.0.1:9180")
        };
        let uri: Uri = url.parse().map_err(|_| wrong("is no URL"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err(wrong("TLS is not spoken here; use a tunnel such as ssh -L")),
            _ => return Err(wrong("has no http:// in front")),
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(wrong("has a path"));
        }
        let authority = uri.authority().ok_or_else(|| wrong("names no host"))?;
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| wrong("names no host"))?;
        let authorization = token.map(|token| {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
                .map_err(|_| Failure::usage("the admin token has characters that a header cannot carry"))?;
            value.set_sensitive(true);
            Ok::<_, Failure>(value)
        });
        let address = format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(80));
        Ok(Self { address, host, authorization: authorization.transpose()? })
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CallError> {
        self.call(self.request(Method::GET, path)).await
    }

    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, CallError> {
        let mut request = self.request(method, path);
        let bytes = serde_json::to_vec(body).expect("texts, numbers and flags can be written as JSON");
        *request.body_mut() = Full::new(bytes.into());
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.call(request).await
    }

    async fn call<T: DeserializeOwned>(&self, request: Request<Full<Bytes>>) -> Result<T, CallError> {
        let (status, bytes) = match timeout(ANSWER_TIME, self.exchange(request)).await {
            Ok(exchanged) => exchanged?,
            Err(_) => return Err(self.broken("does not answer").into()),
        };
        let strange =
            || CallError::from(self.broken(&format!("answers {status} and no JSON that is known here")));
        if status == StatusCode::OK {
            return serde_json::from_slice(&bytes).map_err(|_| strange());
        }
        let problem = serde_json::from_slice(&bytes).map_err(|_| strange())?;
        Err(CallError::Refused(problem))
    }

    fn request(&self, method: Method, path: &str) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::default());
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().expect("paths are made of names that were checked or encoded");
        let headers = request.headers_mut();
        headers.insert(header::HOST, self.host.clone());
        if let Some(authorization) = &self.authorization {
            headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        request
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), Failure> {
        let stream = match timeout(CONNECT_TIME, TcpStream::connect(&self.address)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(self.unreachable(&error.to_string())),
            Err(_) => return Err(self.unreachable("no connection in 3 s")),
        };
        let response =
            self.talk(stream, request).await.map_err(|error| self.broken(&format!("breaks off: {error}")))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_MAX).collect().await;
        let body = body.map_err(|error| self.broken(&format!("breaks off: {error}")))?;
        Ok((status, body.to_bytes()))
    }

    async fn talk(
        &self,
        stream: TcpStream,
        request: Request<Full<Bytes>>,
    ) -> hyper::Result<Response<Incoming>> {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Its errors come out of the request as well.
        tokio::spawn(connection);
        sender.send_request(request).await
    }

    fn unreachable(&self, why: &str) -> Failure {
        Failure::new(format!("no gateway can be reached at http://{}: {why}", self.address))
            .hint("is it running, and is its admin listener there? Name another one with --admin URL")
    }

    fn broken(&self, how: &str) -> Failure {
        Failure::new(format!("the admin listener at http://{} {how}", self.address))
            .hint("if this was a change, look at the operation before you try again")
    }
}

impl Problem {
    /// The last part of its type.
    pub(super) fn name(&self) -> &str {
        self.kind.rsplit(':').next().unwrap_or_default()
    }

    /// Whether it is the operation that stands against it, rather than the request or the gateway.
    pub(super) fn is_about_the_operation(&self) -> bool {
        matches!(self.status, 404 | 409)
    }

    /// In a sentence.
    pub(super) fn text(&self) -> String {
        format!("{} ({})\n{}", self.title, self.name(), self.detail)
    }
}

impl From<Failure> for CallError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        let problem = match error {
            CallError::Failed(failure) => return failure,
            CallError::Refused(problem) => problem,
        };
        match problem.status {
            400 => Self::usage(problem.text()),
            401 => Self::new(problem.text())
                .hint("set ONLYONCE_ADMIN_TOKEN, or name the variable that holds it with --token-env NAME"),
            _ => Self::new(problem.text()),
        }
    }
}

/// A value for a query: everything but unreserved characters (RFC 3986, section 2.3) is encoded.
pub(super) fn encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}
