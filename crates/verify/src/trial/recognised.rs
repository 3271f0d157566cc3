//! A request that is known again.

use super::Trial;
use crate::{
    call::{Answer, Request},
    verdict::Stop,
};

const NOT_RECOGNISED: &str =
    "a plain repeat is not recognised: see replay/runs-again and replay/body-differs";

impl Trial<'_> {
    /// Nothing but that a plain repeat has no second effect, whatever its answer says.
    ///
    /// # Errors
    /// If it has one: then what a check does to a repeat is not why.
    pub async fn repeats_do_nothing(&mut self) -> Result<(), Stop> {
        let steps = self.steps.len();
        let request = self.operation()?;
        let before = self.count().await?;
        self.carried_out("a first request", &request).await?;
        self.until_settled("its repeat", &request).await?;
        match self.effects_since(before, 1).await? {
            0 => Err(Stop::not_observable("the counter did not see the first request's effect")),
            1 => {
                // What a report shows is the fault that follows, and nothing else.
                self.steps.truncate(steps);
                Ok(())
            }
            _ => Err(Stop::not_observable(NOT_RECOGNISED)),
        }
    }

    /// A request that was carried out, and whose plain repeat was recognised: what an API does with keys can be told
    /// only where it knows them at all.
    ///
    /// # Errors
    /// If a plain repeat is not recognised, which is a fault of its own and judged elsewhere.
    pub async fn recognised(&mut self) -> Result<(Request, Answer), Stop> {
        let request = self.operation()?;
        let before = match self.plan().counter.is_some() {
            true => Some(self.count().await?),
            false => None,
        };
        let first = self.carried_out("a first request", &request).await?;
        let repeat = self.until_settled("its repeat", &request).await?;
        let effects = match before {
            Some(before) => self.effects_since(before, 1).await?,
            None => 1,
        };
        match effects {
            0 => Err(Stop::not_observable("the counter did not see the first request's effect")),
            1 if first.is_same(&repeat) => Ok((request, first)),
            _ => Err(Stop::not_observable(NOT_RECOGNISED)),
        }
    }
}
