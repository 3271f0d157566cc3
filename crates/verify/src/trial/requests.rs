//! Requests of the plan's operations: by whom they are asked, under which key, and what another one would be.

use serde_json::Value;

use super::{Trial, change};
use crate::{
    call::{Request, Who},
    plan::{Carrier, Form, Operation},
    random,
    verdict::Stop,
};

impl Trial<'_> {
    /// A new operation: fresh values, a fresh key, the first caller.
    ///
    /// # Errors
    /// If it has no place for a key.
    pub fn operation(&self) -> Result<Request, Stop> {
        self.keyed(self.unkeyed(&self.plan.operations.create), &random::uuid())
    }

    /// A request of the first caller, without a key.
    #[must_use]
    pub fn unkeyed(&self, operation: &Operation) -> Request {
        let request = operation.request();
        if let Some(application) = self.application {
            application.expect(&request.token, operation.part);
        }
        self.of(&request, Who::First)
    }

    /// The same request under this key.
    ///
    /// # Errors
    /// If it has no place for a key.
    pub fn keyed(&self, request: Request, key: &str) -> Result<Request, Stop> {
        self.keyed_as(request, key, self.form())
    }

    /// How keys are written: as the plan says, or else the profile.
    #[must_use]
    pub fn form(&self) -> Form {
        self.plan.key.form.unwrap_or(self.profile.form)
    }

    /// The same request under this key, written so.
    ///
    /// # Errors
    /// If it has no place for a key.
    pub fn keyed_as(&self, request: Request, key: &str, form: Form) -> Result<Request, Stop> {
        self.learnt.saw_key();
        placed(&self.plan.key.carrier, request, key, form)
    }

    /// The same request with a key in another place as well.
    ///
    /// # Errors
    /// If it has no such place.
    pub fn keyed_at(&self, other: &Carrier, request: Request, key: &str) -> Result<Request, Stop> {
        self.learnt.saw_key();
        placed(other, request, key, self.form())
    }

    /// The same request under a fresh key: another operation with the same parameters.
    ///
    /// # Errors
    /// If it has no place for a key.
    pub fn keyed_anew(&self, request: &Request) -> Result<Request, Stop> {
        self.keyed(request.clone(), &random::uuid())
    }

    /// The same request, asked by somebody else.
    #[must_use]
    pub fn of(&self, request: &Request, who: Who) -> Request {
        let mut request = request.clone();
        let credentials = &self.plan.credentials;
        for name in credentials.of(request.who).unwrap_or_default().keys() {
            request.headers.remove(name);
        }
        let shown = credentials.of(who).unwrap_or_default();
        if let (Some(application), Who::Stranger) = (self.application, who) {
            application.refuse(&shown);
        }
        request.headers.extend(shown);
        request.who = who;
        request
    }

    /// Another request under the same key: a member of its body has another value.
    ///
    /// # Errors
    /// If none can be made from the body and the plan gives none.
    pub fn changed(&self, request: &Request) -> Result<Request, Stop> {
        change::changed(request, &self.plan.key.carrier)
    }

    /// Another request with the same fresh values; `None`: none can be made from the body, and the plan gives none.
    #[must_use]
    pub fn changed_beside_what_is_fresh(&self, request: &Request) -> Option<Request> {
        change::changed_beside_what_is_fresh(request, &self.plan.key.carrier)
    }

    /// The same request with nothing that carries a key.
    #[must_use]
    pub fn without_key(&self, request: &Request) -> Request {
        self.plan.key.carrier.take(request.clone())
    }

    /// A request's body as JSON, with pointers to all numbers and strings in it but the key.
    ///
    /// # Errors
    /// If it is no JSON.
    pub fn document(&self, request: &Request) -> Result<(Value, Vec<String>), Stop> {
        let body: Value = serde_json::from_slice(&request.body)
            .map_err(|_| Stop::not_observable("the body of this operation is no JSON"))?;
        let leaves = change::leaves(&body, &self.plan.key.carrier);
        Ok((body, leaves))
    }
}

fn placed(carrier: &Carrier, request: Request, key: &str, form: Form) -> Result<Request, Stop> {
    let placed = carrier.put(request, key, form);
    placed.ok_or_else(|| Stop::not_observable(format!("this operation has no place for a key at {carrier}")))
}
