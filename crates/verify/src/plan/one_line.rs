//! A plan from one line: a request, and how its effects are counted.

use super::{
    Bounds, Commands, Credentials, KeyRule, Operation, Operations, Placeholder, Plan, PlanError, checked,
    credential,
};
use crate::{call::Origin, counter::Counter};

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct OneLine {
    /// `POST http://127.0.0.1:8080/transfers`.
    pub request: String,
    /// A JSON body.
    pub json: Option<String>,
    /// Headers, as `Name: value`.
    pub headers: Vec<String>,
    /// `GET /transfers length`, or with a pointer.
    pub count: Option<String>,
    /// The caller's credential, as a header.
    pub credential: Option<String>,
    /// Another caller's.
    pub second_credential: Option<String>,
}

impl OneLine {
    /// The plan.
    ///
    /// # Errors
    /// Names what cannot be read, and how to write it.
    pub fn plan(self) -> Result<Plan, PlanError> {
        let wrong = || {
            let request = &self.request;
            PlanError::new(format!(
                "{request:?} is no request: write one such as 'POST http://127.0.0.1:8080/transfers'"
            ))
        };
        let (method, url) = self.request.trim().split_once(' ').ok_or_else(wrong)?;
        if !url.contains("://") {
            return Err(PlanError::new(format!(
                "{url:?} says neither http:// nor https://: write '{method} http://{url}'"
            )));
        }
        let (target, path) = Origin::split(url.trim()).map_err(|_| wrong())?;
        let mut create = Operation::parse(&format!("{method} {path}"))?;
        let mut placeholders = Placeholder::all("the URL", url);
        if let Some(json) = self.json {
            checked::json("--json", &json, |file| format!("write --json \"$(cat {file})\""))?;
            placeholders.extend(Placeholder::all("--json", &json));
            create = create.with_json(json);
        }
        for header in &self.headers {
            placeholders.extend(Placeholder::all("--header", header));
            create = create.with_header(header)?;
        }
        Ok(Plan {
            target,
            profile: "ietf".into(),
            key: KeyRule::default(),
            credentials: Credentials {
                first: self.credential.as_deref().map(credential).transpose()?.unwrap_or_default(),
                second: self.second_credential.as_deref().map(credential).transpose()?,
                ..Credentials::default()
            },
            operations: Operations::only(create),
            resource: None,
            counter: self.count.as_deref().map(Counter::parse).transpose()?,
            retention: None,
            commands: Commands::default(),
            upstream: None,
            bounds: Bounds::default(),
            placeholders,
        })
    }
}
