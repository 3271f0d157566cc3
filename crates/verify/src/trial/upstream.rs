//! The other side of a check in the upstream view.

use super::Trial;
use crate::{
    call::Request,
    upstream::{Application, Script},
    verdict::Stop,
};

impl<'a> Trial<'a> {
    /// With this application behind the API.
    pub(crate) const fn before(mut self, application: Option<&'a Application>) -> Self {
        self.application = application;
        self
    }

    /// The application behind the API.
    ///
    /// # Errors
    /// In the client's view.
    pub fn application(&self) -> Result<&'a Application, Stop> {
        self.application.ok_or_else(|| {
            Stop::not_observable("the verifier is not the application behind it: add [upstream] to the plan")
        })
    }

    /// A new operation for which the application follows a script.
    ///
    /// # Errors
    /// As for [`Trial::operation`], and in the client's view.
    pub fn scripted(&self, script: Script) -> Result<Request, Stop> {
        let application = self.application()?;
        let request = self.operation()?;
        application.follow(&request.token, script);
        Ok(request)
    }

    /// The check has ended: what the application held goes on, and it listens.
    pub(crate) async fn turn(&self) {
        let Some(application) = self.application else { return };
        application.turn();
        // If it cannot listen again, all that follows shows it.
        drop(application.up().await);
    }
}
