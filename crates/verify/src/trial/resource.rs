//! Something of its own that a check reads, replaces and removes.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::Trial;
use crate::{
    call::{Answer, Fault, Manner, Minted, Request, Who},
    plan::{Fresh, Part},
    verdict::Stop,
};

/// A resource that nobody else has.
#[derive(Clone, Debug)]
pub struct Document {
    path: String,
    token: String,
    /// It as a whole.
    pub whole: Bytes,
    /// Another one in its place.
    pub changed: Bytes,
    /// The first without one of its members.
    pub part: Option<Bytes>,
}

impl Trial<'_> {
    /// A new one, which is not there yet.
    ///
    /// # Errors
    /// If the plan has none.
    pub fn new_resource(&self) -> Result<Document, Stop> {
        let resource = self.plan.resource.as_ref();
        let resource = resource.ok_or_else(|| Stop::not_observable("the plan has no [resource]"))?;
        let fresh = Fresh::new();
        if let Some(application) = self.application {
            application.expect(&fresh.token, Part::Resource);
        }
        Ok(Document {
            path: resource.path.with(&fresh),
            whole: resource.json.with(&fresh).into(),
            changed: resource.changed.with(&fresh).into(),
            part: resource.part.as_ref().map(|part| part.with(&fresh).into()),
            token: fresh.token,
        })
    }

    /// Puts it there as a whole.
    ///
    /// # Errors
    /// If that is refused: then nothing can be told.
    pub async fn put_there(&mut self, document: &Document) -> Result<Answer, Stop> {
        let put = self.of(&document.put(&document.whole), Who::First);
        let answer = self.send("put it there", &put).await?;
        match answer.is_success() {
            true => Ok(answer),
            false => Err(Stop::not_observable(format!("the resource cannot be put there: {answer}"))),
        }
    }

    /// Puts another one in the place of the one that was read: without a word on its version, or with it where that is
    /// demanded (RFC 6585, section 3).
    ///
    /// # Errors
    /// As for [`Trial::send`].
    pub async fn replace(
        &mut self,
        what: &str,
        document: &Document,
        body: &Bytes,
        read: &Answer,
    ) -> Result<Answer, Stop> {
        let put = self.of(&document.put(body), Who::First);
        let answer = self.send(what, &put).await?;
        match (answer.status, read.headers.get(header::ETAG)) {
            (StatusCode::PRECONDITION_REQUIRED, Some(version)) => {
                let put = put.with_header(header::IF_MATCH, version.clone());
                self.send(&format!("{what}, with the version that was read"), &put).await
            }
            _ => Ok(answer),
        }
    }

    /// Reads it.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn read(&mut self, what: &str, document: &Document) -> Result<Answer, Stop> {
        let get = self.of(&document.request(Method::GET), Who::First);
        let answer = self.send(what, &get).await?;
        match answer.is_success() {
            true => Ok(answer),
            false => Err(Stop::not_observable(format!("the resource cannot be read: {answer}"))),
        }
    }
}

impl Document {
    /// A request that replaces it.
    #[must_use]
    pub fn put(&self, body: &Bytes) -> Request {
        let json = HeaderValue::from_static("application/json");
        self.request(Method::PUT).with_header(header::CONTENT_TYPE, json).with_body(body.clone())
    }

    /// A request without a body.
    #[must_use]
    pub fn request(&self, method: Method) -> Request {
        Request {
            method,
            path: self.path.clone(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            who: Who::Nobody,
            manner: Manner::Whole,
            fault: Fault::None,
            in_path: None,
            changed: None,
            token: self.token.clone(),
            minted: vec![Minted::Token(self.token.clone())],
        }
    }
}
